"""Who may what: every address for every kind of asker."""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.test import Client

from callcenter.models import Event, SwitchCommand
from callcenter.services import switch_node_report
from queues.models import Queue

from .conftest import PASSWORD, Api, place, refusal, user_of
from .contract import schema
from .test_calls import Caller

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]

EVERYBODY = ("nobody", "stranger", "alice", "bob", "supervisor", "integrator", "administrator")
STAFF = {"supervisor", "integrator", "administrator"}
CONFIGURING = {"integrator", "administrator"}
COMMANDS = ("login", "logout", "ready", "unready", "withdraw_next", "acw/finish", "acw/extend")


@dataclass(frozen=True)
class Address:
    method: str
    path: str
    allowed: frozenset[str]
    others: tuple[int, str] = (403, "not_allowed")
    """What an agent is told whom it does not concern."""


def address(
    method: str, path: str, allowed: set[str], others: tuple[int, str] = (403, "not_allowed")
) -> Address:
    return Address(method, path, frozenset(allowed), others)


HIDDEN = (404, "agent_not_found")
ANYBODY = STAFF | {"alice", "bob"}
ADDRESSES = [
    address("GET", "agents", ANYBODY),
    address("POST", "agents", CONFIGURING),
    address("GET", "agents/{agent}", STAFF | {"alice"}, HIDDEN),
    address("PUT", "agents/{agent}", CONFIGURING),
    address("PATCH", "agents/{agent}", CONFIGURING),
    address("DELETE", "agents/{agent}", CONFIGURING),
    address("GET", "agents/{agent}/transitions", STAFF | {"alice"}, HIDDEN),
    *(address("POST", f"agents/{{agent}}/{name}", STAFF | {"alice"}, HIDDEN) for name in COMMANDS),
    *(
        found
        for kind in ("queues", "tiers")
        for found in (
            address("GET", kind, STAFF),
            address("POST", kind, CONFIGURING),
            address("GET", f"{kind}/{{{kind}}}", STAFF),
            address("PUT", f"{kind}/{{{kind}}}", CONFIGURING),
            address("PATCH", f"{kind}/{{{kind}}}", CONFIGURING),
            address("DELETE", f"{kind}/{{{kind}}}", CONFIGURING),
        )
    ),
    address("GET", "calls", ANYBODY),
    address("GET", "calls/{call}", STAFF | {"alice"}, (404, "call_not_found")),
    address("GET", "switch", STAFF),
    address("GET", "switch/default", STAFF),
    address("GET", "switch-commands", STAFF),
    address("GET", "switch-commands/{order}", STAFF),
    address("GET", "events", STAFF),
    address("GET", "me", {*ANYBODY, "stranger"}),
    address("GET", "tokens", ANYBODY),
    address("POST", "tokens", ANYBODY),
    address("GET", "tokens/0", ANYBODY),
    address("DELETE", "tokens/0", ANYBODY),
]


@pytest.fixture
def things(alice: Api, support: Queue) -> dict[str, object]:
    """One of each kind: the agent is Alice, the call was answered by her."""
    [tier] = place(alice.agent, support)
    switch_node_report(name="default", connected=True)
    call = Caller("support").queued().answered("alice").hung_up().call
    return {
        "agent": alice.agent.pk,
        "queues": support.pk,
        "tiers": tier.pk,
        "call": call.pk,
        "order": SwitchCommand.objects.order_by("pk")[0].pk,
    }


@pytest.mark.parametrize("asked", ADDRESSES, ids=lambda a: f"{a.method} {a.path}")
def test_an_address_answers_those_whom_it_may(
    asked: Address, everybody: dict[str, Api], things: dict[str, object]
) -> None:
    for asker, client in everybody.items():
        before = transaction.savepoint()
        body = {} if asked.method in ("POST", "PUT", "PATCH") else None
        answer = client.ask(asked.method, asked.path.format(**things), body)
        check(asked, asker, answer)
        transaction.savepoint_rollback(before)


@pytest.fixture
def everybody(request: pytest.FixtureRequest) -> dict[str, Api]:
    return {name: request.getfixturevalue(name) for name in EVERYBODY}


