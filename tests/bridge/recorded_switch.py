"""A loopback event socket that plays a recording, and answers snapshots as the switch stood at that point."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
from collections.abc import Iterable

from .truth import RawEvent, raw_events

AGENT_COLUMNS = ("name", "uuid", "type", "contact", "status", "state", "wrap_up_time")
MEMBER_COLUMNS = (
    "queue",
    "uuid",
    "session_uuid",
    "cid_number",
    "cid_name",
    "joined_epoch",
    "serving_agent",
    "state",
)


class SwitchAt:
    """What the switch held after these events."""

    def __init__(self, events: Iterable[RawEvent]) -> None:
        self.agents: dict[str, dict[str, str]] = {}
        self.tiers: dict[tuple[str, str], list[str]] = {}
        self.members: dict[str, dict[str, str]] = {}
        self.channels: dict[str, dict[str, str]] = {}
        for e in events:
            self._agent(e)
            self._member(e)
            self._channel(e)

    def _agent(self, e: RawEvent) -> None:
        if e.name == "API" and e["API-Command"] == "callcenter_config":
            match e["API-Command-Argument"].replace("'", "").split():
                case ["agent", "del", name]:
                    self.agents.pop(name, None)
                    self.tiers = {k: v for k, v in self.tiers.items() if k[1] != name}
                case ["agent", "set", "wrap_up_time", name, seconds] if name in self.agents:
                    self.agents[name]["wrap_up_time"] = seconds
                case ["tier", "add", queue, name, level, position]:
                    self.tiers[queue, name] = [level, position]
        elif e.action == "agent-add":
            fresh = {
                "name": e["CC-Agent"],
                "type": e["CC-Agent-Type"],
                "status": "Logged Out",
                "state": "Waiting",
            }
            self.agents[e["CC-Agent"]] = dict.fromkeys(AGENT_COLUMNS, "") | fresh
        elif e["CC-Agent"] in self.agents:
            agent = self.agents[e["CC-Agent"]]
            keys = {
                "agent-status-change": "status",
                "agent-state-change": "state",
                "agent-contact-change": "contact",
            }
            if e.action in keys:
                agent[keys[e.action]] = e[f"CC-Agent-{keys[e.action].title()}"]
            elif e.action == "bridge-agent-start":
                agent["uuid"] = e["CC-Agent-UUID"]

    def _member(self, e: RawEvent) -> None:
        uuid = e["CC-Member-UUID"]
        if e.action == "member-queue-start":
            self.members[uuid] = {
                "queue": e["CC-Queue"],
                "uuid": uuid,
                "session_uuid": e["CC-Member-Session-UUID"],
                "cid_number": e["CC-Member-CID-Number"],
                "cid_name": e["CC-Member-CID-Name"],
                "joined_epoch": str(e.at // 1_000_000),
                "serving_agent": "",
                "state": "Waiting",
            }
        elif uuid in self.members and e.action in ("agent-offering", "bridge-agent-start"):
            state = "Trying" if e.action == "agent-offering" else "Answered"
            self.members[uuid] |= {"serving_agent": e["CC-Agent"], "state": state}
        elif uuid in self.members and e.action == "bridge-agent-fail":
            self.members[uuid]["state"] = "Waiting"
        elif e.action == "member-queue-end":
            self.members.pop(uuid, None)

    def _channel(self, e: RawEvent) -> None:
        uuid = e["Unique-ID"]
        if e.name == "CHANNEL_CREATE":
            self.channels[uuid] = {
                "uuid": uuid,
                "direction": e["Call-Direction"],
                "created_epoch": str(e.at // 1_000_000),
                "initial_dest": e["Caller-Destination-Number"],
                "cid_num": e["Caller-Caller-ID-Number"],
                "cid_name": e["Caller-Caller-ID-Name"],
                "call_uuid": e["Other-Leg-Unique-ID"] or e["variable_cc_member_session_uuid"] or uuid,
            }
        elif e.name == "CHANNEL_BRIDGE":
            one, two = e["Bridge-A-Unique-ID"], e["Bridge-B-Unique-ID"]
            for a, b in ((one, two), (two, one)):
                if a in self.channels:
                    self.channels[a] |= {"application": "uuid_bridge", "application_data": b}
        elif e.name == "CHANNEL_HANGUP":
            self.channels.pop(uuid, None)

    def answer(self, line: str) -> str:
        match line:
            case "callcenter_config agent list":
                return _table(AGENT_COLUMNS, self.agents.values())
            case "callcenter_config tier list":
                rows = [
                    {"queue": q, "agent": a, "state": "Ready", "level": p[0], "position": p[1]}
                    for (q, a), p in self.tiers.items()
                ]
                return _table(("queue", "agent", "state", "level", "position"), rows)
            case "callcenter_config queue list":
                return _table(("name", "strategy"), [{"name": "support@default", "strategy": "x"}])
            case "callcenter_config queue list members":
                return _table(MEMBER_COLUMNS, self.members.values())
            case "show channels as json":
                rows = list(self.channels.values())
                return json.dumps({"row_count": len(rows)} | ({"rows": rows} if rows else {})) + "\n"
            case _:
                return "+OK\n"


def _table(columns: Iterable[str], rows: Iterable[dict[str, str]]) -> str:
    lines = ["|".join(row.get(c, "") for c in columns) for row in rows]
    return "\n".join([*(["|".join(columns)] if lines else []), *lines, "+OK", ""])


class RecordedSwitch:
    """Plays `data` from where the last connection ended, in random pieces.

    `cuts` are the places in the bytes where both connections are closed; after a cut the playing goes on
    `again` events earlier (told twice) or `lost` events later (told never).
    """

    def __init__(
        self, data: bytes, *, seed: int = 0, cuts: Iterable[int] = (), again: int = 0, lost: int = 0
    ) -> None:
        self.data = data
        self.events = raw_events(data)
        self.cuts = sorted(cuts)
        self.again, self.lost = again, lost
        self.played = asyncio.Event()
        self.never_told: set[int] = set()
        self.asked: list[str] = []
        self._rng = random.Random(seed)
        self._at = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> RecordedSwitch:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._server is not None
        self._server.close()
        self._close_all()

    def _close_all(self) -> None:
        for writer in list(self._writers):
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            writer.write(b"Content-Type: auth/request\n\n")
            while True:
                line = (await reader.readuntil(b"\n\n")).decode().strip()
                if line.startswith("api "):
                    self.asked.append(line[4:])
                    body = SwitchAt(e for e in self.events if e.end <= self._at).answer(line[4:]).encode()
                    writer.write(b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(body), body))
                else:
                    writer.write(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
                    if line.startswith("event "):
                        await self._play(writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            with contextlib.suppress(Exception):
                writer.close()

    @property
    def last_at(self) -> int:
        """The time of the newest event that is told."""
        return max(e.at for e in self.events if e.name and e.start not in self.never_told)

    async def _play(self, writer: asyncio.StreamWriter) -> None:
        while self._at < len(self.data):
            stop = self.cuts[0] if self.cuts else len(self.data)
            piece = self.data[self._at : min(stop, self._at + self._rng.choice((1, 7, 300, 4096, 60_000)))]
            writer.write(piece)
            await writer.drain()
            self._at += len(piece)
            if self.cuts and self._at >= stop:
                self.cuts.pop(0)
                self._go_on_after_cut()
                # Half-closed: what was sent arrives, as with a switch that ends its sockets in order.
                for each in list(self._writers):
                    each.write_eof()
                return
        self.played.set()

    def _go_on_after_cut(self) -> None:
        """From the event that was cut in two, give or take what is told again or never."""
        index = next((i for i, e in enumerate(self.events) if e.end > self._at), len(self.events))
        self.never_told |= {e.start for e in self.events[index : index + self.lost]}
        index = max(0, min(len(self.events), index - self.again + self.lost))
        self._at = self.events[index].start if index < len(self.events) else len(self.data)
