"""What a backend is: the translation between one engine's words and the port of the kernel. Pure."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from callcenter.switch import Fact, Order, Snapshot
from esl_bridge.protocol import Event


@dataclass(frozen=True, slots=True)
class Pause:
    """A plan's wish to wait, in seconds, before it goes on."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an order: the switch's last word, and whether it is as it should be."""

    ok: bool
    answer: str


Plan = Generator[str | Pause, str, Outcome]
"""An order as a conversation: yields API lines (and pauses), is sent each reply, returns the outcome."""


class Backend(Protocol):
    """One queue engine of FreeSWITCH."""

    subscription: str
    """What follows `event plain` on the event connection."""

    def decode(self, event: Event) -> list[Fact]:
        """The facts in one event; none for an event that means nothing to us."""

    def plan(self, order: Order) -> Plan:
        """How to carry out an order. Raises TypeError for an order that the engine does not know."""

    def snapshot_requests(self) -> Iterable[str]:
        """The API lines whose replies make a snapshot, in order."""

    def read_snapshot(self, replies: Mapping[str, str], at: int) -> Snapshot:
        """The snapshot that the replies hold. Raises SnapshotUnreadable."""


class SnapshotUnreadable(Exception):
    """A reply that should hold a table holds something else; the message quotes its beginning."""
