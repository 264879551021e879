"""Bytes in, messages out: however the network cuts them, and whatever they are."""

import time
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from esl_bridge.protocol import Frame, FrameReader, ProtocolError
from tests.esl.recordings import NAMES, SMALL, messages, recorded

REPLY = b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n"


def cut(data: bytes, places: list[int]) -> list[bytes]:
    bounds = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in pairwise(bounds)]


def read(pieces: list[bytes], **limits: int) -> tuple[list[Frame], str]:
    """All messages of a stream, and the words of the fault that ended it, if one did."""
    reader, frames = FrameReader(**limits), []
    try:
        for piece in pieces:
            frames += reader.feed(piece)
    except ProtocolError as fault:
        return frames + fault.frames, str(fault)
    return frames, ""


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_fed_whole_gives_every_message_of_it(name):
    data = recorded(name)
    frames, fault = read([data])
    assert not fault
    assert [(frame.content_type, frame.body) for frame in frames] == messages(data)


@pytest.mark.parametrize("name", SMALL)
def test_a_recording_fed_byte_by_byte_gives_the_same_messages(name):
    data = recorded(name)
    assert read([data[i : i + 1] for i in range(len(data))]) == read([data])


@pytest.mark.parametrize("name", NAMES)
def test_a_recording_fed_in_network_packets_gives_the_same_messages(name):
    data = recorded(name)
    assert read([data[i : i + 1448] for i in range(0, len(data), 1448)]) == read([data])


@pytest.mark.parametrize("name", [name for name in NAMES if not name.endswith(".gz")])
@settings(max_examples=10, deadline=None)
@given(source=st.data())
def test_a_recording_cut_anywhere_gives_the_same_messages(name, source):
    data = recorded(name)
    places = source.draw(st.lists(st.integers(0, len(data)), max_size=40))
    assert read(cut(data, places)) == read([data])


@given(
    data=st.lists(
        st.sampled_from(
            [REPLY, b"\n", b"Content-Length: ", b"Content-Type: a", b"5", b"-", b"\n\n", b"hello", b"\xff"]
        )
    ).map(b"".join)
    | st.binary(),
    source=st.data(),
)
def test_of_any_bytes_the_messages_and_the_fault_do_not_depend_on_the_cuts(data, source):
    places = source.draw(st.lists(st.integers(0, len(data)), max_size=20))
    limits = {"max_header": 64, "max_body": 50}
    assert read(cut(data, places), **limits) == read([data], **limits)


def test_a_message_without_a_body_is_whole_at_its_empty_line():
    reader = FrameReader()
    assert reader.feed(REPLY[:-1]) == []
    assert reader.partial
    [frame] = reader.feed(REPLY[-1:])
    assert frame == Frame({"Content-Type": "command/reply", "Reply-Text": "+OK accepted"}, b"")
    assert not reader.partial


def test_an_empty_reply_text_is_a_header_too():
    [frame] = FrameReader().feed(b"Content-Type: command/reply\nReply-Text: \n\n")
    assert frame.headers["Reply-Text"] == ""


def test_a_reader_waiting_for_a_body_is_in_the_middle_of_a_message():
    reader = FrameReader()
    reader.feed(b"Content-Type: api/response\nContent-Length: 3\n\n")
    assert reader.partial
    assert [frame.body for frame in reader.feed(b"abc")] == [b"abc"]
    assert not reader.partial


def test_ten_megabytes_are_one_message_like_any_other():
    body = bytes(range(256)) * 40_000
    data = b"Content-Length: %d\nContent-Type: api/response\n\n%s%s" % (len(body), body, REPLY)
    frames, fault = read([data[i : i + 4096] for i in range(0, len(data), 4096)])
    assert not fault
    assert [frame.body for frame in frames] == [body, b""]


def test_small_pieces_of_a_large_body_cost_no_more_than_their_number():
    def seconds(size: int) -> float:
        reader, piece = FrameReader(), b"x" * 64
        reader.feed(b"Content-Length: %d\nContent-Type: api/response\n\n" % size)
        start = time.process_time()
        for _ in range(size // len(piece)):
            frames = reader.feed(piece)
        assert len(frames[0].body) == size
        return time.process_time() - start

    small = min(seconds(1_024_000) for _ in range(3))
    assert seconds(10_240_000) < 40 * small  # ten times the bytes; quadratic would be a hundred times


def test_the_largest_body_is_taken_and_one_byte_more_is_refused_before_it_comes():
    limit = 16 * 1024 * 1024
    head = b"Content-Type: api/response\nContent-Length: %d\n\n"
    assert read([head % limit]) == ([], "")
    assert read([head % (limit + 1)]) == ([], f"a body of {limit + 1} bytes, the limit is {limit}")


@pytest.mark.parametrize(
    "length", ["-1", "+5", "five", "", "1e3", "0x10", "1_000", "٣", "5 5", "9" * 21, "9" * 10_000, "4.0"]
)
def test_a_content_length_that_is_no_number_is_a_fault(length):
    frames, fault = read([f"Content-Type: api/response\nContent-Length: {length}\n\n".encode()])
    assert frames == []
    assert fault.startswith("Content-Length is not a number")
    assert len(fault) < 100


def test_a_huge_content_length_is_a_fault():
    _, fault = read([b"Content-Type: api/response\nContent-Length: 99999999999999999999\n\n"])
    assert fault == "a body of 99999999999999999999 bytes, the limit is 16777216"


@pytest.mark.parametrize(
    ("garbage", "fault"),
    [
        (b"HTTP/1.1 400 Bad Request\n\n", "a line that is no header where headers were due"),
        (b"\n\n", "a line that is no header where headers were due"),
        (b"\x00\xff\xfe\n\n", "a line that is no header where headers were due"),
        (b"Server: nginx\n\n", "a message without Content-Type"),
        (b"x" * 70_000, "no end of the headers within 65536 bytes"),
        (b"a: b\n" * 14_000 + b"\n", "no end of the headers within 65536 bytes"),
    ],
)
def test_what_is_no_event_socket_is_a_fault_that_says_why(garbage, fault):
    assert read([garbage]) == ([], fault)


def test_messages_before_a_fault_are_not_lost_and_nothing_after_it_is_read():
    reader = FrameReader()
    with pytest.raises(ProtocolError) as fault:
        reader.feed(REPLY + b"rubbish\n\n" + REPLY)
    assert [frame.content_type for frame in fault.value.frames] == ["command/reply"]
    with pytest.raises(ProtocolError, match="no header where headers were due") as again:
        reader.feed(REPLY)
    assert again.value.frames == []
