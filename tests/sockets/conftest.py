"""People of every role, with tokens, and the sockets with limits that suit a test."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from channels.routing import URLRouter
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.urls import path
from django.utils import timezone

from agents.consumers import AgentConsumer
from agents.models import Agent
from agents.services import agent_create
from callcenter.events import By, Cause, UnitOfWork
from callcenter.services import api_token_create
from callcenter.sockets import Limits
from queues.consumers import EventsConsumer
from queues.models import Queue
from queues.selectors import agent_snapshot, queue_payload
from queues.services import agent_sign_in

BY = By(Cause.API, "tests")


@dataclass(frozen=True)
class Person:
    """A user with a token, and an agent where the user is one."""

    user: User
    token: str
    agent: Agent | None = None


def new_person(name: str, role: str = "", *, lifetime: timedelta | None = None) -> Person:
    """A user in the group of `role`; with the role `agent`, one whom an agent's record names."""
    user = User.objects.create_user(name, password="a long password")
    agent = None
    if role == "agent":
        agent = agent_create(name=name, by=BY, user=user, extension="1001", acw_seconds=60)
    elif role:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    _, token = api_token_create(user=user, name="tests", lifetime=lifetime)
    return Person(user, token, agent)


@pytest.fixture
def supervisor(transactional_db: None) -> Person:
    return new_person("sue", "supervisor")


@pytest.fixture
def alice(transactional_db: None) -> Person:
    return new_person("alice", "agent")


@pytest.fixture
def bob(transactional_db: None) -> Person:
    return new_person("bob", "agent")


def sockets(**limits: Any) -> URLRouter:
    """Our sockets, with limits of the test's own."""
    given = Limits(**limits)
    agent = AgentConsumer.as_asgi(snapshot=agent_snapshot, sign_in=agent_sign_in, limits=given)
    return URLRouter([path("ws/v1/events", EventsConsumer.as_asgi(limits=given)), path("ws/v1/agent", agent)])


@pytest.fixture
def application() -> Any:
    """The product's own application."""
    from callcenter.asgi import application as ours

    return ours


def change_untold(queue: Queue, times: int) -> None:
    """So many events of a process that ends between its commit and the telling: only the log has them."""
    for number in range(times):
        with transaction.atomic():
            unit = UnitOfWork()
            data = queue_payload(queue) | {"display_name": f"untold {number}"}
            unit.publish("queue.updated", data=data, by=BY, at=timezone.now(), revision=queue.revision)
            unit._write()
