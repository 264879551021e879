"""Facts have the fields that the raw event has, for every event of every recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from callcenter import switch as sw
from esl_bridge.backends.callcenter import CallcenterBackend
from tests.backends.recordings import NAMES, events

BACKEND = CallcenterBackend()
Headers = dict[str, str]

PRESENCE = {
    "Available": "open",
    "Available (On Demand)": "open",
    "On Break": "break",
    "Logged Out": "out",
}
AWAY = {"TIMEOUT": "timeout", "NO_AGENT_TIMEOUT": "no_agents", "EXIT_WITH_KEY": "key"}


def agent(e: Headers) -> Headers:
    return {"agent": e["CC-Agent"]}


def member(e: Headers) -> Headers:
    return {
        "member": e["CC-Member-UUID"],
        "channel": e["CC-Member-Session-UUID"],
        "queue": e.get("CC-Queue", ""),
        "number": e["CC-Member-CID-Number"],
        "name": e["CC-Member-CID-Name"],
    }


def one(kind: type[sw.Fact], *fields: dict[str, object]) -> list[sw.Fact]:
    values = {key: value for part in fields for key, value in part.items()}
    return [kind(at=0, **values)]  # type: ignore[arg-type]


def engine_state(e: Headers) -> list[sw.Fact]:
    kinds = {"Waiting": sw.AgentOpened, "Idle": sw.AgentParked}
    kind = kinds.get(e["CC-Agent-State"])
    return one(kind, agent(e)) if kind else []


def queue_end(e: Headers) -> list[sw.Fact]:
    up = {"channel_up": e["Answer-State"] != "hangup"}
    if e["CC-Cause"] == "Terminated":
        return one(sw.MemberServed, member(e), up)
    reason = AWAY.get(e["CC-Cancel-Reason"])
    if reason is None and not up["channel_up"]:
        reason = "switch" if e.get("Hangup-Cause") == "SYSTEM_SHUTDOWN" else "hung_up"
    return one(sw.MemberLeft, member(e), up, {"reason": sw.Leaving(reason or "removed")})


# What each action comes to, written from the headers alone; an empty list is an action that tells nothing.
EXPECTED: dict[str, Callable[[Headers], list[sw.Fact]]] = {
    "agent-add": lambda e: one(sw.AgentSeen, agent(e)),
    "agent-contact-change": lambda e: one(sw.AgentContactSeen, agent(e), {"contact": e["CC-Agent-Contact"]}),
    "agent-status-change": lambda e: one(
        sw.AgentPresence, agent(e), {"presence": sw.Presence(PRESENCE[e["CC-Agent-Status"]])}
    ),
    "agent-state-change": engine_state,
    "agent-offering": lambda e: one(sw.OfferMade, agent(e), member(e)),
    "bridge-agent-start": lambda e: one(sw.OfferAnswered, agent(e), member(e), {"leg": e["CC-Agent-UUID"]}),
    "bridge-agent-end": lambda e: one(
        sw.AgentReleased,
        agent(e),
        member(e),
        {"leg": e["CC-Agent-UUID"], "bridged": e["CC-Agent-Bridged"] == "true"},
    ),
    "bridge-agent-fail": lambda e: one(sw.OfferFailed, agent(e), member(e), {"cause": e["CC-Hangup-Cause"]}),
    "agent-max-no-answer": lambda e: one(sw.AgentMissedLimit, agent(e)),
    "member-queue-start": lambda e: one(sw.MemberQueued, member(e)),
    "member-queue-resume": lambda e: one(sw.MemberQueued, member(e)),
    "member-queue-end": queue_end,
    "members-count": lambda e: [],
    "agents-count": lambda e: [],
    "agent-status-get": lambda e: [],
    "agent-state-get": lambda e: [],
    "agent-uuid-get": lambda e: [],
    "agent-type-change": lambda e: [],
}


@pytest.mark.parametrize("name", NAMES)
def test_every_action_of_the_module_becomes_the_fact_that_its_headers_hold(name: str) -> None:
    for raw, event in events(name):
        if raw.get("Event-Subclass") != "callcenter::info":
            continue
        assert raw["CC-Action"] in EXPECTED, "an action that nobody thought of"
        told = [_at_zero(fact) for fact in BACKEND.decode(event)]
        assert told == EXPECTED[raw["CC-Action"]](raw)


@pytest.mark.parametrize("name", NAMES)
def test_every_fact_has_the_time_of_its_event(name: str) -> None:
    for raw, event in events(name):
        assert {f.at for f in BACKEND.decode(event)} <= {int(raw["Event-Date-Timestamp"])}


CHANNEL = {
    "CHANNEL_ANSWER": sw.ChannelAnswered,
    "CHANNEL_HOLD": sw.ChannelHeld,
    "CHANNEL_UNHOLD": sw.ChannelUnheld,
}


@pytest.mark.parametrize("name", NAMES)
def test_every_event_of_a_channel_becomes_the_fact_that_its_headers_hold(name: str) -> None:
    seen: Counter[str] = Counter()
    for raw, event in events(name):
        facts = BACKEND.decode(event)
        uuid = raw.get("Unique-ID", "")
        match raw["Event-Name"]:
            case "CHANNEL_CREATE":
                (created,) = facts
                assert isinstance(created, sw.ChannelCreated)
                assert (created.channel, created.destination, created.number) == (
                    uuid,
                    raw.get("Caller-Destination-Number", ""),
                    raw.get("Caller-Caller-ID-Number", ""),
                )
                assert created.inbound is (raw["Call-Direction"] == "inbound")
                agents = raw.get("variable_cc_side") == "agent"
                assert created.agent == (raw["variable_cc_agent"] if agents else "")
                assert bool(created.member_channel) is agents
            case "CHANNEL_HANGUP" | "CHANNEL_HANGUP_COMPLETE" as kind:
                (gone,) = facts
                assert isinstance(gone, sw.ChannelHungUp)
                assert (gone.channel, gone.cause) == (uuid, raw["Hangup-Cause"])
                told = raw.get("variable_sip_hangup_disposition", "")
                known = kind == "CHANNEL_HANGUP_COMPLETE" and told
                assert gone.by_far_end == (told.startswith("recv") if known else None)
            case "CHANNEL_BRIDGE":
                two = {raw["Bridge-A-Unique-ID"], raw["Bridge-B-Unique-ID"]}
                (joined,) = facts
                assert isinstance(joined, sw.ChannelBridged)
                assert {joined.channel, joined.other} == two
            case "CHANNEL_ANSWER" | "CHANNEL_HOLD" | "CHANNEL_UNHOLD" as kind:
                (fact,) = facts
                assert type(fact) is CHANNEL[kind]
                assert isinstance(fact, sw.ChannelFact) and fact.channel == uuid
            case _:
                continue
        seen[raw["Event-Name"]] += 1
    assert seen or name in ("cc_config.esl", "sofia_registration.esl")


def test_joining_a_conference_is_told_with_its_room() -> None:
    joined = [
        (raw, fact)
        for raw, event in events("cc_conference.esl")
        if raw.get("Event-Subclass") == "conference::maintenance"
        for fact in BACKEND.decode(event)
    ]
    assert len(joined) == 3
    for raw, fact in joined:
        assert raw["Action"] == "add-member"
        assert fact == sw.ChannelConferenced(
            at=int(raw["Event-Date-Timestamp"]), channel=raw["Unique-ID"], room=raw["Conference-Name"]
        )


def test_the_end_of_the_switch_is_told() -> None:
    kinds = [type(f) for _, event in events("cc_switch_restart_before.esl") for f in BACKEND.decode(event)]
    assert kinds.count(sw.SwitchStopping) == 1


def test_what_is_asked_of_the_module_is_noticed_and_what_only_reads_is_not() -> None:
    told = [
        (raw["API-Command-Argument"], BACKEND.decode(event))
        for raw, event in events("cc_config.esl")
        if raw.get("API-Command") == "callcenter_config"
    ]
    assert len(told) > 40
    for line, facts in told:
        word = line.split()
        reads = len(word) > 1 and word[1] in ("list", "get", "count")
        assert bool(facts) is not reads, line
        if line == "tier add support@default a1 1 1":
            assert facts == [
                sw.TierSeen(at=facts[0].at, queue="support@default", agent="a1", level=1, position=1)
            ]
        if line == "agent set wrap_up_time a1 10":
            assert facts == [sw.AgentWrapUpSeen(at=facts[0].at, agent="a1", seconds=10)]


def _at_zero(fact: sw.Fact) -> sw.Fact:
    return replace(fact, at=0)
