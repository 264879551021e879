"""The agent's record: made, changed, removed, here and at the switch."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.utils import timezone

from callcenter.errors import Conflict
from callcenter.events import By, unit_of_work
from callcenter.services import switch_command_add
from callcenter.switch import ConfigureAgent, RemoveAgent
from callcenter.validators import check_fields

from ..models import Agent
from ..selectors import agent_payload
from ..state import (
    State,
)
from .standing import (
    BY_SWITCH,
    check_revision,
    clean,
    locked,
    order_presence,
    save,
    tell_agent,
)

EDITABLE = frozenset(
    {
        "display_name",
        "extension",
        "contact",
        "acw_seconds",
        "max_missed",
        "reject_delay",
        "busy_delay",
        "no_answer_delay",
        "user",
    }
)
AT_SWITCH = frozenset({"contact", "extension", "max_missed", "reject_delay", "busy_delay", "no_answer_delay"})


def agent_create(*, name: str, by: By, **fields: Any) -> Agent:
    """Make an agent and have the switch know it. Raises InvalidInput, Conflict `agent_exists`, `user_taken`."""
    agent = Agent(name=name, node=settings.SWITCH_NODE, state_since=timezone.now())
    _take(agent, fields)
    with unit_of_work() as unit:
        _check_user_free(agent)
        _insert(agent)
        tell_agent(unit, "agent.created", agent, by, timezone.now())
        agent_configure(agent=agent, by=by)
        order_presence(agent, by)
    return agent


def agent_update(*, agent_id: uuid.UUID, by: By, revision: int | None = None, **fields: Any) -> Agent:
    """Change an agent's record. Raises InvalidInput, NotFound, StaleVersion, Conflict `user_taken`."""
    with unit_of_work() as unit:
        agent = locked(agent_id)
        check_revision(agent, revision)
        before = {f: getattr(agent, f) for f in EDITABLE & fields.keys()}
        _take(agent, fields)
        changed = {f for f, old in before.items() if getattr(agent, f) != old}
        if not changed:
            return agent
        if "user" in changed:
            _check_user_free(agent)
        save(agent)
        tell_agent(unit, "agent.updated", agent, by, timezone.now())
        if changed & AT_SWITCH:
            agent_configure(agent=agent, by=by)
    return agent


def agent_delete(*, agent_id: uuid.UUID, by: By, revision: int | None = None) -> None:
    """Remove an agent here and at the switch. Raises NotFound, StaleVersion, Conflict (on a call)."""
    with unit_of_work() as unit:
        agent = locked(agent_id)
        check_revision(agent, revision)
        if agent.state == State.BUSY:
            raise Conflict("The agent is on a call.", code="agent_busy")
        data = agent_payload(agent) | {"revision": agent.revision + 1}
        heard_by = [agent.pk]
        switch_command_add(
            order=RemoveAgent(agent=agent.name), key=f"agent:{agent.name}", by=by, node=agent.node
        )
        agent.delete()
        unit.publish(
            "agent.deleted", data=data, by=by, at=timezone.now(), agents=heard_by, revision=agent.revision + 1
        )


def agent_configure(*, agent: Agent, by: By) -> None:
    """Have the switch hold this agent's settings."""
    order = ConfigureAgent(
        agent=agent.name,
        contact=agent.contact,
        max_missed=agent.max_missed,
        reject_delay=agent.reject_delay,
        busy_delay=agent.busy_delay,
        no_answer_delay=agent.no_answer_delay,
    )
    switch_command_add(order=order, key=f"agent:{agent.name}", by=by, node=agent.node)


def agent_adopt(*, name: str, at: datetime, node: str = "") -> Agent:
    """An agent that is known at the switch only, made known here with the switch's own ways."""
    agent = Agent(name=name, extension=name[:32], state_since=at, node=node or settings.SWITCH_NODE)
    agent.acw_seconds = 0
    with unit_of_work() as unit:
        agent.save(force_insert=True)
        tell_agent(unit, "agent.created", agent, BY_SWITCH, at)
    return agent


def agent_wrap_up_adopt(*, agent: Agent, seconds: int) -> None:
    """Take over the wrap-up time that the switch has for an agent who is only observed."""
    if agent.acw_seconds != seconds:
        agent.acw_seconds = seconds
        agent.save(update_fields=["acw_seconds"])


def agent_contact_adopt(*, agent: Agent, contact: str) -> None:
    """Take over the dial string that the switch has for an agent who is only observed."""
    if agent.contact != contact[:255]:
        agent.contact = contact[:255]
        agent.save(update_fields=["contact"])


def _take(agent: Agent, fields: dict[str, Any]) -> None:
    check_fields(Agent, fields, EDITABLE)
    # A dial string that was made from the extension follows it; one that was given stays.
    made = agent.contact == _contact_for(agent.extension)
    for field, value in fields.items():
        setattr(agent, field, value)
    if not agent.contact or (made and "contact" not in fields):
        agent.contact = _contact_for(agent.extension)
    clean(agent)


def _contact_for(extension: str) -> str:
    return settings.AGENT_CONTACT.format(extension=extension) if extension else ""


def _insert(agent: Agent) -> None:
    """Another may make the same agent at the same time: the database decides."""
    try:
        with transaction.atomic():
            agent.save(force_insert=True)
    except IntegrityError as taken:
        raise Conflict("An agent of this name exists.", code="agent_exists") from taken


def _check_user_free(agent: Agent) -> None:
    """A user is one agent. The user's row is locked, so that two agents are not given it at once."""
    if agent.user_id is None:
        return
    get_user_model().objects.select_for_update().get(pk=agent.user_id)
    if Agent.objects.filter(user=agent.user_id).exclude(pk=agent.pk).exists():
        raise Conflict("The user is another agent.", code="user_taken")
