"""Every recording of a real switch, through a socket into the bridge, comes out as its bytes say."""

from __future__ import annotations

import asyncio
import random

import pytest
from asgiref.sync import sync_to_async

from agents.models import Agent
from agents.state import State
from callcenter.clock import to_us
from esl_bridge.bridge import Bridge, SwitchAddress
from esl_bridge.engines import backend_load
from esl_bridge.transports.asyncio_transport import connect
from queues.models import Call, CallTransition
from queues.state import CallState
from tests.servers import wait_until

from .recorded_switch import RecordedSwitch
from .truth import Entry, entries, raw_events, recording_bytes

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_stacks]

NAMES = [
    "cc_answered_caller_hangs_up",
    "cc_answered_agent_hangs_up",
    "cc_on_demand",
    "cc_no_answer_to_break",
    "cc_busy_and_reject",
    "cc_abandon_waiting",
    "cc_abandon_while_ringing",
    "cc_timeout",
    "cc_ring_all",
    "cc_hold_transfer_record",
    "cc_uuid_standby",
    "cc_attended_transfer",
    "cc_conference",
    "cc_monitor_modes",
    "cc_switch_restart_before",
    "cc_switch_restart_after",
    "cc_config",
    "json_answered",
]


async def bridged(switch: RecordedSwitch, *, seconds: float = 30) -> Bridge:
    """Run a bridge against the recorded switch until all of it is in the database."""
    bridge = Bridge(
        address=SwitchAddress("127.0.0.1", switch.port, "ClueCon"),
        connector=connect,
        backend=backend_load(),
        adopt=True,
        event_time=True,
        rng=random.Random(1),
    )
    task = asyncio.create_task(bridge.run())
    try:
        async with asyncio.timeout(seconds):
            await switch.played.wait()
            while bridge.applier.last_at < switch.last_at or not bridge.in_step.is_set():
                assert not task.done(), task
                await asyncio.sleep(0.02)
            # `last_at` is reached while the batch that holds it may have company in the queue.
            for _ in range(5):
                await asyncio.sleep(0.02)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert bridge.applier.counts["failed"] == bridge.applier.counts["undecodable"] == 0
    return bridge


def check_calls(told: dict[str, Entry]) -> None:
    calls = {c.member_uuid: c for c in Call.objects.exclude(member_uuid="").select_related("agent")}
    assert calls.keys() == told.keys()
    for member, entry in told.items():
        check_call(calls[member], entry)


def check_call(call: Call, entry: Entry) -> None:
    assert call.queue_name == entry.queue
    assert call.caller_number == entry.number
    assert call.channel_uuid == entry.channel
    assert call.outcome == entry.outcome
    assert call.queued_at is not None and to_us(call.queued_at) == entry.queued_at
    assert call.wait_ms == entry.wait_ms
    assert call.talk_ms == entry.talk_ms
    assert call.hold_ms == round(entry.hold / 1000)
    assert sorted([o.agent.name, o.outcome] for o in call.offers.select_related("agent")) == sorted(
        entry.offers
    )
    assert (call.agent.name if call.agent else "") == entry.agent
    if entry.ended_at:
        assert call.state == CallState.ENDED
        assert call.ended_at is not None and to_us(call.ended_at) == entry.ended_at
        assert call.end_cause == entry.cause
        assert call.hung_up_by == entry.ended_by
    if entry.outcome == "abandoned":
        assert call.abandoned_while == ("ringing" if entry.ringing_at_end else "waiting")
    ends = CallTransition.objects.filter(call=call, new_state=CallState.ENDED).count()
    assert ends == (1 if entry.ended_at else 0)


def check_agents(told: dict[str, Entry]) -> None:
    for agent in Agent.objects.all():
        assert agent.state != State.BUSY, f"{agent} was left busy"
        answered = agent.transitions.filter(new_sub_state="ANSWERED", trigger="answered").count()
        assert answered == sum(e.agent == agent.name for e in told.values())


async def check(told: dict[str, Entry]) -> None:
    await sync_to_async(check_calls)(told)
    await sync_to_async(check_agents)(told)


@pytest.mark.parametrize("name", NAMES)
async def test_a_recording_comes_out_as_its_bytes_say(name: str) -> None:
    data = recording_bytes(name)
    async with RecordedSwitch(data, seed=len(name)) as switch:
        await bridged(switch)
    await check(entries(raw_events(data)))


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize("name", NAMES)
async def test_a_cut_and_a_reconnect_in_the_middle_change_nothing(name: str, seed: int) -> None:
    data = recording_bytes(name)
    cut = random.Random(f"{name}{seed}").randrange(1, len(data))
    async with RecordedSwitch(data, seed=seed, cuts=[cut]) as switch:
        await bridged(switch)
    await check(entries(raw_events(data)))


@pytest.mark.parametrize("name", ["cc_on_demand", "cc_ring_all", "cc_attended_transfer"])
async def test_events_told_twice_after_a_reconnect_count_once(name: str) -> None:
    data = recording_bytes(name)
    async with RecordedSwitch(data, cuts=[len(data) // 2, len(data) * 3 // 4], again=30) as switch:
        bridge = await bridged(switch)
    assert bridge.applier.counts["duplicates"] >= 30
    await check(entries(raw_events(data)))


@pytest.mark.parametrize("at", [0.3, 0.45, 0.6, 0.75])
@pytest.mark.parametrize("name", ["cc_answered_caller_hangs_up", "cc_ring_all", "cc_attended_transfer"])
async def test_events_lost_in_a_cut_leave_nobody_stuck(name: str, at: float) -> None:
    data = recording_bytes(name)
    async with RecordedSwitch(data, cuts=[int(len(data) * at)], lost=25) as switch:
        await bridged(switch)
    await sync_to_async(nobody_is_stuck)()


def nobody_is_stuck() -> None:
    assert not Agent.objects.filter(state=State.BUSY).exists()
    assert not Call.objects.exclude(state=CallState.ENDED).exists()
    for call in Call.objects.all():
        assert call.outcome, f"{call.pk} ended without an outcome"
        assert call.transitions.filter(new_state=CallState.ENDED).count() == 1
        assert not call.offers.filter(outcome="").exists()


async def test_an_hour_at_its_busiest_ends_sixty_entries_exactly_once() -> None:
    data = recording_bytes("cc_busy_hour")
    told = entries(raw_events(data))
    assert len(told) == 60
    async with RecordedSwitch(data, seed=60, cuts=[len(data) // 3]) as switch:
        await bridged(switch, seconds=55)
    await check(told)
    assert await Call.objects.exclude(member_uuid="").acount() == 60


async def test_a_restart_of_the_switch_ends_what_it_cut_and_the_next_call_is_whole() -> None:
    before, after = recording_bytes("cc_switch_restart_before"), recording_bytes("cc_switch_restart_after")
    told = entries(raw_events(before)) | entries(raw_events(after))
    async with RecordedSwitch(before + after, cuts=[len(before)]) as switch:
        await bridged(switch)
    await check(told)
    await wait_until_async(lambda: not Agent.objects.filter(state=State.BUSY).exists())


async def wait_until_async(condition: object) -> None:
    await sync_to_async(wait_until)(condition, seconds=5, what="the database to be as expected")


async def test_a_call_outside_queues_that_nobody_answers() -> None:
    async with RecordedSwitch(recording_bytes("click_to_dial")) as switch:
        await bridged(switch)
    call = await Call.objects.aget()
    assert (call.destination, call.outcome, call.end_cause, call.hung_up_by) == (
        "1001",
        "unanswered",
        "NO_ANSWER",
        "switch",
    )
