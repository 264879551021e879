"""Facts told twice, late, in another order or not at all: the record stays whole and nobody is stuck."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from agents.models import Agent
from agents.state import State
from callcenter.models import SwitchCommand
from callcenter.switch import (
    AgentOpened,
    AgentReleased,
    ChannelBridged,
    ChannelHungUp,
    Fact,
    Leaving,
    MemberLeft,
    MemberQueued,
    MemberServed,
    OfferAnswered,
    OfferFailed,
    OfferMade,
)
from queues.models import Call, Offer
from queues.services import facts_apply
from queues.state import CallState
from tests.services.recorded import all_channels_gone, all_kept, apply, calls_kept, facts_of
from tests.services.support import at_work, position, stands

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]

SMALL = [
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
    "click_to_dial",
    "json_answered",
]
T0 = 1_795_516_480_000_000


def at(second: float) -> int:
    return T0 + round(second * 1_000_000)


def member(number: int = 1) -> dict[str, str]:
    return {"member": f"m{number}", "channel": f"c{number}", "queue": "support@default", "number": "138"}


def by(agent: str = "1001", leg: str = "") -> dict[str, str]:
    return {"agent": agent} | ({"leg": leg} if leg else {})


def whole(number: int, start: float) -> list[Fact]:
    """A queue call of a minute from its beginning to its end."""
    leg = f"l{number}"
    return [
        MemberQueued(at=at(start), **member(number)),
        OfferMade(at=at(start + 1), **member(number), **by()),
        OfferAnswered(at=at(start + 3), **member(number), **by(leg=leg)),
        ChannelBridged(at=at(start + 3.1), channel=f"c{number}", other=leg),
        AgentReleased(at=at(start + 60), **member(number), **by(leg=leg), bridged=True),
        MemberServed(at=at(start + 60), **member(number), channel_up=False),
        ChannelHungUp(at=at(start + 60), channel=leg, cause="NORMAL_CLEARING"),
        ChannelHungUp(at=at(start + 60), channel=f"c{number}", cause="NORMAL_CLEARING"),
    ]


def nothing_is_left_over() -> None:
    assert [a.name for a in Agent.objects.filter(state=State.BUSY)] == []
    assert not Offer.objects.filter(outcome="").exists()
    assert not Agent.objects.exclude(state=State.BUSY).filter(call_id__isnull=False).exists()
    for call in Call.objects.all():
        assert call.state == CallState.ENDED
        assert call.outcome and call.ended_at is not None
        assert call.transitions.filter(new_state=CallState.ENDED).count() == 1


# --- told twice --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SMALL)
def test_a_fact_told_twice_in_a_row_changes_nothing_the_second_time(name: str) -> None:
    for fact in facts_of(name):
        apply([fact])
        once = all_kept()
        apply([fact])
        assert all_kept() == once, fact


@pytest.mark.parametrize("name", SMALL)
def test_a_whole_recording_told_twice_makes_no_call_or_offer_more(name: str) -> None:
    apply(facts_of(name))
    once = calls_kept()
    apply(facts_of(name))
    assert calls_kept() == once


@pytest.mark.parametrize("name", SMALL)
def test_many_facts_in_one_transaction_come_out_as_one_by_one(name: str) -> None:
    def comparable() -> list[object]:
        kept = [
            (c.member_uuid, c.channel_uuid, c.state, c.outcome, c.wait_ms, c.talk_ms, c.hung_up_by,
             [(o.agent.name, o.outcome, o.leg) for o in c.offers.order_by("id")],
             [(t.old_state, t.new_state, t.trigger) for t in c.transitions.order_by("id")])
            for c in Call.objects.order_by("started_at", "channel_uuid")
        ]  # fmt: skip
        steps = [
            [(t.trigger, position(t.new_state, t.new_sub_state)) for t in a.transitions.order_by("id")]
            for a in Agent.objects.order_by("name")
        ]
        return [kept, steps]

    for fact in facts_of(name):
        apply([fact])
    single = comparable()
    Call.objects.all().delete()
    Agent.objects.all().delete()
    # An order of ours that is not answered would make the switch's word an echo of it.
    SwitchCommand.objects.all().delete()
    apply(facts_of(name))
    assert comparable() == single


def test_a_call_that_was_told_to_its_end_is_not_begun_again() -> None:
    at_work()
    apply(whole(1, 0))
    once = all_kept()
    apply([MemberQueued(at=at(0), **member(1))])
    assert all_kept() == once


def test_a_caller_who_comes_back_to_his_place_on_another_channel_is_a_new_entry() -> None:
    apply([
        MemberQueued(at=at(0), **member(1)),
        ChannelHungUp(at=at(5), channel="c1", cause="ORIGINATOR_CANCEL"),
        MemberQueued(at=at(20), **(member(1) | {"channel": "c2"})),
    ])  # fmt: skip
    calls = Call.objects.order_by("started_at")
    assert [(c.channel_uuid, c.state) for c in calls] == [("c1", "ended"), ("c2", "waiting")]


# --- two calls at one agent --------------------------------------------------------------------------


@pytest.mark.parametrize("together", [True, False])
def test_a_second_offer_during_a_call_does_not_take_the_first_ones_place(together: bool) -> None:
    """Seen live: `Waiting` set in the middle of a call has the agent offered another one."""
    agent = at_work(acw_seconds=0, max_missed=5)
    facts = [
        *whole(1, 0)[:4],
        MemberQueued(at=at(5), **member(2)),
        OfferMade(at=at(6), **member(2), **by()),
        OfferFailed(at=at(16), **member(2), **by(), cause="NO_ANSWER"),
    ]
    for batch in [facts] if together else [[fact] for fact in facts]:
        apply(batch)
    assert stands(agent) == "BUSY/ANSWERED"
    assert agent.call_id == Call.objects.get(member_uuid="m1").pk
    apply(whole(1, 0)[4:])
    assert stands(agent) == "READY"


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize("cause", ["NO_ANSWER", "USER_BUSY"])
def test_an_offer_whose_end_nobody_told_makes_way_for_the_next_one(together: bool, cause: str) -> None:
    agent = at_work(acw_seconds=0, max_missed=5)
    facts: list[Fact] = [
        MemberQueued(at=at(0), **member(1)),
        OfferMade(at=at(1), **member(1), **by()),
        MemberQueued(at=at(2), **member(2)),
        OfferMade(at=at(3), **member(2), **by()),
    ]
    for batch in [facts] if together else [[fact] for fact in facts]:
        apply(batch)
    assert stands(agent) == "BUSY/RINGING"
    assert agent.call_id == Call.objects.get(member_uuid="m2").pk
    assert Offer.objects.get(call__member_uuid="m1").outcome == "lost"
    apply([OfferFailed(at=at(9), **member(2), **by(), cause=cause)])
    assert stands(agent) == "READY"


def test_an_answer_told_after_the_end_of_its_call_keeps_nobody_busy() -> None:
    agent = at_work(acw_seconds=0)
    queued, offered, answered, *_ = whole(1, 0)
    apply([queued, offered, ChannelHungUp(at=at(2), channel="c1", cause="ORIGINATOR_CANCEL"), answered])
    assert stands(agent) == "READY"
    nothing_is_left_over()


# --- out of order, or never --------------------------------------------------------------------------


@pytest.mark.parametrize("leaving", Leaving)
@pytest.mark.parametrize("up", [True, False])
def test_an_entry_ends_once_however_it_is_left(leaving: Leaving, up: bool) -> None:
    left = MemberLeft(at=at(9), **member(1), reason=leaving, channel_up=up)
    apply([MemberQueued(at=at(0), **member(1)), left, left])
    apply([ChannelHungUp(at=at(12), channel="c1", cause="NORMAL_CLEARING")])
    nothing_is_left_over()
    call = Call.objects.get()
    assert (call.wait_ms, call.ended_at is not None) == (9000, True)


RING_ALL = facts_of("cc_ring_all")
LAST = max(fact.at for fact in RING_ALL) + 1_000_000
AGENTS = sorted({fact.agent for fact in RING_ALL if getattr(fact, "agent", "")})


@st.composite
def retold(draw: st.DrawFn) -> list[Fact]:
    """The facts of the recording with some missing, some twice, and each a few places from where it was."""
    kept = [fact for fact in RING_ALL for _ in range(draw(st.sampled_from((0, 1, 1, 1, 1, 2))))]
    places = [n + draw(st.integers(-4, 4)) for n in range(len(kept))]
    return [
        fact for _, _, fact in sorted(zip(places, range(len(kept)), kept, strict=True), key=lambda x: x[:2])
    ]


@pytest.mark.both_stacks
class TestHoweverItIsTold(TestCase):
    @given(retold(), st.integers(1, 30))
    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    def test_once_all_is_over_nobody_is_busy_and_every_call_ended_once(
        self, facts: list[Fact], batch: int
    ) -> None:
        for start in range(0, len(facts), batch):
            apply(facts[start : start + batch])
        apply(all_channels_gone(RING_ALL, LAST))
        apply([AgentOpened(at=LAST + 1, agent=name) for name in AGENTS])
        nothing_is_left_over()

    @given(st.lists(st.sampled_from([f for n in SMALL for f in facts_of(n)]), max_size=40))
    @settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    def test_any_facts_at_all_in_any_order_end_well(self, facts: list[Fact]) -> None:
        apply(facts)
        late = max((fact.at for fact in facts), default=T0) + 1
        apply(all_channels_gone(facts, late))
        names = list(Agent.objects.values_list("name", flat=True))
        apply([AgentOpened(at=late + 1, agent=name) for name in names])
        nothing_is_left_over()


def test_a_fact_about_who_is_not_known_is_counted_and_makes_nobody() -> None:
    book = facts_apply(facts=[AgentOpened(at=T0, agent="nobody")], node="default")
    assert book.skipped == {"unknown_agent": 1} and not Agent.objects.exists()


def test_times_of_an_entry_are_those_of_the_facts() -> None:
    at_work(acw_seconds=0)
    apply(whole(1, 0))
    call = Call.objects.get()
    assert (call.wait_ms, call.talk_ms, call.outcome) == (3000, 56_900, "answered")
