"""Reading agents: what clients see of them."""

from __future__ import annotations

import uuid
from typing import Any

from callcenter.errors import NotFound

from .models import Agent, AgentTransition


def agent_get(agent_id: uuid.UUID | str) -> Agent:
    """The agent of this id. Raises NotFound."""
    try:
        return Agent.objects.get(pk=agent_id)
    except (Agent.DoesNotExist, ValueError, TypeError) as none:
        raise NotFound(code="agent_not_found") from none


def agent_payload(agent: Agent) -> dict[str, Any]:
    """An agent as every client gets it, in answers, events and snapshots alike."""
    return {
        "id": str(agent.pk),
        "name": agent.name,
        "display_name": agent.display_name or agent.name,
        "extension": agent.signed_in_extension or agent.extension,
        "node": agent.node,
        "state": str(agent.state),
        "sub_state": str(agent.sub_state) or None,
        "reason": agent.reason or None,
        "state_since": agent.state_since.isoformat(),
        "next_state": _target_payload(agent.next_state, agent.next_sub_state, agent.next_reason),
        "acw_deadline": agent.acw_deadline.isoformat() if agent.acw_deadline else None,
        "queues": list(agent.signed_in_queues),
        "call": str(agent.call_id) if agent.call_id else None,
        "missed_calls": agent.missed_count,
        "revision": agent.revision,
    }


def agent_details(agent: Agent) -> dict[str, Any]:
    """An agent with its whole record, as the API shows it to whoever may see the agent."""
    return agent_payload(agent) | {
        "own_extension": agent.extension,
        "contact": agent.contact,
        "user": agent.user.get_username() if agent.user else None,
        "acw_seconds": agent.acw_seconds,
        "max_missed": agent.max_missed,
        "reject_delay": agent.reject_delay,
        "busy_delay": agent.busy_delay,
        "no_answer_delay": agent.no_answer_delay,
        "created_at": agent.created_at.isoformat(),
    }


def agent_transition_payload(change: AgentTransition) -> dict[str, Any]:
    """One change of an agent as clients get it."""
    return {
        "id": change.pk,
        "at": change.at.isoformat(),
        "old_state": change.old_state,
        "old_sub_state": change.old_sub_state or None,
        "new_state": change.new_state,
        "new_sub_state": change.new_sub_state or None,
        "reason": change.reason or None,
        "trigger": change.trigger,
        "cause": change.cause,
        "actor": change.actor,
        "call": str(change.call_id) if change.call_id else None,
        "reconciled": change.reconciled,
    }


def _target_payload(state: str, sub: str, reason: str) -> dict[str, Any] | None:
    if not state:
        return None
    return {"state": str(state), "sub_state": str(sub) or None, "reason": reason or None}


def agents_snapshot() -> list[dict[str, Any]]:
    """Every agent as clients see it."""
    return [agent_payload(a) for a in Agent.objects.order_by("name")]
