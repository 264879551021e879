"""From a message to an event, in both encodings."""

import json
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from esl_bridge.protocol import Event, Frame, FrameReader, MalformedEvent, decode_event
from tests.esl.recordings import NAMES, event_headers, messages, recorded

BASE = {
    "Event-Name": "HEARTBEAT",
    "Core-UUID": "0ee7449e-37a4-4951-a098-a9579c27dab9",
    "Event-Sequence": "41",
    "Event-Date-Timestamp": "1795515237842290",
}


def plain(headers: dict[str, str], body: str | bytes = b"") -> Frame:
    """An event as the switch writes it in plain form, `headers` being encoded already."""
    lines = "".join(f"{name}: {value}\n" for name, value in headers.items()).encode()
    tail = body.encode() if isinstance(body, str) else body
    length = b"Content-Length: %d\n" % len(tail) if tail else b""
    return Frame({"Content-Type": "text/event-plain"}, lines + length + b"\n" + tail)


def in_json(value: object) -> Frame:
    return Frame({"Content-Type": "text/event-json"}, json.dumps(value).encode())


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_value_equals_an_independent_decoding(name):
    data = recorded(name)
    expected = [event_headers(*message) for message in messages(data) if message[0].startswith("text/event")]
    events = [
        decode_event(frame)
        for frame in FrameReader().feed(data)
        if frame.content_type.startswith("text/event")
    ]
    assert [event.headers for event in events] == expected
    assert [event.sequence for event in events] == [int(h["Event-Sequence"]) for h in expected]
    assert all(event.body == "" for event in events)


def test_the_fields_of_an_event_are_those_of_its_headers():
    event = decode_event(
        plain({**BASE, "Event-Name": "CUSTOM", "Event-Subclass": "callcenter%3A%3Ainfo", "CC-Queue": "a%40b"})
    )
    assert (event.name, event.subclass) == ("CUSTOM", "callcenter::info")
    assert event.core_uuid == "0ee7449e-37a4-4951-a098-a9579c27dab9"
    assert (event.sequence, event.at_us) == (41, 1795515237842290)
    assert event.get("CC-Queue") == "a@b"
    assert (event.get("CC-Agent"), event.get("CC-Agent", "none")) == ("", "none")


def test_only_custom_events_have_a_subclass():
    assert decode_event(plain(BASE)).subclass == ""


def test_an_empty_value_is_empty_and_a_value_that_mentions_it_is_not():
    event = decode_event(plain({"Caller-Caller-ID-Name": "_undef_", "x": "not__undef_", **BASE}))
    assert event.get("Caller-Caller-ID-Name", "default") == ""
    assert event.get("x") == "not__undef_"


def test_the_output_of_a_background_job_is_the_body():
    output = "+OK 世界\n\nanother: paragraph\n"
    job = {**BASE, "Event-Name": "BACKGROUND_JOB", "Job-UUID": "1b1e"}
    event = decode_event(plain(job, output))
    assert (event.name, event.get("Job-UUID"), event.body) == ("BACKGROUND_JOB", "1b1e", output)
    same = decode_event(in_json({**job, "Content-Length": str(len(output.encode())), "_body": output}))
    assert (same.headers, same.body) == (event.headers, event.body)


def test_a_header_of_several_values_reads_the_same_in_both_encodings():
    text = decode_event(plain({**BASE, "variable_DP_MATCH": "ARRAY%3A%3Aqueue%7C%3Asupport%40default"}))
    array = decode_event(in_json({**BASE, "variable_DP_MATCH": ["queue", "support@default"]}))
    assert text.headers == array.headers
    assert array.get("variable_DP_MATCH") == "ARRAY::queue|:support@default"


def test_of_a_header_given_twice_the_last_value_counts_in_both_encodings():
    twice = b"Cause: A\nCause: B\n" + plain(BASE).body
    assert decode_event(Frame({"Content-Type": "text/event-plain"}, twice)).get("Cause") == "B"
    doubled = in_json(BASE).body.replace(b"{", b'{"Cause":"A","Cause":"B",', 1)
    assert decode_event(Frame({"Content-Type": "text/event-json"}, doubled)).get("Cause") == "B"


