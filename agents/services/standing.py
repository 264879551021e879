"""How a change to an agent is made: lock, decide, save, log, order, publish. Used by all the rest."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError

from callcenter.errors import Conflict, InvalidInput, NotFound, StaleVersion
from callcenter.events import By, Cause, UnitOfWork
from callcenter.services import switch_command_add
from callcenter.switch import Presence, SetPresence, SuspendAgent

from ..models import Agent, AgentTransition
from ..selectors import agent_payload
from ..state import (
    TALKING_SUBS,
    Decision,
    Input,
    Standing,
    State,
    Target,
    decide,
)

BY_SWITCH = By(Cause.SWITCH)


def locked(agent_id: uuid.UUID) -> Agent:
    """The agent, its row locked for this transaction. Raises NotFound."""
    try:
        return Agent.objects.select_for_update().get(pk=agent_id)
    except (Agent.DoesNotExist, ValidationError, ValueError) as none:
        raise NotFound(code="agent_not_found") from none


def check_revision(agent: Agent, revision: int | None) -> None:
    """Raises StaleVersion unless the agent is at this revision; None is any."""
    if revision is not None and revision != agent.revision:
        raise StaleVersion(f"The agent is at revision {agent.revision}.")


def clean(agent: Agent) -> None:
    """Raises InvalidInput with what is wrong of the fields."""
    try:
        agent.full_clean(validate_unique=False)
    except ValidationError as bad:
        raise InvalidInput("Not valid.", fields=bad.message_dict) from bad


def save(agent: Agent) -> None:
    """Save as a new revision."""
    agent.revision += 1
    agent.save()


def tell_agent(unit: UnitOfWork, type: str, agent: Agent, by: By, at: datetime) -> None:
    """Have an event about this agent told, with the whole agent in it."""
    unit.publish(type, data=agent_payload(agent), by=by, at=at, agents=[agent.pk], revision=agent.revision)


def put(
    agent: Agent,
    given: Input,
    *,
    by: By,
    at: datetime,
    unit: UnitOfWork,
    asked: Target | None = None,
    call: uuid.UUID | None = None,
) -> Decision:
    """Decide, save, log, order, publish. Raises Conflict with the table's code."""
    before = agent.standing
    decision = decide(before, given, asked)
    if decision.refused:
        raise Conflict(code=decision.refused)
    after_acw_began = decision.standing.state is State.ACW and before.state is not State.ACW
    if not decision.path and not decision.next_changed:
        return decision
    # A second call that changes nothing about the agent must not take the place of the one that is on.
    if call is not None and decision.path and decision.standing.state is State.BUSY:
        agent.call_id = call
    call_id = agent.call_id
    agent.stand(decision.standing)
    if decision.path:
        agent.state_since = at
        _settle(agent, before, decision.standing, at, began=after_acw_began)
    save(agent)
    _log(agent, before, decision, given, by=by, at=at, call_id=call_id)
    tell_agent(unit, "agent.state_changed" if decision.path else "agent.next_state_changed", agent, by, at)
    if decision.path:
        _order_for(agent, before, given, by)
    return decision


def _settle(agent: Agent, before: Standing, after: Standing, at: datetime, *, began: bool) -> None:
    """What the new state carries along: the call, the deadline, the missed calls, the queues."""
    if after.state is not State.BUSY:
        agent.call_id = None
    if began and agent.acw_deadline is None:
        agent.acw_deadline = at + timedelta(seconds=agent.acw_seconds)
    if after.state not in (State.ACW, State.BUSY) or (
        after.state is State.BUSY and after.resume != Target(State.ACW)
    ):
        agent.acw_deadline = None
    if after.sub in TALKING_SUBS or (after.state is State.READY and before.state is State.UNREADY):
        agent.missed_count = 0
    if after.state is State.LOGOUT:
        agent.signed_in_queues, agent.signed_in_extension = [], ""


def _log(
    agent: Agent,
    before: Standing,
    decision: Decision,
    given: Input,
    *,
    by: By,
    at: datetime,
    call_id: uuid.UUID | None,
) -> None:
    old = before
    for new in decision.path:
        AgentTransition.objects.create(
            agent=agent,
            agent_name=agent.name,
            at=at,
            old_state=old.state,
            old_sub_state=old.sub,
            new_state=new.state,
            new_sub_state=new.sub,
            reason=new.reason,
            trigger=given,
            cause=by.cause,
            actor=by.actor,
            call_id=call_id,
            reconciled=decision.reconciled,
        )
        old = new


PRESENCE_OF: dict[str, Presence] = {
    State.LOGOUT: Presence.OUT,
    State.UNREADY: Presence.BREAK,
    State.READY: Presence.OPEN,
}


# After these the engine stands where the new state wants it already.
ENGINE_FOLLOWS = frozenset({Input.OFFER_FAILED, Input.OPENED, Input.PRESENCE_BREAK, Input.PRESENCE_LOGOUT})


def _order_for(agent: Agent, before: Standing, given: Input, by: By) -> None:
    """Tell the switch what a change means for it.

    During a queue call and its after-call work the switch is told nothing: its engine has parked the
    agent by itself. A call outside queues is unknown to the engine, so it is told to leave the agent be.
    """
    if agent.state in PRESENCE_OF:
        as_before = before.next is None or given in (Input.PRESENCE_BREAK, Input.PRESENCE_LOGOUT)
        if not (given in ENGINE_FOLLOWS and as_before):
            order_presence(agent, by)
    elif before.state is State.READY and given in (Input.DIAL, Input.DIALLING, Input.RUNG):
        order = SuspendAgent(agent=agent.name)
        switch_command_add(order=order, key=f"agent:{agent.name}", by=by, node=agent.node)


def order_presence(agent: Agent, by: By) -> None:
    """Order the presence at the switch that the state stands for."""
    order = SetPresence(agent=agent.name, presence=PRESENCE_OF[agent.state])
    switch_command_add(order=order, key=f"agent:{agent.name}", by=by, node=agent.node)


def agent_presence_order(*, agent: Agent, by: By) -> bool:
    """Order the presence that the agent's state stands for, unless a call decides it now."""
    if agent.state not in PRESENCE_OF:
        return False
    order_presence(agent, by)
    return True
