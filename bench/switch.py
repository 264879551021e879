"""A loopback event socket with generated calls: agents are set up and opened as on a real switch, and each
open agent is given the next call.

It is closed by the product itself: after a call the agent gets no other until the product has sent, and
got answered, the commands that open the agent again.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from collections import deque
from collections.abc import Awaitable
from typing import TypeVar

from .calls import RECORDING, CallGenerator, NewCall, Step

T = TypeVar("T")
COLUMNS = ("name", "uuid", "type", "contact", "status", "state", "wrap_up_time")
OPEN = ("Available (On Demand)", "Waiting")
CLOSED = ("Logged Out", "Waiting")


class BenchSwitch:
    """`written` holds, by queue entry and moment, when the event was written to the socket (the clock of
    `time.perf_counter`)."""

    def __init__(self) -> None:
        self.calls = CallGenerator(RECORDING.read_bytes())
        self.written: dict[tuple[str, str], float] = {}
        self.begun: dict[str, str] = {}
        """The calls by queue entry, with their agents."""
        self.events_written = 0
        self._agents: dict[str, tuple[str, str]] = {}
        self._free: deque[str] = deque()
        self._opened = asyncio.Condition()
        self._events: asyncio.StreamWriter | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> BenchSwitch:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.close()

    # --- calls -------------------------------------------------------------------------------------------

    async def open_agents(self, count: int) -> None:
        """Wait until so many agents may be given a call."""
        async with self._opened:
            await self._opened.wait_for(lambda: len(self._free) >= count)

    async def at_rate(self, calls_per_second: float, seconds: float, speed: float = 1.0) -> None:
        """Begin calls evenly; a call is `speed` times as fast as it was recorded."""
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(round(calls_per_second * seconds)):
                await _until(began + number / calls_per_second)
                await self.open_agents(1)
                group.create_task(self._play(self._begin(), speed))

    async def flat_out(self, speed: float, measuring: Awaitable[T]) -> T:
        """While `measuring` lasts, give every agent a call as soon as the agent is open; what it returns,
        after the last call."""
        async with asyncio.TaskGroup() as calls:
            giving = calls.create_task(self._give(calls, speed))
            measured = await measuring
            giving.cancel()
        return measured

    async def _give(self, calls: asyncio.TaskGroup, speed: float) -> None:
        while True:
            await self.open_agents(1)
            calls.create_task(self._play(self._begin(), speed))

    def _begin(self) -> NewCall:
        call = self.calls.call(self._free.popleft())
        self.begun[call.member] = call.agent
        return call

    async def _play(self, call: NewCall, speed: float) -> None:
        began, events = time.perf_counter(), self.calls.events(call)
        for step in self.calls.steps:
            await _until(began + step.offset / speed)
            await self._write(call, step, next(events))

    async def _write(self, call: NewCall, step: Step, event: bytes) -> None:
        assert self._events is not None
        if step.moment:
            self.written[call.member, step.moment] = time.perf_counter()
        if step.agent_state:
            self._agents[call.agent] = (OPEN[0], step.agent_state)
        self._events.write(event)
        self.events_written += 1
        await self._events.drain()

    # --- commands ----------------------------------------------------------------------------------------

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            writer.write(b"Content-Type: auth/request\n\n")
            while True:
                line = (await reader.readuntil(b"\n\n")).decode().strip()
                if line.startswith("api "):
                    body = (await self._answer(line.removeprefix("api "))).encode()
                    writer.write(b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(body), body))
                else:
                    writer.write(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
                if line.startswith("event "):
                    self._events = writer
        except (asyncio.IncompleteReadError, ConnectionError):
            return
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _answer(self, line: str) -> str:
        match shlex.split(line):
            case ["callcenter_config", "agent", "add", name, _]:
                self._agents.setdefault(name, CLOSED)
            case ["callcenter_config", "agent", "set", "status", name, status]:
                await self._put(name, status, self._agents[name][1])
            case ["callcenter_config", "agent", "set", "state", name, state]:
                if self._events is not None and state == OPEN[1]:
                    self._events.write(self.calls.opened(name))
                    self.events_written += 1
                await self._put(name, self._agents[name][0], state)
            case ["callcenter_config", "agent", "list", *names]:
                return self._table([n for n in names or self._agents if n in self._agents])
            case ["show", "channels", "as", "json"]:
                return '{"row_count":0}\n'
        return "+OK\n"

    async def _put(self, name: str, status: str, state: str) -> None:
        before, self._agents[name] = self._agents[name], (status, state)
        if (status, state) == OPEN != before:
            async with self._opened:
                self._free.append(name)
                self._opened.notify_all()

    def _table(self, names: list[str]) -> str:
        rows = []
        for name in names:
            status, state = self._agents[name]
            row = {"name": name, "type": "callback", "status": status, "state": state}
            rows.append("|".join(row.get(column, "") for column in COLUMNS))
        return "\n".join([*(["|".join(COLUMNS)] if rows else []), *rows, "+OK", ""])


async def _until(moment: float) -> None:
    await asyncio.sleep(max(0.0, moment - time.perf_counter()))
