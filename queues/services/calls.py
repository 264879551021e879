"""What becomes of calls, offers and legs. Called by facts and by reconciliation, inside their unit."""

from __future__ import annotations

from datetime import datetime, timedelta

from agents.models import Agent
from agents.services import agent_missed_call, agent_report
from agents.state import Input, State, Sub

from ..models import Call, Leg, Offer, Queue
from ..state import (
    LIVE_STATES,
    CallInput,
    CallState,
    OfferOutcome,
    Outcome,
    decide_outcome,
    offer_outcome,
)
from .book import Book

# The switch's tables have whole seconds.
SNAPSHOT_PRECISION = timedelta(seconds=1)


def call_start(book: Book, *, channel: str, at: datetime, number: str, name: str, destination: str) -> Call:
    """A channel that nobody queues (yet): a call outside queues."""
    call = Call(
        node=book.node,
        channel_uuid=channel,
        caller_number=number[:64],
        caller_name=name[:128],
        destination=destination[:128],
        state=CallState.DIALLING,
        started_at=at,
    )
    book.open_call(call, "started", at)
    leg_add(call=call, channel=channel, role=Leg.Role.CALLER, at=at, number=number)
    return call


def call_queue(
    book: Book,
    *,
    member: str,
    channel: str,
    queue: Queue | None,
    queue_name: str,
    at: datetime,
    number: str,
    name: str,
) -> Call:
    """A caller joins a queue: a new queue entry. Told again, it is no change."""
    known = book.call_for(member)
    if known is not None and known.state in LIVE_STATES:
        return known if known.queued_at is None else _earlier(book, known, "queued_at", at)
    call = book.call_on(channel)
    if call is not None and (call.member_uuid or call.state != CallState.DIALLING):
        # A channel that queues once more, or after a talk: the first story ends where the next begins.
        call_end(book, call=call, at=at, cause="REQUEUED", by="")
        call = None
    fresh = call is None
    if call is None:
        call = Call(node=book.node, channel_uuid=channel, state=CallState.WAITING, started_at=at)
    call.member_uuid, call.queue, call.queue_name = member, queue, queue_name[:64]
    call.caller_number = number[:64] or call.caller_number
    call.caller_name = name[:128] or call.caller_name
    call.queued_at = at
    if fresh:
        book.open_call(call, CallInput.QUEUED, at)
        leg_add(call=call, channel=channel, role=Leg.Role.CALLER, at=at, number=number)
    else:
        book.requeue(call)
        book.put(call, CallInput.QUEUED, at)
    return call


def call_offer(book: Book, *, call: Call, agent: Agent, at: datetime, reconciled: bool = False) -> Offer:
    """The engine offers a call to an agent. Told again, it is no change."""
    for offer in book.offers(call):
        if offer.agent_id == agent.pk and (not offer.outcome or offer.offered_at == at):
            if offer.reconciled and at < offer.offered_at:
                offer.offered_at = at
                offer.save(update_fields=["offered_at"])
            return offer
    if _close_stale_offers(book, agent, at, but=call) and agent.sub_state == Sub.RINGING:
        agent_report(agent=agent, fact=Input.OPENED, at=at, by=book.by)
    offer = Offer(call=call, agent=agent, agent_name=agent.name, offered_at=at, reconciled=reconciled)
    book.add_offer(offer)
    book.mark(call, at)
    book.put(call, CallInput.OFFERED, at, detail=agent.name)
    agent_report(agent=agent, fact=Input.OFFERED, at=at, by=book.by, call=call.pk)
    return offer


def call_answer(book: Book, *, call: Call, agent: Agent, leg: str, at: datetime) -> None:
    """The agent picked up."""
    if call.agent_leg == leg and call.answered_at is not None:
        _earlier(book, call, "answered_at", at)
        return
    offer = next((o for o in book.open_offers(call) if o.agent_id == agent.pk), None)
    if offer is None:
        offer = call_offer(book, call=call, agent=agent, at=at, reconciled=True)
    offer.outcome, offer.answered_at, offer.leg = OfferOutcome.ANSWERED, at, leg
    offer.save()
    call.agent, call.agent_name = agent, agent.name
    call.agent_leg, call.answered_at = leg, at
    _leg_known(call, leg, agent, at)
    book.mark(call, at)
    book.put(call, CallInput.ANSWERED, at, detail=agent.name)
    if call.state == CallState.ENDED:
        # Told after the end of the call: nobody will tell its end again.
        call_release(book, call=call, at=at)
        return
    agent_report(agent=agent, fact=Input.ANSWERED, at=at, by=book.by, call=call.pk)


