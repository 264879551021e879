"""Who is offered which caller, when, and what happens when it goes wrong."""

from __future__ import annotations

import pytest

from .desk import START, Desk


def serve(desk: Desk, calls: int, gap: float = 8.0) -> list[str]:
    """Let callers come one after the other, each ended before the next; who was offered them."""
    for _ in range(calls):
        caller = desk.caller("support")
        desk.clock.advance(gap / 2)
        desk.api(f"uuid_kill {caller}")
        desk.clock.advance(gap / 2)
    return desk.offered()


def test_longest_idle_agent_comes_first() -> None:
    desk = Desk(support={"strategy": "longest-idle-agent"})
    for name in ("1001", "1002", "1003"):
        desk.agent(name, "support")
    assert serve(desk, 4) == ["1001", "1002", "1003", "1001"]


def test_the_agent_with_the_fewest_calls_comes_first() -> None:
    desk = Desk(support={"strategy": "agent-with-fewest-calls"})
    desk.agent("1001", "support")
    assert serve(desk, 2) == ["1001", "1001"]
    desk.agent("1002", "support")
    assert serve(desk, 2)[2:] == ["1002", "1002"]


def test_the_agent_who_talked_least_comes_first() -> None:
    desk = Desk(support={"strategy": "agent-with-least-talk-time"})
    desk.agent("1001", "support")
    desk.agent("1002", "support", position=2)
    assert serve(desk, 1, gap=40) == ["1001"]
    assert serve(desk, 3, gap=12)[1:] == ["1002", "1002", "1002"]


def test_sequentially_always_begins_with_the_first_position() -> None:
    desk = Desk(support={"strategy": "sequentially-by-agent-order"})
    desk.agent("1002", "support", position=2)
    desk.agent("1001", "support", position=1)
    assert serve(desk, 3) == ["1001", "1001", "1001"]


def test_round_robin_goes_on_behind_the_last_one() -> None:
    desk = Desk(support={"strategy": "round-robin"})
    for position, name in enumerate(("1001", "1002", "1003"), start=1):
        desk.agent(name, "support", position=position)
    assert serve(desk, 5) == ["1001", "1002", "1003", "1001", "1002"]


def test_top_down_tries_the_next_one_for_the_same_caller() -> None:
    desk = Desk(support={"strategy": "top-down"})
    for position, name in enumerate(("busy1", "busy2", "1003"), start=1):
        desk.agent(name, "support", position=position)
    desk.caller("support")
    desk.clock.advance(5)
    assert desk.offered() == ["busy1", "busy2", "1003"]


def test_random_is_the_same_for_the_same_seed() -> None:
    orders = []
    for _ in range(2):
        desk = Desk(support={"strategy": "random"})
        for name in ("1001", "1002", "1003", "1004"):
            desk.agent(name, "support")
        orders.append(serve(desk, 8))
    assert orders[0] == orders[1]
    assert len(set(orders[0])) > 1


def test_a_lower_level_comes_before_everything_else() -> None:
    desk = Desk(support={"strategy": "longest-idle-agent"})
    desk.agent("1002", "support", level=2)
    desk.agent("1001", "support", level=1)
    assert serve(desk, 2) == ["1001", "1001"]


def test_tier_rules_keep_the_second_level_back_for_the_wait() -> None:
    desk = Desk(
        support={"tier-rules-apply": True, "tier-rule-wait-second": 10, "tier-rule-no-agent-no-wait": True}
    )
    desk.agent("busy1", "support", level=1, busy_delay_time=60)
    desk.agent("1002", "support", level=2)
    desk.caller("support")
    desk.clock.advance(9)
    assert desk.offered() == ["busy1"]
    desk.clock.advance(3)
    assert desk.offered() == ["busy1", "1002"]


def test_tier_rules_multiply_the_wait_by_the_level() -> None:
    desk = Desk(
        support={"tier-rules-apply": True, "tier-rule-wait-second": 5, "tier-rule-wait-multiply-level": True,
                 "tier-rule-no-agent-no-wait": False}
    )  # fmt: skip
    desk.agent("1002", "support", level=2)
    desk.caller("support")
    desk.clock.advance(8)
    assert desk.offered() == []
    desk.clock.advance(4)
    assert desk.offered() == ["1002"]


