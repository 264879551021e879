"""Queues and tiers: made, read, changed, removed, found; what each change orders from the switch."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest

from agents.services import agent_create
from callcenter.clock import to_us
from callcenter.models import Event
from callcenter.switch import MemberQueued
from queues.models import Queue, Tier
from queues.services import facts_apply, queue_create, tier_create

from .conftest import BY, Api, place, queries_of, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


def kinds(answer) -> list[str]:  # type: ignore[no-untyped-def]
    return [order["kind"] for order in answer.json()["switch"]]


# --- queues ------------------------------------------------------------------------------------------


def test_a_queue_is_made_changed_and_removed_at_the_switch_too(api: Api) -> None:
    made = api.post("queues", {"name": "support", "strategy": "ring-all", "max_wait_time": 90})
    assert (made.status_code, made.headers["ETag"], kinds(made)) == (201, '"1"', ["configure_queue"])
    path = f"queues/{made.json()['id']}"
    assert made.headers["Location"] == f"/api/v1/{path}"

    changed = api.patch(path, {"strategy": "top-down"}, If_Match='"1"')
    assert (changed.json()["strategy"], changed.json()["max_wait_time"]) == ("top-down", 90)
    assert (changed.headers["ETag"], kinds(changed)) == ('"2"', ["configure_queue"])
    ours = api.patch(path, {"display_name": "Support", "service_level_seconds": 30})
    assert kinds(ours) == []

    replaced = api.put(path, {"name": "support", "moh_sound": "silence"})
    assert (replaced.json()["strategy"], replaced.json()["max_wait_time"]) == ("longest-idle-agent", 0)
    assert (replaced.json()["moh_sound"], replaced.json()["service_level_seconds"]) == ("silence", 20)
    assert api.get(path).json() == {k: v for k, v in replaced.json().items() if k != "switch"}

    assert refusal(api.delete(path, If_Match='"1"')) == (412, "stale_version")
    assert api.delete(path).status_code == 204
    assert refusal(api.get(path)) == (404, "queue_not_found")
    told = Event.objects.filter(type__startswith="queue.").values_list("type", flat=True)
    assert list(told) == ["queue.created", *["queue.updated"] * 3, "queue.deleted"]


def test_a_queues_name_is_taken_once_and_never_changes(api: Api, support: Queue) -> None:
    assert refusal(api.post("queues", {"name": "support"})) == (409, "queue_exists")
    assert refusal(api.patch(f"queues/{support.pk}", {"name": "help"})) == (400, "invalid_input")
    assert api.patch(f"queues/{support.pk}", {"name": "support"}).status_code == 200


def test_a_queue_with_callers_in_it_is_not_removed(api: Api, support: Queue) -> None:
    at = to_us(datetime.now(UTC))
    fact = MemberQueued(at=at, member=str(uuid.uuid4()), channel=str(uuid.uuid4()), queue="support")
    facts_apply(facts=[fact], node="default")
    assert refusal(api.delete(f"queues/{support.pk}")) == (409, "queue_in_use")


def names(answer) -> list[str]:  # type: ignore[no-untyped-def]
    assert answer.status_code == 200, answer.content
    return [queue["name"] for queue in answer.json()["results"]]


def test_queues_are_found(api: Api, alice: Api, support: Queue, sales: Queue) -> None:
    place(alice.agent, sales)
    assert names(api.get("queues")) == ["sales", "support"]
    assert names(api.get("queues", strategy="ring-all")) == ["sales"]
    assert names(api.get("queues", strategy=["ring-all", "longest-idle-agent"])) == ["sales", "support"]
    assert names(api.get("queues", agent=alice.agent.pk)) == ["sales"]
    assert names(api.get("queues", search="customer")) == ["support"]
    assert names(api.get("queues", name="support")) == ["support"]
    assert names(api.get("queues", node="elsewhere")) == []


def test_removing_a_queue_takes_its_tiers_along_and_orders_that_too(
    api: Api, alice: Api, support: Queue
) -> None:
    place(alice.agent, support)
    answer = api.delete(f"queues/{support.pk}", Prefer="wait=1")
    assert answer.status_code == 200
    assert kinds(answer) == ["remove_tier", "remove_queue"]
    assert not Tier.objects.exists()


# --- tiers -------------------------------------------------------------------------------------------


def test_a_tier_is_made_changed_and_removed_at_the_switch_too(api: Api, alice: Api, support: Queue) -> None:
    body = {"queue": str(support.pk), "agent": str(alice.agent.pk)}
    made = api.post("tiers", body | {"level": 2})
    tier = made.json()
    assert (made.status_code, made.headers["ETag"], kinds(made)) == (201, '"1"', ["configure_tier"])
    assert (tier["level"], tier["position"], tier["active"]) == (2, 1, True)
    assert tier["switch"][0]["key"] == "tier:support:alice"
    path = f"tiers/{tier['id']}"

    changed = api.patch(path, {"position": 4}, If_Match='"1"')
    assert (changed.json()["level"], changed.json()["position"]) == (2, 4)
    assert (changed.headers["ETag"], kinds(changed)) == ('"2"', ["configure_tier"])
    replaced = api.put(path, body | {"position": 5})
    assert (replaced.json()["level"], replaced.json()["position"]) == (1, 5)
    assert refusal(api.patch(path, {"level": 3}, If_Match='"1"')) == (412, "stale_version")
    assert api.delete(path).status_code == 204
    assert refusal(api.get(path)) == (404, "tier_not_found")


def test_a_tier_is_one_for_agent_and_queue_and_both_must_exist(
    api: Api, alice: Api, support: Queue, sales: Queue
) -> None:
    body = {"queue": str(support.pk), "agent": str(alice.agent.pk)}
    tier = api.post("tiers", body).json()
    assert refusal(api.post("tiers", body)) == (409, "tier_exists")
    assert refusal(api.post("tiers", body | {"queue": str(uuid.uuid4())})) == (404, "queue_not_found")
    assert refusal(api.post("tiers", body | {"agent": str(uuid.uuid4())})) == (404, "agent_not_found")
    moved = api.patch(f"tiers/{tier['id']}", {"queue": str(sales.pk)})
    assert refusal(moved) == (400, "invalid_input")


def test_tiers_are_found(api: Api, alice: Api, bob: Api, support: Queue, sales: Queue) -> None:
    first, second = place(alice.agent, support, sales)
    third = tier_create(queue_id=support.pk, agent_id=bob.agent.pk, by=BY, level=2)
    alice.post(f"agents/{alice.agent.pk}/login", {"queues": ["support"]})

    def found(**query: object) -> list[int]:
        return [tier["id"] for tier in api.get("tiers", **query).json()["results"]]

    assert found() == [first.pk, second.pk, third.pk]
    assert found(queue=support.pk) == [first.pk, third.pk]
    assert found(agent=alice.agent.pk) == [first.pk, second.pk]
    assert found(queue=support.pk, agent=bob.agent.pk) == [third.pk]
    assert found(level=2) == [third.pk]
    assert found(active="false") == [second.pk]


@pytest.mark.parametrize("path", ["queues", "tiers"])
def test_lists_take_as_many_queries_for_twenty_as_for_one(api: Api, path: str) -> None:
    def add(count: int, start: int) -> None:
        for number in range(start, start + count):
            queue = queue_create(name=f"queue{number}", by=BY)
            place(agent_create(name=f"agent{number}", by=BY), queue)

    add(1, 0)
    for_one = queries_of(lambda: api.get(path))
    add(19, 1)
    assert len(api.get(path).json()["results"]) == 20
    assert queries_of(lambda: api.get(path)) == for_one