def offer_fail(book: Book, *, call: Call, agent: Agent, cause: str, at: datetime) -> None:
    """An offer failed. Only what rings at the agent now frees the agent."""
    offer = next((o for o in book.open_offers(call) if o.agent_id == agent.pk), None)
    if offer is not None:
        _close_offer(offer, offer_outcome(cause), at, cause=cause)
        book.mark(call, at)
        if not book.open_offers(call):
            book.put(call, CallInput.OFFERS_FAILED, at, detail=f"{agent.name} {cause}")
    if agent.call_id != call.pk:
        return
    at_agent = call.pk
    if offer is not None and offer.outcome == OfferOutcome.NO_ANSWER:
        agent_missed_call(agent=agent, at=at, call=at_agent)
    agent_report(agent=agent, fact=Input.OFFER_FAILED, at=at, by=book.by, call=at_agent)


def offers_silently_over(book: Book, *, agent: Agent, at: datetime) -> bool:
    """The engine takes the agent for free: offers that still look open ended without an event.

    Seen live in ring-all queues: a second phone answers in the instant the race is lost.
    """
    closed = False
    for offer in Offer.objects.filter(agent=agent, outcome=OfferOutcome.PENDING):
        call = book.call(offer.call_id)
        mine = next(o for o in book.offers(call) if o.pk == offer.pk)
        lost_race = call.answered_at is not None
        mine.reconciled = True
        _close_offer(mine, OfferOutcome.LOST_RACE if lost_race else OfferOutcome.LOST, at)
        book.mark(call, at)
        if not book.open_offers(call):
            book.put(call, CallInput.OFFERS_FAILED, at, detail=agent.name, reconciled=True)
        closed = True
    return closed


def call_bridge(book: Book, *, call: Call, other: str, at: datetime) -> None:
    """The caller and another leg hear each other."""
    if call.member_uuid and other == call.agent_leg:
        if call.bridged_at is None:
            call.bridged_at = at
            call.outcome = decide_outcome(Outcome(call.outcome), Outcome.ANSWERED)
            book.mark(call, at)
        else:
            _earlier(book, call, "bridged_at", at)
        return
    if call.partner_leg != other:
        call.partner_leg = other
        book.mark(call, at)
    if not call.member_uuid and call.bridged_at is None:
        call.answered_at = call.bridged_at = at
        call.outcome = Outcome.ANSWERED
        book.put(call, CallInput.ANSWERED, at)
        for leg in call.legs.filter(role=Leg.Role.AGENT, ended_at__isnull=True):
            assert leg.agent_id is not None
            agent = book.agent_of(leg.agent_id)
            if agent.state != State.LOGOUT:
                agent_report(agent=agent, fact=Input.ANSWERED, at=at, by=book.by, call=call.pk)


def call_hold(book: Book, *, call: Call, held: bool, at: datetime) -> None:
    """A leg of the call was put on hold or taken back. The switch may tell either twice."""
    if held and call.held_at is None and call.released_at is None:
        call.held_at = at
    elif not held:
        _count_hold(call, at)
    if book.put(call, CallInput.HELD if held else CallInput.RESUMED, at):
        call_agent_report(book, call=call, fact=Input.HELD if held else Input.UNHELD, at=at)


def call_agent_report(book: Book, *, call: Call, fact: Input, at: datetime) -> None:
    """Apply a fact to the agent who answered this call, if the agent is still on it."""
    if call.agent_id is not None:
        agent = book.agent_of(call.agent_id)
        if agent.call_id == call.pk:
            agent_report(agent=agent, fact=fact, at=at, by=book.by, call=call.pk)


def call_release(book: Book, *, call: Call, at: datetime) -> None:
    """The agent's part is over: the talk stops counting, the agent goes to after-call work or on."""
    if call.agent_id is None:
        return
    if call.released_at is None:
        _count_hold(call, at)
        call.released_at = at
        book.mark(call, at)
        for offer in book.offers(call):
            if offer.outcome == OfferOutcome.ANSWERED and offer.ended_at is None:
                offer.ended_at = at
                offer.save(update_fields=["ended_at"])
    _free(book, book.agent_of(call.agent_id), call, at)


def agent_leave(book: Book, *, call: Call, agent: Agent, at: datetime) -> None:
    """An agent is out of a call that may go on without."""
    if call.member_uuid and call.agent_id == agent.pk:
        call_release(book, call=call, at=at)
    else:
        _free(book, agent, call, at)


def call_leave(book: Book, *, call: Call, outcome: Outcome, channel_up: bool, at: datetime) -> None:
    """The queue entry ended: the first end told counts, an answer told later wins."""
    decided = decide_outcome(Outcome(call.outcome), outcome)
    if call.outcome != decided or call.left_queue_at is None:
        call.outcome = decided
        call.left_queue_at = call.left_queue_at or at
        book.mark(call, at)
    if decided is Outcome.ABANDONED and not call.abandoned_while:
        call.abandoned_while = _abandoned_while(book, call)
    if not channel_up:
        call_end(book, call=call, at=at, cause=call.end_cause, by="")
    elif outcome is Outcome.ANSWERED:
        # The agent is out and the caller goes on with somebody else: who hangs up next is another matter.
        call.first_down = ""
        book.put(call, CallInput.TRANSFERRED, at)
    else:
        book.put(call, CallInput.LEFT, at, detail=outcome)


