"""Facts from the switch, each with what it means for calls and agents. None is ever refused."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeVar

from agents.models import Agent
from agents.services import (
    agent_acw_unlimited,
    agent_contact_adopt,
    agent_parked,
    agent_report,
    agent_wrap_up_adopt,
)
from agents.state import Input, State
from callcenter import switch as sw
from callcenter.clock import from_us
from callcenter.events import By, unit_of_work
from callcenter.models import SwitchCommand

from ..models import Call, Leg
from ..state import CallInput, Outcome
from . import calls
from .book import BY_SWITCH, Book
from .config import tier_adopt

F = TypeVar("F", bound=sw.Fact)
Handler = Callable[[Book, F], None]
HANDLERS: dict[type[sw.Fact], Callable[[Book, sw.Fact], None]] = {}

ECHO_MARGIN = timedelta(seconds=2)

OUTCOME_OF_LEAVING = {
    sw.Leaving.TIMEOUT: Outcome.TIMED_OUT,
    sw.Leaving.NO_AGENTS: Outcome.NO_AGENTS,
    sw.Leaving.KEY: Outcome.LEFT_BY_KEY,
    sw.Leaving.REMOVED: Outcome.REMOVED,
    sw.Leaving.HUNG_UP: Outcome.ABANDONED,
    sw.Leaving.SWITCH: Outcome.LOST,
}
INPUT_OF_PRESENCE = {
    sw.Presence.OPEN: Input.PRESENCE_READY,
    sw.Presence.BREAK: Input.PRESENCE_BREAK,
    sw.Presence.OUT: Input.PRESENCE_LOGOUT,
}


def facts_apply(*, facts: Iterable[sw.Fact], node: str, adopt: bool = False, by: By = BY_SWITCH) -> Book:
    """Apply facts in order, all in one transaction; the book tells what was skipped and touched."""
    book = Book(node=node, adopt=adopt, by=by)
    with unit_of_work():
        for fact in facts:
            handler = HANDLERS.get(type(fact))
            if handler is not None:
                handler(book, fact)
                book.flush()
    return book


def handles(kind: type[F]) -> Callable[[Handler[F]], Handler[F]]:
    def register(handler: Handler[F]) -> Handler[F]:
        HANDLERS[kind] = handler  # type: ignore[assignment]
        return handler

    return register


# --- queue entries -----------------------------------------------------------------------------------


@handles(sw.MemberQueued)
def _member_queued(book: Book, fact: sw.MemberQueued) -> None:
    known = book.call_for(fact.member)
    # Told again, or late: it is of before the end. A caller who comes back to his place does so after it.
    if known is None or known.ended_at is None or from_us(fact.at) > known.ended_at:
        _queued(book, fact)


def _queued(book: Book, fact: sw.MemberFact) -> Call:
    return calls.call_queue(
        book,
        member=fact.member,
        channel=fact.channel,
        queue=book.queue(fact.queue),
        queue_name=fact.queue,
        at=from_us(fact.at),
        number=fact.number,
        name=fact.name,
    )


def _call(book: Book, fact: sw.MemberFact) -> Call:
    """The call of this queue entry, entered now if its beginning was missed."""
    call = book.call_for(fact.member)
    if call is None:
        call = _queued(book, fact)
        call.reconciled = True
    return call


@handles(sw.MemberLeft)
def _member_left(book: Book, fact: sw.MemberLeft) -> None:
    outcome = OUTCOME_OF_LEAVING[fact.reason]
    calls.call_leave(
        book, call=_call(book, fact), outcome=outcome, channel_up=fact.channel_up, at=from_us(fact.at)
    )


@handles(sw.MemberServed)
def _member_served(book: Book, fact: sw.MemberServed) -> None:
    call = _call(book, fact)
    calls.call_release(book, call=call, at=from_us(fact.at))
    calls.call_leave(
        book, call=call, outcome=Outcome.ANSWERED, channel_up=fact.channel_up, at=from_us(fact.at)
    )


# --- offers ------------------------------------------------------------------------------------------


@handles(sw.OfferMade)
def _offer_made(book: Book, fact: sw.OfferMade) -> None:
    call, agent = _call(book, fact), book.agent(fact.agent, from_us(fact.at))
    if agent is not None:
        calls.call_offer(book, call=call, agent=agent, at=from_us(fact.at))


@handles(sw.OfferAnswered)
def _offer_answered(book: Book, fact: sw.OfferAnswered) -> None:
    call, agent = _call(book, fact), book.agent(fact.agent, from_us(fact.at))
    if agent is not None:
        calls.call_answer(book, call=call, agent=agent, leg=fact.leg, at=from_us(fact.at))


@handles(sw.OfferFailed)
def _offer_failed(book: Book, fact: sw.OfferFailed) -> None:
    call, agent = _call(book, fact), book.agent(fact.agent, from_us(fact.at))
    if agent is not None:
        calls.offer_fail(book, call=call, agent=agent, cause=fact.cause, at=from_us(fact.at))


@handles(sw.AgentReleased)
def _agent_released(book: Book, fact: sw.AgentReleased) -> None:
    call = _call(book, fact)
    agent = book.agent(fact.agent, from_us(fact.at))
    if agent is not None and call.agent_id == agent.pk:
        calls.call_release(book, call=call, at=from_us(fact.at))


# --- agents ------------------------------------------------------------------------------------------


@handles(sw.AgentSeen)
def _agent_seen(book: Book, fact: sw.AgentSeen) -> None:
    book.agent(fact.agent, from_us(fact.at))


@handles(sw.AgentWrapUpSeen)
def _agent_wrap_up(book: Book, fact: sw.AgentWrapUpSeen) -> None:
    agent = book.agent(fact.agent, from_us(fact.at))
    if book.adopt and agent is not None:
        agent_wrap_up_adopt(agent=agent, seconds=fact.seconds)


@handles(sw.AgentContactSeen)
def _agent_contact(book: Book, fact: sw.AgentContactSeen) -> None:
    agent = book.agent(fact.agent, from_us(fact.at))
    if book.adopt and agent is not None:
        agent_contact_adopt(agent=agent, contact=fact.contact)


@handles(sw.TierSeen)
def _tier_seen(book: Book, fact: sw.TierSeen) -> None:
    if not book.adopt:
        return
    agent, queue = book.agent(fact.agent, from_us(fact.at)), book.queue(fact.queue)
    if agent is not None and queue is not None:
        tier_adopt(queue=queue, agent=agent, level=fact.level, position=fact.position, by=book.by)


@handles(sw.AgentPresence)
def _agent_presence(book: Book, fact: sw.AgentPresence) -> None:
    """Somebody set the agent's presence at the switch; an order of ours on its way decides otherwise."""
    agent = book.agent(fact.agent, from_us(fact.at))
    at = from_us(fact.at)
    if agent is None or _echo_of_ours(agent, at):
        return
    agent_report(agent=agent, fact=INPUT_OF_PRESENCE[fact.presence], at=at, by=book.by)


