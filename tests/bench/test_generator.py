"""What the benchmark is fed with: as many calls as it says, each of them one of its own."""

from __future__ import annotations

import asyncio
import random
import time

import pytest
from asgiref.sync import sync_to_async

from bench.calls import RECORDING, CallGenerator
from bench.seed import seed
from bench.switch import BenchSwitch
from callcenter.clock import to_us
from esl_bridge.bridge import Bridge, SwitchAddress
from esl_bridge.engines import backend_load
from esl_bridge.protocol import Event, FrameReader, decode_event
from esl_bridge.transports.asyncio_transport import connect
from queues.models import Call, CallTransition, Offer
from queues.state import CallState
from tests.bridge.live import until

SPEED = 5.0
HEADERS_OF_A_CALL = ("CC-Member-UUID", "Unique-ID", "Other-Leg-Unique-ID", "CC-Member-Session-UUID")


def generated(calls: CallGenerator, agent: str) -> list[Event]:
    return [decode_event(f) for f in FrameReader().feed(b"".join(calls.events(calls.call(agent))))]


def uuids(events: list[Event]) -> set[str]:
    return {e.get(name) for e in events for name in HEADERS_OF_A_CALL} - {""}


def test_a_generated_call_is_the_recorded_one_with_other_names_numbers_and_times() -> None:
    data = RECORDING.read_bytes()
    recorded = {e.sequence: e for e in map(decode_event, FrameReader().feed(data))}
    calls = CallGenerator(data)
    before = time.time_ns() // 1000
    first, second = generated(calls, "1042"), generated(calls, "1043")

    kinds = [(e.name, e.get("CC-Action")) for e in first]
    assert kinds == [(e.name, e.get("CC-Action")) for e in second]
    told = iter([(e.name, e.get("CC-Action")) for e in recorded.values()])
    assert all(kind in told for kind in kinds), "in the recorded order"
    assert [e.sequence for e in first + second] == list(range(1, 2 * len(first) + 1))
    assert not uuids(first) & uuids(second)
    assert not uuids(first + second) & uuids(list(recorded.values()))
    assert {e.core_uuid for e in first} == {e.core_uuid for e in second} != {recorded[818].core_uuid}
    assert {e.get("CC-Agent") for e in first} - {""} == {"1042"}
    times = [e.at_us for e in first + second]
    assert times == sorted(times) and before <= times[0] and times[-1] <= time.time_ns() // 1000


@pytest.mark.django_db(transaction=True)
async def test_three_generated_calls_come_out_of_the_bridge_as_three_answered_calls() -> None:
    await sync_to_async(seed)(agents=2, acw_seconds=0)
    async with BenchSwitch() as switch:
        bridge = Bridge(
            address=SwitchAddress("127.0.0.1", switch.port, "ClueCon"),
            connector=connect,
            backend=backend_load(),
            rng=random.Random(1),
        )
        task = asyncio.create_task(bridge.run())
        try:
            async with asyncio.timeout(20):
                await switch.open_agents(2)
                await switch.at_rate(calls_per_second=100, seconds=0.03, speed=SPEED)
            await until(lambda: Call.objects.filter(state=CallState.ENDED).count() == 3)
            # The third call needs an agent whom the bridge has opened again after one of the others.
            async with asyncio.timeout(20):
                await switch.open_agents(2)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
    await sync_to_async(check)(switch)


def check(switch: BenchSwitch) -> None:
    calls = Call.objects.select_related("agent")
    assert {c.member_uuid: c.agent.name for c in calls if c.agent} == switch.begun
    assert {(c.outcome, c.reconciled, c.hung_up_by) for c in calls} == {("answered", False, "agent")}
    assert Offer.objects.count() == len(switch.begun) == 3
    assert CallTransition.objects.filter(new_state=CallState.ENDED).count() == 3
    for call in calls:
        assert call.bridged_at is not None and call.released_at is not None
        assert to_us(call.released_at) - to_us(call.bridged_at) == pytest.approx(2_460_000 / SPEED, rel=0.5)
