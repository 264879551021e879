"""From events to the database: de-duplicated, decoded, applied many at a time, never losing one."""

from __future__ import annotations

import logging
import uuid
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from django.db import InterfaceError, OperationalError
from django.utils import timezone

from agents.models import Agent
from agents.services import acw_sweep
from agents.state import State
from callcenter.clock import from_us, to_us
from callcenter.switch import ChannelHungUp, ConfigTouched, Fact
from queues.services import facts_apply

from .backends.base import Backend
from .protocol import Event

log = logging.getLogger(__name__)

REMEMBERED = 50_000


class SeenEvents:
    """The events of one run of the switch that were taken already, by Event-Sequence.

    Sequences arrive out of order (threads of the switch), so a high-water mark would not do.
    """

    def __init__(self) -> None:
        self._core = ""
        self._order: deque[int] = deque()
        self._known: set[int] = set()

    def restarted(self, event: Event) -> bool:
        """Whether this event is from another run of the switch than the ones before."""
        return bool(self._core) and bool(event.core_uuid) and event.core_uuid != self._core

    def new(self, events: Sequence[Event]) -> list[Event]:
        """Those that were not taken yet."""
        fresh: list[Event] = []
        batch: set[tuple[str, int]] = set()
        for event in events:
            key = (event.core_uuid, event.sequence)
            known = event.core_uuid == self._core and event.sequence in self._known
            if not event.sequence or not (known or key in batch):
                batch.add(key)
                fresh.append(event)
        return fresh

    def take(self, events: Sequence[Event]) -> None:
        """Remember that these are in the database."""
        for event in events:
            if event.core_uuid != self._core:
                self._core = event.core_uuid
                self._order.clear()
                self._known.clear()
            if event.sequence and event.sequence not in self._known:
                self._known.add(event.sequence)
                self._order.append(event.sequence)
                if len(self._order) > REMEMBERED:
                    self._known.discard(self._order.popleft())


@dataclass(slots=True)
class Taken:
    """What a batch of events came to."""

    facts: int = 0
    queues: set[uuid.UUID] = field(default_factory=set)
    config_touched: bool = False
    restarted: bool = False


class Applier:
    """Applies one switch's events. Not for use by two threads at once.

    `adopt` makes unknown agents and queues known (replay, observation). With `event_time` the timers
    run by the events' own clock instead of ours.
    """

    def __init__(self, *, node: str, backend: Backend, adopt: bool = False, event_time: bool = False) -> None:
        self.node = node
        self.backend = backend
        self.adopt = adopt
        self.event_time = event_time
        self.seen = SeenEvents()
        self.counts: Counter[str] = Counter()
        self.last_at = 0
        self.hung_up: set[str] | None = None
        """While a set: takes up the channels whose end is told."""

    def take(self, events: Sequence[Event]) -> Taken:
        """Apply events in order.

        Raises OperationalError or InterfaceError when the database is away; nothing is then remembered
        as taken, and the same events can be given again.
        """
        taken = Taken(restarted=any(self.seen.restarted(e) for e in events))
        fresh = self.seen.new(events)
        facts = [self._not_ahead(fact) for event in fresh for fact in self._decode(event)]
        taken.config_touched = any(isinstance(f, ConfigTouched) for f in facts)
        taken.facts = len(facts)
        if self.hung_up is not None:
            self.hung_up.update(f.channel for f in facts if isinstance(f, ChannelHungUp))
        if self.event_time:
            for fact in facts:
                self.sweep(fact.at)
                self._apply([fact], taken)
        elif facts:
            self._apply(facts, taken)
        self.seen.take(fresh)
        self.last_at = max([self.last_at, *(e.at_us for e in fresh)])
        self.counts["events"] += len(fresh)
        self.counts["duplicates"] += len(events) - len(fresh)
        return taken

    def _decode(self, event: Event) -> list[Fact]:
        try:
            return self.backend.decode(event)
        except Exception:
            self.counts["undecodable"] += 1
            log.exception("event %s %s skipped: not decodable", event.name, event.subclass)
            return []

    def _not_ahead(self, fact: Fact) -> Fact:
        """A switch whose clock runs ahead must not put our deadlines off: its "now" is ours at the latest."""
        now = to_us(timezone.now())
        return fact if self.event_time or fact.at <= now else replace(fact, at=now)

    def _apply(self, facts: Sequence[Fact], taken: Taken) -> None:
        try:
            book = facts_apply(facts=facts, node=self.node, adopt=self.adopt)
        except (OperationalError, InterfaceError):
            raise
        except Exception:
            # One bad fact must not take its neighbours with it: they go again, each on its own.
            if len(facts) > 1:
                log.exception("a batch of %d facts failed; applying them one by one", len(facts))
                for fact in facts:
                    self._apply([fact], taken)
                return
            self.counts["failed"] += 1
            log.exception("fact %s could not be applied", type(facts[0]).__name__)
            return
        self.counts.update(book.skipped)
        taken.queues |= book.touched_queues

    def sweep(self, until: int) -> None:
        """End the after-call work that was due by `until` (microseconds), each at its own deadline."""
        while True:
            due = (
                Agent.objects.filter(state=State.ACW, acw_deadline__lte=from_us(until))
                .order_by("acw_deadline")
                .values_list("acw_deadline", flat=True)
                .first()
            )
            if due is None:
                return
            acw_sweep(now=due)
