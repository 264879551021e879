"""Playing a recording into a database, and telling what came out."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agents.models import Agent
from agents.state import State
from callcenter.clock import to_us
from queues.models import Call

from .applier import Applier
from .protocol import Event, FrameReader, MalformedEvent, decode_event

CHUNK = 64 * 1024
EVENT_TYPES = frozenset({"text/event-plain", "text/event-json"})


def read_events(path: Path, counts: dict[str, int]) -> Iterator[Event]:
    """The events of a recorded byte stream (plain, json, gzipped or not), malformed ones counted,
    and a recording that ends in the middle of one.

    Raises ProtocolError where the bytes are no event stream, OSError.
    """
    reader = FrameReader()
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as stream:
        while chunk := stream.read(CHUNK):
            for frame in reader.feed(chunk):
                if frame.content_type in EVENT_TYPES:
                    try:
                        yield decode_event(frame)
                    except MalformedEvent:
                        counts["malformed"] = counts.get("malformed", 0) + 1
    if reader.partial:
        counts["cut_short"] = counts.get("cut_short", 0) + 1


def play(applier: Applier, events: Iterator[Event]) -> None:
    """Apply the events, then let the after-call work that is still on run out."""
    for event in events:
        applier.take([event])
    last = (
        Agent.objects.filter(state=State.ACW).order_by("-acw_deadline").values_list("acw_deadline", flat=True)
    )
    if last and last[0] is not None:
        applier.sweep(to_us(last[0]))


def told() -> dict[str, Any]:
    """All that the database holds, as plain data."""
    return {
        "agents": [_agent(a) for a in Agent.objects.order_by("name")],
        "calls": [_call(c) for c in Call.objects.order_by("started_at", "id")],
    }


def _agent(agent: Agent) -> dict[str, Any]:
    return {
        "name": agent.name,
        "state": agent.state,
        "sub_state": agent.sub_state or None,
        "transitions": [
            {
                "at": t.at.isoformat(),
                "from": "/".join(filter(None, (t.old_state, t.old_sub_state))),
                "to": "/".join(filter(None, (t.new_state, t.new_sub_state))),
                "reason": t.reason or None,
                "trigger": t.trigger,
                "cause": t.cause,
                "reconciled": t.reconciled,
            }
            for t in agent.transitions.order_by("id")
        ],
    }


def _call(call: Call) -> dict[str, Any]:
    return {
        "kind": "queue" if call.member_uuid else "direct",
        "queue": call.queue_name or None,
        "member": call.member_uuid or None,
        "channel": call.channel_uuid,
        "caller": call.caller_number,
        "destination": call.destination,
        "agent": call.agent_name or None,
        "offers": [
            {
                "agent": o.agent_name,
                "at": o.offered_at.isoformat(),
                "outcome": o.outcome or None,
                "cause": o.cause or None,
                "reconciled": o.reconciled,
            }
            for o in call.offers.order_by("id")
        ],
        "outcome": call.outcome or None,
        "abandoned_while": call.abandoned_while or None,
        "started_at": call.started_at.isoformat(),
        "queued_at": call.queued_at.isoformat() if call.queued_at else None,
        "ended_at": call.ended_at.isoformat() if call.ended_at else None,
        "wait_ms": call.wait_ms,
        "talk_ms": call.talk_ms,
        "hold_ms": call.hold_ms,
        "end_cause": call.end_cause or None,
        "hung_up_by": call.hung_up_by or None,
        "states": [t.new_state for t in call.transitions.order_by("id")],
    }