def test_an_empty_first_level_is_skipped_when_the_rule_says_so() -> None:
    desk = Desk(
        support={"tier-rules-apply": True, "tier-rule-wait-second": 30, "tier-rule-no-agent-no-wait": True}
    )
    desk.agent("1001", "support", level=1, status="Logged Out")
    desk.agent("1002", "support", level=2)
    desk.caller("support")
    desk.clock.advance(1)
    assert desk.offered() == ["1002"]


def test_the_caller_who_waits_longest_over_all_queues_is_served_first() -> None:
    desk = Desk(support={}, billing={})
    desk.agent("1001", "support", "billing", status="On Break")
    desk.caller("billing", "13800000001")
    desk.clock.advance(5)
    desk.caller("support", "13800000002")
    desk.cc("agent set status 1001 Available")
    desk.clock.advance(1)
    assert [e["CC-Queue"] for e in desk.actions("agent-offering")] == ["billing"]
    assert desk.tier_state("support", "1001") == "Standby"


def test_a_base_score_puts_a_caller_ahead() -> None:
    desk = Desk(support={})
    desk.agent("1001", "support", status="On Break")
    desk.caller("support", "13800000001")
    desk.caller("support", "13800000002", variables="cc_base_score=100")
    desk.cc("agent set status 1001 Available")
    desk.clock.advance(1)
    assert desk.actions("agent-offering")[0]["CC-Member-CID-Number"] == "13800000002"


@pytest.mark.parametrize("wrap_up", [0, 3])
def test_wrap_up_is_strict_so_even_zero_means_a_second(wrap_up: int) -> None:
    desk = Desk(support={})
    desk.agent("1001", "support", wrap_up_time=wrap_up)
    first = desk.caller("support", "13800000001")
    desk.clock.advance(4)
    desk.caller("support", "13800000002")
    desk.api(f"uuid_kill {first}")
    desk.clock.advance(8)
    ended = int(desk.actions("bridge-agent-end")[0]["CC-Bridge-Terminated-Time"])
    offered = float(desk.actions("agent-offering")[1]["at"]) + START
    assert ended + wrap_up < int(offered) <= ended + wrap_up + 1


def test_nobody_is_offered_a_call_before_the_ready_time() -> None:
    desk = Desk(support={})
    desk.agent("1001", "support", ready_time=int(START) + 20)
    desk.caller("support")
    desk.clock.advance(18)
    assert desk.offered() == []
    desk.clock.advance(3)
    assert desk.offered() == ["1001"]


def test_on_break_counts_as_present_but_gets_no_call() -> None:
    desk = Desk(support={"max-wait-time-with-no-agent": 3})
    desk.agent("1001", "support", status="On Break")
    desk.caller("support")
    desk.clock.advance(20)
    assert desk.offered() == [] and desk.actions("member-queue-end") == []


def test_without_any_agent_the_caller_is_let_go() -> None:
    desk = Desk(support={"max-wait-time-with-no-agent": 3, "max-wait-time-with-no-agent-time-reached": 6})
    desk.agent("1001", "support", status="Logged Out")
    caller = desk.caller("support")
    desk.clock.advance(10)
    (end,) = desk.actions("member-queue-end")
    assert end["CC-Cancel-Reason"] == "NO_AGENT_TIMEOUT"
    assert int(end["CC-Member-Leaving-Time"]) - int(end["CC-Member-Joined-Time"]) in (6, 7)
    assert desk.named("CHANNEL_HANGUP", uuid=caller)[0]["Hangup-Cause"] == "NORMAL_CLEARING"


def test_the_time_out_waits_for_an_agent_who_is_being_rung() -> None:
    desk = Desk(support={"max-wait-time": 2})
    desk.agent("slow1", "support")
    desk.caller("support")
    desk.clock.advance(6)
    assert desk.actions("member-queue-end") == []
    assert desk.row("slow1")["state"] == "In a queue call"


def test_an_agent_on_another_call_is_skipped() -> None:
    desk = Desk(support={})
    desk.agent("1001", "support")
    dialled = "originate {execute_on_answer='callcenter_track 1001'}sofia/internal/1001@127.0.0.1 &park()"
    leg = desk.api(dialled).split()[1]
    assert desk.row("1001")["external_calls_count"] == "1"
    desk.caller("support")
    desk.clock.advance(5)
    assert desk.offered() == []
    desk.api(f"uuid_kill {leg}")
    desk.clock.advance(2)
    assert desk.offered() == ["1001"]


