"""A switch that talks nonsense: counted and skipped, or dropped and found again; the bridge lives on."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from agents.models import Agent
from agents.state import State
from callcenter.models import SwitchNode
from esl_bridge.bridge import Bridge, SwitchAddress
from esl_bridge.engines import backend_load
from esl_bridge.transports.asyncio_transport import connect
from queues.models import Call
from queues.state import CallState

from .live import until
from .recorded_switch import RecordedSwitch
from .truth import raw_events, recording_bytes

pytestmark = [pytest.mark.django_db(transaction=True)]


@asynccontextmanager
async def bridge_to(port: int, *, adopt: bool = True, event_time: bool = True) -> AsyncIterator[Bridge]:
    bridge = Bridge(
        address=SwitchAddress("127.0.0.1", port, "ClueCon"),
        connector=connect,
        backend=backend_load(),
        adopt=adopt,
        event_time=event_time,
        rng=random.Random(1),
    )
    task = asyncio.create_task(bridge.run())
    try:
        yield bridge
        assert not task.done(), "the bridge ended by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def spliced(extra: bytes, *, at: float = 0.5) -> bytes:
    """The normal call with something put between two of its events."""
    data = recording_bytes("cc_answered_caller_hangs_up")
    events = raw_events(data)
    place = events[int(len(events) * at)].start
    return data[:place] + extra + data[place:]


def plain(body: str | bytes, content_type: str = "text/event-plain") -> bytes:
    raw = body.encode() if isinstance(body, str) else body
    return b"Content-Length: %d\nContent-Type: %b\n\n%b" % (len(raw), content_type.encode(), raw)


HEAD = "Event-Name: CUSTOM\nEvent-Subclass: callcenter%3A%3Ainfo\nCore-UUID: c\nEvent-Sequence: 0\n"
HEAD += "Event-Date-Timestamp: 1795515155000000\n"
ODD_EVENTS = {
    "an unknown action": plain(HEAD + "CC-Action: agent-flies\nCC-Agent: 1001\n\n"),
    "an action without its headers": plain(HEAD + "CC-Action: agent-status-change\n\n"),
    "an unknown status": plain(
        HEAD + "CC-Action: agent-status-change\nCC-Agent: 1001\nCC-Agent-Status: X\n\n"
    ),
    "no event at all": plain("hello\n\n"),
    "an empty body": plain(""),
    "JSON that is no object": plain("[1, 2]", "text/event-json"),
    "JSON cut short": plain('{"Event-Name": "CUS', "text/event-json"),
    "bytes that are no text": plain(b"\xff\xfe\x00\x80" * 50),
    "a log line": plain("some log", "log/data"),
    "a time that is no number": plain(HEAD.replace("1795515155000000", "soon") + "CC-Action: agent-add\n\n"),
    "ten megabytes": plain(HEAD + "CC-Action: agent-add\nCC-Agent: big\nX: " + "x" * 10_000_000 + "\n\n"),
    "a name with a new line": plain(
        HEAD + "CC-Action: agent-state-change\nCC-Agent: a%0Ab\nCC-Agent-State: Idle\n\n"
    ),
}


@pytest.mark.parametrize("what", ODD_EVENTS)
async def test_an_odd_event_is_skipped_and_the_call_around_it_comes_out_whole(what: str) -> None:
    async with RecordedSwitch(spliced(ODD_EVENTS[what])) as switch, bridge_to(switch.port):
        await until(lambda: Call.objects.filter(state=CallState.ENDED, outcome="answered").count() == 1)
        await until(lambda: Agent.objects.filter(name="1001").exclude(state=State.BUSY).exists())
    assert (await Call.objects.aget()).talk_ms == 2520


@pytest.mark.parametrize(
    "garbage", [b"\x00\x01\x02 no header\n\n", b"Content-Length: -5\n\n", b"x" * 100_000]
)
async def test_garbage_costs_the_connection_and_the_next_one_is_in_step(garbage: bytes) -> None:
    """The switch goes on from the event after the garbage, as it would on a new connection."""
    data = spliced(garbage)
    async with RecordedSwitch(recording_bytes("cc_answered_caller_hangs_up")) as switch:
        switch.data = data
        place = data.index(garbage)
        switch.cuts = []
        original = switch._serve

        async def after_garbage(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            if switch._at > place:
                switch.data, switch._at = recording_bytes("cc_answered_caller_hangs_up"), place
            with contextlib.suppress(ConnectionError):
                await original(reader, writer)

        switch._server.close()  # type: ignore[union-attr]
        switch._server = await asyncio.start_server(after_garbage, "127.0.0.1", switch.port)
        async with bridge_to(switch.port):
            await until(lambda: Call.objects.filter(state=CallState.ENDED, outcome="answered").count() == 1)
            await until(lambda: SwitchNode.objects.filter(connected=True).exists())
            assert not await Agent.objects.filter(state=State.BUSY).aexists()


async def test_agents_and_queues_that_are_not_ours_are_counted_and_the_call_is_kept() -> None:
    async with (
        RecordedSwitch(recording_bytes("cc_answered_caller_hangs_up")) as switch,
        bridge_to(switch.port, adopt=False, event_time=False) as bridge,
    ):
        await until(lambda: Call.objects.filter(state=CallState.ENDED).count() == 1)
        await until(lambda: bridge.applier.counts["unknown_agent"] > 0)
    call = await Call.objects.aget()
    assert (call.queue, call.queue_name) == (None, "support@default")
    assert bridge.applier.counts["unknown_queue"] > 0
    assert not await Agent.objects.aexists()


async def test_a_switch_that_is_not_there_yet_is_waited_for() -> None:
    async with RecordedSwitch(recording_bytes("cc_abandon_waiting")) as switch:
        port = switch.port
        assert switch._server is not None
        switch._server.close()
        await switch._server.wait_closed()
        async with bridge_to(port):
            await until(lambda: SwitchNode.objects.filter(connected=False).exists())
            switch._server = await asyncio.start_server(switch._serve, "127.0.0.1", port)
            await until(lambda: Call.objects.filter(outcome="abandoned").exists(), seconds=20)