def _echo_of_ours(agent: Agent, at: datetime) -> bool:
    """Whether this may be the switch repeating our own order, now or before a newer one of ours.

    The margin covers a backlog and two clocks; what somebody else sets within it, reconciliation finds.
    """
    last = (
        SwitchCommand.objects.filter(key=f"agent:{agent.name}", kind="set_presence").order_by("-id").first()
    )
    if last is None:
        return False
    return last.answered_at is None or at <= last.answered_at + ECHO_MARGIN


@handles(sw.AgentParked)
def _agent_parked(book: Book, fact: sw.AgentParked) -> None:
    agent = book.agent(fact.agent, from_us(fact.at))
    if agent is None:
        return
    agent_parked(agent=agent, parked=True)
    if book.adopt:
        # Whoever runs an agent that is only observed opens it again: no deadline of ours does.
        agent_acw_unlimited(agent=agent, at=from_us(fact.at))


@handles(sw.AgentOpened)
def _agent_opened(book: Book, fact: sw.AgentOpened) -> None:
    """The engine takes the agent for free.

    After a call it says so at once for an agent it never parks, so in after-call work this counts only
    for an agent who was parked before: then somebody opened the agent by hand.
    """
    agent = book.agent(fact.agent, from_us(fact.at))
    if agent is None:
        return
    at = from_us(fact.at)
    calls.offers_silently_over(book, agent=agent, at=at)
    book.flush()
    if agent.state != State.ACW or agent.parked:
        agent_report(agent=agent, fact=Input.OPENED, at=at, by=book.by)
    agent_parked(agent=agent, parked=False)