def test_bytes_that_are_not_utf8_are_replaced():
    raw = plain({**BASE, "a": "%FF%FEx"}).body.replace(b"HEARTBEAT", b"HEART\xff")
    event = decode_event(Frame({"Content-Type": "text/event-plain"}, raw))
    assert (event.name, event.get("a")) == ("HEART\ufffd", "\ufffd\ufffdx")
    assert decode_event(plain(BASE, b"out\xffput")).body == "out\ufffdput"
    spoilt = in_json({**BASE, "a": "b"}).body.replace(b'"b"', b'"\xc3("')
    assert decode_event(Frame({"Content-Type": "text/event-json"}, spoilt)).get("a") == "\ufffd("


def test_a_percent_sign_that_begins_no_code_stays():
    event = decode_event(plain({**BASE, "a": "100%", "b": "%zz%4", "c": "%41%"}))
    assert (event.get("a"), event.get("b"), event.get("c")) == ("100%", "%zz%4", "A%")


# In plain form the text _undef_ itself cannot be told from an empty value.
TEXT = st.text(max_size=400).filter(lambda value: value != "_undef_")


@given(st.dictionaries(st.from_regex(r"\A[A-Za-z][A-Za-z0-9_-]{0,20}\Z"), TEXT, max_size=8))
def test_any_text_survives_both_encodings(values):
    text = decode_event(plain({name: quote(value, safe="") for name, value in values.items()} | BASE))
    array = decode_event(in_json(values | BASE))
    assert text.headers == array.headers == values | BASE


@given(
    content_type=st.sampled_from(["text/event-plain", "text/event-json"]),
    payload=st.binary()
    | st.lists(
        st.sampled_from(
            [plain(BASE).body, in_json(BASE).body, b"a: %ff\n", b"\n", b"{", b'"\\ud800"', b"\xed\xa0\x80"]
        )
    ).map(b"".join),
)
def test_any_payload_is_an_event_of_clean_text_or_malformed(content_type, payload):
    try:
        event = decode_event(Frame({"Content-Type": content_type}, payload))
    except MalformedEvent:
        return
    json.dumps([event.headers, event.body], ensure_ascii=False).encode()  # a surrogate would not encode


@pytest.mark.parametrize("missing", BASE)
def test_an_event_without_what_every_event_has_is_malformed(missing):
    headers = {name: value for name, value in BASE.items() if name != missing}
    for frame in (plain(headers), in_json(headers)):
        with pytest.raises(MalformedEvent, match=missing):
            decode_event(frame)


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "٣", "9" * 5000])
@pytest.mark.parametrize("name", ["Event-Sequence", "Event-Date-Timestamp"])
def test_a_number_that_is_none_is_malformed(name, value):
    with pytest.raises(MalformedEvent, match="not a number"):
        decode_event(in_json({**BASE, name: value}))


@pytest.mark.parametrize("value", [[], [BASE], "text", 7, None, {**BASE, "a": 1}, {**BASE, "a": {}}])
def test_json_that_is_no_object_of_strings_is_malformed(value):
    with pytest.raises(MalformedEvent, match="no JSON object of strings"):
        decode_event(in_json(value))


@pytest.mark.parametrize("payload", [b"", b"{", b"{}extra", b'{"a":"\\ud800"}', b"\x00"])
def test_json_that_cannot_be_parsed_is_malformed(payload):
    with pytest.raises(MalformedEvent, match="no JSON object of strings"):
        decode_event(Frame({"Content-Type": "text/event-json"}, payload))


def test_a_plain_event_with_a_line_that_is_no_header_is_malformed():
    with pytest.raises(MalformedEvent, match="no header in a plain event"):
        decode_event(Frame({"Content-Type": "text/event-plain"}, b"Event-Name: X\nrubbish\n\n"))


@pytest.mark.parametrize("length", ["11", "-1", "x"])
def test_a_plain_event_whose_body_is_cut_short_is_malformed(length):
    whole = plain(BASE, "0123456789").body
    frame = Frame(
        {"Content-Type": "text/event-plain"}, whole.replace(b"Length: 10", b"Length: " + length.encode())
    )
    with pytest.raises(MalformedEvent, match="shorter than its Content-Length"):
        decode_event(frame)


def test_an_encoding_that_is_not_read_is_malformed():
    with pytest.raises(MalformedEvent, match="text/event-xml"):
        decode_event(Frame({"Content-Type": "text/event-xml"}, b"<event/>"))


def test_an_event_shows_which_it_is_and_not_what_it_holds():
    event = Event({**BASE, "variable_pin": "1234"})
    assert repr(event) == "<Event HEARTBEAT - #41 of 0ee7449e-37a4-4951-a098-a9579c27dab9>"
