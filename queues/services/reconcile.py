"""Bringing our record and the switch together.

For calls the switch is right; for configuration and presence our database is. What was looked at is
noted before the switch is asked (`reconcile_begin`), so that what happens meanwhile is not taken for a
difference: `reconcile_take` brings in what the switch has, then the events that queued up are applied,
and `reconcile_settle` ends what is left over.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from agents.models import Agent
from agents.services import (
    PRESENCE_OF,
    agent_configure,
    agent_parked,
    agent_presence_order,
    agent_report,
    agent_wrap_up_adopt,
)
from agents.state import Input, State, Sub
from callcenter.clock import from_us
from callcenter.events import By, Cause, unit_of_work
from callcenter.services import switch_command_add
from callcenter.switch import ConfigureQueue, Presence, RemoveTier, SeenAgent, SeenMember, Snapshot

from ..models import Call, Leg, Offer, Queue, Tier
from ..state import LIVE_STATES, CallState, OfferOutcome
from . import calls
from .book import Book
from .config import tier_adopt, tier_order
from .facts import INPUT_OF_PRESENCE

BY_RECONCILE = By(Cause.RECONCILE)


@dataclass(frozen=True, slots=True)
class Noted:
    """What our record held before the switch was asked."""

    calls: frozenset[uuid.UUID]
    busy: frozenset[uuid.UUID]
    ringing: frozenset[int]
    legs: frozenset[str]


@dataclass(slots=True)
class Repairs:
    """What was done, in words for the log."""

    done: list[str] = field(default_factory=list)


def reconcile_begin(*, node: str) -> Noted:
    """Note what our record holds live."""
    live = Call.objects.filter(node=node, state__in=LIVE_STATES).values_list("pk", flat=True)
    busy = Agent.objects.filter(node=node, state=State.BUSY).values_list("pk", flat=True)
    ringing = Offer.objects.filter(call__node=node, outcome=OfferOutcome.PENDING).values_list("pk", flat=True)
    legs = Leg.objects.filter(call__node=node, ended_at__isnull=True).values_list("channel_uuid", flat=True)
    return Noted(frozenset(live), frozenset(busy), frozenset(ringing), frozenset(legs))


def reconcile_take(*, snapshot: Snapshot, node: str, adopt: bool = False) -> Repairs:
    """Bring in what the switch has and we do not, and order what we have and it does not."""
    repairs = Repairs()
    book = Book(node=node, adopt=adopt, by=BY_RECONCILE)
    with unit_of_work():
        if adopt:
            _adopt(book, snapshot)
        for member in sorted(snapshot.members.values(), key=lambda m: m.joined_at):
            if member.channel in snapshot.channels and member.state != "gone":
                _take_member(book, member, snapshot, repairs)
                book.flush()
        if not adopt:
            _order_what_is_missing(node, snapshot, repairs)
    return repairs


def reconcile_settle(
    *, noted: Noted, snapshot: Snapshot, node: str, at: datetime, hung_up: Collection[str] = ()
) -> Repairs:
    """End what our record held before and the switch no longer has; enter what nobody told of.

    `hung_up` are the channels whose end was told since the snapshot.
    """
    repairs = Repairs()
    book = Book(node=node, by=BY_RECONCILE)
    with unit_of_work():
        _take_outside_calls(book, snapshot, hung_up, repairs)
        for call in Call.objects.filter(pk__in=noted.calls, state__in=LIVE_STATES).order_by("started_at"):
            if call.channel_uuid not in snapshot.channels:
                known = book.call(call.pk)
                calls.call_end(book, call=known, at=at, cause="LOST", by="switch", reconciled=True, lost=True)
                book.flush()
                repairs.done.append(f"call {call.pk} ended: its channel is gone")
        # Only legs that were noted: one that began since is in no snapshot either.
        gone = noted.legs - snapshot.channels.keys()
        Leg.objects.filter(call__node=node, channel_uuid__in=gone, ended_at__isnull=True).update(
            ended_at=at, cause="LOST"
        )
        for agent in Agent.objects.select_for_update().filter(pk__in=noted.busy, state=State.BUSY):
            _settle_agent(book, book.agent_of(agent.pk), noted, snapshot, at, repairs)
            book.flush()
    return repairs


# --- what the switch has -----------------------------------------------------------------------------


def _adopt(book: Book, snapshot: Snapshot) -> None:
    at = from_us(snapshot.at)
    for queue in sorted(snapshot.queues):
        book.queue(queue)
    for seen in snapshot.agents.values():
        agent = book.agent(seen.name, at)
        assert agent is not None
        agent_wrap_up_adopt(agent=agent, seconds=seen.wrap_up)
        agent_report(agent=agent, fact=INPUT_OF_PRESENCE[seen.presence], at=at, by=book.by)
    for tier in snapshot.tiers.values():
        agent, owner = book.agent(tier.agent, at), book.queue(tier.queue)
        if agent is not None and owner is not None:
            tier_adopt(queue=owner, agent=agent, level=tier.level, position=tier.position, by=book.by)


def _take_member(book: Book, member: SeenMember, snapshot: Snapshot, repairs: Repairs) -> None:
    call = book.call_for(member.member)
    if call is None or call.state == CallState.ENDED:
        call = calls.call_queue(
            book,
            member=member.member,
            channel=member.channel,
            queue=book.queue(member.queue),
            queue_name=member.queue,
            at=from_us(member.joined_at),
            number=member.number,
            name=member.name,
        )
        call.reconciled = True
        repairs.done.append(f"call {call.pk} entered: found waiting or talking in {member.queue}")
    seen = snapshot.agents.get(member.agent)
    if seen is not None:
        _take_agent_of(book, call, member, seen, snapshot, repairs)


def _take_agent_of(
    book: Book, call: Call, member: SeenMember, seen: SeenAgent, snapshot: Snapshot, repairs: Repairs
) -> None:
    at = from_us(snapshot.at)
    agent = book.agent(seen.name, at)
    if agent is None:
        return
    if member.state == "answered" and seen.leg in snapshot.channels and call.answered_at is None:
        calls.call_answer(book, call=call, agent=agent, leg=seen.leg, at=at)
        bridged_to = {snapshot.channels[member.channel].bridged_to, member.channel}
        if seen.leg in bridged_to or snapshot.channels[seen.leg].bridged_to == member.channel:
            calls.call_bridge(book, call=call, other=seen.leg, at=at)
        repairs.done.append(f"call {call.pk} answered by {agent.name}: found talking")
    elif member.state == "offered" and seen.engine == "offered" and not book.open_offers(call):
        calls.call_offer(book, call=call, agent=agent, at=at, reconciled=True)
        repairs.done.append(f"call {call.pk} offered to {agent.name}: found ringing")


def _take_outside_calls(book: Book, snapshot: Snapshot, hung_up: Collection[str], repairs: Repairs) -> None:
    """Channels of no call we know: each that began a call of its own is one outside queues.

    Last of all, because a caller may have queued while the tables of the snapshot were read one by one.
    """
    known = set(
        Leg.objects.filter(call__node=book.node, channel_uuid__in=snapshot.channels).values_list(
            "channel_uuid", flat=True
        )
    )
    legs_of_agents = {a.leg for a in snapshot.agents.values() if a.leg}
    for seen in snapshot.channels.values():
        began = seen.call in ("", seen.channel) and seen.bridged_to not in known
        told_over = seen.channel in hung_up
        if seen.channel in known or seen.channel in legs_of_agents or told_over or not began:
            continue
        call = calls.call_start(
            book,
            channel=seen.channel,
            at=from_us(seen.created_at),
            number=seen.number,
            name=seen.name,
            destination=seen.destination,
        )
        call.reconciled = True
        if seen.bridged_to:
            calls.call_bridge(book, call=call, other=seen.bridged_to, at=from_us(snapshot.at))
        book.flush()
        repairs.done.append(f"call {call.pk} entered: found outside queues")


def _settle_agent(
    book: Book, agent: Agent, noted: Noted, snapshot: Snapshot, at: datetime, repairs: Repairs
) -> None:
    seen = snapshot.agents.get(agent.name)
    engine = seen.engine if seen is not None else "free"
    # Only an offer that was open before the snapshot: the next one may have come with the events since.
    rang_before = Offer.objects.filter(agent=agent, outcome=OfferOutcome.PENDING, pk__in=noted.ringing)
    free = agent.sub_state == Sub.RINGING and engine in ("free", "parked")
    nothing_rings = free and rang_before.exists()
    if nothing_rings and calls.offers_silently_over(book, agent=agent, at=at):
        agent_report(agent=agent, fact=Input.OPENED, at=at, by=book.by)
        repairs.done.append(f"agent {agent.name} freed: nothing rings there")
        return
    call = Call.objects.filter(pk=agent.call_id).first() if agent.call_id else None
    if call is None or call.state == CallState.ENDED or call.released_at is not None:
        agent_report(agent=agent, fact=Input.SWITCH_RESTARTED, at=at, by=book.by, call=None)
        repairs.done.append(f"agent {agent.name} freed: the call is over")
    elif _has_left(agent, call):
        calls.agent_leave(book, call=book.call(call.pk), agent=agent, at=at)
        repairs.done.append(f"agent {agent.name} freed: the leg is gone, the call goes on")
    if seen is not None:
        agent_parked(agent=agent, parked=engine == "parked")


def _has_left(agent: Agent, call: Call) -> bool:
    """Whether the agent was on this call with a leg, and no such leg is left."""
    legs = call.legs.filter(role=Leg.Role.AGENT, agent=agent)
    if call.member_uuid:
        # Legs of offers that failed come and go before the one that answered.
        legs = legs.filter(channel_uuid=call.agent_leg) if call.agent_id == agent.pk else legs.none()
    return legs.exists() and not legs.filter(ended_at__isnull=True).exists()


# --- what we have ------------------------------------------------------------------------------------


def _order_what_is_missing(node: str, snapshot: Snapshot, repairs: Repairs) -> None:
    for queue in Queue.objects.filter(node=node).exclude(name__in=snapshot.queues):
        order = ConfigureQueue(queue=queue.name)
        switch_command_add(order=order, key=f"queue:{queue.name}", by=BY_RECONCILE, node=node)
        repairs.done.append(f"queue {queue.name} loaded")
    agents = list(Agent.objects.filter(node=node).order_by("name"))
    for agent in agents:
        _order_agent(agent, snapshot.agents.get(agent.name), repairs)
    tiers = Tier.objects.select_related("queue", "agent").filter(queue__node=node, active=True)
    _order_tiers(node, tiers, snapshot, {a.name for a in agents}, repairs)


def _order_agent(agent: Agent, seen: SeenAgent | None, repairs: Repairs) -> None:
    if seen is None or (agent.contact and seen.contact != agent.contact):
        agent_configure(agent=agent, by=BY_RECONCILE)
        repairs.done.append(f"agent {agent.name} configured")
    wrong = seen is None or not agent_stands_so(agent, seen)
    if wrong and agent_presence_order(agent=agent, by=BY_RECONCILE):
        repairs.done.append(f"agent {agent.name} told {agent.state}")


def agent_stands_so(agent: Agent, seen: SeenAgent) -> bool:
    """Whether the switch holds the agent as our record has it."""
    wanted = PRESENCE_OF.get(agent.state)
    if wanted is None:
        return True
    open_for_calls = seen.on_demand and seen.engine != "parked"
    return seen.presence is wanted and (wanted is not Presence.OPEN or open_for_calls)


def _order_tiers(
    node: str, tiers: Iterable[Tier], snapshot: Snapshot, ours: set[str], repairs: Repairs
) -> None:
    wanted = {(t.queue.name, t.agent.name): t for t in tiers}
    for pair, tier in wanted.items():
        seen = snapshot.tiers.get(pair)
        if seen is None or (seen.level, seen.position) != (tier.level, tier.position):
            tier_order(tier=tier, by=BY_RECONCILE)
            repairs.done.append(f"tier {pair[0]} {pair[1]} set")
    for queue, agent in sorted(snapshot.tiers.keys() - wanted.keys()):
        if agent in ours:
            order = RemoveTier(queue=queue, agent=agent)
            switch_command_add(order=order, key=f"tier:{queue}:{agent}", by=BY_RECONCILE, node=node)
            repairs.done.append(f"tier {queue} {agent} removed")