@handles(sw.AgentMissedLimit)
def _agent_missed_limit(book: Book, fact: sw.AgentMissedLimit) -> None:
    agent = book.agent(fact.agent, from_us(fact.at))
    if agent is not None:
        agent_report(agent=agent, fact=Input.MISSED_LIMIT, at=from_us(fact.at), by=book.by)


# --- channels ----------------------------------------------------------------------------------------


@handles(sw.ChannelCreated)
def _channel_created(book: Book, fact: sw.ChannelCreated) -> None:
    if Leg.objects.filter(channel_uuid=fact.channel, call__node=book.node).exists():
        return
    at = from_us(fact.at)
    if fact.member_channel:
        _agent_leg_created(book, fact)
    elif fact.other and (known := book.call_of_leg(fact.other)):
        agent = book.agent_at(fact.destination, at)
        role = Leg.Role.AGENT if agent and not known[0].member_uuid else Leg.Role.OTHER
        calls.leg_add(
            call=known[0], channel=fact.channel, role=role, at=at, number=fact.destination, agent=agent
        )
        if role is Leg.Role.AGENT and agent is not None:
            agent_report(agent=agent, fact=Input.RUNG, at=at, by=book.by, call=known[0].pk)
    else:
        _outside_call(book, fact)


def _agent_leg_created(book: Book, fact: sw.ChannelCreated) -> None:
    call = book.call_on(fact.member_channel)
    agent = book.agent(fact.agent, from_us(fact.at))
    if call is None or agent is None:
        return
    calls.leg_add(
        call=call,
        channel=fact.channel,
        role=Leg.Role.AGENT,
        at=from_us(fact.at),
        number=fact.destination,
        agent=agent,
    )
    for offer in book.open_offers(call):
        if offer.agent_id == agent.pk:
            offer.leg = fact.channel
            offer.save(update_fields=["leg"])


def _outside_call(book: Book, fact: sw.ChannelCreated) -> None:
    """A channel that belongs to nothing known: a call of its own, until it queues.

    A leg to or from the extension of a signed-in agent makes that agent busy.
    """
    at = from_us(fact.at)
    call = calls.call_start(
        book,
        channel=fact.channel,
        at=at,
        number=fact.number,
        name=fact.name,
        destination=fact.destination,
    )
    agent = book.agent_at(fact.number if fact.inbound else fact.destination, at)
    if agent is None:
        return
    calls.leg_add(call=call, channel=fact.channel, role=Leg.Role.AGENT, at=at, agent=agent)
    agent_report(
        agent=agent,
        fact=Input.DIALLING if fact.inbound else Input.RUNG,
        at=at,
        by=book.by,
        call=call.pk,
    )


@handles(sw.ChannelAnswered)
def _channel_answered(book: Book, fact: sw.ChannelAnswered) -> None:
    Leg.objects.filter(
        channel_uuid=fact.channel, call__node=book.node, answered_at__isnull=True, ended_at__isnull=True
    ).update(answered_at=from_us(fact.at))


