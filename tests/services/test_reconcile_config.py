"""Our record brought together with the switch: about configuration and presence our record is right."""

from __future__ import annotations

import pytest
from django.utils import timezone

from agents.models import Agent
from agents.services import agent_ready, agent_unready, agent_update
from callcenter.models import SwitchCommand
from callcenter.services import switch_command_claim, switch_command_finish, switch_order_of
from callcenter.switch import (
    AgentParked,
    ConfigureAgent,
    ConfigureQueue,
    ConfigureTier,
    Presence,
    RemoveTier,
    SeenAgent,
    SeenTier,
    SetPresence,
)
from esl_bridge.demo import queue_config
from esl_bridge.simulator import PhoneRule, Phones, Switch, VirtualClock
from queues.models import Queue, Tier
from queues.services import (
    queue_update,
    reconcile_take,
    tier_create,
    tier_delete,
    tier_update,
)
from tests.backends.switchboard import Switchboard
from tests.services.comparing import (
    CONTACT,
    apply,
    at,
    carry_out_as_sent,
    channel,
    compare,
    seen_agent,
    snapshot,
    talking,
    waiting,
)
from tests.services.support import BY, a_queue, an_agent, at_work, left, stands

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


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
