"""Events leave the simulated switch byte for byte as they left the real one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import unquote

import pytest

from esl_bridge.simulator.events import Event, percent_encode

from .recordings import RECORDINGS


def messages(raw: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(whole message, body) of every event message."""
    position = 0
    while position < len(raw):
        end = raw.index(b"\n\n", position)
        head = dict(line.split(b": ", 1) for line in raw[position:end].strip().split(b"\n"))
        start = raw.index(b"Content-", position)
        finish = end + 2 + int(head[b"Content-Length"])
        if head[b"Content-Type"].startswith(b"text/event"):
            yield raw[start:finish], raw[end + 2 : finish]
        position = finish


def repeats(pairs: list[tuple[str, object]]) -> bool:
    """Events that write headers twice and that the simulator does not send (CODEC, some of conferences)."""
    return len(dict(pairs)) < len(pairs) and dict(pairs)["Event-Name"] != "CHANNEL_HANGUP_COMPLETE"


def with_headers(pairs: list[tuple[str, str]]) -> Event:
    """An event of these headers; a name that comes twice is repeated after the header before it."""
    event = Event({})
    before = ""
    for name, value in pairs:
        if name in event.headers:
            event.repeated = (name, before)
        else:
            event.headers[name] = value
        before = name
    return event


@pytest.mark.parametrize("name", ["cc_config", "cc_ring_all", "cc_hold_transfer_record", "cc_conference"])
def test_plain_events_are_encoded_as_recorded(name: str) -> None:
    count = 0
    for whole, body in messages((RECORDINGS / f"{name}.esl").read_bytes()):
        head, _, rest = body.partition(b"\n\n")
        if rest:
            continue
        lines = [line.split(": ", 1) for line in head.decode().split("\n")]
        if repeats([(key, value) for key, value in lines]):
            continue
        event = with_headers([(key, unquote(value)) for key, value in lines])
        assert event.plain() == whole
        count += 1
    assert count > 60


def test_json_events_are_encoded_as_recorded() -> None:
    count = 0
    for whole, body in messages((RECORDINGS / "json_answered.esl").read_bytes()):
        pairs = json.loads(body, object_pairs_hook=list)
        if any(key == "_body" for key, _ in pairs) or repeats(pairs):
            continue
        flat = [(k, "ARRAY::" + "|:".join(v) if isinstance(v, list) else v) for k, v in pairs]
        assert json.loads(with_headers(flat).json().partition(b"\n\n")[2], object_pairs_hook=list) == pairs
        assert len(with_headers(flat).json()) == len(whole)
        count += 1
    assert count > 60


def test_an_empty_value_is_written_as_undefined() -> None:
    assert b"\nEmpty: _undef_\n" in Event({"Event-Name": "API", "Empty": ""}).plain()


def test_a_body_follows_the_headers_with_its_own_length() -> None:
    event = Event({"Event-Name": "BACKGROUND_JOB"})
    event.body = "+OK é\n"
    assert event.plain().endswith(b"Content-Length: 7\n\n+OK \xc3\xa9\n")
    assert json.loads(event.json().partition(b"\n\n")[2])["_body"] == "+OK é\n"


def test_unsafe_and_multibyte_characters_are_percent_encoded() -> None:
    assert percent_encode("a b:c@d,e(f)'é|\n~") == "a%20b%3Ac%40d,e(f)'%C3%A9%7C%0A~"
