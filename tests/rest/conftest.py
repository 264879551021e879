"""People of every role, each with a client that holds all answers against the API's schema."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Group, User
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from agents.models import Agent
from agents.services import agent_create
from callcenter.events import By, Cause
from callcenter.models import ApiToken
from callcenter.services import api_token_create
from queues.models import Queue, Tier
from queues.services import queue_create, tier_create

from .contract import check_answer

BY = By(Cause.API, "tests")
PASSWORD = "a long password"
ROLES = ("administrator", "integrator", "supervisor")


class Api:
    """A client of the REST API under /api/v1/."""

    def __init__(self, user: User | None = None, *, session: bool = False) -> None:
        self.user = user
        self.client = APIClient(enforce_csrf_checks=not session)
        self.token: ApiToken | None = None
        if user is not None and session:
            self.client.force_login(user)
        elif user is not None:
            self.token, secret = api_token_create(user=user, name="tests")
            self.client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")

    @property
    def agent(self) -> Agent:
        """The agent that the user is."""
        return Agent.objects.get(user=self.user)

    def ask(self, method: str, path: str, body: Any = None, *, headers: Any = None, **query: Any) -> Any:
        """Any request, its answer checked against the schema."""
        address = f"/api/v1/{path}"
        response = self.client.generic(
            method,
            address,
            self.client._encode_data(body, "json")[0] if body is not None else b"",
            content_type="application/json" if body is not None else "",
            query_params=query or None,
            headers=headers,
        )
        check_answer(method, address, response)
        return response

    def get(self, path: str, **query: Any) -> Any:
        return self.ask("GET", path, **query)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.ask("POST", path, body, headers=_named(headers))

    def put(self, path: str, body: Any, **headers: str) -> Any:
        return self.ask("PUT", path, body, headers=_named(headers))

    def patch(self, path: str, body: Any, **headers: str) -> Any:
        return self.ask("PATCH", path, body, headers=_named(headers))

    def delete(self, path: str, **headers: str) -> Any:
        return self.ask("DELETE", path, headers=_named(headers))


def _named(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}


def refusal(response: Any) -> tuple[int, str]:
    """Status and code of a problem; fails where the answer is none."""
    assert response.headers["Content-Type"] == "application/problem+json", response.content
    problem = response.json()
    assert problem["status"] == response.status_code
    assert problem["type"] == f"urn:callcenter:error:{problem['code']}"
    return response.status_code, problem["code"]


def user_of(role: str, name: str = "") -> User:
    """A user in the group of `role`."""
    user = User.objects.create_user(name or role, password=PASSWORD)
    if role in ROLES:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    return user


def _agent_client(name: str, extension: str) -> Api:
    user = user_of("agent", name)
    agent_create(name=name, by=BY, user=user, extension=extension, acw_seconds=60)
    return Api(user)


@pytest.fixture
def administrator(db: None) -> Api:
    return Api(user_of("administrator"))


@pytest.fixture
def integrator(db: None) -> Api:
    return Api(user_of("integrator"))


@pytest.fixture
def supervisor(db: None) -> Api:
    return Api(user_of("supervisor"))


@pytest.fixture
def stranger(db: None) -> Api:
    """Somebody with a password and no role."""
    return Api(user_of("stranger"))


@pytest.fixture
def nobody(db: None) -> Api:
    """Nobody in particular: no credentials."""
    return Api()


@pytest.fixture
def alice(db: None) -> Api:
    return _agent_client("alice", "1001")


@pytest.fixture
def bob(db: None) -> Api:
    return _agent_client("bob", "1002")


@pytest.fixture
def api(integrator: Api) -> Api:
    """A client that may do everything."""
    return integrator


@pytest.fixture
def support(db: None) -> Queue:
    return queue_create(name="support", display_name="Customer support", by=BY)


@pytest.fixture
def sales(db: None) -> Queue:
    return queue_create(name="sales", by=BY, strategy="ring-all")


def queries_of(ask: Callable[[], Any]) -> int:
    """How many queries an answer takes, apart from the note that a token was used, made once a minute."""
    ask()
    with CaptureQueriesContext(connection) as queries:
        ask()
    return len(queries)


def place(agent: Agent, *queues: Queue) -> list[Tier]:
    """Put an agent into queues."""
    return [tier_create(queue_id=queue.pk, agent_id=agent.pk, by=BY) for queue in queues]
