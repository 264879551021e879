"""Reading a recording and playing its commands into a simulated switch on virtual time."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from esl_bridge.simulator import PhoneRule, Phones, QueueConfig, Switch, VirtualClock
from esl_bridge.simulator.events import Event

RECORDINGS = Path(__file__).parent.parent / "recordings"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")

Headers = dict[str, str]

# The SIP phones on loopback that the recordings were made with, told apart by their port.
PHONES = (
    PhoneRule(port=5081, ring=(1.0, 1.0)),
    PhoneRule(port=5082, ring=(0.8, 0.8), talk=(2.5, 2.5)),
    PhoneRule(port=5083, chances={"no_answer": 1}),
    PhoneRule(port=5084, chances={"busy": 1}),
    PhoneRule(port=5085, chances={"reject": 1}, ring=(0.5, 0.5)),
)
MOH = "tone_stream://%(1000,0,400);loops=-1"
QUEUES = {
    "support@default": QueueConfig("support@default", moh_sound=MOH, time_base_score="system"),
    "billing@default": QueueConfig("billing@default", strategy="ring-all", moh_sound=MOH, max_wait_time=8),
}


@dataclass
class Command:
    """One command of a recording: when it was begun (seconds since the first one) and its reply."""

    begun: float
    line: str
    reply: str


@dataclass
class Recording:
    """The events in the order the switch made them, and the commands."""

    start: float
    events: list[Headers]
    commands: list[Command]


@dataclass
class Played:
    """What the simulated switch said to the same commands."""

    events: list[Headers] = field(default_factory=list)
    replies: list[str] = field(default_factory=list)
    uuids: dict[str, str] = field(default_factory=dict)


def parse(raw: bytes) -> list[Headers]:
    """The plain events in ``raw``, by the shortest road: no code of the bridge takes part."""
    events = []
    position = 0
    while position < len(raw):
        end = raw.index(b"\n\n", position)
        head = dict(line.split(": ", 1) for line in raw[position:end].decode().strip().split("\n"))
        length = int(head["Content-Length"])
        body = raw[end + 2 : end + 2 + length]
        position = end + 2 + length
        if head["Content-Type"] == "text/event-plain":
            lines = body.partition(b"\n\n")[0].decode().split("\n")
            pairs = (line.split(": ", 1) for line in lines)
            events.append({name: unquote(value) for name, value in pairs})
    return events


def load(name: str) -> Recording:
    """A recording by its name. Times of commands come from the API event each of them raised."""
    file = RECORDINGS / f"{name}.esl"
    raw = file.read_bytes() if file.exists() else gzip.decompress(Path(f"{file}.gz").read_bytes())
    events = parse(raw)
    events.sort(key=lambda event: int(event["Event-Sequence"]))
    rows = [
        json.loads(line) for line in (RECORDINGS / f"{name}.commands.jsonl").read_text().splitlines() if line
    ]
    api = [event for event in events if event["Event-Name"] == "API"]
    assert [f"{e['API-Command']} {e.get('API-Command-Argument', '')}".strip() for e in api] == [
        row["command"] for row in rows
    ]
    start = int(api[0]["Event-Date-Timestamp"]) / 1e6
    commands = [
        Command(int(event["Event-Date-Timestamp"]) / 1e6 - start, row["command"], row["reply"])
        for event, row in zip(api, rows, strict=True)
    ]
    return Recording(start, events, commands)


def new_switch(start: float, *, first_rule: PhoneRule | None = None) -> tuple[Switch, VirtualClock]:
    """A switch configured as the recorded one was."""
    clock = VirtualClock(start)
    rules = (first_rule, *PHONES) if first_rule else PHONES
    return Switch(clock, phones=Phones(rules), queues=QUEUES, hostname="vm"), clock


def play(recording: Recording, switch: Switch, clock: VirtualClock, *, after: float = 1.5) -> Played:
    """Send the recorded commands at their times, with the uuids that the simulated switch gave out."""
    played = Played()

    def note(event: Event) -> None:
        played.events.append(dict(event.headers))

    switch.bus.subscribe(note)
    for command in recording.commands:
        clock.advance(max(recording.start + command.begun - clock.now(), 0.0))
        line = UUID.sub(lambda match: played.uuids.get(match[0], match[0]), command.line)
        answers: list[str] = []
        switch.api(line, answers.append)
        clock.run_until(lambda got=answers: bool(got), limit=90)
        played.replies.append(answers[0])
        learn(played.uuids, command.reply, answers[0])
    clock.advance(after)
    return played


def learn(uuids: dict[str, str], recorded: str, simulated: str) -> None:
    """Pair the uuids of two texts that say the same, in order of appearance."""
    old, new = UUID.findall(recorded), UUID.findall(simulated)
    if len(old) == len(new):
        for one, other in zip(old, new, strict=True):
            uuids.setdefault(one, other)
