"""Telling what happened: the envelope, the register of types, and the unit of work.

`unit_of_work()` is the only way to publish: the event rows are written in the transaction that makes
the change, the telling over the channel layer follows the commit. Telling may be lost (the layer
delivers at most once); the row never is, and every client can go back to it.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer
from django.db import transaction
from django.db.models import F

from .models import Event, EventCounter, SwitchCommand

log = logging.getLogger(__name__)

EVENTS_GROUP = "events"
BRIDGE_GROUP = "bridge"
LAYER_BATCH = 100


class Cause(StrEnum):
    API = "api"
    AGENT = "agent"
    SUPERVISOR = "supervisor"
    SWITCH = "switch"
    TIMER = "timer"
    RECONCILE = "reconcile"


@dataclass(frozen=True, slots=True)
class By:
    """Who or what brought a change about."""

    cause: Cause
    actor: str = ""


class Audience(StrEnum):
    """Who hears of it. Supervisors and integrators hear everything; agents what concerns them."""

    SUPERVISORS = "supervisors"
    AGENT = "agent"


@dataclass(frozen=True, slots=True)
class EventType:
    """A registered type: its schema version and who may hear it."""

    audience: Audience
    v: int = 1


EVENT_TYPES: Mapping[str, EventType] = {
    "agent.logged_in": EventType(Audience.AGENT),
    "agent.state_changed": EventType(Audience.AGENT),
    "agent.next_state_changed": EventType(Audience.AGENT),
    "agent.acw_extended": EventType(Audience.AGENT),
    "agent.created": EventType(Audience.AGENT),
    "agent.updated": EventType(Audience.AGENT),
    "agent.deleted": EventType(Audience.AGENT),
    "queue.created": EventType(Audience.SUPERVISORS),
    "queue.updated": EventType(Audience.AGENT),
    "queue.deleted": EventType(Audience.AGENT),
    "queue.stats_changed": EventType(Audience.SUPERVISORS),
    "tier.created": EventType(Audience.AGENT),
    "tier.updated": EventType(Audience.AGENT),
    "tier.deleted": EventType(Audience.AGENT),
    "call.started": EventType(Audience.AGENT),
    "call.queued": EventType(Audience.AGENT),
    "call.offered": EventType(Audience.AGENT),
    "call.offer_failed": EventType(Audience.AGENT),
    "call.answered": EventType(Audience.AGENT),
    "call.held": EventType(Audience.AGENT),
    "call.resumed": EventType(Audience.AGENT),
    "call.conferenced": EventType(Audience.AGENT),
    "call.transferred": EventType(Audience.AGENT),
    "call.left_queue": EventType(Audience.AGENT),
    "call.abandoned": EventType(Audience.AGENT),
    "call.ended": EventType(Audience.AGENT),
    "call.updated": EventType(Audience.AGENT),
    "command.done": EventType(Audience.SUPERVISORS),
    "command.failed": EventType(Audience.SUPERVISORS),
    "switch.connected": EventType(Audience.SUPERVISORS),
    "switch.disconnected": EventType(Audience.SUPERVISORS),
}


@dataclass(slots=True)
class UnitOfWork:
    """The events of one transaction and its orders to the switch, in order."""

    events: list[Event] = field(default_factory=list)
    commands: list[SwitchCommand] = field(default_factory=list)
    wakes_bridge: bool = False

    def publish(
        self,
        type: str,
        *,
        data: Mapping[str, Any],
        by: By,
        at: datetime,
        revision: int = 0,
        agents: Iterable[uuid.UUID | str] = (),
    ) -> None:
        """Have `type` told once this transaction is committed. `agents` hear it too if the type allows."""
        registered = EVENT_TYPES[type]
        heard_by = sorted({str(a) for a in agents}) if registered.audience is Audience.AGENT else []
        self.events.append(
            Event(
                id=uuid.uuid4(),
                type=type,
                v=registered.v,
                revision=revision,
                occurred_at=at,
                cause=by.cause,
                actor=by.actor,
                agents=heard_by,
                data=dict(data),
            )
        )

    def _write(self) -> None:
        if not self.events:
            return
        count = len(self.events)
        # The lock on this row is taken last and held until the commit: hence commit order, no gaps.
        counter = EventCounter.objects.filter(pk=1)
        if not counter.update(value=F("value") + count):
            # The first events ever, perhaps of two at once: the second waits here for the first's commit.
            EventCounter.objects.bulk_create([EventCounter(pk=1)], ignore_conflicts=True)
            counter.update(value=F("value") + count)
        first = counter.values_list("value", flat=True).get() - count + 1
        for seq, event in enumerate(self.events, first):
            event.seq = seq
        Event.objects.bulk_create(self.events)

    def _tell(self) -> None:
        frames = [envelope(event) | {"agents": event.agents} for event in self.events]
        for start in range(0, len(frames), LAYER_BATCH):
            tell(EVENTS_GROUP, {"type": "events.told", "events": frames[start : start + LAYER_BATCH]})
        if self.wakes_bridge:
            tell(BRIDGE_GROUP, {"type": "bridge.wake"})


_thread = threading.local()


@contextmanager
def unit_of_work() -> Iterator[UnitOfWork]:
    """One transaction with its events; an inner use joins the outer one."""
    outer: UnitOfWork | None = getattr(_thread, "unit", None)
    if outer is not None:
        yield outer
        return
    unit = _thread.unit = UnitOfWork()
    try:
        with transaction.atomic():
            yield unit
            unit._write()
            transaction.on_commit(unit._tell)
    finally:
        _thread.unit = None


def envelope(event: Event) -> dict[str, Any]:
    """The event as every client gets it (DESIGN section 5)."""
    return {
        "id": str(event.id),
        "type": event.type,
        "v": event.v,
        "seq": event.seq,
        "revision": event.revision,
        "occurred_at": event.occurred_at.isoformat(),
        "cause": event.cause,
        "actor": event.actor,
        "data": event.data,
    }


Listener = Callable[[Mapping[str, Any]], None]
_listeners: defaultdict[str, set[Listener]] = defaultdict(set)


def listen(group: str, heard: Listener) -> Callable[[], None]:
    """Have `heard` called with what this process tells `group`, on the thread that tells it; returns how
    to stop. The in-memory layer cannot do this: its queues belong to one event loop each."""
    _listeners[group].add(heard)
    return lambda: _listeners[group].discard(heard)


def tell(group: str, message: dict[str, Any]) -> None:
    """Send a hint, to this process at once and to others over the channel layer. It may be lost: whoever
    needs it reads the log as well."""
    for heard in tuple(_listeners[group]):
        try:
            heard(message)
        except RuntimeError:
            # The listener's event loop was closed under it.
            _listeners[group].discard(heard)
    layer = get_channel_layer()
    if layer is None:
        return
    for attempt in (1, 2):
        try:
            async_to_sync(layer.group_send)(group, message)
        except Exception as error:
            # The first send after a Redis restart fails on a stale pooled connection; the change is
            # committed, so an unreachable layer must not look like a failed change.
            if attempt == 2:
                log.warning("the channel layer did not take a message for %s: %s", group, error)
        else:
            return


def last_seq() -> int:
    """The number of the newest event that is committed."""
    return EventCounter.objects.filter(pk=1).values_list("value", flat=True).first() or 0


def events_after(seq: int, limit: int) -> list[Event]:
    """Events newer than `seq`, oldest first."""
    return list(Event.objects.filter(seq__gt=seq).order_by("seq")[:limit])


def prune_events(older_than: datetime) -> int:
    """Forget events recorded before `older_than`; how many."""
    return Event.objects.filter(recorded_at__lt=older_than).delete()[0]
