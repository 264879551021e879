"""Frames that are wrong: each is answered with a code, and the socket stays open and works."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.consumers import COMMANDS, AgentConsumer
from callcenter import sockets as sockets_module
from callcenter.frames import (
    MAX_FRAME_BYTES,
    STREAM_FRAMES,
    Authenticated,
    BadFrame,
    EventFrame,
    Heartbeat,
    Hello,
    Pong,
    Result,
    Resumed,
    Snapshot,
    parse,
)
from tests.product import PROJECT

from .client import AGENT, connect
from .conftest import Person, sockets

NOT_JSON = [
    "",
    " ",
    "hello",
    "{",
    '{"type":"ping"',
    "{'type':'ping'}",
    '{"type":NaN}',
    "[" * 60_000,
    '"\\ud800"',
]
NO_OBJECT = ["[]", "null", "1", '"ping"', '[{"type":"ping"}]']


def text(**fields: Any) -> str:
    return json.dumps(fields)


BAD_FRAMES = [
    *((frame, "not_json") for frame in NOT_JSON),
    *((frame, "not_an_object") for frame in NO_OBJECT),
    ("{}", "missing_type"),
    (text(type=None), "missing_type"),
    (text(type=["ping"]), "missing_type"),
    (text(type=""), "unknown_type"),
    (text(type="PING"), "unknown_type"),
    (text(type="snapshot"), "unknown_type"),
    (text(type="__class__"), "unknown_type"),
    (text(type="authenticate"), "invalid_frame"),
    (text(type="authenticate", token=""), "invalid_frame"),
    (text(type="authenticate", token=1), "invalid_frame"),
    (text(type="authenticate", token="t" * 201), "invalid_frame"),
    (text(type="subscribe", agent="x"), "invalid_frame"),
    (text(type="subscribe", credit=0), "invalid_frame"),
    (text(type="subscribe", credit=10_001), "invalid_frame"),
    (text(type="subscribe", credit=True), "invalid_frame"),
    (text(type="resume"), "invalid_frame"),
    (text(type="resume", seq=-1), "invalid_frame"),
    (text(type="resume", seq="1"), "invalid_frame"),
    (text(type="resume", seq=1.5), "invalid_frame"),
    (text(type="resume", seq=None), "invalid_frame"),
    (text(type="ack", seq={}), "invalid_frame"),
    (text(type="ping", id=[1]), "invalid_frame"),
    (text(type="ping", id="x" * 65), "invalid_frame"),
    (text(type="ping", more=1), "invalid_frame"),
    (text(type="ping", id="x" * MAX_FRAME_BYTES), "too_large"),
    ('{"type":"ping","id":"' + "é" * (MAX_FRAME_BYTES // 2) + '"}', "too_large"),
]

BAD_COMMANDS = [
    (text(type="command"), "invalid_frame"),
    (text(type="command", id="a"), "invalid_frame"),
    (text(type="command", command="ready"), "invalid_frame"),
    (text(type="command", id="a", command=1), "invalid_frame"),
    (text(type="command", id="a", command="dance"), "unknown_command"),
    (text(type="command", id="a", command="ready", data=[]), "invalid_frame"),
    (text(type="command", id="a", command="ready", data={"now": True}), "invalid_frame"),
    (text(type="command", id="a", command="ready", agent="x"), "invalid_frame"),
    (text(type="command", id="a", command="login", data={"extension": 1001}), "invalid_frame"),
    (text(type="command", id="a", command="login", data={"extension": "1" * 256}), "invalid_frame"),
    (text(type="command", id="a", command="login", data={"queues": "support"}), "invalid_frame"),
    (text(type="command", id="a", command="login", data={"queues": [1]}), "invalid_frame"),
    (text(type="command", id="a", command="login", data={"extension": "1\r\nexit"}), "invalid_input"),
    (text(type="command", id="a", command="login", data={"queues": ["none such"]}), "not_in_queue"),
    (text(type="command", id="a", command="unready", data={"sub_state": "LUNCH"}), "invalid_input"),
    (text(type="command", id="a", command="unready", data={"reason": "a\nb"}), "invalid_input"),
    (text(type="command", id="a", command="unready", data={"reason": "\u0000"}), "invalid_input"),
    (text(type="command", id="a", command="extend_acw"), "invalid_frame"),
    (text(type="command", id="a", command="extend_acw", data={"seconds": "60"}), "invalid_frame"),
    (text(type="command", id="a", command="extend_acw", data={"seconds": 10**30}), "invalid_input"),
    (text(type="command", id="a", command="ready"), "not_logged_in"),
]


def code_of(frame: str, known: Any = STREAM_FRAMES) -> str:
    with pytest.raises(BadFrame) as bad:
        parse(frame, known)
    return bad.value.code


@pytest.mark.parametrize(("frame", "code"), BAD_FRAMES, ids=lambda value: value[:40])
def test_a_bad_frame_is_refused_with_a_code_of_its_own(frame: str, code: str) -> None:
    assert code_of(frame) == code


@pytest.mark.parametrize("id", ["a", 7])
def test_a_refusal_names_the_request_where_it_can(id: str | int) -> None:
    for frame in (text(type="dance", id=id), text(id=id), text(type="ping", id=id, more=1)):
        with pytest.raises(BadFrame) as bad:
            parse(frame, STREAM_FRAMES)
        assert bad.value.request_id == id


def test_a_frame_of_exactly_the_largest_size_is_read() -> None:
    empty = '{"type":"dance","id":""}'
    largest = empty.replace('""', '"' + "x" * (MAX_FRAME_BYTES - len(empty)) + '"')
    assert len(largest) == MAX_FRAME_BYTES
    assert code_of(largest) == "unknown_type"
    assert code_of(largest.replace('"x', '"xx')) == "too_large"


@given(
    st.text() | st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists).map(json.dumps)
)
def test_any_text_is_either_a_frame_or_refused(frame: str) -> None:
    assert code_of(frame) in {"not_json", "not_an_object", "missing_type", "unknown_type"}


@given(
    st.sampled_from(sorted(AgentConsumer.frames)),
    st.dictionaries(
        st.sampled_from(["id", "seq", "credit", "token", "command", "data", "x"]),
        st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers()) | st.just({}),
    ),
)
def test_any_fields_make_either_a_frame_or_a_refusal(kind: str, fields: dict[str, Any]) -> None:
    try:
        parse(text(type=kind, **fields), AgentConsumer.frames)
    except BadFrame as bad:
        assert bad.code == "invalid_frame"


@pytest.mark.both_stacks
@pytest.mark.django_db(transaction=True)
async def test_the_socket_stays_open_and_works_after_every_bad_frame(alice: Person) -> None:
    bad_frames = [*BAD_FRAMES, *BAD_COMMANDS]
    async with connect(sockets(bad_frames=1000), AGENT, token=alice.token) as client:
        for frame, code in bad_frames:
            await client.send(frame)
            heard = await client.hear()
            assert (heard["type"], heard.get("code")) == ("error", code), frame[:80]
            assert heard["detail"]
            if '"id": "a"' in frame:
                assert heard["id"] == "a"

        await client.send(b'{"type":"ping"}')
        assert (await client.hear())["code"] == "binary_frame"
        assert (await client.subscribe())["data"]["agents"][0]["name"] == "alice"
        assert (await client.command("login"))["type"] == "result"


@pytest.mark.django_db(transaction=True)
async def test_too_many_bad_frames_in_a_row_close_the_socket(supervisor: Person) -> None:
    async with connect(sockets(bad_frames=3), token=supervisor.token) as client:
        for _ in range(2):
            await client.send("{")
            await client.hear("error")
        await client.say("ping")
        await client.hear("pong")
        for _ in range(3):
            await client.send("{")
        assert await client.closed() == 4400


@pytest.mark.django_db(transaction=True)
async def test_an_error_never_repeats_the_secret_that_came_with_it(supervisor: Person) -> None:
    async with connect(sockets()) as client:
        await client.hear("hello")
        for frame in (text(type="authenticate", token="hush", x=1), text(type="authenticate", token="hush")):
            await client.send(frame)
            assert "hush" not in json.dumps(await client.hear("error"))


def test_the_documentation_names_every_message_command_and_code() -> None:
    text = (PROJECT / "docs" / "websocket.md").read_text(encoding="utf-8")
    from_server = (Hello, Authenticated, Snapshot, EventFrame, Resumed, Heartbeat, Pong, Result)
    messages = {*AgentConsumer.frames, *(str(message.__struct_config__.tag) for message in from_server)}
    for message in messages:
        assert f'"type":"{message}"' in text, message
    for name in (*COMMANDS, "login", *(code for _, code in [*BAD_FRAMES, *BAD_COMMANDS])):
        assert f"`{name}`" in text, name
    for name, code in vars(sockets_module).items():
        assert not name.startswith("CLOSE_") or f"| {code} |" in text, name
