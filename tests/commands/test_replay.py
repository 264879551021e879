"""`manage.py replay`: recordings in, what came of them out, the product's database left alone."""

from __future__ import annotations

import gzip
import json
import time
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from agents.models import Agent
from queues.models import Call
from tests.bridge.truth import entries, raw_events, recording_bytes
from tests.esl.recordings import RECORDINGS
from tests.services.support import an_agent

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_stacks]

NORMAL = RECORDINGS / "cc_answered_caller_hangs_up.esl"


def replay(*files: Path, **options: Any) -> dict[str, Any]:
    out = StringIO()
    call_command("replay", *map(str, files), json=True, stdout=out, **options)
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def ends(told: dict[str, Any]) -> list[tuple[str, str, int | None, int | None]]:
    return sorted(
        (c["member"], c["outcome"], c["wait_ms"], c["talk_ms"]) for c in told["calls"] if c["member"]
    )


def truth(*names: str) -> list[tuple[str, str, int | None, int | None]]:
    """The same worked out of the bytes without the product."""
    found = [e for name in names for e in entries(raw_events(recording_bytes(name))).values()]
    return sorted((e.member, e.outcome, e.wait_ms, e.talk_ms) for e in found)


@pytest.mark.parametrize("name", ["cc_answered_caller_hangs_up", "cc_ring_all", "json_answered"])
def test_a_recording_comes_out_as_its_bytes_say(name: str) -> None:
    told = replay(RECORDINGS / f"{name}.esl")
    assert ends(told) == truth(name) != []
    assert {a["state"] for a in told["agents"]} <= {"READY", "UNREADY", "LOGOUT"}
    assert told["counts"]["events"] > 0 and not told["counts"].get("malformed")


def test_a_packed_recording_is_the_same(tmp_path: Path) -> None:
    packed = tmp_path / "normal.esl.gz"
    packed.write_bytes(gzip.compress(NORMAL.read_bytes()))
    one, other = replay(NORMAL), replay(packed)
    assert other == one


def test_several_files_are_played_one_after_the_other() -> None:
    names = ("cc_switch_restart_before", "cc_switch_restart_after")
    told = replay(*(RECORDINGS / f"{name}.esl" for name in names))
    assert ends(told) == truth(*names)
    assert all(c["ended_at"] for c in told["calls"])
    assert not [a for a in told["agents"] if a["state"] == "BUSY"]


def test_a_call_outside_queues_is_told_as_one() -> None:
    (call,) = replay(RECORDINGS / "click_to_dial.esl")["calls"]
    assert (call["kind"], call["queue"], call["outcome"], call["end_cause"]) == (
        "direct",
        None,
        "unanswered",
        "NO_ANSWER",
    )


def test_the_tables_for_people_hold_the_call() -> None:
    out = StringIO()
    call_command("replay", str(NORMAL), stdout=out)
    shown = out.getvalue()
    for word in ("Agents", "Calls", "1001", "answered", "READY", "events:"):
        assert word in shown


def test_the_products_database_is_left_alone() -> None:
    an_agent("1001", display_name="Ada")
    replay(NORMAL)
    assert [(a.display_name, a.state) for a in Agent.objects.all()] == [("Ada", "LOGOUT")]
    assert not Call.objects.exists()
    an_agent("1002")


def test_after_a_recording_that_fails_the_products_database_is_back(tmp_path: Path) -> None:
    an_agent("1001")
    garbage = tmp_path / "garbage.esl"
    garbage.write_bytes(b"hello\n\n")
    with pytest.raises(CommandError):
        replay(garbage)
    assert Agent.objects.get().name == "1001"


def test_an_empty_recording_holds_nothing(tmp_path: Path) -> None:
    empty = tmp_path / "empty.esl"
    empty.touch()
    told = replay(empty)
    assert (told["agents"], told["calls"]) == ([], [])


def test_a_recording_cut_short_is_told_as_far_as_it_goes_and_that_it_is(tmp_path: Path) -> None:
    cut = tmp_path / "cut.esl"
    cut.write_bytes(NORMAL.read_bytes()[:-100])
    told = replay(cut)
    whole = replay(NORMAL)
    assert told["counts"]["events"] == whole["counts"]["events"] - 1
    assert told["counts"]["cut_short"] == 1 and "cut_short" not in whole["counts"]


def test_an_unreadable_event_is_counted_and_the_rest_is_told(tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt.esl"
    spoilt.write_bytes(b"Content-Length: 4\nContent-Type: text/event-json\n\n[1]\n" + NORMAL.read_bytes())
    told = replay(spoilt)
    assert told["counts"]["malformed"] == 1
    assert ends(told) == truth("cc_answered_caller_hangs_up")


PACKED = gzip.compress(NORMAL.read_bytes())
BAD = {
    "no recording": ("bad.esl", b"hello\n\nworld\n\n"),
    "bytes": ("bad.esl", bytes(range(256)) * 300),
    "no end of a header": ("bad.esl", b"x" * 100_000),
    "not packed": ("bad.esl.gz", b"Content-Length: 1\n"),
    "packed and cut short": ("bad.esl.gz", PACKED[:-500]),
    "packed and spoilt at its end": ("bad.esl.gz", PACKED[:300] + b"\xff" * 200 + PACKED[500:]),
    "packed and spoilt at its beginning": ("bad.esl.gz", PACKED[:10] + b"\xff" * 200),
}


@pytest.mark.parametrize("what", BAD)
def test_what_is_no_recording_is_told_with_its_name(what: str, tmp_path: Path) -> None:
    name, data = BAD[what]
    bad = tmp_path / name
    bad.write_bytes(data)
    with pytest.raises(CommandError, match=name):
        replay(bad)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"nosuch\.esl: No such file"):
        replay(tmp_path / "nosuch.esl")
    with pytest.raises(CommandError, match="directory"):
        replay(tmp_path)


@pytest.mark.parametrize("speed", [-1.0, float("nan")])
def test_a_speed_that_is_none_is_refused(speed: float) -> None:
    with pytest.raises(CommandError, match="--speed"):
        replay(NORMAL, speed=speed)


def test_with_a_speed_the_events_come_at_their_own_times() -> None:
    times = [e.at for e in raw_events(recording_bytes("cc_abandon_waiting"))]
    lasted = (max(times) - times[0]) / 1e6
    began = time.monotonic()
    replay(RECORDINGS / "cc_abandon_waiting.esl", speed=4.0)
    assert time.monotonic() - began >= lasted / 4
