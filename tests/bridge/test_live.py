"""The bridge at work on a simulated switch: orders arrive, timers fire, faults heal."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from asgiref.sync import sync_to_async
from django.utils import timezone

from agents.models import Agent, AgentTransition
from agents.services import (
    agent_delete,
    agent_extend_acw,
    agent_finish_acw,
    agent_logout,
    agent_ready,
    agent_unready,
)
from agents.state import State, Sub
from callcenter.models import Event, SwitchCommand, SwitchNode
from queues.models import Call, Tier
from queues.services import queue_create, queue_update, tier_delete, tier_update
from queues.state import CallState

from .live import BY, live, staffed, until

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_stacks]


def state_of(name: str) -> tuple[str, str]:
    agent = Agent.objects.get(name=name)
    return agent.state, agent.sub_state


def engine(switch, name: str) -> tuple[str, str]:  # type: ignore[no-untyped-def]
    row = switch.api(f"callcenter_config agent list {name}").split("\n")[1].split("|")
    return row[5], row[6]


def talking(name: str) -> bool:
    """Answered and through to the caller: a call cut before the bridge leaves no after-call work."""
    bridged = Call.objects.filter(agent__name=name, bridged_at__isnull=False, ended_at__isnull=True).exists()
    return bridged and state_of(name) == (State.BUSY, Sub.ANSWERED)


def orders_are_done() -> bool:
    return not SwitchCommand.objects.filter(status__in=("pending", "sent")).exists()


async def test_ready_is_status_and_state_together_and_read_back(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        await staffed("1001")
        await until(orders_are_done)
        assert engine(switch, "1001") == ("Available (On Demand)", "Waiting")
        opened = await SwitchCommand.objects.filter(kind="set_presence", status="done").alast()
        assert opened is not None and "Waiting" in opened.answer


async def test_a_call_goes_through_with_after_call_work_before_the_next(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        await staffed("1001", acw_seconds=1)
        await until(orders_are_done)
        first, second = switch.caller("1380001"), switch.caller("1380002")
        await until(lambda: talking("1001"))
        switch.api(f"uuid_kill {first.uuid}")
        await until(lambda: state_of("1001") == (State.ACW, ""))
        async with asyncio.timeout(5):
            while engine(switch, "1001")[1] != "Idle":
                await asyncio.sleep(0.01)
        waiting = await Call.objects.aget(channel_uuid=second.uuid)
        assert waiting.state == CallState.WAITING
        await until(lambda: talking("1001"))
        switch.api(f"uuid_kill {second.uuid}")
        await until(lambda: not Call.objects.exclude(state=CallState.ENDED).exists())
    outcomes = [o async for o in Call.objects.values_list("outcome", flat=True)]
    assert outcomes == ["answered", "answered"]


async def test_after_call_work_ends_within_half_a_second_of_its_deadline(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        await staffed("1001", acw_seconds=1)
        await until(orders_are_done)
        caller = switch.caller()
        await until(lambda: talking("1001"))
        switch.api(f"uuid_kill {caller.uuid}")
        agent = await until(lambda: Agent.objects.filter(state=State.ACW).first())
        deadline = agent.acw_deadline
        await until(lambda: state_of("1001") == (State.READY, ""))
        ended = await AgentTransition.objects.filter(trigger="acw_expired").aget()
        assert timedelta(0) <= ended.at - deadline < timedelta(milliseconds=500)
        await until(orders_are_done)
        assert engine(switch, "1001") == ("Available (On Demand)", "Waiting")


async def test_after_call_work_is_extended_finished_and_survives_a_new_bridge(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        (agent,) = await staffed("1001", acw_seconds=30)
        await until(orders_are_done)
        caller = switch.caller()
        await until(lambda: talking("1001"))
        switch.api(f"uuid_kill {caller.uuid}")
        before = (await until(lambda: Agent.objects.filter(state=State.ACW).first())).acw_deadline
        extended = await sync_to_async(agent_extend_acw)(agent_id=agent.pk, by=BY, seconds=60)
        assert extended.acw_deadline == before + timedelta(seconds=60)
    # The bridge is gone; the row is not. Its time has come meanwhile.
    await Agent.objects.aupdate(acw_deadline=timezone.now() - timedelta(seconds=1))
    async with live(tmp_path):
        await until(lambda: state_of("1001") == (State.READY, ""))
    with pytest.raises(Exception, match="acw"):
        await sync_to_async(agent_finish_acw)(agent_id=agent.pk, by=BY)


async def test_a_break_asked_for_in_a_call_waits_for_its_end(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        (agent,) = await staffed("1001", acw_seconds=0)
        await until(orders_are_done)
        caller = switch.caller()
        await until(lambda: talking("1001"))
        asked = await sync_to_async(agent_unready)(agent_id=agent.pk, by=BY, reason="lunch")
        assert (asked.state, asked.next_state, asked.next_reason) == (State.BUSY, State.UNREADY, "lunch")
        switch.api(f"uuid_kill {caller.uuid}")
        await until(lambda: state_of("1001") == (State.UNREADY, Sub.BREAK))
        await until(orders_are_done)
        assert engine(switch, "1001")[0] == "On Break"


async def test_without_after_call_work_the_agent_is_open_again_at_once(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        await staffed("1001", acw_seconds=0)
        await until(orders_are_done)
        for number in ("1", "2", "3"):
            caller = switch.caller(number)
            await until(lambda: talking("1001"))
            switch.api(f"uuid_kill {caller.uuid}")
            await until(lambda: state_of("1001") == (State.READY, ""))
        await until(orders_are_done)
        assert engine(switch, "1001") == ("Available (On Demand)", "Waiting")


async def test_missed_calls_send_an_agent_away_with_a_reason_and_one_click_back(tmp_path: Path) -> None:
    async with live(tmp_path, speed=20) as switch:
        (agent,) = await staffed("1002", max_missed=2, no_answer_delay=1)
        await until(orders_are_done)
        switch.caller()
        await until(lambda: state_of("1002") == (State.UNREADY, Sub.AWAY), seconds=20)
        assert (await Agent.objects.aget()).reason == "missed_calls"
        await until(orders_are_done)
        assert engine(switch, "1002")[0] == "On Break"
        await sync_to_async(agent_ready)(agent_id=agent.pk, by=BY)
        await until(orders_are_done)
        assert engine(switch, "1002")[0] == "Available (On Demand)"


async def test_a_queue_a_tier_and_their_changes_reach_the_switch_at_once(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        await staffed("1001", ready=False)
        made = await sync_to_async(queue_create)(name="sales@default", by=BY, strategy="ring-all")
        await until(orders_are_done, seconds=3)
        assert "sales@default|ring-all|" in switch.api("callcenter_config queue list")
        await sync_to_async(queue_update)(queue_id=made.pk, by=BY, max_wait_time=42)
        tier = await Tier.objects.select_related("queue").aget()
        await sync_to_async(tier_update)(tier_id=tier.pk, by=BY, level=3, position=2)
        await until(orders_are_done, seconds=3)
        assert "|42|" in switch.api("callcenter_config queue list")
        assert "support@default|1001|Ready|3|2" in switch.api("callcenter_config tier list")
        await sync_to_async(tier_delete)(tier_id=tier.pk, by=BY)
        await until(orders_are_done, seconds=3)
        assert switch.api("callcenter_config tier list") == "+OK\n"


async def test_an_order_that_the_switch_refuses_is_seen_with_its_answer(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        assert switch.simulator.switch is not None
        switch.simulator.switch.queue_source = lambda name: None
        await sync_to_async(queue_create)(name="nowhere@default", by=BY)
        failed = await until(lambda: SwitchCommand.objects.filter(status="failed").first())
        assert failed.answer == "-ERR Invalid Queue not found!"
        told = await Event.objects.aget(type="command.failed")
        assert told.data["answer"] == failed.answer and told.data["key"] == "queue:nowhere@default"


async def test_an_agent_whom_the_switch_does_not_open_is_not_shown_as_ready(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        (agent,) = await staffed("1001", ready=False)
        await until(orders_are_done)
        switch.api("callcenter_config agent del 1001")
        await sync_to_async(agent_ready)(agent_id=agent.pk, by=BY)
        await until(lambda: state_of("1001") == (State.UNREADY, Sub.AWAY))
        assert (await Agent.objects.aget()).reason == "switch_refused"


async def test_a_break_set_at_the_switch_by_hand_is_taken_as_a_fact(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        await staffed("1001")
        await until(orders_are_done)
        # Past the margin in which it might be the echo of our own order.
        past = timezone.now() - timedelta(seconds=10)
        await SwitchCommand.objects.aupdate(answered_at=past)
        switch.api("callcenter_config agent set status 1001 'On Break'")
        await until(lambda: state_of("1001") == (State.UNREADY, Sub.BREAK))


async def test_a_restart_of_the_switch_in_mid_call_frees_everybody(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        await staffed("1001", acw_seconds=0)
        await until(orders_are_done)
        switch.caller("1"), switch.caller("2")
        await until(lambda: talking("1001"))
        switch.api("fsctl shutdown restart")
        await until(lambda: not SwitchNode.objects.get().connected)
        await until(lambda: SwitchNode.objects.get().connected, seconds=15)
        await until(lambda: state_of("1001")[0] == State.READY)
        assert not await Call.objects.exclude(state=CallState.ENDED).aexists()
        await until(orders_are_done)
        assert engine(switch, "1001") == ("Available (On Demand)", "Waiting")


async def test_a_call_outside_queues_makes_the_agent_busy_and_keeps_queue_calls_away(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        await staffed("1001")
        await until(orders_are_done)
        assert switch.simulator.switch is not None
        switch.simulator.switch.bgapi("originate sofia/internal/1001@127.0.0.1 &park()", "job-1")
        await until(lambda: state_of("1001")[0] == State.BUSY)
        await until(orders_are_done)
        waiting = switch.caller()
        assert engine(switch, "1001")[1] == "Idle"
        await until(lambda: Call.objects.filter(channel_uuid=waiting.uuid, state=CallState.WAITING).first())
        outside = await Call.objects.aget(member_uuid="")
        switch.api(f"uuid_kill {outside.channel_uuid}")
        await until(lambda: talking("1001"))
        answered = await Call.objects.aget(channel_uuid=waiting.uuid)
        assert answered.state == CallState.ANSWERED


async def test_a_wrong_password_is_told_and_the_right_one_heals_it(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        await until(lambda: SwitchNode.objects.filter(connected=True).exists())
        switch.simulator.password = "other"
        assert switch.simulator._server is not None
        switch.simulator._server.password = "other"
        switch.api("fsctl shutdown restart")
        node = await until(
            lambda: SwitchNode.objects.filter(connected=False, detail__contains="password").first()
        )
        assert "ClueCon" not in node.detail
        switch.simulator._server.password = "ClueCon"
        await until(lambda: SwitchNode.objects.filter(connected=True).exists(), seconds=20)


async def test_a_busy_day_in_a_minute_leaves_nothing_open_and_nobody_stuck(tmp_path: Path) -> None:
    arrivals = """
