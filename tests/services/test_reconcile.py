"""Our record brought together with the switch: about calls the switch is right."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Agent
from callcenter.clock import from_us
from callcenter.models import Event
from callcenter.switch import (
    ChannelCreated,
    MemberQueued,
    OfferAnswered,
    OfferMade,
    SeenTier,
)
from queues.models import Call
from queues.selectors import call_payload
from queues.services import (
    reconcile_begin,
    reconcile_settle,
)
from tests.services.comparing import (
    apply,
    at,
    channel,
    compare,
    member,
    seen_agent,
    snapshot,
    talking,
    waiting,
)
from tests.services.support import a_queue, at_work, left, stands

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


def test_where_both_agree_nothing_is_repaired_or_told() -> None:
    at_work()
    with left() as nothing:
        assert compare(snapshot()) == []
    assert (nothing.steps, nothing.events, nothing.orders) == ([], [], [])


def test_a_call_that_is_on_at_both_goes_on() -> None:
    agent = at_work()
    talking()
    seen = snapshot(
        agents=[seen_agent(engine="in_call", leg="l1")],
        members=[waiting(state="answered", agent="1001")],
        channels=[channel("c1"), channel("l1", inbound=False, call="c1")],
    )
    with left() as nothing:
        assert compare(seen) == []
    assert (nothing.steps, nothing.events, nothing.orders) == ([], [], [])
    assert stands(agent) == "BUSY/ANSWERED"


def test_a_caller_who_is_gone_is_lost_and_the_agent_freed() -> None:
    agent = at_work(acw_seconds=0)
    talking()
    compare(snapshot())
    call = Call.objects.get()
    assert (call.state, call.hung_up_by, call.end_cause, call.reconciled) == ("ended", "switch", "LOST", True)
    assert call.ended_at == from_us(at(31))
    assert stands(agent) == "READY"
    assert not call.legs.filter(ended_at__isnull=True).exists()
    assert Event.objects.filter(type="call.ended").count() == 1


def test_a_caller_who_waited_and_is_gone_is_lost() -> None:
    a_queue()
    apply(MemberQueued(at=at(0), **member()))
    compare(snapshot(agents=[]))
    call = Call.objects.get()
    assert (call.state, call.outcome) == ("ended", "lost")
    ended = Event.objects.filter(type="call.ended").get()
    assert ended.data == call_payload(call)
    assert ended.cause == "reconcile"


def test_an_agent_whose_leg_is_gone_is_freed_although_the_caller_talks_on() -> None:
    """The bridge was away while the agent hung up and the caller went on elsewhere."""
    agent = at_work(acw_seconds=0)
    talking()
    elsewhere = channel("c1", bridged_to="other")
    compare(snapshot(channels=[elsewhere, channel("other", inbound=False, call="c1")]))
    assert stands(agent) == "READY"
    call = Call.objects.get()
    assert call.state != "ended" and call.released_at == from_us(at(31))


def test_an_agent_whose_leg_in_a_call_outside_queues_is_gone_is_freed() -> None:
    agent = at_work()
    apply(
        ChannelCreated(at=at(0), channel="c9", inbound=True, destination="77", number="138"),
        ChannelCreated(at=at(1), channel="l9", inbound=False, destination="1001", other="c9"),
    )
    assert stands(agent) == "BUSY/RINGING"
    compare(snapshot(channels=[channel("c9")]))
    assert stands(agent) == "READY"
    assert Call.objects.get().state != "ended"


def test_an_agent_who_is_busy_with_a_call_that_has_ended_is_freed() -> None:
    agent = at_work()
    talking()
    Call.objects.update(state="ended", ended_at=timezone.now())
    done = compare(snapshot())
    assert done == ["agent 1001 freed: the call is over"]
    assert stands(agent) == "READY"
    assert agent.transitions.last().reconciled  # type: ignore[union-attr]


def test_an_agent_who_is_busy_with_no_call_is_freed() -> None:
    agent = at_work()
    talking()
    Agent.objects.update(call_id=None)
    Call.objects.all().delete()
    compare(snapshot())
    assert stands(agent) == "READY"


@pytest.mark.parametrize("engine", ["free", "parked"])
def test_an_agent_whose_phone_rings_no_more_is_freed_and_the_offer_closed(engine: str) -> None:
    agent = at_work()
    apply(MemberQueued(at=at(0), **member()), OfferMade(at=at(1), **member(), agent="1001"))
    seen = snapshot(agents=[seen_agent(engine=engine)], members=[waiting()], channels=[channel("c1")])
    compare(seen)
    call = Call.objects.get()
    assert (call.state, [o.outcome for o in call.offers.all()]) == ("waiting", ["lost"])
    assert stands(agent) == "READY"


def test_an_agent_whose_phone_still_rings_is_left_ringing() -> None:
    agent = at_work()
    apply(MemberQueued(at=at(0), **member()), OfferMade(at=at(1), **member(), agent="1001"))
    seen = snapshot(
        agents=[seen_agent(engine="offered")],
        members=[waiting(state="offered", agent="1001")],
        channels=[channel("c1")],
    )
    assert compare(seen) == []
    assert stands(agent) == "BUSY/RINGING"


def test_who_is_found_waiting_is_entered_with_the_time_of_joining() -> None:
    queue = a_queue()
    with left() as found:
        compare(snapshot(agents=[], members=[waiting()], channels=[channel("c1")]))
    call = Call.objects.get()
    assert (call.queue, call.state, call.caller_number, call.reconciled) == (queue, "waiting", "138", True)
    assert call.queued_at == from_us(at(0))
    assert found.types == ["call.queued"]
    assert found.events[0].data == call_payload(call)


def test_who_is_found_ringing_or_talking_is_entered_with_the_agent() -> None:
    ringing, busy = at_work("1001"), at_work("1002")
    seen = snapshot(
        agents=[seen_agent("1001", "offered"), seen_agent("1002", "in_call", leg="l2")],
        members=[waiting(1, "offered", "1001"), waiting(2, "answered", "1002")],
        channels=[
            channel("c1"),
            channel("c2", bridged_to="l2"),
            channel("l2", inbound=False, call="c2", bridged_to="c2"),
        ],
        tiers=[SeenTier("support@default", name, 1, 1) for name in ("1001", "1002")],
    )
    compare(seen)
    assert (stands(ringing), stands(busy)) == ("BUSY/RINGING", "BUSY/ANSWERED")
    talking_now = Call.objects.get(member_uuid="m2")
    assert (talking_now.agent, talking_now.agent_leg, talking_now.outcome) == (busy, "l2", "answered")
    with left() as nothing:
        assert compare(seen) == []
    assert nothing.events == []


@pytest.mark.parametrize("state", ["gone", "waiting"])
def test_a_dead_row_of_the_switch_is_no_caller(state: str) -> None:
    """After a restart the module still lists callers whose channels are gone."""
    a_queue()
    compare(snapshot(agents=[], members=[waiting(state=state)]))
    assert not Call.objects.exists()


def test_a_call_outside_queues_is_entered_unless_its_end_was_told_meanwhile() -> None:
    seen = snapshot(agents=[], tiers=[], queues=[], channels=[channel("x1"), channel("x2")])
    compare(seen, hung_up=["x2"])
    assert [c.channel_uuid for c in Call.objects.all()] == ["x1"]
    assert compare(seen, hung_up=["x2"]) == []


def test_legs_of_calls_we_know_are_no_calls_of_their_own() -> None:
    at_work()
    talking()
    seen = snapshot(
        agents=[seen_agent(engine="in_call", leg="l1")],
        members=[waiting(state="answered", agent="1001")],
        channels=[channel("c1"), channel("l1", call="c1"), channel("l2", bridged_to="c1")],
    )
    compare(seen)
    assert Call.objects.count() == 1


def test_a_call_that_began_after_the_notes_were_taken_is_not_ended() -> None:
    a_queue()
    noted = reconcile_begin(node="default")
    apply(MemberQueued(at=at(40), **member()))
    reconcile_settle(noted=noted, snapshot=snapshot(agents=[]), node="default", at=timezone.now())
    assert Call.objects.get().state == "waiting"


def test_a_leg_that_began_after_the_notes_were_taken_is_not_ended() -> None:
    agent = at_work()
    apply(MemberQueued(at=at(0), **member()), OfferMade(at=at(1), **member(), agent="1001"))
    noted = reconcile_begin(node="default")
    apply(
        ChannelCreated(
            at=at(40), channel="l1", inbound=False, destination="1001", agent="1001", member_channel="c1"
        ),
        OfferAnswered(at=at(41), **member(), agent="1001", leg="l1"),
    )
    seen = snapshot(agents=[seen_agent(engine="offered")], members=[waiting()], channels=[channel("c1")])
    reconcile_settle(noted=noted, snapshot=seen, node="default", at=from_us(at(42)))
    assert stands(agent) == "BUSY/ANSWERED"
    assert Call.objects.get().legs.get(channel_uuid="l1").ended_at is None


def test_the_calls_of_another_node_are_none_of_ours() -> None:
    a_queue()
    apply(MemberQueued(at=at(0), **member()))
    empty = snapshot(agents=[], tiers=[])
    noted = reconcile_begin(node="west")
    reconcile_settle(noted=noted, snapshot=empty, node="west", at=timezone.now())
    assert Call.objects.get().state == "waiting"


def test_a_comparison_is_dated_by_its_own_time() -> None:
    a_queue()
    apply(MemberQueued(at=at(0), **member()))
    compare(snapshot(agents=[]))
    call = Call.objects.get()
    assert call.ended_at is not None and call.queued_at is not None
    assert call.ended_at - call.queued_at == timedelta(seconds=31)
