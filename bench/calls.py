"""Calls without number, made from a recorded one: the same events with other names, numbers and times.

The recording is one of a real switch (`cc_on_demand`: a caller queues, one agent answers, the caller is
served). Every generated call has its own uuids, every event its own Event-Sequence and time, so to whoever
reads the event socket they are different calls.
"""

from __future__ import annotations

import itertools
import re
import time
import uuid
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from esl_bridge.protocol import Event, Frame, FrameReader, decode_event

RECORDING = Path(__file__).parent.parent / "tests" / "recordings" / "cc_on_demand.esl"
QUEUE = "support@default"
RECORDED_AGENT = b"1001"
KINDS = frozenset(
    {
        "CHANNEL_CREATE",
        "CHANNEL_ANSWER",
        "CHANNEL_BRIDGE",
        "CHANNEL_HANGUP",
        "CHANNEL_HANGUP_COMPLETE",
        "callcenter::info",
    }
)
"""What the bridge subscribes to and one call has."""

MOMENT_OF_ACTION = {
    "member-queue-start": "queued",
    "agent-offering": "offered",
    "bridge-agent-start": "answered",
}

_VARYING = re.compile(
    rb"(?<=\nEvent-Sequence: )(?P<sequence>\d+)"
    rb"|(?<=\nEvent-Date-Timestamp: )(?P<time>\d+)"
    rb"|(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"
    rb"|\b(?P<agent>" + RECORDED_AGENT + rb")\b"
)


@dataclass(frozen=True)
class Step:
    """One recorded event: `offset` in seconds since the call began, the text with gaps, the `moment` in the
    life of the call that it tells of, if it is one that the product tells of in turn, and the engine's
    state of the agent, if it tells of that."""

    offset: float
    moment: str
    agent_state: str
    texts: tuple[bytes, ...]
    gaps: tuple[bytes, ...]

    def filled(self, values: Mapping[bytes, bytes]) -> bytes:
        pieces = [self.texts[0]]
        for gap, text in zip(self.gaps, self.texts[1:], strict=True):
            pieces += (values[gap], text)
        body = b"".join(pieces)
        return b"Content-Length: %d\nContent-Type: text/event-plain\n\n%b" % (len(body), body)


@dataclass(frozen=True)
class NewCall:
    """One generated call: its queue entry and what fills the gaps of its events."""

    member: str
    agent: str
    values: Mapping[bytes, bytes]


class CallGenerator:
    """The events of new calls, of one run of one switch."""

    def __init__(self, data: bytes, kinds: Container[str] = KINDS) -> None:
        recorded = [(decode_event(frame), frame) for frame in FrameReader().feed(data)]
        self._core = recorded[0][0].core_uuid.encode()
        begin = next(i for i, (e, _) in enumerate(recorded) if e.name == "CHANNEL_CREATE")
        end = next(i for i, (e, _) in enumerate(recorded) if e.get("CC-Agent-State") == "Idle") + 1
        first = recorded[begin][0]
        self._caller = first.get("Unique-ID").encode()
        members = (e.get("CC-Member-UUID") for e, _ in recorded)
        self._member = next(filter(None, members)).encode()
        of_call = [(e, f) for e, f in recorded[begin:end] if e.name in kinds or e.subclass in kinds]
        self.steps = [self._step(e, f, first.at_us) for e, f in of_call]
        """One call, from the caller's channel to the agent's Idle."""
        self._opened = next(
            self._step(e, f, first.at_us) for e, f in recorded[end:] if e.get("CC-Agent-State") == "Waiting"
        )
        self._here = str(uuid.uuid4()).encode()
        self._sequence = itertools.count(1)

    def _step(self, event: Event, frame: Frame, began: int) -> Step:
        moment = MOMENT_OF_ACTION.get(event.get("CC-Action"), "")
        # The queue entry's own end comes later: for the product a call ends with the caller's channel.
        if event.name == "CHANNEL_HANGUP" and event.get("Unique-ID").encode() == self._caller:
            moment = "ended"
        texts, gaps, at = [], [], 0
        for found in _VARYING.finditer(frame.body):
            texts.append(frame.body[at : found.start()])
            kind = found.lastgroup or ""
            gaps.append(found["uuid"] if kind == "uuid" else kind.encode())
            at = found.end()
        offset, agent_state = (event.at_us - began) / 1e6, event.get("CC-Agent-State")
        return Step(offset, moment, agent_state, (*texts, frame.body[at:]), tuple(gaps))

    def call(self, agent: str) -> NewCall:
        """A call that this agent will answer."""
        uuids = {gap for step in self.steps for gap in step.gaps if len(gap) == 36}
        fresh = {old: str(uuid.uuid4()).encode() for old in uuids}
        values = fresh | {self._core: self._here, b"agent": agent.encode()}
        return NewCall(values[self._member].decode(), agent, values)

    def events(self, call: NewCall) -> Iterator[bytes]:
        """The call's events, one for each step, with the time at which it is asked for."""
        for step in self.steps:
            yield self._now(step, call.values)

    def opened(self, agent: str) -> bytes:
        """The switch takes this agent for free again."""
        return self._now(self._opened, {self._core: self._here, b"agent": agent.encode()})

    def _now(self, step: Step, values: Mapping[bytes, bytes]) -> bytes:
        at, sequence = time.time_ns() // 1000, next(self._sequence)
        return step.filled({**values, b"time": b"%d" % at, b"sequence": b"%d" % sequence})
