"""The one door for changes to agents: REST, WebSocket, timers and the bridge all come in here.

Each function takes the row lock, asks `state.py`, saves, writes the log row, writes the order to the
switch into the same transaction and has the event told after the commit.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from callcenter.errors import Conflict, InvalidInput, NotFound, StaleVersion
from callcenter.events import By, Cause, UnitOfWork, unit_of_work
from callcenter.services import switch_command_add
from callcenter.switch import ConfigureAgent, Presence, RemoveAgent, SetPresence, SuspendAgent

from .models import Agent, AgentTransition
from .selectors import agent_payload
from .state import (
    TALKING_SUBS,
    UNREADY_SUBS,
    Decision,
    Input,
    Standing,
    State,
    Sub,
    Target,
    decide,
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
MAX_ACW_SECONDS = 3600


@dataclass(frozen=True, slots=True)
class CallAtAgent:
    """The call that a fact is about; `handled` means that the agent talked on it as a queue call."""

    id: uuid.UUID | None = None
    queue_call: bool = False


NO_CALL = CallAtAgent()
BY_SWITCH = By(Cause.SWITCH)


# --- the record --------------------------------------------------------------------------------------


def agent_create(*, name: str, by: By, **fields: Any) -> Agent:
    """Make an agent and have the switch know it. Raises InvalidInput, Conflict `agent_exists`, `user_taken`."""
    agent = Agent(name=name, node=settings.SWITCH_NODE, state_since=timezone.now())
    _take(agent, fields)
    with unit_of_work() as unit:
        _check_user_free(agent)
        _insert(agent)
        _tell(unit, "agent.created", agent, by, timezone.now())
        agent_configure(agent=agent, by=by)
        _order_presence(agent, by)
    return agent


def agent_update(*, agent_id: uuid.UUID, by: By, revision: int | None = None, **fields: Any) -> Agent:
    """Change an agent's record. Raises InvalidInput, NotFound, StaleVersion, Conflict `user_taken`."""
    with unit_of_work() as unit:
        agent = _locked(agent_id)
        _check_revision(agent, revision)
        before = {f: getattr(agent, f) for f in fields}
        _take(agent, fields)
        changed = {f for f, old in before.items() if getattr(agent, f) != old}
        if not changed:
            return agent
        if "user" in changed:
            _check_user_free(agent)
        _save(agent)
        _tell(unit, "agent.updated", agent, by, timezone.now())
        if changed & AT_SWITCH:
            agent_configure(agent=agent, by=by)
    return agent


def agent_delete(*, agent_id: uuid.UUID, by: By, revision: int | None = None) -> None:
    """Remove an agent here and at the switch. Raises NotFound, StaleVersion, Conflict (on a call)."""
    with unit_of_work() as unit:
        agent = _locked(agent_id)
        _check_revision(agent, revision)
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
        _tell(unit, "agent.created", agent, BY_SWITCH, at)
    return agent


# --- commands ----------------------------------------------------------------------------------------


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
        agent = _locked(agent_id)
        fresh = agent.state == State.LOGOUT
        new_queues = [q for q in queues if fresh or q not in agent.signed_in_queues]
        changed = (extension and extension != agent.signed_in_extension) or bool(new_queues)
        agent.signed_in_extension = extension or agent.signed_in_extension or agent.extension
        agent.signed_in_queues = list(queues) if fresh else [*agent.signed_in_queues, *new_queues]
        _clean(agent)
        if fresh:
            agent.missed_count = 0
        elif changed:
            _save(agent)
            _tell(unit, "agent.updated", agent, by, now)
        for queue in (new_queues or [""]) if fresh else new_queues:
            data = {"agent": str(agent.pk), "name": agent.name, "queue": queue or None}
            data |= {"extension": agent.signed_in_extension, "state": str(State.LOGIN)}
            unit.publish("agent.logged_in", data=data, by=by, at=now, agents=[agent.pk])
        _put(agent, Input.LOGIN, by=by, at=now, unit=unit)
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
        agent = _locked(agent_id)
        _put(agent, Input.EXTEND_ACW, by=by, at=now, unit=unit)
        agent.acw_deadline = max(agent.acw_deadline or now, now) + timedelta(seconds=seconds)
        _save(agent)
        _tell(unit, "agent.acw_extended", agent, by, now)
    return agent


# --- facts -------------------------------------------------------------------------------------------


def agent_report(
    *, agent: Agent, fact: Input, at: datetime, by: By = BY_SWITCH, call: CallAtAgent = NO_CALL
) -> Decision:
    """Apply a fact to an agent that the caller has locked. Never refused."""
    with unit_of_work() as unit:
        return _put(agent, fact, by=by, at=at, unit=unit, call=call)


