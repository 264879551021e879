"""What one connection is told, in which order: no I/O, no clock.

The rule that makes a snapshot and the events after it fit together: a feed takes events *before* its
snapshot is read. What is committed by then is in the snapshot, what comes later is in the backlog, and
what is in both is left out by its number.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum, auto

import msgspec

from .frames import EventFrame, Resumed

BACKLOG = 2000


@dataclass(frozen=True, slots=True)
class Told:
    """An event, encoded once for all who hear it, and the agents among them."""

    seq: int
    agents: frozenset[str]
    event: msgspec.Raw


@dataclass(frozen=True, slots=True)
class CaughtUp:
    """The place in the backlog where everything that a `resume` asked for has been sent."""

    seq: int


class Step(Enum):
    """What the sender of a feed has to do next."""

    NOTHING = auto()
    SNAPSHOT = auto()
    REPLAY = auto()
    SEND = auto()


class Feed:
    """The backlog of one connection, bounded, with an optional credit window.

    `agent` limits it to the events that this agent may hear. `wake` is called when there may be
    something to send.
    """

    def __init__(self, *, wake: Callable[[], None], agent: str | None = None, size: int = BACKLOG) -> None:
        self.position: int | None = None
        self.resume_from = 0
        self.wake = wake
        self._agent = agent
        self._size = size
        self._wanted = Step.SNAPSHOT
        self._reached = 0
        self._backlog: deque[Told | CaughtUp] = deque()
        self._window: int | None = None
        self._unacknowledged: deque[int] = deque()

    # --- the client's wishes -----------------------------------------------------------------------------

    def restart(self, window: int | None) -> None:
        """Begin with a snapshot."""
        self._begin(Step.SNAPSHOT, window)

    def resume(self, seq: int, window: int | None) -> None:
        """Go on after `seq`."""
        self.resume_from = seq
        self._begin(Step.REPLAY, window)

    def _begin(self, wanted: Step, window: int | None) -> None:
        self._window = window
        self._unacknowledged.clear()
        self._want(wanted)

    def acknowledge(self, seq: int) -> None:
        """The client has dealt with everything up to `seq`."""
        while self._unacknowledged and self._unacknowledged[0] <= seq:
            self._unacknowledged.popleft()
        self.wake()

    # --- the hub's side ----------------------------------------------------------------------------------

    def offer(self, told: Told) -> None:
        """Take one event. A full backlog is dropped for the snapshot that replaces it."""
        self._reached = told.seq
        if self._wanted is not Step.NOTHING or not self.hears(told):
            return
        if len(self._backlog) >= self._size:
            self.lose()
            return
        self._backlog.append(told)
        self.wake()

    def lose(self) -> None:
        """Events were missed, or there are too many: begin again with a snapshot."""
        self._want(Step.SNAPSHOT)

    def _want(self, wanted: Step) -> None:
        self._wanted = wanted
        self._backlog.clear()
        self.wake()

    def hears(self, told: Told) -> bool:
        """Whether an event is for this connection."""
        return self._agent is None or self._agent in told.agents

    # --- the sender's side -------------------------------------------------------------------------------

    def next_step(self) -> Step:
        """What to do now; NOTHING while the client owes acknowledgements."""
        if self._window is not None and len(self._unacknowledged) >= self._window:
            return Step.NOTHING
        if self._wanted is not Step.NOTHING:
            return self._wanted
        return Step.SEND if self._backlog else Step.NOTHING

    def reading(self) -> None:
        """The snapshot or the log is read from now on: keep what comes meanwhile."""
        self._wanted = Step.NOTHING
        self._backlog.clear()

    def began(self, seq: int) -> None:
        """A snapshot as of `seq` was sent."""
        self._at(seq)

    def replay(self, missed: Iterable[Told], until: int) -> None:
        """The log holds `missed` between `resume_from` and `until`."""
        # Events were lost while the log was read: the snapshot that is due by now brings these as well.
        if self._wanted is not Step.NOTHING:
            return
        self.position = self.resume_from
        replayed = [told for told in missed if self.hears(told)]
        self._backlog.extendleft(reversed([*replayed, CaughtUp(until)]))
        self._reached = max(self._reached, until)

    def take(self) -> EventFrame | Resumed | None:
        """The next message out of the backlog; None where the snapshot told it already."""
        item = self._backlog.popleft()
        prev = self.position or 0
        if isinstance(item, CaughtUp):
            self._at(item.seq)
            return Resumed(seq=item.seq, prev=prev)
        if item.seq <= prev:
            return None
        self._at(item.seq)
        return EventFrame(seq=item.seq, prev=prev, event=item.event)

    def beat(self) -> tuple[int, int] | None:
        """`prev` and `seq` of a heartbeat: how far the client is without having missed anything."""
        if self.position is None:
            return None
        prev = self.position
        if self._wanted is Step.NOTHING and not self._backlog:
            self.position = max(prev, self._reached)
        return prev, self.position

    def _at(self, seq: int) -> None:
        self.position = seq
        self._reached = max(self._reached, seq)
        if self._window is not None:
            self._unacknowledged.append(seq)
