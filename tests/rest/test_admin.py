"""The operators' back room changes nothing but through the services."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from agents.models import Agent
from agents.services import agent_ready
from callcenter.models import ApiToken, Event, SwitchCommand
from queues.models import Queue, Tier
from queues.services import agent_sign_in

from .conftest import BY, Api, place
from .test_calls import Caller

pytestmark = pytest.mark.django_db

OURS = ("callcenter", "agents", "queues")
MODELS = [model for model in admin.site._registry if model._meta.app_label in OURS]


@pytest.fixture
def operator(client: Client) -> Client:
    client.force_login(User.objects.create_superuser("root"))
    return client


def address(model: type, page: str, *args: object) -> str:
    return reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_{page}", args=args)


def shown(answer) -> list[str]:  # type: ignore[no-untyped-def]
    return [str(message) for message in answer.context["messages"]]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_kind_of_row_is_listed_searched_and_shown(
    operator: Client, alice: Api, support: Queue, model: type
) -> None:
    place(alice.agent, support)
    agent_sign_in(agent_id=alice.agent.pk, by=BY)
    Caller("support").queued().answered("alice").hung_up()
    listed = operator.get(address(model, "changelist"), {"q": "a"})
    assert listed.status_code == 200
    for row in model._default_manager.all()[:1]:  # type: ignore[attr-defined]
        assert operator.get(address(model, "change", row.pk)).status_code == 200


def test_logs_cannot_be_touched(operator: Client, alice: Api) -> None:
    event = Event.objects.get()
    assert operator.get(address(Event, "add")).status_code == 403
    assert operator.post(address(Event, "change", event.pk), {"type": "x"}).status_code == 403
    assert operator.post(address(Event, "delete", event.pk), {"post": "yes"}).status_code == 403


def test_an_agent_is_made_changed_and_removed_through_the_services(operator: Client) -> None:
    numbers = {"acw_seconds": 15, "max_missed": 3, "reject_delay": 5, "busy_delay": 10, "no_answer_delay": 5}
    made = operator.post(address(Agent, "add"), numbers | {"name": "anna", "extension": "1001"}, follow=True)
    assert made.status_code == 200
    agent = Agent.objects.get(name="anna")
    assert agent.contact == "sofia/internal/1001@127.0.0.1"
    assert Event.objects.get(type="agent.created").actor == "root"

    operator.post(address(Agent, "change", agent.pk), numbers | {"extension": "1002", "name": "other"})
    agent.refresh_from_db()
    assert (agent.name, agent.extension, agent.revision) == ("anna", "1002", 2)

    operator.post(address(Agent, "delete", agent.pk), {"post": "yes"})
    assert not Agent.objects.exists()
    kinds = SwitchCommand.objects.order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["configure_agent", "set_presence", "configure_agent", "remove_agent"]


def test_a_refusal_of_the_service_is_shown(operator: Client, alice: Api, support: Queue) -> None:
    Caller("support").queued()
    answer = operator.post(address(Queue, "delete", support.pk), {"post": "yes"}, follow=True)
    assert shown(answer) == ["Callers are in this queue."]
    assert Queue.objects.exists()

    place(alice.agent, support)
    body = {"queue": support.pk, "agent": alice.agent.pk, "level": 1, "position": 1}
    twice = operator.post(address(Tier, "add"), body, follow=True)
    assert Tier.objects.count() == 1
    assert "already exists" in twice.content.decode() or shown(twice) == ["The agent is in this queue."]


def test_a_tier_and_a_queue_are_changed_at_the_switch_too(
    operator: Client, alice: Api, support: Queue
) -> None:
    [tier] = place(alice.agent, support)
    operator.post(address(Tier, "change", tier.pk), {"level": 3, "position": 2})
    tier.refresh_from_db()
    assert (tier.level, tier.position) == (3, 2)
    assert SwitchCommand.objects.filter(kind="configure_tier").count() == 2
    operator.post(address(Tier, "delete", tier.pk), {"post": "yes"})
    assert SwitchCommand.objects.filter(kind="remove_tier").count() == 1


def test_an_agent_on_a_call_stays(operator: Client, alice: Api, support: Queue) -> None:
    place(alice.agent, support)
    agent_sign_in(agent_id=alice.agent.pk, by=BY)
    agent_ready(agent_id=alice.agent.pk, by=BY)
    Caller("support").queued().offered("alice")
    answer = operator.post(address(Agent, "delete", alice.agent.pk), {"post": "yes"}, follow=True)
    assert shown(answer) == ["The agent is on a call."]
    assert Agent.objects.filter(name="alice").exists()


def test_a_token_is_revoked_but_never_shown_or_made(operator: Client, alice: Api) -> None:
    assert alice.token is not None
    assert operator.get(address(ApiToken, "add")).status_code == 403
    page = operator.get(address(ApiToken, "change", alice.token.pk))
    assert alice.token.digest not in page.content.decode()
    operator.post(address(ApiToken, "delete", alice.token.pk), {"post": "yes"})
    assert alice.client.get("/api/v1/me").status_code == 401
