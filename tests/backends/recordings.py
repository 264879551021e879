"""Recordings as the backend tests want them: raw headers beside the product's own events, and the replies."""

from __future__ import annotations

import json
from pathlib import Path

from esl_bridge.protocol import Event, FrameReader, decode_event
from tests.esl.recordings import RECORDINGS, event_headers, messages, recorded

NAMES = sorted(path.name for path in RECORDINGS.glob("*.esl"))


def events(name: str) -> list[tuple[dict[str, str], Event]]:
    """Each event of a recording: its headers read without the product, and the product's event."""
    data = recorded(name)
    frames = FrameReader().feed(data)
    return [
        (event_headers(kind, body), decode_event(frame))
        for (kind, body), frame in zip(messages(data), frames, strict=True)
        if kind.startswith("text/event-")
    ]


def replies(name: str) -> list[tuple[str, str]]:
    """What was asked while the recording ran, and the whole replies."""
    lines = Path(RECORDINGS / f"{name}.commands.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines if line]
    return [(row["command"], row["reply"]) for row in rows]


def tables() -> list[tuple[str, str, str]]:
    """Every reply of every recording that is a table: where it is from, the command and the reply."""
    return [
        (path.name, command, reply)
        for path in sorted(RECORDINGS.glob("*.commands.jsonl"))
        for command, reply in replies(path.name.removesuffix(".commands.jsonl"))
        if command.startswith("callcenter_config") and " list" in command and reply.endswith("+OK\n")
    ]
