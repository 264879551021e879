"""Reading queues, tiers and calls: what clients see of them, and the live snapshot."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count, Min, Q
from django.utils import timezone

from agents.models import Agent
from agents.selectors import agent_payload, agents_snapshot
from callcenter.errors import NotFound
from callcenter.events import last_seq
from callcenter.models import SwitchNode
from callcenter.services import switch_node_payload

from .models import Call, CallTransition, Leg, Offer, Queue, Tier
from .state import LIVE_STATES, QUEUED_STATES, TALKING_STATES, Outcome

QUEUE_FIELDS = (
    "name",
    "display_name",
    "node",
    "strategy",
    "moh_sound",
    "announce_sound",
    "announce_frequency",
    "record_template",
    "time_base_score",
    "tier_rules_apply",
    "tier_rule_wait_second",
    "tier_rule_wait_multiply_level",
    "tier_rule_no_agent_no_wait",
    "discard_abandoned_after",
    "abandoned_resume_allowed",
    "max_wait_time",
    "max_wait_time_with_no_agent",
    "max_wait_time_with_no_agent_time_reached",
    "ring_progressively_delay",
    "service_level_seconds",
    "revision",
)


def queue_get(queue_id: uuid.UUID | str) -> Queue:
    """The queue of this id. Raises NotFound."""
    try:
        return Queue.objects.get(pk=queue_id)
    except (Queue.DoesNotExist, ValueError, TypeError) as none:
        raise NotFound(code="queue_not_found") from none


def queue_payload(queue: Queue) -> dict[str, Any]:
    """A queue as every client gets it."""
    payload = {field: getattr(queue, field) for field in QUEUE_FIELDS}
    return payload | {"id": str(queue.pk), "display_name": queue.display_name or queue.name}


def tier_payload(tier: Tier) -> dict[str, Any]:
    """A tier as every client gets it."""
    return {
        "id": tier.pk,
        "queue": str(tier.queue_id),
        "agent": str(tier.agent_id),
        "level": tier.level,
        "position": tier.position,
        "active": tier.active,
        "revision": tier.revision,
    }


def call_payload(call: Call, offered_to: Iterable[uuid.UUID] | None = None) -> dict[str, Any]:
    """A call as every client gets it. Times are ISO 8601 in UTC, lengths in milliseconds.

    `offered_to` spares the query where the caller knows whose phones ring.
    """
    return {
        "id": str(call.pk),
        "node": call.node,
        "queue": str(call.queue_id) if call.queue_id else None,
        "queue_name": call.queue_name or None,
        "member_uuid": call.member_uuid or None,
        "channel_uuid": call.channel_uuid,
        "caller_number": call.caller_number,
        "caller_name": call.caller_name,
        "destination": call.destination,
        "state": str(call.state),
        "outcome": str(call.outcome) or None,
        "abandoned_while": call.abandoned_while or None,
        "agent": str(call.agent_id) if call.agent_id else None,
        "agent_name": call.agent_name or None,
        "offered_to": call_offered_to(call) if offered_to is None else sorted(map(str, offered_to)),
        "started_at": _iso(call.started_at),
        "queued_at": _iso(call.queued_at),
        "answered_at": _iso(call.answered_at),
        "released_at": _iso(call.released_at),
        "left_queue_at": _iso(call.left_queue_at),
        "ended_at": _iso(call.ended_at),
        "wait_ms": call.wait_ms,
        "talk_ms": call.talk_ms,
        "hold_ms": call.hold_ms,
        "end_cause": call.end_cause or None,
        "hung_up_by": call.hung_up_by or None,
        "reconciled": call.reconciled,
        "revision": call.revision,
    }


def call_offered_to(call: Call) -> list[str]:
    """The agents whose phones ring for this call now."""
    return sorted(str(o.agent_id) for o in call.offers.all() if not o.outcome)


def offer_payload(offer: Offer) -> dict[str, Any]:
    """One offer of a call to an agent."""
    return {
        "agent": str(offer.agent_id) if offer.agent_id else None,
        "agent_name": offer.agent_name,
        "offered_at": _iso(offer.offered_at),
        "answered_at": _iso(offer.answered_at),
        "ended_at": _iso(offer.ended_at),
        "outcome": str(offer.outcome) or None,
        "cause": offer.cause or None,
        "reconciled": offer.reconciled,
    }


def leg_payload(leg: Leg) -> dict[str, Any]:
    """One channel of a call."""
    return {
        "channel_uuid": leg.channel_uuid,
        "role": leg.role,
        "agent": str(leg.agent_id) if leg.agent_id else None,
        "number": leg.number,
        "created_at": _iso(leg.created_at),
        "answered_at": _iso(leg.answered_at),
        "ended_at": _iso(leg.ended_at),
        "cause": leg.cause or None,
    }


def call_transition_payload(change: CallTransition) -> dict[str, Any]:
    """One change of a call."""
    return {
        "at": _iso(change.at),
        "old_state": change.old_state or None,
        "new_state": change.new_state,
        "trigger": change.trigger,
        "outcome": change.outcome or None,
        "detail": change.detail or None,
        "agent": str(change.agent_id) if change.agent_id else None,
        "cause": change.cause,
        "actor": change.actor,
        "reconciled": change.reconciled,
    }


def call_details(call: Call) -> dict[str, Any]:
    """A call with its offers, changes and channels, each in the order in which they came to be."""
    return call_payload(call) | {
        "offers": [offer_payload(o) for o in sorted(call.offers.all(), key=lambda o: o.pk)],
        "transitions": [call_transition_payload(t) for t in call.transitions.order_by("id")],
        "legs": [leg_payload(leg) for leg in call.legs.order_by("id")],
    }


def calls_live() -> list[Call]:
    """The calls that have not ended, oldest first."""
    return list(
        Call.objects.filter(state__in=LIVE_STATES).prefetch_related("offers").order_by("started_at", "id")
    )


def queue_stats(
    queue_ids: Iterable[uuid.UUID] | None = None, *, since: datetime | None = None
) -> list[dict[str, Any]]:
    """Live figures per queue: now, and of the queue entries since `since` (default: local midnight)."""
    since = since or timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    wanted = Q() if queue_ids is None else Q(pk__in=list(queue_ids))
    today = Q(calls__queued_at__gte=since)
    live = Q(calls__state__in=LIVE_STATES)
    rows = Queue.objects.filter(wanted).annotate(
        waiting=Count("calls", filter=Q(calls__state__in=QUEUED_STATES)),
        oldest=Min("calls__queued_at", filter=Q(calls__state__in=QUEUED_STATES)),
        in_progress=Count("calls", filter=live & Q(calls__state__in=TALKING_STATES)),
        offered=Count("calls", filter=today),
        answered=Count("calls", filter=today & Q(calls__outcome=Outcome.ANSWERED)),
        abandoned=Count("calls", filter=today & Q(calls__outcome=Outcome.ABANDONED)),
    )
    return [
        {
            "queue": str(row.pk),
            "waiting": row.waiting,
            "oldest_waiting_since": _iso(row.oldest),
            "in_progress": row.in_progress,
            "today": {"offered": row.offered, "answered": row.answered, "abandoned": row.abandoned},
        }
        for row in rows
    ]


def live_snapshot() -> dict[str, Any]:
    """Everything that a supervisor's client starts from.

    The number is read before the rows: rows may then be newer than `seq` says, and the events that
    follow are told twice, which changes nothing because each carries the whole object and its revision.
    """
    return {
        "seq": last_seq(),
        "now": timezone.now().isoformat(),
        "agents": agents_snapshot(),
        "queues": [queue_payload(q) for q in Queue.objects.order_by("name")],
        "tiers": [tier_payload(t) for t in Tier.objects.order_by("id")],
        "calls": [call_payload(c) for c in calls_live()],
        "stats": queue_stats(),
        "switch": [switch_node_payload(n) for n in SwitchNode.objects.order_by("name")],
    }


def agent_snapshot(agent_id: uuid.UUID) -> dict[str, Any]:
    """What an agent's own client starts from: the agent, its queues and its live calls."""
    seq = last_seq()
    agent = Agent.objects.filter(pk=agent_id).first()
    if agent is None:
        raise NotFound(code="agent_not_found")
    tiers = Tier.objects.filter(agent=agent).select_related("queue").order_by("id")
    return {
        "seq": seq,
        "now": timezone.now().isoformat(),
        "agents": [agent_payload(agent)],
        "queues": [queue_payload(t.queue) for t in tiers],
        "tiers": [tier_payload(t) for t in tiers],
        "calls": [call_payload(c) for c in calls_live() if agent.pk in _agents_of(c)],
        "stats": [],
        "switch": [],
    }


def _agents_of(call: Call) -> set[uuid.UUID]:
    return {a for a in (call.agent_id, *(o.agent_id for o in call.offers.all())) if a}


def _iso(at: datetime | None) -> str | None:
    return at.isoformat() if at else None
