"""Our record and the switch brought together: calls as the switch has them, configuration as we have it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.models import Agent
from agents.services import agent_ready, agent_unready, agent_update
from callcenter.clock import from_us, to_us
from callcenter.models import Event, SwitchCommand
from callcenter.services import switch_command_claim, switch_command_finish, switch_order_of
from callcenter.switch import (
    AgentParked,
    ChannelBridged,
    ChannelCreated,
    ConfigureAgent,
    ConfigureQueue,
    ConfigureTier,
    Fact,
    MemberQueued,
    OfferAnswered,
    OfferMade,
    Presence,
    RemoveTier,
    SeenAgent,
    SeenChannel,
    SeenMember,
    SeenTier,
    SetPresence,
    Snapshot,
)
from esl_bridge.demo import queue_config
from esl_bridge.simulator import PhoneRule, Phones, Switch, VirtualClock
from queues.models import Call, Queue, Tier
from queues.selectors import call_payload
from queues.services import (
    facts_apply,
    queue_update,
    reconcile_begin,
    reconcile_settle,
    reconcile_take,
    tier_create,
    tier_delete,
    tier_update,
)
from tests.backends.switchboard import Switchboard
from tests.services.support import BY, a_queue, an_agent, at_work, left, stands

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]

NOW = to_us(timezone.now()) - 60_000_000
CONTACT = "sofia/internal/{}@127.0.0.1"


def at(second: float) -> int:
    return NOW + round(second * 1_000_000)


def member(number: int = 1) -> dict[str, str]:
    return {"member": f"m{number}", "channel": f"c{number}", "queue": "support@default"}


def seen_agent(name: str = "1001", engine: str = "free", **fields: Any) -> SeenAgent:
    given = {"presence": Presence.OPEN, "on_demand": True, "contact": CONTACT.format(name)} | fields
    return SeenAgent(name, engine=engine, **given)


def channel(uuid: str, **fields: Any) -> SeenChannel:
    given = {"created_at": at(0), "inbound": True, "destination": "9", "number": "138", "name": ""} | fields
    return SeenChannel(uuid, **given)


def waiting(number: int = 1, state: str = "waiting", agent: str = "") -> SeenMember:
    return SeenMember(**member(number), number="138", name="Li", joined_at=at(0), state=state, agent=agent)


def snapshot(
    *,
    agents: Iterable[SeenAgent] | None = None,
    members: Iterable[SeenMember] = (),
    channels: Iterable[SeenChannel] = (),
    tiers: Iterable[SeenTier] | None = None,
    queues: Iterable[str] = ("support@default",),
) -> Snapshot:
    """A switch that holds the agent 1001 in the queue, and what is given."""
    agents = [seen_agent()] if agents is None else list(agents)
    if tiers is None:
        tiers = [SeenTier("support@default", a.name, 1, 1) for a in agents]
    return Snapshot(
        at=at(30),
        agents={a.name: a for a in agents},
        tiers={(t.queue, t.agent): t for t in tiers},
        members={m.member: m for m in members},
        channels={c.channel: c for c in channels},
        queues=frozenset(queues),
    )


def apply(*facts: Fact) -> None:
    facts_apply(facts=facts, node="default")


def compare(seen: Snapshot, *, hung_up: Iterable[str] = ()) -> list[str]:
    """One whole comparison, as the bridge makes it; what was repaired."""
    noted = reconcile_begin(node="default")
    taken = reconcile_take(snapshot=seen, node="default")
    settled = reconcile_settle(
        noted=noted, snapshot=seen, node="default", at=from_us(at(31)), hung_up=list(hung_up)
    )
    return [*taken.done, *settled.done]


def carry_out_as_sent() -> None:
    """Every order that is open counts as done."""
    for command in switch_command_claim(node="default"):
        switch_command_finish(command=command, ok=True, answer="+OK")


def talking(agent: str = "1001") -> None:
    apply(
        MemberQueued(at=at(0), **member()),
        OfferMade(at=at(1), **member(), agent=agent),
        OfferAnswered(at=at(2), **member(), agent=agent, leg="l1"),
        ChannelBridged(at=at(2), channel="c1", other="l1"),
    )


# --- the switch is right about calls -----------------------------------------------------------------


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


# --- our record is right about the rest --------------------------------------------------------------


def test_a_switch_that_holds_nothing_is_told_everything() -> None:
    at_work()
    carry_out_as_sent()
    with left() as ordered:
        compare(snapshot(agents=[], tiers=[], queues=[]))
    configured, presence, tier = ordered.orders[1:]
    assert ordered.orders[0] == ConfigureQueue(queue="support@default")
    assert isinstance(configured, ConfigureAgent) and configured.agent == "1001"
    assert presence == SetPresence(agent="1001", presence=Presence.OPEN)
    assert tier == ConfigureTier(queue="support@default", agent="1001", level=1, position=1)
    assert set(SwitchCommand.objects.filter(status="pending").values_list("cause", flat=True)) == {
        "reconcile"
    }


@pytest.mark.parametrize(
    ("seen", "stands_so"),
    [
        (seen_agent(), True),
        (seen_agent(engine="offered"), True),
        (seen_agent(engine="parked"), False),
        (seen_agent(on_demand=False), False),
        (seen_agent(presence=Presence.BREAK, on_demand=False), False),
        (seen_agent(presence=Presence.OUT, on_demand=False), False),
    ],
)
def test_a_ready_agent_is_opened_unless_open_already(seen: SeenAgent, stands_so: bool) -> None:
    at_work()
    carry_out_as_sent()
    with left() as ordered:
        compare(snapshot(agents=[seen]))
    opened = [SetPresence(agent="1001", presence=Presence.OPEN)]
    assert ordered.orders == ([] if stands_so else opened)


def test_an_agent_on_a_call_or_in_after_call_work_gets_no_presence() -> None:
    agent = at_work()
    carry_out_as_sent()
    talking()
    seen = seen_agent(engine="in_call", leg="l1", presence=Presence.BREAK, on_demand=False)
    channels = [channel("c1"), channel("l1", call="c1")]
    members = [waiting(state="answered", agent="1001")]
    with left() as ordered:
        compare(snapshot(agents=[seen], members=members, channels=channels))
    assert ordered.orders == [] and stands(agent) == "BUSY/ANSWERED"


def test_a_dial_string_that_somebody_changed_at_the_switch_is_put_right() -> None:
    at_work()
    carry_out_as_sent()
    with left() as ordered:
        compare(snapshot(agents=[seen_agent(contact="user/evil")]))
    assert [type(o) for o in ordered.orders] == [ConfigureAgent]


def test_tiers_are_put_right_moved_and_removed() -> None:
    at_work("1001", "support@default", "billing@default")
    stranger = an_agent("1002")
    carry_out_as_sent()
    tiers = [
        SeenTier("support@default", "1001", 5, 1),
        SeenTier("support@default", "1002", 1, 1),
        SeenTier("support@default", "unknown", 1, 1),
    ]
    agents = [seen_agent(), seen_agent("1002", presence=Presence.OUT, on_demand=False)]
    with left() as ordered:
        compare(snapshot(agents=agents, tiers=tiers, queues=["support@default", "billing@default"]))
    assert ordered.orders == [
        ConfigureTier(queue="billing@default", agent="1001", level=1, position=1),
        ConfigureTier(queue="support@default", agent="1001", level=1, position=1),
        RemoveTier(queue="support@default", agent=stranger.name),
    ]


def test_a_tier_that_rests_is_not_put_back() -> None:
    at_work()
    Tier.objects.update(active=False)
    carry_out_as_sent()
    with left() as ordered:
        compare(snapshot())
    assert ordered.orders == [RemoveTier(queue="support@default", agent="1001")]


def test_orders_go_to_the_node_that_was_compared() -> None:
    at_work()
    Queue.objects.update(node="west")
    Agent.objects.update(node="west")
    SwitchCommand.objects.all().delete()
    seen = snapshot(agents=[], tiers=[SeenTier("old@d", "1001", 1, 1)], queues=[])
    reconcile_take(snapshot=seen, node="west")
    assert SwitchCommand.objects.count() == 5
    assert set(SwitchCommand.objects.values_list("node", flat=True)) == {"west"}


def test_an_observed_switch_is_adopted_and_given_no_configuration() -> None:
    seen = snapshot(agents=[seen_agent(wrap_up=7)])
    reconcile_take(snapshot=seen, node="default", adopt=True)
    agent = Agent.objects.get()
    assert (agent.name, agent.state, agent.acw_seconds) == ("1001", "READY", 7)
    assert (Queue.objects.get().name, Tier.objects.get().agent) == ("support@default", agent)
    assert not SwitchCommand.objects.exclude(kind="set_presence").exists()
    with left() as nothing:
        reconcile_take(snapshot=seen, node="default", adopt=True)
    assert nothing.events == []


def test_whether_the_engine_parked_an_agent_is_kept() -> None:
    agent = at_work(acw_seconds=60)
    talking()
    apply(AgentParked(at=at(5), agent="1001"))
    agent.refresh_from_db()
    assert agent.parked


# --- with a real conversation ------------------------------------------------------------------------


@pytest.fixture
def board(transactional_db: None) -> Switchboard:
    clock = VirtualClock(timezone.now().timestamp())
    switch = Switch(clock, phones=Phones((PhoneRule(ring=(1.0, 1.0)),)))
    switch.queue_source = queue_config
    return Switchboard(switch, clock)


def bring_together(board: Switchboard) -> list[str]:
    """A comparison, and every order that is open carried out on the simulated switch."""
    done = compare(board.snapshot())
    for command in switch_command_claim(node="default", limit=500):
        outcome = board.carry_out(switch_order_of(command))
        switch_command_finish(command=command, ok=outcome.ok, answer=outcome.answer)
        assert outcome.ok, outcome
    return done


@pytest.mark.django_db(transaction=True)
def test_a_new_switch_is_as_our_record_after_one_comparison_and_the_second_orders_nothing(
    board: Switchboard,
) -> None:
    at_work("1001", "support@default", "billing@default")
    agent_unready(agent_id=at_work("1002").pk, by=BY)
    tier = Tier.objects.get(agent__name="1002")
    tier_update(tier_id=tier.pk, by=BY, level=3, position=4)
    queue_update(queue_id=a_queue("billing@default").pk, by=BY, max_wait_time=42)
    an_agent("1003")
    SwitchCommand.objects.all().delete()
    assert bring_together(board)
    held = board.snapshot()
    assert {a.name: (a.presence, a.contact) for a in held.agents.values()} == {
        "1001": (Presence.OPEN, CONTACT.format("1001")),
        "1002": (Presence.BREAK, CONTACT.format("1002")),
        "1003": (Presence.OUT, CONTACT.format("1003")),
    }
    assert held.queues == {"support@default", "billing@default"}
    assert {(t.queue, t.agent, t.level, t.position) for t in held.tiers.values()} == {
        ("support@default", "1001", 1, 1),
        ("billing@default", "1001", 1, 1),
        ("support@default", "1002", 3, 4),
    }
    assert "|42|" in board.api("callcenter_config queue list")
    assert bring_together(board) == []


@pytest.mark.django_db(transaction=True)
def test_what_somebody_did_at_the_switch_by_hand_is_put_right_once(board: Switchboard) -> None:
    at_work("1001")
    at_work("1002")
    bring_together(board)
    for line in (
        "agent del 1001",
        "agent set status 1002 'On Break'",
        "agent set contact 1002 user/x",
        "tier del support@default 1002",
        "queue unload support@default",
    ):
        board.api(f"callcenter_config {line}")
    assert bring_together(board)
    assert {a.presence for a in board.snapshot().agents.values()} == {Presence.OPEN}
    assert len(board.snapshot().tiers) == 2
    assert bring_together(board) == []


@pytest.mark.django_db(transaction=True)
def test_changes_reach_the_switch_and_leave_nothing_to_repair(board: Switchboard) -> None:
    agent = at_work("1001")
    bring_together(board)
    agent_update(agent_id=agent.pk, by=BY, extension="2001", max_missed=1)
    agent_unready(agent_id=agent.pk, by=BY)
    agent_ready(agent_id=agent.pk, by=BY)
    tier_delete(tier_id=Tier.objects.get().pk, by=BY)
    tier_create(queue_id=a_queue("sales@default").pk, agent_id=agent.pk, by=BY, level=2)
    for command in switch_command_claim(node="default", limit=500):
        assert board.carry_out(switch_order_of(command)).ok
        switch_command_finish(command=command, ok=True, answer="+OK")
    assert bring_together(board) == []
    held = board.snapshot()
    assert held.agents["1001"].contact == CONTACT.format("2001")
    assert set(held.tiers) == {("sales@default", "1001")}


def test_a_comparison_is_dated_by_its_own_time() -> None:
    a_queue()
    apply(MemberQueued(at=at(0), **member()))
    compare(snapshot(agents=[]))
    call = Call.objects.get()
    assert call.ended_at is not None and call.queued_at is not None
    assert call.ended_at - call.queued_at == timedelta(seconds=31)