def test_a_status_change_cancels_the_ringing_call() -> None:
    desk = Desk(support={})
    desk.agent("silent1", "support")
    desk.caller("support")
    desk.clock.advance(2)
    desk.cc("agent set status silent1 'Logged Out'")
    desk.clock.advance(1)
    (fail,) = desk.actions("bridge-agent-fail")
    assert fail["CC-Hangup-Cause"] == "ORIGINATOR_CANCEL"
    assert desk.row("silent1")["no_answer_count"] == "0"


def test_logging_out_in_a_call_does_not_touch_the_call() -> None:
    desk = Desk(support={})
    desk.agent("1001", "support")
    caller = desk.caller("support")
    desk.clock.advance(4)
    desk.cc("agent set status 1001 'Logged Out'")
    desk.clock.advance(4)
    assert not desk.named("CHANNEL_HANGUP")
    desk.api(f"uuid_kill {caller}")
    desk.clock.advance(1)
    assert desk.row("1001")["state"] == "Waiting"


def test_waiting_set_in_a_call_brings_a_second_one() -> None:
    """The trap of `agent set state`: it has no guard."""
    desk = Desk(support={})
    desk.agent("1001", "support")
    desk.caller("support", "13800000001")
    desk.clock.advance(4)
    desk.caller("support", "13800000002")
    desk.cc("agent set state 1001 Waiting")
    desk.cc("tier set state support 1001 Ready")
    desk.clock.advance(2)
    assert desk.offered() == ["1001", "1001"]


def test_an_agent_without_a_contact_fails_at_once() -> None:
    desk = Desk(support={})
    desk.cc("agent add 1001 callback")
    desk.cc("agent set status 1001 Available")
    desk.cc("agent set no_answer_delay_time 1001 30")
    desk.cc("tier add support 1001")
    desk.caller("support")
    desk.clock.advance(2)
    assert [e["CC-Hangup-Cause"] for e in desk.actions("bridge-agent-fail")] == ["DESTINATION_OUT_OF_ORDER"]
    assert desk.tier_state("support", "1001") == "No Answer"


def test_an_agent_deleted_in_a_call_fires_no_state_change_at_the_end() -> None:
    desk = Desk(support={})
    desk.agent("1001", "support")
    caller = desk.caller("support")
    desk.clock.advance(4)
    desk.cc("agent del 1001")
    desk.api(f"uuid_kill {caller}")
    desk.clock.advance(2)
    assert desk.actions("member-queue-end")[0]["CC-Cause"] == "Terminated"
    assert desk.actions("agent-state-change")[-1]["CC-Agent-State"] == "In a queue call"


def test_two_who_answer_a_ring_all_call_at_once_leave_one_leg_in_silence() -> None:
    desk = Desk(support={"strategy": "ring-all"})
    desk.agent("late1", "support")
    desk.agent("late2", "support", status="Available (On Demand)")
    caller = desk.caller("support")
    desk.clock.advance(5)
    assert [e["CC-Agent"] for e in desk.actions("bridge-agent-start")] == ["late1"]
    assert desk.actions("bridge-agent-fail") == []
    assert desk.row("late2")["state"] == "Idle"
    legs = [e["Unique-ID"] for e in desk.named("CHANNEL_ANSWER") if e.get("variable_cc_agent") == "late2"]
    assert desk.api(f"uuid_exists {legs[0]}") == "true"
    assert desk.api(f"uuid_kill {caller}") == "+OK\n"


def test_ring_progressively_adds_one_phone_after_another() -> None:
    desk = Desk(support={"strategy": "ring-progressively", "ring-progressively-delay": 4})
    desk.agent("silent1", "support", position=1)
    desk.agent("silent2", "support", position=2)
    desk.agent("slow3", "support", position=3)
    desk.caller("support")
    desk.clock.advance(2)
    assert desk.offered() == ["silent1"]
    desk.clock.advance(4)
    assert desk.offered() == ["silent1", "silent2"]
    desk.clock.advance(8)
    assert desk.row("slow3")["state"] == "In a queue call"
    assert {e["CC-Hangup-Cause"] for e in desk.actions("bridge-agent-fail")} == {"LOSE_RACE"}


