"""Calls through bridge, database and one WebSocket, on the stack that `make run` starts.

    python -m bench bridge_calls [--seconds N] [--json FILE]

The product runs as an operator starts it (`manage.py serve`: daphne and the bridge in one process, SQLite,
in-memory channel layer) against an event socket of our own on loopback. A WebSocket client on
`/ws/v1/events` hears what becomes of every call. Both of them run in this process, the product in its own.

First a steady rate with the recording's own pace, for the lag: from writing the switch's event to the socket
until the client has the event that tells of it. Then as many calls as the product takes, for the throughput:
every agent is given the next call as soon as the product has opened the agent after the last.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect

from tests.product import PROJECT, Product, product_environment, start_product

from . import Unmeasured
from .switch import BenchSwitch

AGENTS = 100
STEADY_RATE = 5.0
STEADY_SECONDS = 10.0
FAST_CALLS = 10.0
"""So much faster than it was recorded (4.5 s) is a call when flat out."""
WARM_UP_CALLS = 2 * AGENTS
PATIENCE = 60.0
LAG_LIMIT_MS = 300.0
"""From the switch's event to the dashboard."""

MOMENT_OF_EVENT = {
    "call.queued": "queued",
    "call.offered": "offered",
    "call.answered": "answered",
    "call.ended": "ended",
}


@dataclass(frozen=True)
class Lag:
    """Milliseconds from the switch's write to the client's frame."""

    moment: str
    calls: int
    p50: float
    p99: float
    worst: float


@dataclass(frozen=True)
class Result:
    """`steady` is at `STEADY_RATE`, the rest flat out."""

    steady_calls_per_second: float
    steady: list[Lag]
    calls_per_second: float
    switch_events_per_second: float
    websocket_events_per_second: float
    ratio: float
    """Calls flat out to calls at the steady rate."""


