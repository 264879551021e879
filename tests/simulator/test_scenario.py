"""Scenario files, the callers they bring, the phones they describe, and the command line."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from pathlib import Path

import pytest

from esl_bridge.simulator import (
    Arrivals,
    CallerCrowd,
    PhoneRule,
    Phones,
    QueueConfig,
    Scenario,
    ScenarioError,
    Simulator,
    Switch,
    VirtualClock,
    load_scenario,
)
from esl_bridge.simulator.dialstring import parse_dial_string, split_quoted
from esl_bridge.simulator.events import Event

from .client import Client


def crowd(plan: Arrivals, *, seed: int = 1, agents: int = 0, hours: float = 1.0) -> list[dict[str, str]]:
    """All events of some hours with these callers and that many agents."""
    clock = VirtualClock()
    queues = {name: QueueConfig(name) for name in plan.queues}
    switch = Switch(clock, queues=queues, seed=seed, phones=Phones(seed=seed))
    events: list[dict[str, str]] = []

    def note(event: Event) -> None:
        events.append(dict(event.headers))

    switch.bus.subscribe(note)
    CallerCrowd(switch, plan).start()
    for index in range(agents):
        for line in (
            f"agent add {index} callback", f"agent set contact {index} sofia/internal/10{index}@127.0.0.1",
            f"agent set status {index} Available", f"tier add support {index}",
        ):  # fmt: skip
            switch.api(f"callcenter_config {line}", lambda reply: None)
    clock.advance(hours * 3600)
    return events


def named(events: list[dict[str, str]], name: str) -> list[dict[str, str]]:
    return [e for e in events if e.get("CC-Action", e["Event-Name"]) == name]


def test_the_demo_has_what_the_demonstration_needs() -> None:
    demo = load_scenario("demo")
    assert {name: queue.strategy for name, queue in demo.queues.items()} == {
        "support@default": "longest-idle-agent",
        "billing@default": "round-robin",
    }
    assert demo.arrivals.every == 6.0
    assert set(demo.dids.values()) == {"queue-support@default", "queue-billing@default"}


def test_callers_come_at_the_rate_asked_for_and_to_the_queues_as_weighed() -> None:
    plan = Arrivals(every=6.0, patience=(5, 5), queues={"support": 3.0, "billing": 1.0})
    starts = named(crowd(plan, hours=3), "member-queue-start")
    assert 1650 < len(starts) < 1950
    assert 0.70 < Counter(e["CC-Queue"] for e in starts)["support"] / len(starts) < 0.80


def test_without_agents_every_caller_leaves_when_patience_is_over() -> None:
    plan = Arrivals(every=20.0, patience=(30, 40), queues={"support": 1.0})
    ends = named(crowd(plan), "member-queue-end")
    waits = [int(e["CC-Member-Leaving-Time"]) - int(e["CC-Member-Joined-Time"]) for e in ends]
    assert len(waits) > 100
    assert 29 <= min(waits) <= max(waits) <= 41
    assert {e["CC-Cancel-Reason"] for e in ends} == {"BREAK_OUT"}


def test_calls_last_as_long_as_planned_and_end_on_either_side() -> None:
    plan = Arrivals(every=30.0, patience=(60, 60), talk=(10, 20), caller_ends=0.5, queues={"support": 1.0})
    events = crowd(plan, agents=6, hours=2)
    legs = {e["Unique-ID"]: e for e in named(events, "bridge-agent-end")}
    talks = [
        int(e["variable_billsec"]) for e in legs.values() if e["variable_hangup_cause"] == "NORMAL_CLEARING"
    ]
    assert len(talks) > 150
    assert 9 <= min(talks) <= max(talks) <= 22
    sides = Counter(e["variable_sip_hangup_disposition"] for e in legs.values())
    assert 0.35 < sides["recv_bye"] / len(legs) < 0.65


def test_the_same_seed_brings_the_same_day_and_another_one_does_not() -> None:
    plan = Arrivals(every=10.0, queues={"support": 1.0})
    first, again, other = (crowd(plan, seed=seed, agents=2, hours=0.5) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_callers_are_turned_away_above_the_limit() -> None:
    plan = Arrivals(every=1.0, patience=(600, 600), queues={"support": 1.0}, at_most=5)
    counts = [int(e["CC-Count"]) for e in named(crowd(plan, hours=0.1), "members-count")]
    assert max(counts) == 5


def test_an_inbound_caller_keeps_its_number_and_shows_the_number_dialled() -> None:
    clock = VirtualClock()
    switch = Switch(clock, queues={"support": QueueConfig("support")}, dids={"95500": "queue-support"})
    seen: list[dict[str, str]] = []
    switch.bus.subscribe(lambda event: seen.append(dict(event.headers)))
    switch.incoming("13911112222", "Anna Berg", "95500")
    for line in ("agent add 1 callback", "agent set contact 1 sofia/internal/1@x", "agent set status 1 Available",
                 "tier add support 1"):  # fmt: skip
        switch.api(f"callcenter_config {line}", lambda reply: None)
    clock.advance(3)
    (create,) = [e for e in named(seen, "CHANNEL_CREATE") if e["Call-Direction"] == "inbound"]
    assert create["Caller-Destination-Number"] == "95500"
    (offer,) = named(seen, "agent-offering")
    assert (offer["CC-Member-CID-Name"], offer["CC-Member-CID-Number"]) == ("Anna Berg", "13911112222")
    assert offer["CC-Member-DNIS"] == "95500"


def test_phones_behave_as_their_first_matching_rule() -> None:
    phones = Phones(
        [PhoneRule("100[1-3]", chances={"busy": 1}), PhoneRule(port=5083, chances={"no_answer": 1}),
         PhoneRule("2.*", chances={"answer": 3, "reject": 1}, ring=(2, 4), talk=(5, 6))]
    )  # fmt: skip
    assert phones.ring("1002", None).outcome == "busy"
    assert phones.ring("10021", 5083).outcome == "no_answer"
    assert phones.ring("3000", None).outcome == "answer"
    rings = [phones.ring("2000", None) for _ in range(400)]
    assert 0.65 < sum(r.outcome == "answer" for r in rings) / 400 < 0.85
    assert all(2 <= r.after <= 4 for r in rings)
    assert {r.hangs_up_after is None for r in rings if r.outcome == "reject"} == {True}


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("seed = ", "Invalid value"),
        ("speed = 0", "speed must be above 0"),
        ("speed = 'fast'", "speed must be a number"),
        ("seed = 1.5", "seed must be a whole number"),
        ("nosuch = 1", "unknown keys: nosuch"),
        ("[[queues]]\nstrategy = 'random'", "every queue needs a name"),
        ("[[queues]]\nname = 'q'\nmax-wait = 3", "queue q: unknown parameter 'max-wait'"),
        ("[[queues]]\nname = 'q'\nmax-wait-time = 'x'", "must be a whole number"),
        ("queues = 3", "queues must be an array of tables"),
        ("[[phones]]\nanswer = -1", "must not be negative"),
        ("[[phones]]\nnumber = '('", "missing )"),
        ("[[phones]]\nring = [5, 1]", "ring must be seconds or a range"),
        ("[[phones]]\nport = 'x'", "port must be a whole number"),
        ("arrivals = 1", "arrivals must be a table"),
        ("[arrivals]\nevery = true", "every must be a number"),
        ("[arrivals.queues]\nnosuch = 1", "unknown queues: nosuch"),
        ("[arrivals]\nat_most = -1", "at_most must be a whole number"),
        ("dids = 1", "dids must map numbers"),
    ],
)
def test_a_bad_scenario_is_refused_with_the_reason(tmp_path: Path, text: str, complaint: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(ScenarioError, match=complaint.replace("(", r"\(").replace(")", r"\)")):
        load_scenario(file)


def test_a_scenario_that_is_not_there_is_named() -> None:
    with pytest.raises(ScenarioError, match=r"nosuch\.toml: No such file"):
        load_scenario("nosuch")


@pytest.mark.parametrize(
    ("text", "number", "port", "variables", "error"),
    [
        ("sofia/internal/1001@127.0.0.1:5082", "1001", 5082, {}, ""),
        ("user/1001", "1001", None, {}, ""),
        ("sofia/gateway/carrier/13800000001", "13800000001", None, {}, ""),
        ("{a=1,b='x,y'}[c=2]sofia/internal/1001@x", "1001", None, {"a": "1", "b": "x,y", "c": "2"}, ""),
        ("{^^;a=1;b=2,3}sofia/internal/1001@x", "1001", None, {"a": "1", "b": "2,3"}, ""),
        ("sofia/internal/1001@x|sofia/internal/1002@x", "1001", None, {}, ""),
        ("error/user_busy", "", None, {}, "USER_BUSY"),
        ("", "", None, {}, "DESTINATION_OUT_OF_ORDER"),
        ("{a=1", "", None, {"a": "1"}, "DESTINATION_OUT_OF_ORDER"),
        ("pigeon/1", "", None, {}, "CHAN_NOT_IMPLEMENTED"),
        ("sofia/internal/@x", "", None, {}, "INVALID_NUMBER_FORMAT"),
    ],
)
def test_dial_strings(
    text: str, number: str, port: int | None, variables: dict[str, str], error: str
) -> None:
    target = parse_dial_string(text)
    assert (target.number, target.port, target.error) == (number, port, error)
    if not error:
        assert target.variables == variables


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b  c ", ["a", "b", "c"]),
        ("set 'On Break' x", ["set", "On Break", "x"]),
        (r"it\'s 'a \'b'", ["it's", "a 'b"]),
        ("''", [""]),
        ("'open end", ["open end"]),
        ("", []),
    ],
)
def test_words_are_split_as_the_switch_splits_them(text: str, words: list[str]) -> None:
    assert split_quoted(text, " ") == words


async def test_a_running_simulator_brings_calls_to_agents_that_a_client_set_up() -> None:
    plan = Arrivals(every=2.0, talk=(5, 10), queues={"support": 1.0})
    scenario = Scenario(queues={"support": QueueConfig("support")}, arrivals=plan)
    simulator = Simulator(scenario, speed=50)
    client = await Client.connect(await simulator.start())
    await client.command("event plain CUSTOM callcenter::info")
    for line in ("agent add 1001 callback", "agent set contact 1001 sofia/internal/1001@127.0.0.1",
                 "agent set status 1001 'Available (On Demand)'", "tier add support 1001 1 1"):  # fmt: skip
        assert await client.command(f"api callcenter_config {line}") == "+OK\n"
    await client.next_event("CUSTOM", CC_Action="member-queue-end", CC_Cause="Terminated")
    await client.next_event("CUSTOM", CC_Action="agent-state-change", CC_Agent_State="Idle")
    await client.close()
    await simulator.stop()
    assert len(asyncio.all_tasks()) == 1


async def test_the_command_line_serves_until_it_is_told_to_stop() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "esl_bridge.simulator", "--port", "0", "--password", "secret", "--speed", "10",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    async with asyncio.timeout(20):
        line = (await process.stdout.readline()).decode()
        client = await Client.connect(int(line.rpartition(":")[2]), password="secret")
        assert await client.command("api callcenter_config queue count") == "2\n"
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0
        assert b"being shut down" in await client.closed()
        await client.close()


async def test_the_command_line_refuses_a_bad_scenario() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "esl_bridge.simulator", "--scenario", "nosuch",
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(20):
        _, errors = await process.communicate()
    assert process.returncode == 2
    assert b"nosuch.toml: No such file" in errors


def test_the_simulator_stands_on_its_own() -> None:
    """No Django, no channels, nothing of the product is imported by it."""
    for file in (Path(__file__).parents[2] / "esl_bridge" / "simulator").rglob("*.py"):
        for line in file.read_text().splitlines():
            words = line.split()
            if words[:1] in (["import"], ["from"]) and not words[1].startswith("."):
                assert words[1].partition(".")[0] in sys.stdlib_module_names | {"__future__"}, (
                    f"{file.name}: {line}"
                )
