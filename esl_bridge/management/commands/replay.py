"""`manage.py replay FILE`: play a recording of an event socket and tell what came out."""

from __future__ import annotations

import json
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, cast

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections
from rich.console import Console
from rich.table import Table

from esl_bridge.applier import Applier
from esl_bridge.engines import backend_load
from esl_bridge.protocol import Event, ProtocolError
from esl_bridge.replay import play, read_events, told


class Command(BaseCommand):
    help = "Plays recorded events (.esl, .esl.gz) into an empty database of its own and prints what came out."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("files", nargs="+", metavar="FILE", help="recordings, played one after the other")
        parser.add_argument("--json", action="store_true", help="print JSON")
        parser.add_argument(
            "--speed", type=float, default=0.0, help="1 = as fast as it was; default: at once"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not options["speed"] >= 0:
            raise CommandError("--speed must be 0 or more")
        applier = Applier(node=settings.SWITCH_NODE, backend=backend_load(), adopt=True, event_time=True)
        counts: dict[str, int] = {}
        with scratch_database():
            for name in options["files"]:
                self._play(Path(name), applier, counts, options["speed"])
            result = told() | {"counts": dict(applier.counts) | counts}
        if options["json"]:
            self.stdout.write(json.dumps(result, indent=2, ensure_ascii=False))
        else:
            show(result, Console(file=cast("IO[str]", self.stdout)))

    def _play(self, path: Path, applier: Applier, counts: dict[str, int], speed: float) -> None:
        try:
            play(applier, paced(read_events(path, counts), speed))
        except OSError as bad:
            raise CommandError(f"{path}: {bad.strerror or bad}") from bad
        except (ProtocolError, EOFError, zlib.error) as bad:
            raise CommandError(f"{path}: not a recording of an event socket: {bad}") from bad


@contextmanager
def scratch_database() -> Iterator[None]:
    """An empty SQLite database in place of the product's, for as long as this lasts."""
    connections.close_all()
    kept = connections.settings["default"]
    with tempfile.TemporaryDirectory() as folder:
        connections.settings["default"] = kept | {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(Path(folder) / "replay.sqlite3"),
            "OPTIONS": {"transaction_mode": "IMMEDIATE", "init_command": "PRAGMA synchronous=OFF;"},
        }
        product = connections["default"]
        del connections["default"]
        try:
            call_command("migrate", verbosity=0, interactive=False)
            yield
        finally:
            connections["default"].close()
            connections.settings["default"] = kept
            connections["default"] = product


def paced(events: Iterator[Event], speed: float) -> Iterator[Event]:
    """The events at their own times, `speed` times as fast; at once when 0."""
    began, first = time.monotonic(), 0
    for event in events:
        if speed and event.at_us:
            first = first or event.at_us
            time.sleep(max(0.0, (event.at_us - first) / 1e6 / speed - (time.monotonic() - began)))
        yield event


def show(result: dict[str, Any], console: Console) -> None:
    """Tables for people."""
    agents = Table(title="Agents", title_justify="left")
    for column in ("agent", "now", "transitions"):
        agents.add_column(column)
    for agent in result["agents"]:
        steps = "\n".join(
            f"{t['at'][11:23]} {t['from']} → {t['to']}  ({t['trigger']}{', reconciled' if t['reconciled'] else ''})"
            for t in agent["transitions"]
        )
        agents.add_row(agent["name"], _joined(agent["state"], agent["sub_state"]), steps)
    console.print(agents)
    calls = Table(title="Calls", title_justify="left")
    for column in (
        "start",
        "queue",
        "caller",
        "offers",
        "outcome",
        "wait",
        "talk",
        "hold",
        "end",
        "hung up by",
    ):
        calls.add_column(column)
    for call in result["calls"]:
        offers = "\n".join(f"{o['agent']}: {o['outcome'] or 'open'}" for o in call["offers"])
        calls.add_row(
            call["started_at"][11:23],
            call["queue"] or f"– ({call['destination']})",
            call["caller"],
            offers,
            _joined(call["outcome"], call["abandoned_while"]),
            *(_seconds(call[f]) for f in ("wait_ms", "talk_ms", "hold_ms")),
            call["end_cause"] or "–",
            call["hung_up_by"] or "–",
        )
    console.print(calls)
    console.print("  ".join(f"{name}: {count}" for name, count in sorted(result["counts"].items())))


def _joined(*parts: str | None) -> str:
    return "/".join(p for p in parts if p) or "–"


def _seconds(ms: int | None) -> str:
    return "–" if ms is None else f"{ms / 1000:.2f} s"
