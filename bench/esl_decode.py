"""How many events per second are decoded, beside python-ESL on the same bytes in the same run.

    python -m bench esl_decode [--rounds N] [--json FILE]

The bytes are a recorded busy hour (5101 events, 22.8 MB). Every way of reading runs once per round, in
turn, so that a change in the machine's speed meets all of them; the best round counts. python-ESL and our
transport read from a loopback socket whose sender is a process of its own; ratios are to the faster of
python-ESL's ways of doing the same work.
"""

import argparse
import asyncio
import gzip
import json
import multiprocessing
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from esl_bridge import protocol
from esl_bridge.protocol import Event, FrameReader, decode_event
from esl_bridge.transports.asyncio_transport import connect

from . import Unmeasured

RECORDING = Path(__file__).parent.parent / "tests" / "recordings" / "cc_busy_hour.esl.gz"
PASSWORD = "ClueCon"
PIECE = 65536

HEADERS = (
    "Event-Name", "Event-Subclass", "Core-UUID", "Event-Date-Timestamp", "CC-Action", "CC-Queue", "CC-Agent",
    "CC-Member-UUID", "CC-Member-Session-UUID", "CC-Cause", "Unique-ID", "Other-Leg-Unique-ID",
    "Caller-Caller-ID-Number", "Hangup-Cause", "variable_cc_member_uuid",
)  # fmt: skip
"""The headers that the bridge looks at."""


@dataclass(frozen=True)
class Result:
    """One way of reading: events per second in the best and the median round, and its ratio to python-ESL
    doing the same work."""

    reader: str
    work: str
    events_per_second: float
    median_events_per_second: float
    ratio: float


# A reader takes the recording, does its work on every event, and returns the sum of the sequence numbers.
Reader = Callable[[bytes], int]


def from_memory(work: Callable[[Event], object]) -> Reader:
    def read(data: bytes) -> int:
        frames, total = FrameReader(), 0
        for start in range(0, len(data), PIECE):
            for frame in frames.feed(data[start : start + PIECE]):
                event = decode_event(frame)
                work(event)
                total += event.sequence
        return total

    return read


def over_asyncio(work: Callable[[Event], object]) -> Reader:
    async def drain(port: int, count: int) -> int:
        connection = await connect("127.0.0.1", port, PASSWORD)
        await connection.command("event plain ALL")
        total = 0
        while count:
            for event in await connection.next_events(count):
                work(event)
                total += event.sequence
                count -= 1
        await connection.close()
        return total

    def read(data: bytes) -> int:
        with sending(data) as port:
            return asyncio.run(drain(port, count_events(data)))

    return read


def over_python_esl(work: Callable[[Any], object]) -> Reader:
    def read(data: bytes) -> int:
        import ESL

        with sending(data) as port:
            connection = ESL.ESLconnection("127.0.0.1", str(port), PASSWORD)
            if not connection.connected():
                raise Unmeasured("python-ESL did not connect")
            connection.events("plain", "ALL")
            total = 0
            for _ in range(count_events(data)):
                event = connection.recvEventTimed(10_000)
                if event is None:
                    raise Unmeasured("python-ESL lost events")
                work(event)
                total += int(event.getHeader("Event-Sequence"))
            connection.disconnect()
            return total

    return read


def our_headers(event: Event) -> list[str]:
    return [event.get(name) for name in HEADERS]


def our_dict(event: Event) -> dict[str, str]:
    return dict(event.headers)


def their_headers(event: Any) -> list[str | None]:
    return [event.getHeader(name) for name in HEADERS]


def their_dict(event: Any) -> dict[str, str]:
    headers = {}
    name = event.firstHeader()
    while name:
        headers[name] = event.getHeader(name)
        name = event.nextHeader()
    return headers


def their_json(event: Any) -> dict[str, str]:
    return json.loads(event.serialize("json"))


SOME, ALL = f"{len(HEADERS)} headers", "all to a dict"
READERS: dict[tuple[str, str], Reader] = {
    ("ours, from memory", SOME): from_memory(our_headers),
    ("ours, from memory", ALL): from_memory(our_dict),
    ("ours, asyncio transport", SOME): over_asyncio(our_headers),
    ("ours, asyncio transport", ALL): over_asyncio(our_dict),
    ("python-ESL, getHeader", SOME): over_python_esl(their_headers),
    ("python-ESL, nextHeader", ALL): over_python_esl(their_dict),
    ("python-ESL, serialize", ALL): over_python_esl(their_json),
}


def count_events(data: bytes) -> int:
    return data.count(b"Content-Type: text/event-plain\n")


@contextmanager
def sending(data: bytes) -> Iterator[int]:
    """The port of an event socket that sends `data` to the one who logs in and subscribes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = multiprocessing.get_context("fork").Process(target=_send, args=(listener, data), daemon=True)
        sender.start()
        try:
            yield listener.getsockname()[1]
        finally:
            sender.join(10)
            sender.kill()


def _send(listener: socket.socket, data: bytes) -> None:
    connection, _ = listener.accept()
    with connection, connection.makefile("rb") as commands:
        connection.sendall(b"Content-Type: auth/request\n\n")
        for _ in ("auth", "event"):
            while commands.readline().strip():
                pass
            connection.sendall(b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
        connection.sendall(data)
        commands.read()  # until the reader has all of it and leaves


def measure(rounds: int) -> list[Result]:
    """Run every reader `rounds` times. Raises Unmeasured without python-ESL, or when they disagree."""
    if find_spec("ESL") is None:
        raise Unmeasured("python-ESL is needed for the comparison: uv sync --extra esl")
    data = gzip.decompress(RECORDING.read_bytes())
    times: dict[tuple[str, str], list[float]] = {key: [] for key in READERS}
    sums = set()
    for _ in range(rounds):
        for key, read in READERS.items():
            protocol._unquote_known.cache_clear()  # no round may live on what an earlier one decoded
            start = time.perf_counter()
            sums.add(read(data))
            times[key].append(time.perf_counter() - start)
    if len(sums) != 1:
        raise Unmeasured(f"the readers saw different events: {sorted(sums)}")
    return _results(count_events(data), times)


def _results(events: int, times: dict[tuple[str, str], list[float]]) -> list[Result]:
    best = {key: events / min(seconds) for key, seconds in times.items()}
    theirs = {
        work: max(
            rate for (name, done), rate in best.items() if done == work and name.startswith("python-ESL")
        )
        for _, work in READERS
    }
    return [
        Result(
            reader=name,
            work=work,
            events_per_second=round(rate, 1),
            median_events_per_second=round(events / statistics.median(times[name, work]), 1),
            ratio=round(rate / theirs[work], 2),
        )
        for (name, work), rate in best.items()
    ]


def table(results: list[Result]) -> Table:
    """The results for a person."""
    shown = Table(title="ESL events decoded per second (5101 events, 22.8 MB)")
    shown.add_column("reader")
    shown.add_column("work")
    for heading in ("best", "median", "ratio"):
        shown.add_column(heading, justify="right")
    for result in results:
        shown.add_row(
            result.reader,
            result.work,
            f"{result.events_per_second:,.0f}",
            f"{result.median_events_per_second:,.0f}",
            f"{result.ratio:.2f} x",
        )
    return shown


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench esl_decode", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=3, help="how often each reader runs (default 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there as JSON too")
    options = parser.parse_args(arguments)
    try:
        results = measure(max(1, options.rounds))
    except Unmeasured as error:
        print(error, file=sys.stderr)
        return 2
    Console().print(table(results))
    if options.json:
        options.json.write_text(json.dumps([asdict(result) for result in results], indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