def test_a_caller_who_comes_back_gets_the_old_place() -> None:
    desk = Desk(support={"abandoned-resume-allowed": True})
    first = desk.caller("support", "13800000001")
    desk.clock.advance(10)
    desk.api(f"uuid_kill {first}")
    desk.clock.advance(5)
    desk.caller("support", "13800000001")
    (start,) = desk.actions("member-queue-start")
    (resume,) = desk.actions("member-queue-resume")
    assert resume["CC-Member-UUID"] == start["CC-Member-UUID"]
    assert resume["CC-Member-Session-UUID"] != start["CC-Member-Session-UUID"]


def test_abandoned_rows_are_discarded_after_their_time() -> None:
    desk = Desk(support={"discard-abandoned-after": 10})
    caller = desk.caller("support")
    desk.api(f"uuid_kill {caller}")
    desk.clock.advance(8)
    assert desk.cc("queue count members support") == "1\n"
    desk.clock.advance(5)
    assert desk.cc("queue count members support") == "0\n"


def test_a_standby_agent_whose_channel_is_gone_is_logged_out() -> None:
    desk = Desk(support={})
    desk.cc("agent add 1001 uuid-standby")
    desk.cc("agent set uuid 1001 11111111-2222-4333-8444-555555555555")
    desk.cc("agent set status 1001 Available")
    desk.cc("tier add support 1001")
    desk.caller("support")
    desk.clock.advance(1)
    changes = [e["CC-Agent-Status"] for e in desk.actions("agent-status-change")]
    assert changes == ["Available", "Logged Out"]
    assert desk.actions("bridge-agent-fail")[0]["CC-Hangup-Cause"] == "NONE"
    assert desk.row("1001")["no_answer_count"] == "1"


def test_callcenter_break_frees_the_agent_and_the_call_goes_on() -> None:
    desk = Desk(support={})
    desk.agent("1001", "support")
    caller = desk.caller("support")
    desk.clock.advance(4)
    leg = desk.row("1001")["uuid"]
    assert desk.api(f"callcenter_break agent {leg}") == "-ERR no reply\n"
    desk.clock.advance(1)
    assert desk.row("1001")["state"] == "Waiting"
    assert desk.api(f"uuid_exists {caller}") == "true"
    assert not desk.named("CHANNEL_HANGUP")


def test_a_record_template_records_the_callers_channel() -> None:
    desk = Desk(support={"record-template": "/tmp/${uuid}.wav"})
    desk.agent("1001", "support")
    caller = desk.caller("support")
    desk.clock.advance(4)
    (start,) = desk.named("RECORD_START")
    assert (start["Unique-ID"], start["Record-File-Path"]) == (caller, f"/tmp/{caller}.wav")


def test_an_unloaded_queue_is_loaded_again_for_its_waiting_callers() -> None:
    desk = Desk(support={})
    desk.caller("support")
    desk.cc("queue unload support")
    desk.clock.advance(1)
    assert desk.cc("queue count") == "1\n"


def test_callers_of_a_queue_that_is_gone_for_good_lose_their_rows() -> None:
    desk = Desk(support={})
    desk.caller("support")
    desk.switch.queue_configs.clear()
    desk.cc("queue unload support")
    desk.clock.advance(1)
    assert desk.cc("queue list members") == "+OK\n"


def test_a_queue_defined_at_run_time_works() -> None:
    desk = Desk()
    assert desk.cc("queue load vip") == "-ERR Invalid Queue not found!\n"
    assert desk.api('sim_queue vip {"strategy": "round-robin", "max-wait-time": 5}') == "+OK\n"
    assert desk.cc("queue load vip") == "+OK\n"
    assert "\nvip|round-robin|" in desk.cc("queue list")
    desk.agent("1001", "vip")
    desk.caller("vip")
    desk.clock.advance(3)
    assert desk.offered() == ["1001"]


@pytest.mark.parametrize(
    ("line", "reply"),
    [
        ("sim_queue", "-USAGE: sim_queue <name> [<json params>]\n"),
        ("sim_queue q [1]", "-ERR the parameters must be a JSON object\n"),
        ('sim_queue q {"nosuch": 1}', "-ERR queue q: unknown parameter 'nosuch'\n"),
        (
            'sim_queue q {"max_wait_time": "soon"}',
            "-ERR queue q: 'max_wait_time' must be a whole number, not 'soon'\n",
        ),
    ],
)
def test_a_bad_queue_definition_is_refused_with_the_reason(line: str, reply: str) -> None:
    assert Desk().api(line) == reply