def call_end(
    book: Book, *, call: Call, at: datetime, cause: str, by: str, reconciled: bool = False, lost: bool = False
) -> None:
    """The caller's channel is gone: the end of everything about this call."""
    if call.state == CallState.ENDED:
        return
    left_unanswered = call.state == CallState.LEFT
    call.ended_at = at
    call.end_cause = cause[:48]
    call.hung_up_by = by or ("" if left_unanswered else _who(call))
    if call.member_uuid:
        call.left_queue_at = call.left_queue_at or at
        told = Outcome.ANSWERED if call.bridged_at else (Outcome.LOST if lost else Outcome.ABANDONED)
        call.outcome = decide_outcome(Outcome(call.outcome), told)
    elif not call.outcome:
        answered = call.legs.filter(role=Leg.Role.CALLER, answered_at__isnull=False).exists()
        call.outcome = Outcome.ANSWERED if answered else (Outcome.LOST if reconciled else Outcome.UNANSWERED)
    if call.outcome == Outcome.ABANDONED and not call.abandoned_while:
        call.abandoned_while = _abandoned_while(book, call)
    call_release(book, call=call, at=at)
    given = CallInput.LOST if reconciled else CallInput.HUNG_UP
    book.put(call, given, at, detail=cause, reconciled=reconciled)
    _free_outside(book, call, at)


def call_end_detail(book: Book, *, call: Call, by_far_end: bool, at: datetime) -> None:
    """What is known once all is over: who hung up on a caller whom the queue had let go."""
    if not call.hung_up_by and call.end_cause != "REQUEUED":
        call.hung_up_by = "caller" if by_far_end else "switch"
        book.mark(call, at)


def leg_add(
    *, call: Call, channel: str, role: str, at: datetime, number: str = "", agent: Agent | None = None
) -> None:
    """A channel belongs to a call."""
    Leg.objects.create(
        call=call, channel_uuid=channel, role=role, created_at=at, number=number[:128], agent=agent
    )


def _leg_known(call: Call, leg: str, agent: Agent, at: datetime) -> None:
    """A nailed-up agent's channel is older than the call it now belongs to."""
    if not call.legs.filter(channel_uuid=leg).exists():
        Leg.objects.create(
            call=call, channel_uuid=leg, role=Leg.Role.AGENT, agent=agent, created_at=at, answered_at=at
        )


def _earlier(book: Book, call: Call, field: str, at: datetime) -> Call:
    """A call found in a snapshot has the snapshot's times; the event that follows knows better."""
    if call.reconciled and at < getattr(call, field):
        setattr(call, field, at)
        book.mark(call, at)
    elif call.reconciled and field == "queued_at" and at - getattr(call, field) < SNAPSHOT_PRECISION:
        call.queued_at = at
        book.mark(call, at)
    return call


def _close_offer(offer: Offer, outcome: OfferOutcome, at: datetime, *, cause: str = "") -> None:
    offer.outcome, offer.ended_at, offer.cause = outcome, at, cause[:48]
    offer.save()


def _close_stale_offers(book: Book, agent: Agent, at: datetime, *, but: Call) -> bool:
    """An agent is offered one call at a time: a new offer closes one whose end was never told."""
    stale = Offer.objects.filter(agent=agent, outcome=OfferOutcome.PENDING).exclude(call=but)
    return stale.exists() and offers_silently_over(book, agent=agent, at=at)


def _count_hold(call: Call, at: datetime) -> None:
    if call.held_at is not None:
        call.hold_ms += max(0, round((at - call.held_at).total_seconds() * 1000))
        call.held_at = None


def _abandoned_while(book: Book, call: Call) -> str:
    ringing = any(not o.outcome or o.outcome == OfferOutcome.CALLER_GONE for o in book.offers(call))
    return "ringing" if ringing else "waiting"


def _who(call: Call) -> str:
    return call.first_down or "caller"


def _free(book: Book, agent: Agent, call: Call, at: datetime) -> None:
    if agent.call_id != call.pk:
        return
    work_after = call.bridged_at is not None and call.member_uuid and agent.acw_seconds
    agent_report(
        agent=agent,
        fact=Input.RELEASED_TO_ACW if work_after else Input.RELEASED,
        at=at,
        by=book.by,
        call=call.pk,
    )


def _free_outside(book: Book, call: Call, at: datetime) -> None:
    """A call outside queues is over for every agent who was on it."""
    if call.member_uuid:
        return
    for leg in call.legs.filter(role=Leg.Role.AGENT):
        if leg.agent_id is not None:
            _free(book, book.agent_of(leg.agent_id), call, at)