def check(asked: Address, asker: str, answer: Any) -> None:
    refused = refusal(answer) if answer.status_code >= 400 else None
    if asker in asked.allowed:
        # The empty body may not fit, or the state; what counts is that the role does not stand in the way.
        fits = (None, "invalid_input", "not_logged_in", "not_in_acw", "token_not_found")
        assert (refused and refused[1]) in fits, asker
    elif asker == "nobody":
        assert refused == (401, "not_authenticated")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    elif asker == "stranger":
        assert refused == (403, "not_allowed")
    else:
        assert refused == asked.others, asker


def test_the_table_knows_every_operation_of_the_schema() -> None:
    told = {
        (method.upper(), re.sub(r"\{\w+\}", "{}", path.removeprefix("/api/v1/")))
        for path, operations in schema()["paths"].items()
        for method in operations
    }
    listed = {
        (a.method, re.sub(r"\{\w+\}", "{}", a.path.replace("default", "{id}").replace("/0", "/{id}")))
        for a in ADDRESSES
    }
    assert told == listed


def test_a_list_of_agents_shows_an_agent_only_itself(alice: Api, bob: Api) -> None:
    for client, name in ((alice, "alice"), (bob, "bob")):
        assert [a["name"] for a in client.get("agents").json()["results"]] == [name]
        assert client.get("agents", search="o").json()["results"] in ([], [client.get(_own(client)).json()])


def _own(client: Api) -> str:
    return f"agents/{client.agent.pk}"


def test_a_supervisor_who_is_an_agent_too_stays_a_supervisor(alice: Api, bob: Api) -> None:
    assert alice.user is not None
    alice.user.groups.add(Group.objects.get_or_create(name="supervisor")[0])
    assert len(alice.get("agents").json()["results"]) == 2
    assert alice.post(f"agents/{bob.agent.pk}/login").status_code == 200


def test_a_user_who_is_switched_off_opens_nothing(supervisor: Api) -> None:
    assert supervisor.user is not None
    supervisor.user.is_active = False
    supervisor.user.save()
    assert refusal(supervisor.get("agents")) == (401, "token_invalid")


def test_the_roles_are_groups_from_the_start() -> None:
    # A test with a transaction of its own may have emptied what the migrations left.
    Group.objects.all().delete()
    roles = import_module("callcenter.migrations.0002_roles")
    roles.make_groups(apps, SimpleNamespace(connection=connection))
    assert set(Group.objects.values_list("name", flat=True)) >= STAFF


# --- sessions ----------------------------------------------------------------------------------------


def test_a_session_changes_nothing_without_the_sites_own_token(alice: Api) -> None:
    browser = Client(enforce_csrf_checks=True)
    assert browser.login(username="alice", password=PASSWORD)
    path = f"/api/v1/agents/{alice.agent.pk}"
    assert browser.get(path).status_code == 200

    foreign = browser.post(f"{path}/login", "{}", content_type="application/json")
    assert refusal(foreign) == (403, "not_allowed")
    assert "CSRF" in foreign.json()["detail"]

    browser.get("/")
    browser.cookies["csrftoken"] = "a" * 32
    ours = browser.post(
        f"{path}/login", "{}", content_type="application/json", headers={"X-CSRFToken": "a" * 32}
    )
    assert (ours.status_code, ours.json()["state"]) == (200, "UNREADY")


def test_a_token_needs_no_such_proof_and_a_bad_one_is_not_saved_by_a_session(alice: Api) -> None:
    assert alice.post(f"{_own(alice)}/login").status_code == 200
    browser = Api(user_of("supervisor"), session=True)
    browser.client.credentials(HTTP_AUTHORIZATION="Bearer nonsense")
    assert refusal(browser.get("agents")) == (401, "token_invalid")


def test_who_made_an_agent_in_the_browser_is_in_the_log() -> None:
    browser = Api(user_of("administrator", "ada"), session=True)
    browser.post("agents", {"name": "anna"})
    event = Event.objects.get(type="agent.created")
    assert (event.cause, event.actor) == ("supervisor", "ada")
