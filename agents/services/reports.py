"""What the switch and the clock say of an agent. Never refused."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db.models import Q
from django.utils import timezone

from callcenter.events import By, Cause, unit_of_work

from ..models import Agent
from ..state import (
    Decision,
    Input,
    State,
)
from .standing import (
    BY_SWITCH,
    put,
    save,
    tell_agent,
)


def agent_report(
    *, agent: Agent, fact: Input, at: datetime, by: By = BY_SWITCH, call: uuid.UUID | None = None
) -> Decision:
    """Apply a fact to an agent that the caller has locked. Never refused."""
    with unit_of_work() as unit:
        return put(agent, fact, by=by, at=at, unit=unit, call=call)


def agent_missed_call(*, agent: Agent, at: datetime, call: uuid.UUID | None = None) -> None:
    """Count an offer that rang out, and send the agent away at the limit (never out)."""
    with unit_of_work():
        agent.missed_count += 1
        save(agent)
        if agent.max_missed and agent.missed_count >= agent.max_missed:
            agent_report(agent=agent, fact=Input.MISSED_LIMIT, at=at, call=call)


def agent_parked(*, agent: Agent, parked: bool) -> None:
    """Keep whether the switch's engine waits to be told before it gives this agent another call."""
    if agent.parked != parked:
        agent.parked = parked
        agent.save(update_fields=["parked"])


def agent_acw_unlimited(*, agent: Agent, at: datetime) -> None:
    """Take the deadline off after-call work: somebody else's order will end it."""
    if agent.acw_deadline is not None:
        with unit_of_work() as unit:
            agent.acw_deadline = None
            save(agent)
            tell_agent(unit, "agent.updated", agent, BY_SWITCH, at)


def agent_open_refused(*, name: str, node: str) -> None:
    """The switch did not take the agent for ready: the agent must not be shown as if it had."""
    with unit_of_work():
        agent = Agent.objects.select_for_update().filter(name=name, node=node).first()
        if agent is not None:
            agent_report(agent=agent, fact=Input.SWITCH_REFUSED, at=timezone.now())


def acw_sweep(*, now: datetime) -> int:
    """End every after-call work whose deadline has passed; how many."""
    due = Q(state=State.ACW, acw_deadline__lte=now)
    ids = list(Agent.objects.filter(due).order_by("acw_deadline").values_list("pk", flat=True))
    for agent_id in ids:
        with unit_of_work() as unit:
            # Between the query and the lock the agent may have finished, extended or been deleted.
            agent = Agent.objects.select_for_update().filter(due, pk=agent_id).first()
            if agent is not None:
                put(agent, Input.ACW_EXPIRED, by=By(Cause.TIMER), at=now, unit=unit)
    return len(ids)
