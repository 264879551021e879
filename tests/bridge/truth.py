"""What a recording says, worked out from its bytes without any of the product's decoding."""

from __future__ import annotations

import contextlib
import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

RECORDINGS = Path(__file__).resolve().parent.parent / "recordings"
SWITCH_ENDED = {"SYSTEM_SHUTDOWN", "MANAGER_REQUEST"}
FAILED = {
    "USER_BUSY": "busy",
    "CALL_REJECTED": "rejected",
    "NO_ANSWER": "no_answer",
    "LOSE_RACE": "lost_race",
    "ORIGINATOR_CANCEL": "caller_gone",
}


@dataclass
class RawEvent:
    start: int
    end: int
    headers: dict[str, str]

    @property
    def name(self) -> str:
        return self.headers.get("Event-Name", "")

    @property
    def action(self) -> str:
        return self.headers.get("CC-Action", "")

    @property
    def at(self) -> int:
        return int(self.headers["Event-Date-Timestamp"])

    def __getitem__(self, key: str) -> str:
        return self.headers.get(key, "")


def recording_bytes(name: str) -> bytes:
    packed = RECORDINGS / f"{name}.esl.gz"
    return (
        gzip.decompress(packed.read_bytes()) if packed.exists() else (RECORDINGS / f"{name}.esl").read_bytes()
    )


def raw_events(data: bytes) -> list[RawEvent]:
    """Every readable event with where its bytes are."""
    events, i = [], 0
    while i < len(data):
        blank = data.index(b"\n\n", i)
        outer = dict(line.split(": ", 1) for line in data[i:blank].decode().strip().split("\n"))
        start, body_at = i, blank + 2
        i = body_at + int(outer.get("Content-Length", 0))
        with contextlib.suppress(ValueError):
            headers = _headers(outer["Content-Type"], data[body_at:i])
            if isinstance(headers, dict) and headers:
                events.append(RawEvent(start, i, headers))
    return events


def _headers(content_type: str, body: bytes) -> dict[str, str]:
    if content_type == "text/event-json":
        return json.loads(body)
    if content_type != "text/event-plain":
        return {}
    head = body.partition(b"\n\n")[0].decode()
    return {k: unquote(v) for k, v in (line.split(": ", 1) for line in head.split("\n") if ": " in line)}


@dataclass
class Entry:
    """One queue entry as the recording tells it. Times in microseconds."""

    member: str
    channel: str
    queue: str
    number: str
    queued_at: int
    offers: list[list[str]] = field(default_factory=list)
    agent: str = ""
    agent_leg: str = ""
    answered_at: int = 0
    bridged_at: int = 0
    released_at: int = 0
    held_at: int = 0
    hold: int = 0
    left: str = ""
    left_at: int = 0
    ended_at: int = 0
    cause: str = ""
    ended_by: str = ""
    ringing_at_end: bool = False
    moved_on: bool = False

    @property
    def outcome(self) -> str:
        if self.bridged_at:
            return "answered"
        if self.left in ("TIMEOUT",):
            return "timed_out"
        return "lost" if self.cause in SWITCH_ENDED else "abandoned"

    @property
    def wait_ms(self) -> int:
        return round(((self.answered_at or self.ended_at_or_left) - self.queued_at) / 1000)

    @property
    def ended_at_or_left(self) -> int:
        return min(t for t in (self.left_at, self.ended_at) if t)

    @property
    def talk_ms(self) -> int | None:
        if not self.bridged_at:
            return None
        return round((self.released_at - self.bridged_at - self.hold) / 1000)


def entries(events: list[RawEvent]) -> dict[str, Entry]:
    """The queue entries of a recording by member uuid."""
    told: dict[str, Entry] = {}
    down: dict[str, int] = {}
    for e in sorted(events, key=lambda e: int(e["Event-Sequence"] or 0)):
        entry = told.get(e["CC-Member-UUID"])
        if e.action == "member-queue-start":
            told[e["CC-Member-UUID"]] = Entry(
                e["CC-Member-UUID"],
                e["CC-Member-Session-UUID"],
                e["CC-Queue"],
                e["CC-Member-CID-Number"],
                e.at,
            )
        elif e.action == "agent-offering" and entry:
            entry.offers.append([e["CC-Agent"], ""])
        elif e.action == "bridge-agent-start" and entry:
            entry.agent, entry.agent_leg, entry.answered_at = e["CC-Agent"], e["CC-Agent-UUID"], e.at
            _close(entry, e["CC-Agent"], "answered")
        elif e.action == "bridge-agent-fail" and entry:
            _close(entry, e["CC-Agent"], FAILED[e["CC-Hangup-Cause"]])
        elif e.action == "bridge-agent-end" and entry:
            entry.released_at = entry.released_at or e.at
        elif e.action == "member-queue-end" and entry:
            entry.left = e["CC-Cancel-Reason"] or e["CC-Cause"]
            entry.left_at = entry.left_at or e.at
            entry.moved_on = entry.left == "Terminated" and e["Answer-State"] != "hangup"
        else:
            _channel(e, told, down)
    for entry in told.values():
        for offer in entry.offers:
            offer[1] = offer[1] or "lost_race"
    return told


def _close(entry: Entry, agent: str, outcome: str) -> None:
    next(o for o in entry.offers if o[0] == agent and not o[1])[1] = outcome


def _channel(e: RawEvent, told: dict[str, Entry], down: dict[str, int]) -> None:
    for entry in told.values():
        legs = (entry.channel, entry.agent_leg)
        if e.name == "CHANNEL_BRIDGE" and {e["Bridge-A-Unique-ID"], e["Bridge-B-Unique-ID"]} == set(legs):
            entry.bridged_at = entry.bridged_at or e.at
        elif e["Unique-ID"] not in legs or not e["Unique-ID"]:
            continue
        elif e.name == "CHANNEL_HOLD" and not entry.held_at:
            entry.held_at = e.at
        elif e.name == "CHANNEL_UNHOLD" and entry.held_at:
            entry.hold, entry.held_at = entry.hold + e.at - entry.held_at, 0
        elif e.name == "CHANNEL_HANGUP":
            down[e["Unique-ID"]] = e.at
            if e["Unique-ID"] == entry.channel:
                _caller_down(entry, e, down)
            elif entry.agent_leg:
                entry.released_at = entry.released_at or e.at
        elif (
            e.name == "CHANNEL_HANGUP_COMPLETE"
            and e["Unique-ID"] == entry.channel
            and entry.left == "TIMEOUT"
        ):
            received = e["variable_sip_hangup_disposition"].startswith("recv_")
            entry.ended_by = "caller" if received else "switch"


def _caller_down(entry: Entry, e: RawEvent, down: dict[str, int]) -> None:
    entry.ended_at, entry.cause = e.at, e["Hangup-Cause"]
    if entry.agent_leg:
        entry.released_at = entry.released_at or e.at
    entry.ringing_at_end = any(not o[1] for o in entry.offers)
    agent_went_first = entry.agent_leg in down and not entry.moved_on
    entry.ended_by = "switch" if entry.cause in SWITCH_ENDED else ("agent" if agent_went_first else "caller")
