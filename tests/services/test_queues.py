"""Changes to queues and tiers: told, and ordered at the switch, in the transaction that makes them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from agents.models import Agent
from agents.services import agent_logout
from callcenter.errors import Conflict, InvalidInput, NotFound, StaleVersion
from callcenter.events import unit_of_work
from callcenter.models import SwitchCommand
from callcenter.switch import ConfigureQueue, ConfigureTier, MemberQueued, RemoveQueue, RemoveTier
from queues.models import Queue, Tier
from queues.selectors import queue_payload, tier_payload
from queues.services import (
    agent_sign_in,
    facts_apply,
    queue_create,
    queue_delete,
    queue_update,
    tier_create,
    tier_delete,
    tier_update,
)
from tests.services.support import BY, a_queue, an_agent, at_work, in_snapshot, left, stands

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


def a_tier(queue: str = "support@default", agent: str = "1001", **place: int) -> Tier:
    return tier_create(queue_id=a_queue(queue).pk, agent_id=an_agent(agent).pk, by=BY, **place)


class Undone(Exception):
    """The caller of a service changes its mind."""


# --- queues ------------------------------------------------------------------------------------------


def test_a_new_queue_is_told_and_loaded_at_the_switch() -> None:
    with left() as made:
        queue = queue_create(name="sales@d", by=BY, display_name="Sales", strategy="ring-all")
    assert made.types == ["queue.created"]
    assert made.events[0].data == in_snapshot("queues", queue.pk)
    assert made.orders == [ConfigureQueue(queue="sales@d")]


@pytest.mark.parametrize(
    ("field", "value", "at_switch"),
    [
        ("strategy", "round-robin", True),
        ("moh_sound", "silence", True),
        ("max_wait_time", 30, True),
        ("tier_rules_apply", True, True),
        ("display_name", "Sales", False),
        ("service_level_seconds", 30, False),
    ],
)
def test_the_switch_hears_of_what_is_not_ours_alone(field: str, value: Any, at_switch: bool) -> None:
    queue = a_queue()
    with left() as changed:
        queue_update(queue_id=queue.pk, by=BY, revision=1, **{field: value})
    assert changed.types == ["queue.updated"]
    assert changed.events[0].data == in_snapshot("queues", queue.pk)
    assert changed.events[0].revision == 2
    assert changed.orders == ([ConfigureQueue(queue="support@default")] if at_switch else [])


def test_a_change_of_a_queue_is_heard_by_its_agents() -> None:
    tier = a_tier()
    an_agent("1002")
    with left() as changed:
        queue_update(queue_id=tier.queue_id, by=BY, max_wait_time=7)
    assert changed.events[0].agents == [str(tier.agent_id)]


def test_a_change_to_what_a_queue_is_already_leaves_nothing() -> None:
    queue = a_queue(max_wait_time=30)
    with left() as nothing:
        queue_update(queue_id=queue.pk, by=BY, max_wait_time=30)
    assert (nothing.events, nothing.orders) == ([], [])


@pytest.mark.parametrize(
    "fields",
    [
        {"nosuch": 1},
        {"name": "other@d"},
        {"node": "west"},
        {"strategy": "whoever"},
        {"strategy": None},
        {"moh_sound": None},
        {"max_wait_time": -1},
        {"max_wait_time": 86_401},
        {"max_wait_time": "soon"},
        {"tier_rules_apply": "maybe"},
        {"announce_sound": "a\nb"},
        {"display_name": "x" * 101},
    ],
)
def test_a_bad_field_of_a_queue_is_named_and_changes_nothing(fields: dict[str, Any]) -> None:
    queue = a_queue()
    with left() as nothing, pytest.raises(InvalidInput) as refused:
        queue_update(queue_id=queue.pk, by=BY, **fields)
    assert set(refused.value.fields) == set(fields)
    assert (nothing.events, nothing.orders) == ([], [])
    queue.refresh_from_db()
    assert queue.revision == 1


@pytest.mark.parametrize("name", ["", "a b", "a\nb", "a|b", "a'b", "x" * 65])
def test_a_queue_name_that_cannot_travel_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput):
        queue_create(name=name, by=BY)
    assert not SwitchCommand.objects.exists()


def test_two_queues_of_one_name_are_refused() -> None:
    a_queue("a@d")
    with left() as nothing, pytest.raises(Conflict) as refused:
        queue_create(name="a@d", by=BY)
    assert refused.value.code == "queue_exists"
    assert (nothing.events, nothing.orders) == ([], [])


def test_a_queue_goes_with_its_tiers_and_each_is_told_and_ordered() -> None:
    queue = a_queue()
    tiers = [a_tier(agent=name) for name in ("1001", "1002")]
    queue.refresh_from_db()
    with left() as gone:
        queue_delete(queue_id=queue.pk, by=BY, revision=queue.revision)
    assert gone.types == ["tier.deleted", "tier.deleted", "queue.deleted"]
    assert [e.data["id"] for e in gone.events[:2]] == [t.pk for t in tiers]
    assert gone.events[2].data == queue_payload(queue) | {"revision": queue.revision + 1}
    assert gone.events[2].agents == sorted(str(t.agent_id) for t in tiers)
    assert gone.orders == [
        RemoveTier(queue="support@default", agent="1001"),
        RemoveTier(queue="support@default", agent="1002"),
        RemoveQueue(queue="support@default"),
    ]
    assert not Tier.objects.exists() and not Queue.objects.exists()


def test_a_queue_with_callers_is_not_deleted() -> None:
    queue = a_queue()
    joined = MemberQueued(at=1_795_516_480_000_000, member="m", channel="c", queue=queue.name)
    facts_apply(facts=[joined], node="default")
    with left() as nothing, pytest.raises(Conflict) as refused:
        queue_delete(queue_id=queue.pk, by=BY)
    assert refused.value.code == "queue_in_use"
    assert (nothing.events, nothing.orders) == ([], [])


# --- tiers -------------------------------------------------------------------------------------------


def test_a_new_tier_is_told_to_its_agent_and_ordered() -> None:
    with left() as made:
        tier = a_tier(level=2, position=3)
    assert made.types[-1] == "tier.created"
    assert made.events[-1].data == in_snapshot("tiers", tier.pk)
    assert made.events[-1].agents == [str(tier.agent_id)]
    assert made.orders[-1] == ConfigureTier(queue="support@default", agent="1001", level=2, position=3)


def test_a_tier_is_moved_and_the_switch_told_where() -> None:
    tier = a_tier()
    with left() as moved:
        tier_update(tier_id=tier.pk, by=BY, revision=1, level=4)
    assert moved.types == ["tier.updated"]
    assert moved.events[0].data == in_snapshot("tiers", tier.pk)
    assert moved.orders == [ConfigureTier(queue="support@default", agent="1001", level=4, position=1)]
    with left() as nothing:
        tier_update(tier_id=tier.pk, by=BY, level=4)
    assert (nothing.events, nothing.orders) == ([], [])


def test_a_tier_that_rests_is_moved_here_alone() -> None:
    tier = a_tier()
    Tier.objects.update(active=False)
    with left() as moved:
        tier_update(tier_id=tier.pk, by=BY, level=4)
    assert (moved.types, moved.orders) == (["tier.updated"], [])


def test_a_tier_is_taken_away_and_told_with_what_it_was() -> None:
    tier = a_tier()
    with left() as gone:
        tier_delete(tier_id=tier.pk, by=BY, revision=1)
    assert gone.types == ["tier.deleted"]
    assert gone.events[0].data == tier_payload(tier) | {"revision": 2}
    assert gone.orders == [RemoveTier(queue="support@default", agent="1001")]


def test_taking_a_tier_away_replaces_no_order_that_puts_it_there() -> None:
    """They are of two kinds, and are sent in the order in which they were given."""
    tier = a_tier()
    tier_delete(tier_id=tier.pk, by=BY)
    pending = SwitchCommand.objects.filter(key__startswith="tier:").order_by("id")
    assert [(c.kind, c.status) for c in pending] == [
        ("configure_tier", "pending"),
        ("remove_tier", "pending"),
    ]


@pytest.mark.parametrize(
    "fields",
    [{"nosuch": 1}, {"queue": "x"}, {"active": False}, {"level": -1}, {"level": 1001}, {"position": None}],
)
def test_a_bad_field_of_a_tier_is_named(fields: dict[str, Any]) -> None:
    tier = a_tier()
    with left() as nothing, pytest.raises(InvalidInput) as refused:
        tier_update(tier_id=tier.pk, by=BY, **fields)
    assert set(refused.value.fields) == set(fields)
    assert (nothing.events, nothing.orders) == ([], [])


def test_an_agent_is_in_a_queue_once() -> None:
    tier = a_tier()
    with left() as nothing, pytest.raises(Conflict) as refused:
        tier_create(queue_id=tier.queue_id, agent_id=tier.agent_id, by=BY)
    assert refused.value.code == "tier_exists"
    assert (nothing.events, nothing.orders) == ([], [])


@pytest.mark.parametrize(
    "act",
    [
        lambda tier: tier_update(tier_id=tier.pk, by=BY, revision=9, level=2),
        lambda tier: tier_delete(tier_id=tier.pk, by=BY, revision=9),
        lambda tier: queue_update(queue_id=tier.queue_id, by=BY, revision=9, max_wait_time=2),
        lambda tier: queue_delete(queue_id=tier.queue_id, by=BY, revision=9),
    ],
)
def test_an_older_version_is_not_changed(act: Callable[[Tier], Any]) -> None:
    tier = a_tier()
    with left() as nothing, pytest.raises(StaleVersion):
        act(tier)
    assert (nothing.events, nothing.orders) == ([], [])


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (lambda: queue_update(queue_id=uuid.uuid4(), by=BY, max_wait_time=1), "queue_not_found"),
        (lambda: queue_delete(queue_id=uuid.uuid4(), by=BY), "queue_not_found"),
        (lambda: tier_update(tier_id=7, by=BY, level=1), "tier_not_found"),
        (lambda: tier_delete(tier_id=10**30, by=BY), "tier_not_found"),
        (lambda: tier_create(queue_id=uuid.uuid4(), agent_id=uuid.uuid4(), by=BY), "queue_not_found"),
        (lambda: tier_create(queue_id=a_queue().pk, agent_id=uuid.uuid4(), by=BY), "agent_not_found"),
        (lambda: agent_sign_in(agent_id=uuid.uuid4(), by=BY), "agent_not_found"),
    ],
)
def test_what_is_not_there_is_not_found(act: Callable[[], Any], code: str) -> None:
    with pytest.raises(NotFound) as refused:
        act()
    assert refused.value.code == code


@pytest.mark.parametrize(
    "act",
    [
        lambda tier: queue_create(name="new@d", by=BY),
        lambda tier: queue_update(queue_id=tier.queue_id, by=BY, max_wait_time=9),
        lambda tier: queue_delete(queue_id=tier.queue_id, by=BY),
        lambda tier: tier_update(tier_id=tier.pk, by=BY, level=9),
        lambda tier: tier_delete(tier_id=tier.pk, by=BY),
        lambda tier: agent_sign_in(agent_id=tier.agent_id, by=BY),
    ],
)
def test_a_change_that_is_taken_back_leaves_nothing(act: Callable[[Tier], Any]) -> None:
    tier = a_tier()
    kinds = (Queue, Tier, Agent, SwitchCommand)
    before = [list(kind.objects.values()) for kind in kinds]
    with left() as nothing, pytest.raises(Undone), unit_of_work():
        act(tier)
        raise Undone
    assert (nothing.steps, nothing.events, nothing.orders) == ([], [], [])
    assert [list(kind.objects.values()) for kind in kinds] == before


# --- signing in to queues ----------------------------------------------------------------------------


def in_three() -> Agent:
    agent = an_agent()
    for name in ("a@d", "b@d", "c@d"):
        tier_create(queue_id=a_queue(name).pk, agent_id=agent.pk, by=BY)
    return agent


def active() -> list[str]:
    return list(
        Tier.objects.filter(active=True).order_by("queue__name").values_list("queue__name", flat=True)
    )


def test_signing_in_to_all_is_one_login_event_per_queue() -> None:
    agent = in_three()
    with left() as change:
        agent_sign_in(agent_id=agent.pk, by=BY)
    assert [e.data["queue"] for e in change.events if e.type == "agent.logged_in"] == ["a@d", "b@d", "c@d"]
    assert stands(agent) == "UNREADY/WAIT" and active() == ["a@d", "b@d", "c@d"]


def test_the_tiers_of_the_other_queues_rest_until_the_next_sign_in() -> None:
    agent = in_three()
    with left() as change:
        agent_sign_in(agent_id=agent.pk, by=BY, queues=["b@d"])
    assert active() == ["b@d"]
    assert [e.data["active"] for e in change.events if e.type == "tier.updated"] == [False, False]
    assert [o for o in change.orders if isinstance(o, RemoveTier)] == [
        RemoveTier(queue="a@d", agent="1001"),
        RemoveTier(queue="c@d", agent="1001"),
    ]
    with left() as more:
        agent_sign_in(agent_id=agent.pk, by=BY, queues=["c@d"])
    assert active() == ["b@d", "c@d"]
    assert more.orders == [ConfigureTier(queue="c@d", agent="1001", level=1, position=1)]
    agent_logout(agent_id=agent.pk, by=BY)
    agent_sign_in(agent_id=agent.pk, by=BY)
    assert active() == ["a@d", "b@d", "c@d"]
    assert in_snapshot("agents", agent.pk)["queues"] == ["a@d", "b@d", "c@d"]


def test_every_tier_after_a_sign_in_is_as_a_fresh_snapshot_has_it() -> None:
    agent = in_three()
    with left() as change:
        agent_sign_in(agent_id=agent.pk, by=BY, queues=["b@d"])
    for event in change.events:
        if event.type == "tier.updated":
            assert event.data == in_snapshot("tiers", event.data["id"])


def test_a_queue_that_is_not_the_agents_is_refused_and_nobody_signed_in() -> None:
    agent = in_three()
    a_queue("other@d")
    with left() as nothing, pytest.raises(InvalidInput) as refused:
        agent_sign_in(agent_id=agent.pk, by=BY, queues=["a@d", "other@d", "nosuch@d"])
    assert refused.value.code == "not_in_queue"
    assert refused.value.fields == {"queues": ["nosuch@d", "other@d"]}
    assert (nothing.events, nothing.orders, stands(agent)) == ([], [], "LOGOUT")


def test_an_agent_of_no_queue_may_sign_in() -> None:
    agent = an_agent()
    agent_sign_in(agent_id=agent.pk, by=BY)
    assert stands(agent) == "UNREADY/WAIT"


def test_a_sign_in_is_counted_from_now() -> None:
    before = timezone.now()
    agent = at_work()
    assert before <= agent.state_since <= timezone.now()
