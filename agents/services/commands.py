"""What is asked of an agent's state. May be refused with a code."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from callcenter.errors import InvalidInput
from callcenter.events import By, unit_of_work

from ..models import Agent
from ..state import (
    UNREADY_SUBS,
    Input,
    State,
    Sub,
    Target,
)
from .standing import (
    clean,
    locked,
    put,
    save,
    tell_agent,
)

MAX_ACW_SECONDS = 3600


def agent_login(
    *,
    agent_id: uuid.UUID,
    by: By,
    extension: str = "",
    queues: Sequence[str] = (),
    at: datetime | None = None,
) -> Agent:
    """Sign an agent in, to UNREADY/WAIT, with one login event per queue.

    `queues` are the names of the queues signed in to; the caller has checked that they are the agent's.
    Signing in again changes nothing but the queues and the extension. Raises NotFound, InvalidInput.
    """
    now = at or timezone.now()
    with unit_of_work() as unit:
        agent = locked(agent_id)
        fresh = agent.state == State.LOGOUT
        new_queues = [q for q in queues if fresh or q not in agent.signed_in_queues]
        changed = (extension and extension != agent.signed_in_extension) or bool(new_queues)
        agent.signed_in_extension = extension or agent.signed_in_extension or agent.extension
        agent.signed_in_queues = list(queues) if fresh else [*agent.signed_in_queues, *new_queues]
        clean(agent)
        if fresh:
            agent.missed_count = 0
        elif changed:
            save(agent)
            tell_agent(unit, "agent.updated", agent, by, now)
        for queue in (new_queues or [""]) if fresh else new_queues:
            data = {"agent": str(agent.pk), "name": agent.name, "queue": queue or None}
            data |= {"extension": agent.signed_in_extension, "state": str(State.LOGIN)}
            unit.publish("agent.logged_in", data=data, by=by, at=now, agents=[agent.pk])
        put(agent, Input.LOGIN, by=by, at=now, unit=unit)
    return agent


def agent_logout(*, agent_id: uuid.UUID, by: By) -> Agent:
    """Sign out now, or after the call or the after-call work. Never touches a call."""
    return _command(agent_id, Input.LOGOUT, by)


def agent_ready(*, agent_id: uuid.UUID, by: By) -> Agent:
    """Be offered calls. Raises Conflict `not_logged_in`."""
    return _command(agent_id, Input.READY, by)


def agent_unready(*, agent_id: uuid.UUID, by: By, sub_state: str = Sub.BREAK, reason: str = "") -> Agent:
    """Take no calls. Raises InvalidInput for an unknown sub-state, Conflict `not_logged_in`."""
    if sub_state not in UNREADY_SUBS:
        raise InvalidInput("Unknown sub-state.", fields={"sub_state": f"One of {', '.join(UNREADY_SUBS)}."})
    if len(reason) > 80 or not reason.isprintable():
        raise InvalidInput("Bad reason.", fields={"reason": "At most 80 printable characters."})
    return _command(agent_id, Input.UNREADY, by, asked=Target(State.UNREADY, Sub(sub_state), reason))


def agent_withdraw_next(*, agent_id: uuid.UUID, by: By) -> Agent:
    """Take back what was asked for after the call."""
    return _command(agent_id, Input.WITHDRAW_NEXT, by)


def agent_finish_acw(*, agent_id: uuid.UUID, by: By) -> Agent:
    """End after-call work now. Raises Conflict `not_in_acw`."""
    return _command(agent_id, Input.FINISH_ACW, by)


def agent_extend_acw(*, agent_id: uuid.UUID, by: By, seconds: int) -> Agent:
    """Give more time for after-call work. Raises Conflict `not_in_acw`, InvalidInput."""
    if not 1 <= seconds <= MAX_ACW_SECONDS:
        raise InvalidInput("Bad length.", fields={"seconds": f"1 to {MAX_ACW_SECONDS}."})
    now = timezone.now()
    with unit_of_work() as unit:
        agent = locked(agent_id)
        put(agent, Input.EXTEND_ACW, by=by, at=now, unit=unit)
        agent.acw_deadline = max(agent.acw_deadline or now, now) + timedelta(seconds=seconds)
        save(agent)
        tell_agent(unit, "agent.acw_extended", agent, by, now)
    return agent


def _command(agent_id: uuid.UUID, command: Input, by: By, asked: Target | None = None) -> Agent:
    with unit_of_work() as unit:
        agent = locked(agent_id)
        put(agent, command, by=by, at=timezone.now(), unit=unit, asked=asked)
    return agent
