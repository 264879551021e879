"""The working set of one transaction of facts: what was read stays read, what was changed is told once."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from agents.models import Agent
from agents.services import agent_adopt
from callcenter.events import By, Cause, unit_of_work

from ..models import Call, CallTransition, Leg, Offer, Queue
from ..selectors import call_payload
from ..state import LIVE_STATES, CallInput, CallState, Outcome, decide_call
from .config import queue_adopt

BY_SWITCH = By(Cause.SWITCH)

EVENT_OF_STATE = {
    CallState.DIALLING: "call.started",
    CallState.WAITING: "call.queued",
    CallState.OFFERED: "call.offered",
    CallState.ANSWERED: "call.answered",
    CallState.HELD: "call.held",
    CallState.CONFERENCED: "call.conferenced",
    CallState.TRANSFERRED: "call.transferred",
    CallState.LEFT: "call.left_queue",
    CallState.ENDED: "call.ended",
}


@dataclass(slots=True)
class Book:
    """Agents, queues, calls and offers touched by a batch of facts.

    With `adopt`, what the switch names and we do not know is made known; otherwise it is counted in
    `skipped` and left alone.
    """

    node: str
    adopt: bool = False
    by: By = BY_SWITCH
    skipped: Counter[str] = field(default_factory=Counter)
    touched_queues: set[uuid.UUID] = field(default_factory=set)
    _agents: dict[str, Agent | None] = field(default_factory=dict)
    _queues: dict[str, Queue | None] = field(default_factory=dict)
    _by_channel: dict[str, Call | None] = field(default_factory=dict)
    _by_member: dict[str, Call | None] = field(default_factory=dict)
    _calls: dict[uuid.UUID, Call] = field(default_factory=dict)
    _offers: dict[uuid.UUID, list[Offer]] = field(default_factory=dict)
    _dirty: dict[uuid.UUID, tuple[str, datetime]] = field(default_factory=dict)
    _rows: dict[uuid.UUID, dict[str, Any]] = field(default_factory=dict)
    """The calls as they stand in the database."""

    # --- finding -------------------------------------------------------------------------------------

    def agent(self, name: str, at: datetime) -> Agent | None:
        """The agent of this switch name, locked for this transaction."""
        if name not in self._agents:
            found = Agent.objects.select_for_update().filter(name=name, node=self.node).first()
            if found is None and self.adopt:
                found = agent_adopt(name=name, at=at, node=self.node)
            self._agents[name] = found
        if self._agents[name] is None:
            self.skipped["unknown_agent"] += 1
        return self._agents[name]

    def agent_of(self, agent_id: uuid.UUID) -> Agent:
        """The locked row of an agent known by its id."""
        for agent in self._agents.values():
            if agent is not None and agent.pk == agent_id:
                return agent
        agent = Agent.objects.select_for_update().get(pk=agent_id)
        self._agents[agent.name] = agent
        return agent

    def agent_at(self, extension: str, at: datetime) -> Agent | None:
        """The signed-in agent who sits at this extension."""
        if not extension:
            return None
        name = (
            Agent.objects.filter(node=self.node, signed_in_extension=extension)
            .order_by("state_since")
            .values_list("name", flat=True)
            .last()
        )
        return self.agent(name, at) if name else None

    def queue(self, name: str) -> Queue | None:
        """The queue of this switch name. A call in an unknown one is kept under the name alone."""
        if name not in self._queues:
            found = Queue.objects.filter(name=name, node=self.node).first()
            if found is None and self.adopt and name:
                found = queue_adopt(name=name, by=self.by, node=self.node)
            self._queues[name] = found
        if self._queues[name] is None:
            self.skipped["unknown_queue"] += 1
        return self._queues[name]

    def call_on(self, channel: str) -> Call | None:
        """The live call whose caller is on this channel; the newest, if it queued more than once."""
        if channel and channel not in self._by_channel:
            live = Call.objects.filter(channel_uuid=channel, node=self.node, state__in=LIVE_STATES)
            self._by_channel[channel] = self._known(live.order_by("started_at", "id").last())
        return self._by_channel.get(channel)

    def call_for(self, member: str) -> Call | None:
        """The newest call of this queue entry, ended or not."""
        if member and member not in self._by_member:
            found = Call.objects.filter(member_uuid=member, node=self.node)
            self._by_member[member] = self._known(found.order_by("started_at", "id").last())
        return self._by_member.get(member)

    def ended_call_on(self, channel: str) -> Call | None:
        """The newest call of this channel although it has ended."""
        found = Call.objects.filter(channel_uuid=channel, node=self.node).order_by("started_at", "id").last()
        return self._known(found)

    def call_of_leg(self, channel: str) -> tuple[Call, Leg] | None:
        """The live call that this channel is a leg of, and the leg."""
        live = Leg.objects.filter(channel_uuid=channel, call__node=self.node, call__state__in=LIVE_STATES)
        leg = live.select_related("call").order_by("id").last()
        if leg is None:
            return None
        call = self._known(leg.call)
        return (call, leg) if call is not None else None

    def call(self, call_id: uuid.UUID) -> Call:
        """The call of this id."""
        known = self._calls.get(call_id) or self._known(Call.objects.get(pk=call_id))
        assert known is not None
        return known

    def offers(self, call: Call) -> list[Offer]:
        """All offers of a call, oldest first."""
        if call.pk not in self._offers:
            self._offers[call.pk] = list(call.offers.order_by("id"))
        return self._offers[call.pk]

    def open_offers(self, call: Call) -> list[Offer]:
        """The offers of a call that still ring."""
        return [o for o in self.offers(call) if not o.outcome]

    def _known(self, call: Call | None) -> Call | None:
        if call is None:
            return None
        if call.pk not in self._calls:
            self._calls[call.pk], self._rows[call.pk] = call, _row(call)
        return self._calls[call.pk]

    # --- changing ------------------------------------------------------------------------------------

    def open_call(self, call: Call, given: str, at: datetime) -> None:
        """Enter a new call with its first log row."""
        call.save(force_insert=True)
        self._calls[call.pk], self._rows[call.pk] = call, _row(call)
        self._offers[call.pk] = []
        self._by_channel[call.channel_uuid] = call
        if call.member_uuid:
            self._by_member[call.member_uuid] = call
        self._log(call, "", given, at)
        self.mark(call, at, EVENT_OF_STATE[CallState(call.state)])

    def requeue(self, call: Call) -> None:
        """Find the call by its queue entry from now on."""
        self._by_member[call.member_uuid] = call

    def add_offer(self, offer: Offer) -> None:
        offer.save(force_insert=True)
        self.offers(offer.call).append(offer)

    def put(
        self, call: Call, given: CallInput, at: datetime, *, detail: str = "", reconciled: bool = False
    ) -> bool:
        """Ask the call's state machine, and log and announce what changes; whether it did."""
        rule = decide_call(CallState(call.state), given)
        if rule.to is None:
            return False
        old = CallState(call.state)
        call.state = rule.to
        call.reconciled = call.reconciled or rule.reconciled or reconciled
        if rule.to is CallState.ENDED and self._by_channel.get(call.channel_uuid) is call:
            self._by_channel[call.channel_uuid] = None
        self._log(call, old, given, at, detail=detail, reconciled=rule.reconciled or reconciled)
        self.mark(call, at, self._event(old, rule.to, call))
        return True

    def _event(self, old: CallState, new: CallState, call: Call) -> str:
        if new is CallState.ENDED and call.outcome == Outcome.ABANDONED:
            return "call.abandoned"
        if new is CallState.WAITING and old is CallState.OFFERED:
            return "call.offer_failed"
        if new is CallState.ANSWERED and old is CallState.HELD:
            return "call.resumed"
        return EVENT_OF_STATE[new]

    def _log(
        self,
        call: Call,
        old: str,
        given: str,
        at: datetime,
        *,
        detail: str = "",
        reconciled: bool = False,
    ) -> None:
        CallTransition.objects.create(
            call=call,
            at=at,
            old_state=old,
            new_state=call.state,
            trigger=given,
            outcome=call.outcome,
            detail=detail[:128],
            agent_id=call.agent_id,
            cause=self.by.cause,
            actor=self.by.actor,
            reconciled=reconciled,
        )

    def mark(self, call: Call, at: datetime, event: str = "call.updated") -> None:
        """Have the call saved and told at the next `flush`; a change of state outranks an update."""
        known = self._dirty.get(call.pk)
        if known is None or known[0] == "call.updated":
            self._dirty[call.pk] = (event, at)

    def flush(self) -> None:
        """Save and tell what this fact changed: one event per call, with the whole call in it."""
        if not self._dirty:
            return
        with unit_of_work() as unit:
            for call_id, (event, at) in self._dirty.items():
                call = self._calls[call_id]
                if event != "call.started":
                    call.revision += 1
                self._save(call)
                ringing = [o.agent_id for o in self.open_offers(call) if o.agent_id]
                unit.publish(
                    event,
                    data=call_payload(call, ringing),
                    by=self.by,
                    at=at,
                    revision=call.revision,
                    agents=self._concerned(call),
                )
                if call.queue_id:
                    self.touched_queues.add(call.queue_id)
        self._dirty.clear()

    def _save(self, call: Call) -> None:
        """Write the columns that changed: most facts change few of them."""
        before, row = self._rows[call.pk], _row(call)
        call.save(update_fields=[column for column, value in row.items() if value != before[column]])
        self._rows[call.pk] = row

    def _concerned(self, call: Call) -> Iterable[uuid.UUID]:
        return {a for a in (call.agent_id, *(o.agent_id for o in self.offers(call))) if a}


def _row(call: Call) -> dict[str, Any]:
    return {column.attname: getattr(call, column.attname) for column in Call._meta.concrete_fields}