class Client:
    """One supervisor's WebSocket: what it heard of which call, and when."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.heard: dict[tuple[str, str], float] = {}
        self.ended: dict[str, dict[str, Any]] = {}
        self.events = 0
        self._websocket = websocket
        self._seq = 0

    async def begin(self, token: str) -> None:
        """Authenticate and take the snapshot."""
        for request in ({"type": "authenticate", "token": token}, {"type": "subscribe"}):
            await self._websocket.send(json.dumps(request))
        async with asyncio.timeout(PATIENCE):
            while (message := json.loads(await self._websocket.recv()))["type"] != "snapshot":
                if message["type"] == "error":
                    raise Unmeasured(f"the WebSocket refused us: {message}")
        self._seq = message["seq"]

    async def listen(self) -> None:
        """Hear everything. Raises Unmeasured where something was left out."""
        async for text in self._websocket:
            now = time.perf_counter()
            message = json.loads(text)
            if "seq" in message:
                if message["type"] == "snapshot" or message["prev"] != self._seq:
                    raise Unmeasured("the client was not told everything")
                self._seq = message["seq"]
            if message["type"] == "event":
                self.events += 1
                event = message["event"]
                if moment := MOMENT_OF_EVENT.get(event["type"]):
                    self.heard.setdefault((event["data"]["member_uuid"], moment), now)
                    if moment == "ended":
                        self.ended[event["data"]["member_uuid"]] = event["data"]

    async def ends_of(self, calls: int) -> None:
        """Wait until so many calls have ended."""
        async with asyncio.timeout(PATIENCE):
            while len(self.ended) < calls:
                await asyncio.sleep(0.05)


def measure(seconds: float = 15.0) -> Result:
    """Run the product and measure; `seconds` is how long it is driven flat out. Raises Unmeasured."""
    try:
        return asyncio.run(_measure(seconds))
    except* (TimeoutError, Unmeasured) as failed:
        reasons = [str(e) or "the product did not get through its calls" for e in _leaves(failed)]
        raise Unmeasured("; ".join(reasons)) from failed


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for each in group.exceptions:
        yield from _leaves(each) if isinstance(each, BaseExceptionGroup) else (each,)


async def _measure(seconds: float) -> Result:
    async with (
        BenchSwitch() as switch,
        _product(switch.port) as (product, token),
        websocket_connect(f"{product.ws_url}/ws/v1/events", max_size=None) as websocket,
        asyncio.TaskGroup() as group,
    ):
        client = Client(websocket)
        await client.begin(token)
        listening = group.create_task(client.listen())
        async with asyncio.timeout(PATIENCE):
            await switch.open_agents(AGENTS)
        await switch.at_rate(STEADY_RATE, STEADY_SECONDS)
        await client.ends_of(len(switch.begun))
        lags = [_lag(switch, client, moment) for moment in MOMENT_OF_EVENT.values()]
        rates = await switch.flat_out(FAST_CALLS, _rates(switch, client, seconds))
        await client.ends_of(len(switch.begun))
        _check(switch, client)
        listening.cancel()
    calls, told, heard = rates
    return Result(
        STEADY_RATE, lags, round(calls, 1), round(told), round(heard), ratio=round(calls / STEADY_RATE, 1)
    )


async def _rates(switch: BenchSwitch, client: Client, seconds: float) -> tuple[float, float, float]:
    """Calls ended, switch events written and WebSocket events heard, per second.

    The agents begin all at once: the first calls of all of them, and the wave these make, do not count.
    """
    await client.ends_of(len(client.ended) + WARM_UP_CALLS)
    began = time.perf_counter()
    before = len(client.ended), switch.events_written, client.events
    await asyncio.sleep(seconds)
    after = len(client.ended), switch.events_written, client.events
    took = time.perf_counter() - began
    calls, told, heard = ((b - a) / took for a, b in zip(before, after, strict=True))
    return calls, told, heard


def _lag(switch: BenchSwitch, client: Client, moment: str) -> Lag:
    took = sorted(
        1000 * (client.heard[key] - written) for key, written in switch.written.items() if key[1] == moment
    )
    p99 = statistics.quantiles(took, n=100, method="inclusive")[98]
    return Lag(moment, len(took), round(statistics.median(took), 1), round(p99, 1), round(took[-1], 1))


def _check(switch: BenchSwitch, client: Client) -> None:
    """Speed counts only where every call came out right."""
    for member in switch.begun:
        call = client.ended[member]
        if (call["outcome"], call["reconciled"]) != ("answered", False) or call["agent"] is None:
            raise Unmeasured(f"a call came out wrong: {call}")


@contextlib.asynccontextmanager
async def _product(port: int) -> AsyncIterator[tuple[Product, str]]:
    """The product in a process of its own, with an empty database, and a token for it."""
    with tempfile.TemporaryDirectory() as directory:
        env = {"VAR_DIR": directory, "DATABASE_URL": f"sqlite:///{directory}/bench.sqlite3"}
        env |= {"ESL_HOST": "127.0.0.1", "ESL_PORT": str(port), "LOG_LEVEL": "WARNING"}
        token = await asyncio.to_thread(_seed, env)
        product = await asyncio.to_thread(start_product, env)
        try:
            yield product, token
        finally:
            await asyncio.to_thread(product.close)


def _seed(env: dict[str, str]) -> str:
    command = [sys.executable, "-m", "bench.seed", str(AGENTS)]
    return subprocess.run(
        command, cwd=PROJECT, env=product_environment(env), check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


def tables(result: Result) -> list[Table]:
    """The result for a person."""
    lags = Table(title=f"Switch to WebSocket at {result.steady_calls_per_second:g} calls/s, milliseconds")
    for heading in ("event", "calls", "p50", "p99", "worst", f"p99 to {LAG_LIMIT_MS:g} ms"):
        lags.add_column(heading, justify="left" if heading == "event" else "right")
    for lag in result.steady:
        figures = (f"{figure:.1f}" for figure in (lag.p50, lag.p99, lag.worst))
        lags.add_row(f"call.{lag.moment}", str(lag.calls), *figures, f"{lag.p99 / LAG_LIMIT_MS:.2f} x")
    rates = Table(title=f"Flat out, {AGENTS} agents, SQLite, one process")
    rates.add_column("per second")
    rates.add_column("", justify="right")
    rates.add_column("per call", justify="right")
    for name, rate in (
        ("calls", result.calls_per_second),
        ("events from the switch", result.switch_events_per_second),
        ("events to the WebSocket", result.websocket_events_per_second),
    ):
        rates.add_row(name, f"{rate:,.1f}", f"{rate / result.calls_per_second:.1f}")
    rates.caption = f"{result.ratio:.1f} x the steady rate"
    return [lags, rates]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench bridge_calls", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, default=15.0, help="how long flat out (default 15)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as JSON too")
    options = parser.parse_args(arguments)
    try:
        result = measure(max(1.0, options.seconds))
    except Unmeasured as error:
        print(error, file=sys.stderr)
        return 2
    Console().print(*tables(result))
    if options.json:
        options.json.write_text(json.dumps(asdict(result), indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