def agent_missed_call(*, agent: Agent, at: datetime, call: CallAtAgent = NO_CALL) -> None:
    """Count an offer that rang out, and send the agent away at the limit (never out)."""
    with unit_of_work():
        agent.missed_count += 1
        _save(agent)
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
            _save(agent)
            _tell(unit, "agent.updated", agent, BY_SWITCH, at)


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
            agent = _locked(agent_id)
            # The agent may have finished or extended between the query and the lock.
            if agent.state == State.ACW and agent.acw_deadline and agent.acw_deadline <= now:
                _put(agent, Input.ACW_EXPIRED, by=By(Cause.TIMER), at=now, unit=unit)
    return len(ids)


# --- inside ------------------------------------------------------------------------------------------


def _command(agent_id: uuid.UUID, command: Input, by: By, asked: Target | None = None) -> Agent:
    with unit_of_work() as unit:
        agent = _locked(agent_id)
        _put(agent, command, by=by, at=timezone.now(), unit=unit, asked=asked)
    return agent


def _put(
    agent: Agent,
    given: Input,
    *,
    by: By,
    at: datetime,
    unit: UnitOfWork,
    asked: Target | None = None,
    call: CallAtAgent = NO_CALL,
) -> Decision:
    """Decide, save, log, order, publish. Raises Conflict with the table's code."""
    before = agent.standing
    decision = decide(before, given, asked)
    if decision.refused:
        raise Conflict(code=decision.refused)
    if call.id and decision.standing.state is State.BUSY:
        agent.call_id = call.id
    after_acw_began = decision.standing.state is State.ACW and before.state is not State.ACW
    if not decision.path and not decision.next_changed:
        return decision
    call_id = agent.call_id
    agent.stand(decision.standing)
    if decision.path:
        agent.state_since = at
        _settle(agent, before, decision.standing, at, began=after_acw_began)
    _save(agent)
    _log(agent, before, decision, given, by=by, at=at, call_id=call_id)
    _tell(unit, "agent.state_changed" if decision.path else "agent.next_state_changed", agent, by, at)
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
            _order_presence(agent, by)
    elif before.state is State.READY and given in (Input.DIAL, Input.DIALLING, Input.RUNG):
        order = SuspendAgent(agent=agent.name)
        switch_command_add(order=order, key=f"agent:{agent.name}", by=by, node=agent.node)


def _order_presence(agent: Agent, by: By) -> None:
    order = SetPresence(agent=agent.name, presence=PRESENCE_OF[agent.state])
    switch_command_add(order=order, key=f"agent:{agent.name}", by=by, node=agent.node)


def agent_presence_order(*, agent: Agent, by: By) -> bool:
    """Order the presence that the agent's state stands for, unless a call decides it now."""
    if agent.state not in PRESENCE_OF:
        return False
    _order_presence(agent, by)
    return True


def _locked(agent_id: uuid.UUID) -> Agent:
    try:
        return Agent.objects.select_for_update().get(pk=agent_id)
    except (Agent.DoesNotExist, ValidationError, ValueError) as none:
        raise NotFound(code="agent_not_found") from none


def _check_revision(agent: Agent, revision: int | None) -> None:
    if revision is not None and revision != agent.revision:
        raise StaleVersion(f"The agent is at revision {agent.revision}.")


def _take(agent: Agent, fields: dict[str, Any]) -> None:
    unknown = set(fields) - EDITABLE
    if unknown:
        raise InvalidInput(
            "Unknown fields.", fields=dict.fromkeys(sorted(unknown), "Unknown or not to be changed.")
        )
    # A dial string that was made from the extension follows it; one that was given stays.
    made = agent.contact == _contact_for(agent.extension)
    for field, value in fields.items():
        setattr(agent, field, value)
    if not agent.contact or (made and "contact" not in fields):
        agent.contact = _contact_for(agent.extension)
    _clean(agent)


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


def _clean(agent: Agent) -> None:
    try:
        agent.full_clean(validate_unique=False)
    except ValidationError as bad:
        raise InvalidInput("Not valid.", fields=bad.message_dict) from bad


def _tell(unit: UnitOfWork, type: str, agent: Agent, by: By, at: datetime) -> None:
    unit.publish(type, data=agent_payload(agent), by=by, at=at, agents=[agent.pk], revision=agent.revision)


def _save(agent: Agent) -> None:
    agent.revision += 1
    agent.save()