[arrivals]
every = 1.0
patience = [4.0, 15.0]
talk = [1.0, 5.0]
caller_ends = 0.5
at_most = 12
[arrivals.queues]
"support@default" = 1.0
"""
    async with live(tmp_path, speed=5, arrivals=arrivals) as switch:
        agents = await staffed("1001", "1003", "1004", "1005", acw_seconds=0)
        await until(lambda: Call.objects.filter(state=CallState.ENDED).count() >= 25, seconds=40)
        for agent in agents:
            await sync_to_async(agent_logout)(agent_id=agent.pk, by=BY)
        switch.api("hupall")
        await asyncio.sleep(0)
        await until(lambda: not Agent.objects.exclude(state=State.LOGOUT).exists(), seconds=10)
    ended = [c async for c in Call.objects.filter(state=CallState.ENDED)]
    assert all(c.outcome for c in ended)
    for call in ended:
        assert await call.transitions.filter(new_state=CallState.ENDED).acount() == 1
    assert not await Call.objects.filter(state=CallState.ENDED, offers__outcome="").aexists()


async def test_what_was_changed_behind_our_back_is_found_and_put_right(tmp_path: Path, settings) -> None:  # type: ignore[no-untyped-def]
    settings.RECONCILE_SECONDS = 0.5
    async with live(tmp_path) as switch:
        await staffed("1001")
        await until(orders_are_done)
        caller = switch.caller()
        await until(lambda: talking("1001"))
        switch.api("callcenter_config tier del support@default 1001")
        switch.api("callcenter_config queue unload support@default")
        async with asyncio.timeout(10):
            while "support@default|1001|" not in switch.api("callcenter_config tier list"):
                await asyncio.sleep(0.05)
        assert "support@default|" in switch.api("callcenter_config queue list")
        # Comparing goes on around the call without touching it.
        assert await sync_to_async(talking)("1001")
        switch.api(f"uuid_kill {caller.uuid}")
        await until(lambda: Call.objects.filter(outcome="answered", state=CallState.ENDED).exists())
    assert not await Call.objects.filter(reconciled=True).aexists()


async def test_the_history_of_an_agent_outlives_the_agents_record(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        (agent,) = await staffed("1001", acw_seconds=0)
        await until(orders_are_done)
        caller = switch.caller()
        await until(lambda: talking("1001"))
        switch.api(f"uuid_kill {caller.uuid}")
        await until(lambda: state_of("1001") == (State.READY, ""))
        await sync_to_async(agent_delete)(agent_id=agent.pk, by=BY)
        await until(orders_are_done)
        assert switch.api("callcenter_config agent list 1001") == "+OK\n"
    assert await AgentTransition.objects.filter(agent=None, agent_name="1001").acount() >= 4
    call = await Call.objects.aget()
    assert (call.agent_id, call.agent_name, call.outcome) == (None, "1001", "answered")
    assert [o.agent_name async for o in call.offers.all()] == ["1001"]