@handles(sw.ChannelBridged)
def _channel_bridged(book: Book, fact: sw.ChannelBridged) -> None:
    at = from_us(fact.at)
    joined = False
    for channel, other in ((fact.channel, fact.other), (fact.other, fact.channel)):
        call = book.call_on(channel)
        if call is not None:
            calls.call_bridge(book, call=call, other=other, at=at)
            joined = joined or bool(call.member_uuid)
    if joined:
        return
    # Neither is a queued caller: an agent on a queue call who talks to a third party is consulting.
    for channel in (fact.channel, fact.other):
        call = Call.objects.filter(agent_leg=channel, node=book.node, released_at__isnull=True).first()
        if call is not None:
            calls.call_agent_report(book, call=call, fact=Input.CONSULTED, at=at)


@handles(sw.ChannelHeld)
def _channel_held(book: Book, fact: sw.ChannelHeld) -> None:
    _hold(book, fact, held=True)


@handles(sw.ChannelUnheld)
def _channel_unheld(book: Book, fact: sw.ChannelUnheld) -> None:
    _hold(book, fact, held=False)


def _hold(book: Book, fact: sw.ChannelFact, *, held: bool) -> None:
    known = book.call_of_leg(fact.channel)
    if known is not None and known[1].ended_at is None:
        calls.call_hold(book, call=known[0], held=held, at=from_us(fact.at))


@handles(sw.ChannelConferenced)
def _channel_conferenced(book: Book, fact: sw.ChannelConferenced) -> None:
    known = book.call_of_leg(fact.channel)
    if known is None or known[1].ended_at is not None:
        return
    call, at = known[0], from_us(fact.at)
    if fact.channel == call.channel_uuid:
        book.put(call, CallInput.CONFERENCED, at, detail=fact.room)
    elif fact.channel == call.agent_leg:
        calls.call_agent_report(book, call=call, fact=Input.CONFERENCED, at=at)


@handles(sw.ChannelHungUp)
def _channel_hung_up(book: Book, fact: sw.ChannelHungUp) -> None:
    at = from_us(fact.at)
    open_legs = Leg.objects.filter(channel_uuid=fact.channel, call__node=book.node, ended_at__isnull=True)
    went_now = open_legs.update(ended_at=at, cause=fact.cause[:48]) > 0
    for call in _calls_with_party(book, fact.channel, went_now=went_now):
        if fact.channel == call.channel_uuid:
            by = "switch" if fact.by_switch else ""
            calls.call_end(book, call=call, at=at, cause=fact.cause, by=by, lost=fact.by_switch)
        else:
            _party_down(book, call, fact)
    if fact.by_far_end is not None:
        ended = book.ended_call_on(fact.channel)
        if ended is not None and ended.ended_at is not None:
            calls.call_end_detail(book, call=ended, by_far_end=fact.by_far_end, at=at)


def _calls_with_party(book: Book, channel: str, *, went_now: bool) -> list[Call]:
    """The call of this caller, and the one that has this leg; a leg whose end was told before is no news."""
    found = [book.call_on(channel)]
    known = book.call_of_leg(channel) if went_now else None
    if known is not None:
        found.append(known[0])
    return list({c.pk: c for c in found if c is not None}.values())


def _party_down(book: Book, call: Call, fact: sw.ChannelHungUp) -> None:
    """Somebody other than the caller is gone; who goes first has hung up."""
    at = from_us(fact.at)
    if not call.first_down and fact.channel in (call.agent_leg, call.partner_leg):
        agents_leg = fact.channel == call.agent_leg or not call.member_uuid
        call.first_down = "agent" if agents_leg and call.agent_id else "other"
        book.mark(call, at)
    if call.agent_leg and fact.channel == call.agent_leg:
        calls.call_release(book, call=call, at=at)
    elif not call.member_uuid:
        for leg in call.legs.filter(channel_uuid=fact.channel, role=Leg.Role.AGENT, agent__isnull=False):
            assert leg.agent_id is not None
            agent = book.agent_of(leg.agent_id)
            if agent.call_id == call.pk:
                agent_report(agent=agent, fact=Input.RELEASED, at=at, by=book.by, call=call.pk)
