"""What a switch might hold, and a whole comparison of it with our record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.utils import timezone

from callcenter.clock import from_us, to_us
from callcenter.services import switch_command_claim, switch_command_finish
from callcenter.switch import (
    ChannelBridged,
    Fact,
    MemberQueued,
    OfferAnswered,
    OfferMade,
    Presence,
    SeenAgent,
    SeenChannel,
    SeenMember,
    SeenTier,
    Snapshot,
)
from queues.services import (
    facts_apply,
    reconcile_begin,
    reconcile_settle,
    reconcile_take,
)

NOW = to_us(timezone.now()) - 60_000_000
CONTACT = "sofia/internal/{}@127.0.0.1"


def at(second: float) -> int:
    return NOW + round(second * 1_000_000)


def member(number: int = 1) -> dict[str, str]:
    return {"member": f"m{number}", "channel": f"c{number}", "queue": "support@default"}


def seen_agent(name: str = "1001", engine: str = "free", **fields: Any) -> SeenAgent:
    given = {"presence": Presence.OPEN, "on_demand": True, "contact": CONTACT.format(name)} | fields
    return SeenAgent(name, engine=engine, **given)


def channel(uuid: str, **fields: Any) -> SeenChannel:
    given = {"created_at": at(0), "inbound": True, "destination": "9", "number": "138", "name": ""} | fields
    return SeenChannel(uuid, **given)


def waiting(number: int = 1, state: str = "waiting", agent: str = "") -> SeenMember:
    return SeenMember(**member(number), number="138", name="Li", joined_at=at(0), state=state, agent=agent)


def snapshot(
    *,
    agents: Iterable[SeenAgent] | None = None,
    members: Iterable[SeenMember] = (),
    channels: Iterable[SeenChannel] = (),
    tiers: Iterable[SeenTier] | None = None,
    queues: Iterable[str] = ("support@default",),
) -> Snapshot:
    """A switch that holds the agent 1001 in the queue, and what is given."""
    agents = [seen_agent()] if agents is None else list(agents)
    if tiers is None:
        tiers = [SeenTier("support@default", a.name, 1, 1) for a in agents]
    return Snapshot(
        at=at(30),
        agents={a.name: a for a in agents},
        tiers={(t.queue, t.agent): t for t in tiers},
        members={m.member: m for m in members},
        channels={c.channel: c for c in channels},
        queues=frozenset(queues),
    )


def apply(*facts: Fact) -> None:
    facts_apply(facts=facts, node="default")


def compare(seen: Snapshot, *, hung_up: Iterable[str] = ()) -> list[str]:
    """One whole comparison, as the bridge makes it; what was repaired."""
    noted = reconcile_begin(node="default")
    taken = reconcile_take(snapshot=seen, node="default")
    settled = reconcile_settle(
        noted=noted, snapshot=seen, node="default", at=from_us(at(31)), hung_up=list(hung_up)
    )
    return [*taken.done, *settled.done]


def carry_out_as_sent() -> None:
    """Every order that is open counts as done."""
    for command in switch_command_claim(node="default"):
        switch_command_finish(command=command, ok=True, answer="+OK")


def talking(agent: str = "1001") -> None:
    apply(
        MemberQueued(at=at(0), **member()),
        OfferMade(at=at(1), **member(), agent=agent),
        OfferAnswered(at=at(2), **member(), agent=agent, leg="l1"),
        ChannelBridged(at=at(2), channel="c1", other="l1"),
    )
