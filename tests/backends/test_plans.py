"""Orders as conversations: with scripted replies, and with the simulated switch for real."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from callcenter.switch import (
    ORDERS,
    ConfigureAgent,
    ConfigureQueue,
    ConfigureTier,
    HangUp,
    Order,
    Presence,
    RemoveAgent,
    RemoveQueue,
    RemoveTier,
    SetPresence,
    SuspendAgent,
)
from esl_bridge.backends.base import Outcome, Pause, SnapshotUnreadable
from esl_bridge.backends.callcenter import IDLE_POLLS, CallcenterBackend
from esl_bridge.backends.words import UnsafeArgument
from esl_bridge.simulator import PhoneRule, Phones, QueueConfig, Switch, VirtualClock
from tests.backends.switchboard import Switchboard

BACKEND = CallcenterBackend()
READY = SetPresence(agent="1001", presence=Presence.OPEN)
LIST = "callcenter_config agent list 1001"
TO_READY = "callcenter_config agent set status 1001 'Available (On Demand)'"
TO_WAITING = "callcenter_config agent set state 1001 Waiting"


def shown(status: str, state: str) -> str:
    return f"name|status|state|contact\n1001|{status}|{state}|user/1001\n+OK\n"


def converse(order: Order, script: Iterable[tuple[str, str]]) -> tuple[Outcome, float]:
    """Hold the scripted conversation, each line with its reply; the outcome and the seconds paused."""
    plan = BACKEND.plan(order)
    paused = 0.0
    left = list(script)
    try:
        step = next(plan)
        while True:
            if isinstance(step, Pause):
                paused += step.seconds
                step = plan.send("")
            else:
                assert left, f"one line too many: {step}"
                line, reply = left.pop(0)
                assert step == line
                step = plan.send(reply)
    except StopIteration as end:
        assert not left, f"not said: {left}"
        outcome: Outcome = end.value
        return outcome, paused


# --- opening an agent --------------------------------------------------------------------------------


def test_ready_for_an_agent_who_waits_already_is_only_looked_at() -> None:
    outcome, _ = converse(READY, [(LIST, shown("Available (On Demand)", "Waiting"))])
    assert outcome == Outcome(True, "Available (On Demand), Waiting")


def test_ready_for_an_idle_agent_is_state_then_status_then_a_look() -> None:
    outcome, _ = converse(
        READY,
        [
            (LIST, shown("On Break", "Idle")),
            (TO_WAITING, "+OK\n"),
            (TO_READY, "+OK\n"),
            (LIST, shown("Available (On Demand)", "Waiting")),
        ],
    )
    assert outcome.ok


def test_ready_after_a_call_sets_the_state_alone() -> None:
    outcome, _ = converse(
        READY,
        [
            (LIST, shown("Available (On Demand)", "Idle")),
            (TO_WAITING, "+OK\n"),
            (LIST, shown("Available (On Demand)", "Waiting")),
        ],
    )
    assert outcome.ok


@pytest.mark.parametrize("state", ["Receiving", "Reserved"])
def test_an_agent_who_is_offered_a_call_already_is_open(state: str) -> None:
    outcome, _ = converse(READY, [(LIST, shown("Available (On Demand)", state))])
    assert outcome.ok


@pytest.mark.parametrize("state", ["Waiting", "Receiving"])
def test_waiting_is_not_set_for_an_agent_who_is_not_idle(state: str) -> None:
    outcome, _ = converse(
        READY,
        [
            (LIST, shown("Logged Out", state)),
            (TO_READY, "+OK\n"),
            (LIST, shown("Available (On Demand)", state)),
        ],
    )
    assert outcome.ok


def test_the_end_of_a_queue_call_is_waited_for() -> None:
    busy = (LIST, shown("Available (On Demand)", "In a queue call"))
    after = [
        (LIST, shown("Available (On Demand)", "Idle")),
        (TO_WAITING, "+OK\n"),
        (LIST, shown("Available (On Demand)", "Waiting")),
    ]
    outcome, paused = converse(READY, [busy, busy, busy, *after])
    assert outcome.ok and paused == pytest.approx(0.3)


def test_a_queue_call_without_end_is_told_as_what_the_switch_shows() -> None:
    busy = (LIST, shown("Available (On Demand)", "In a queue call"))
    outcome, paused = converse(READY, [busy] * IDLE_POLLS)
    assert outcome == Outcome(False, "the switch still shows Available (On Demand), In a queue call")
    assert paused <= 5


def test_a_status_that_does_not_hold_is_given_up() -> None:
    refused = [(LIST, shown("On Break", "Waiting")), (TO_READY, "+OK\n")]
    outcome, _ = converse(READY, refused * IDLE_POLLS)
    assert not outcome.ok and "On Break" in outcome.answer


def test_ready_for_an_agent_whom_the_switch_does_not_know_fails() -> None:
    outcome, _ = converse(READY, [(LIST, "+OK\n")])
    assert outcome == Outcome(False, "-ERR Agent not found!")


def test_an_error_to_the_look_is_no_table() -> None:
    with pytest.raises(SnapshotUnreadable, match="no reply"):
        converse(READY, [(LIST, "-ERR no reply\n")])


@pytest.mark.parametrize(
    "script",
    [
        [(LIST, shown("On Break", "Idle")), (TO_WAITING, "-ERR Agent not found!\n")],
        [(LIST, shown("On Break", "Waiting")), (TO_READY, "-ERR Agent not found!\n")],
    ],
)
def test_an_agent_who_goes_in_the_middle_ends_the_order_with_the_switchs_word(
    script: list[tuple[str, str]],
) -> None:
    assert converse(READY, script)[0] == Outcome(False, "-ERR Agent not found!")


@pytest.mark.parametrize(
    ("presence", "status"), [(Presence.BREAK, "'On Break'"), (Presence.OUT, "'Logged Out'")]
)
@pytest.mark.parametrize("reply", ["+OK\n", "-ERR Agent not found!\n", "-ERR no reply\n"])
def test_closing_an_agent_is_one_line(presence: Presence, status: str, reply: str) -> None:
    order = SetPresence(agent="1001", presence=presence)
    line = f"callcenter_config agent set status 1001 {status}"
    outcome, _ = converse(order, [(line, reply)])
    assert outcome == Outcome(reply.startswith("+OK"), reply.strip())


# --- configuring -------------------------------------------------------------------------------------

AGENT = ConfigureAgent(
    agent="1001", contact="user/1001", max_missed=3, reject_delay=4, busy_delay=5, no_answer_delay=6
)
SETTINGS = [
    ("callcenter_config agent set contact 1001 user/1001", "+OK\n"),
    ("callcenter_config agent set max_no_answer 1001 3", "+OK\n"),
    ("callcenter_config agent set reject_delay_time 1001 4", "+OK\n"),
    ("callcenter_config agent set busy_delay_time 1001 5", "+OK\n"),
    ("callcenter_config agent set no_answer_delay_time 1001 6", "+OK\n"),
    ("callcenter_config agent set wrap_up_time 1001 0", "+OK\n"),
]
ADD = "callcenter_config agent add 1001 callback"


@pytest.mark.parametrize("reply", ["+OK\n", "-ERR Agent already exist!\n"])
def test_an_agent_new_or_not_gets_every_setting(reply: str) -> None:
    assert converse(AGENT, [(ADD, reply), *SETTINGS])[0].ok


def test_an_agent_who_cannot_be_added_gets_no_settings() -> None:
    assert converse(AGENT, [(ADD, "-ERR Agent type invalid!\n")])[0] == Outcome(
        False, "-ERR Agent type invalid!"
    )


def test_a_setting_that_is_refused_is_named() -> None:
    script = [(ADD, "+OK\n"), (SETTINGS[0][0], "-ERR Agent not found!\n")]
    assert converse(AGENT, script)[0] == Outcome(False, "contact: -ERR Agent not found!")


def test_an_agent_without_a_dial_string_keeps_the_switchs() -> None:
    order = ConfigureAgent(
        agent="1001", contact="", max_missed=3, reject_delay=4, busy_delay=5, no_answer_delay=6
    )
    assert converse(order, [(ADD, "+OK\n"), *SETTINGS[1:]])[0].ok


TIER = ConfigureTier(queue="s@d", agent="1001", level=2, position=3)


@pytest.mark.parametrize(
    ("script", "ok"),
    [
        ([("tier add s@d 1001 2 3", "+OK\n")], True),
        ([("tier add s@d 1001 2 3", "-ERR Queue not found!\n")], False),
        (
            [
                ("tier add s@d 1001 2 3", "-ERR Tier already exist!\n"),
                ("tier set level s@d 1001 2", "+OK\n"),
                ("tier set position s@d 1001 3", "+OK\n"),
            ],
            True,
        ),
        (
            [
                ("tier add s@d 1001 2 3", "-ERR Tier already exist!\n"),
                ("tier set level s@d 1001 2", "-ERR Unknown Error!\n"),
            ],
            False,
        ),
    ],
)
def test_a_tier_is_added_or_moved(script: list[tuple[str, str]], ok: bool) -> None:
    said = [(f"callcenter_config {line}", reply) for line, reply in script]
    assert converse(TIER, said)[0].ok is ok


@pytest.mark.parametrize(("reply", "ok"), [("+OK\n", True), ("-ERR Invalid Queue not found!\n", False)])
def test_a_queue_is_reloaded_from_a_configuration_read_anew(reply: str, ok: bool) -> None:
    script = [("reloadxml", "+OK [Success]\n"), ("callcenter_config queue reload s@d", reply)]
    assert converse(ConfigureQueue(queue="s@d"), script)[0].ok is ok


@pytest.mark.parametrize(
    ("reply", "ok"), [("+OK\n", True), ("-ERR No such channel!\n", True), ("-ERR no reply\n", False)]
)
def test_hanging_up_a_channel_that_is_gone_is_done(reply: str, ok: bool) -> None:
    script = [("uuid_kill c-1 LOSE_RACE", reply)]
    assert converse(HangUp(channel="c-1", cause="LOSE_RACE"), script)[0].ok is ok


ANY_ORDER: dict[str, Order] = {
    "set_presence": READY,
    "suspend_agent": SuspendAgent(agent="1001"),
    "configure_agent": AGENT,
    "remove_agent": RemoveAgent(agent="1001"),
    "configure_tier": TIER,
    "remove_tier": RemoveTier(queue="s@d", agent="1001"),
    "configure_queue": ConfigureQueue(queue="s@d"),
    "remove_queue": RemoveQueue(queue="s@d"),
    "hang_up": HangUp(channel="c-1"),
}


def test_every_kind_of_order_is_tried_here() -> None:
    assert {kind: type(order) for kind, order in ANY_ORDER.items()} == ORDERS


def test_what_is_no_order_is_refused() -> None:
    with pytest.raises(TypeError, match="Order"):
        BACKEND.plan(Order())


@pytest.mark.parametrize("kind", ANY_ORDER)
@pytest.mark.parametrize("bad", ["a\nb", "a'b", "a\\b", ""])
def test_an_unsafe_name_in_an_order_never_becomes_a_line(kind: str, bad: str) -> None:
    order = ANY_ORDER[kind]
    field = next(f for f in ("agent", "queue", "channel") if hasattr(order, f))
    values = {f: getattr(order, f) for f in order.__dataclass_fields__} | {field: bad}
    plan = None
    with pytest.raises(UnsafeArgument):
        plan = BACKEND.plan(type(order)(**values))
        line = next(plan)
        while line == "reloadxml":
            line = plan.send("+OK\n")


# --- the simulated switch ----------------------------------------------------------------------------


@pytest.fixture
def board() -> Switchboard:
    """A switch with one queue, whose agents answer after a second."""
    clock = VirtualClock()
    phones = Phones((PhoneRule(ring=(1.0, 1.0)),))
    queues = {"s@d": QueueConfig("s@d")}
    return Switchboard(Switch(clock, phones=phones, queues=queues, dids={"9": "queue-s@d"}), clock)


def test_each_order_is_carried_out_and_again_changes_nothing(board: Switchboard) -> None:
    for order in (ConfigureQueue(queue="s@d"), AGENT, TIER, READY, SuspendAgent(agent="1001"), READY):
        assert board.carry_out(order).ok, order
    first = board.snapshot()
    assert first.agents["1001"].presence is Presence.OPEN
    assert (first.agents["1001"].engine, first.agents["1001"].on_demand) == ("free", True)
    assert (first.tiers["s@d", "1001"].level, first.tiers["s@d", "1001"].position) == (2, 3)
    assert first.queues == {"s@d"}
    for order in (ConfigureQueue(queue="s@d"), AGENT, TIER, READY):
        assert board.carry_out(order).ok, order
    again = board.snapshot()
    assert (again.agents, again.tiers, again.queues) == (first.agents, first.tiers, first.queues)


def test_removals_are_carried_out_and_again_change_nothing(board: Switchboard) -> None:
    assert board.carry_out(AGENT).ok and board.carry_out(TIER).ok
    removals = (RemoveTier(queue="s@d", agent="1001"), RemoveAgent(agent="1001"), RemoveQueue(queue="s@d"))
    for order in removals * 2:
        assert board.carry_out(order).ok, order
    left = board.snapshot()
    assert (left.agents, left.tiers, left.queues) == ({}, {}, frozenset())


@pytest.mark.parametrize("presence", Presence)
def test_each_presence_is_as_ordered(board: Switchboard, presence: Presence) -> None:
    board.carry_out(AGENT)
    assert board.carry_out(SetPresence(agent="1001", presence=presence)).ok
    assert board.snapshot().agents["1001"].presence is presence


def test_ready_during_a_call_waits_for_its_end_and_offers_no_second_one_before(board: Switchboard) -> None:
    for order in (AGENT, TIER, READY):
        assert board.carry_out(order).ok
    first = board.switch.incoming("138", "First", "queue-s@d")
    board.clock.run_until(lambda: board.engine("1001") == "in_call", limit=30)
    board.switch.incoming("139", "Second", "queue-s@d")
    board.clock.call_later(1.0, lambda: board.api(f"uuid_kill {first.uuid}"))
    assert board.carry_out(READY).ok
    offered = [m for m in board.snapshot().members.values() if m.state in ("waiting", "offered")]
    assert [m.number for m in offered] == ["139"]
    board.clock.run_until(lambda: board.engine("1001") == "in_call", limit=30)


def test_hanging_up_ends_the_channel_and_once_more_is_done(board: Switchboard) -> None:
    caller = board.switch.incoming("138", "First", "queue-s@d")
    board.clock.advance(1)
    assert caller.uuid in board.snapshot().channels
    assert board.carry_out(HangUp(channel=caller.uuid)).ok
    board.clock.advance(1)
    assert caller.uuid not in board.snapshot().channels
    assert board.carry_out(HangUp(channel=caller.uuid)).ok


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        (READY, "Agent not found"),
        (SetPresence(agent="1001", presence=Presence.OUT), "Agent not found"),
        (TIER, "not found"),
        (ConfigureQueue(queue="nosuch@d"), "Invalid Queue not found"),
    ],
)
def test_what_the_switch_cannot_do_is_told_with_its_words(
    board: Switchboard, order: Order, answer: str
) -> None:
    outcome = board.carry_out(order)
    assert not outcome.ok and re.search(answer, outcome.answer)
