"""The facts of recordings, and all that they come to in the database as plain values."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

from agents.models import Agent, AgentTransition
from agents.selectors import agent_payload
from callcenter.switch import ChannelHungUp, Fact
from esl_bridge.backends.callcenter import CallcenterBackend
from queues.models import Call, CallTransition, Leg, Offer, Queue, Tier
from queues.selectors import call_payload, queue_payload, tier_payload
from queues.services import facts_apply
from tests.backends.recordings import events

NODE = "default"


@cache
def facts_of(name: str) -> tuple[Fact, ...]:
    """The facts of a recording, in the order in which they were told."""
    backend = CallcenterBackend()
    return tuple(fact for _, event in events(f"{name}.esl") for fact in backend.decode(event))


def apply(facts: Iterable[Fact]) -> None:
    facts_apply(facts=facts, node=NODE, adopt=True)


def calls_kept() -> list[Any]:
    """Every call with its offers, legs and changes, in the order in which they came to be."""
    return [
        (
            call_payload(call),
            list(call.offers.order_by("id").values()),
            list(call.legs.order_by("id").values()),
            list(call.transitions.order_by("id").values()),
        )
        for call in Call.objects.order_by("started_at", "id")
    ]


def all_kept() -> dict[str, Any]:
    """Everything that facts can change."""
    return {
        "agents": [agent_payload(a) for a in Agent.objects.order_by("name")],
        "agent rows": list(Agent.objects.order_by("name").values()),
        "transitions": list(AgentTransition.objects.order_by("id").values()),
        "queues": [queue_payload(q) for q in Queue.objects.order_by("name")],
        "tiers": [tier_payload(t) for t in Tier.objects.order_by("id")],
        "calls": calls_kept(),
        "counts": [kind.objects.count() for kind in (CallTransition, Leg, Offer)],
    }


def all_channels_gone(facts: Iterable[Fact], at: int) -> list[Fact]:
    """A hang-up of every channel that the facts speak of."""
    channels = {
        getattr(fact, name)
        for fact in facts
        for name in ("channel", "leg", "other", "member_channel")
        if hasattr(fact, name)
    }
    return [ChannelHungUp(at=at, channel=c, cause="NORMAL_CLEARING") for c in sorted(channels - {""})]
