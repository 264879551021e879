"""Everything at once: 60 callers, 8 agents, 2 queues, some impatient, beside the recording of it.

Which agent takes which caller hangs on milliseconds here; the sums do not, and are the same.
"""

from __future__ import annotations

from collections import Counter

import pytest

from .recordings import Headers, Played, Recording, load, new_switch, play


@pytest.fixture(scope="module")
def hour() -> tuple[Recording, Played]:
    recording = load("cc_busy_hour")
    switch, clock = new_switch(recording.start)
    played = play(recording, switch, clock, after=10)
    assert not switch.calls.channels and not switch.callcenter.offers and not switch.callcenter.sessions
    return recording, played


def of(events: list[Headers], *actions: str) -> list[Headers]:
    return [event for event in events if event.get("CC-Action") in actions]


def test_every_one_of_sixty_callers_joins_once_and_leaves_once(hour: tuple[Recording, Played]) -> None:
    for events in (hour[0].events, hour[1].events):
        joined = Counter(e["CC-Member-UUID"] for e in of(events, "member-queue-start"))
        left = Counter(e["CC-Member-UUID"] for e in of(events, "member-queue-end"))
        assert len(joined) == 60 and set(joined.values()) == {1}
        assert joined == left


@pytest.mark.parametrize(
    ("action", "header"),
    [
        ("member-queue-end", "CC-Cause"),
        ("bridge-agent-fail", "CC-Hangup-Cause"),
        ("bridge-agent-end", "CC-Agent-Bridged"),
        ("agent-offering", "CC-Action"),
        ("members-count", "CC-Count"),
    ],
)
def test_the_hour_adds_up_to_the_same(hour: tuple[Recording, Played], action: str, header: str) -> None:
    recorded, simulated = (Counter(e[header] for e in of(side.events, action)) for side in hour)
    assert simulated == recorded


def test_every_offer_ends_as_an_answer_or_a_failure_or_was_lost_in_a_race(
    hour: tuple[Recording, Played],
) -> None:
    offers = Counter(e["CC-Agent"] for e in of(hour[1].events, "agent-offering"))
    ends = Counter(e["CC-Agent"] for e in of(hour[1].events, "bridge-agent-end", "bridge-agent-fail"))
    assert sum(offers.values()) > 60
    assert all(0 <= offers[agent] - ends[agent] <= 3 for agent in offers)


def test_each_action_has_headers_that_the_real_one_has(hour: tuple[Recording, Played]) -> None:
    def shapes(events: list[Headers]) -> set[tuple[str, ...]]:
        return {tuple(h for h in e if h.startswith("CC-")) for e in events if "CC-Action" in e}

    assert shapes(hour[1].events) == shapes(hour[0].events)


def test_no_agent_is_left_in_a_call(hour: tuple[Recording, Played]) -> None:
    last = {e["CC-Agent"]: e["CC-Agent-State"] for e in of(hour[1].events, "agent-state-change")}
    assert set(last.values()) <= {"Waiting", "Idle"}
