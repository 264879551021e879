"""A switch that goes down in the middle of calls and comes up again, beside its recording."""

from __future__ import annotations

from .recordings import UUID, load, new_switch, play
from .test_differential import label, same, threads


def test_after_a_restart_agents_and_tiers_are_as_recorded() -> None:
    before, after = load("cc_switch_restart_before"), load("cc_switch_restart_after")
    switch, clock = new_switch(before.start)
    first_life = switch.bus.core_uuid
    down: list[bool] = []
    switch.on_shutdown.append(down.append)
    play(before, switch, clock, after=5.0)
    assert down == [False]
    assert not switch.calls.channels
    switch.restart()
    assert switch.bus.core_uuid != first_life
    clock.advance(after.start - clock.now())
    played = play(after, switch, clock)

    for command, reply in zip(after.commands, played.replies, strict=True):
        if "queue list members" in command.line or not command.line.startswith(
            ("callcenter", "show", "module")
        ):
            continue
        expected = UUID.sub(lambda m: played.uuids.get(m[0], m[0]), command.reply)
        for one, other in zip(
            reply.replace("\n", "|").split("|"), expected.replace("\n", "|").split("|"), strict=True
        ):
            assert same(other, one, {}), command.line
    recorded = {key: [label(e) for e in events] for key, events in threads(after.events).items()}
    assert {key: [label(e) for e in events] for key, events in threads(played.events).items()} == recorded


def test_a_caller_of_the_old_life_stays_listed_as_abandoned() -> None:
    switch, clock = new_switch(1_800_000_000.0)
    answers: list[str] = []
    switch.api("originate sofia/internal/138@127.0.0.1:5081 queue-support@default", answers.append)
    clock.advance(3)
    switch.shutdown()
    clock.advance(5)
    switch.restart()
    switch.api("callcenter_config queue list members", answers.append)
    assert "|Abandoned|" in answers[-1]
    switch.api("callcenter_config queue count members support@default", answers.append)
    assert answers[-1] == "1\n"
    clock.advance(120)
    switch.api("callcenter_config queue count members support@default", answers.append)
    assert answers[-1] == "0\n"


def test_nothing_can_be_dialled_while_it_goes_down() -> None:
    switch, clock = new_switch(1_800_000_000.0)
    answers: list[str] = []
    switch.shutdown()
    switch.api("originate sofia/internal/138@127.0.0.1:5081 &park()", answers.append)
    clock.advance(1)
    assert answers == ["-ERR NORMAL_TEMPORARY_FAILURE\n"]
