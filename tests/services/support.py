"""What the service tests share: people, and the whole of what a change leaves behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from agents.models import Agent, AgentTransition
from agents.services import agent_create, agent_ready, agent_report
from agents.state import Input
from callcenter.events import By, Cause
from callcenter.models import Event, SwitchCommand
from callcenter.services import switch_order_of
from callcenter.switch import Order, Presence, SetPresence
from queues.models import Queue
from queues.selectors import live_snapshot
from queues.services import agent_sign_in, queue_create, tier_create

BY = By(Cause.API, "tests")


@dataclass
class Left:
    """The rows that a change left: its transitions as (old, new) positions, its events, its orders."""

    steps: list[tuple[str, str]] = field(default_factory=list)
    rows: list[AgentTransition] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    @property
    def types(self) -> list[str]:
        return [event.type for event in self.events]


@contextmanager
def left() -> Iterator[Left]:
    """What is written within."""
    found = Left()
    steps = set(AgentTransition.objects.values_list("pk", flat=True))
    events = set(Event.objects.values_list("seq", flat=True))
    orders = set(SwitchCommand.objects.values_list("pk", flat=True))
    yield found
    found.rows = list(AgentTransition.objects.exclude(pk__in=steps).order_by("id"))
    found.steps = [
        (position(r.old_state, r.old_sub_state), position(r.new_state, r.new_sub_state)) for r in found.rows
    ]
    found.events = list(Event.objects.exclude(seq__in=events).order_by("seq"))
    new = SwitchCommand.objects.exclude(pk__in=orders).exclude(status="superseded").order_by("id")
    found.orders = [switch_order_of(row) for row in new]


def position(state: str, sub: str) -> str:
    return f"{state}/{sub}" if sub else state


def stands(agent: Agent) -> str:
    """Where the agent's row stands now."""
    agent.refresh_from_db()
    return position(agent.state, agent.sub_state)


def in_snapshot(kind: str, pk: Any) -> dict[str, Any]:
    """An object as a client that connects now gets it."""
    return next(row for row in live_snapshot()[kind] if str(row["id"]) == str(pk))


def an_agent(name: str = "1001", **fields: Any) -> Agent:
    return agent_create(name=name, by=BY, extension=name, **fields)


def a_queue(name: str = "support@default", **fields: Any) -> Queue:
    return Queue.objects.filter(name=name).first() or queue_create(name=name, by=BY, **fields)


def at_work(name: str = "1001", *queues: str, **fields: Any) -> Agent:
    """An agent who is ready in these queues (default: one)."""
    agent = an_agent(name, **fields)
    for queue in queues or ("support@default",):
        tier_create(queue_id=a_queue(queue).pk, agent_id=agent.pk, by=BY)
    agent_sign_in(agent_id=agent.pk, by=BY)
    return agent_ready(agent_id=agent.pk, by=BY)


def presence(how: Presence, name: str = "1001") -> SetPresence:
    return SetPresence(agent=name, presence=how)


def report(agent: Agent, fact: Input) -> None:
    """Have the switch tell this of the agent now."""
    agent.refresh_from_db()
    agent_report(agent=agent, fact=fact, at=timezone.now())


def on_a_call(**fields: Any) -> Agent:
    """An agent who talks to a caller."""
    agent = at_work(**fields)
    report(agent, Input.OFFERED)
    report(agent, Input.ANSWERED)
    return agent
