"""Calls, live and past: what is told of them, and how they are found."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from agents.models import Agent
from agents.services import agent_create, agent_ready
from callcenter import switch as sw
from callcenter.clock import to_us
from queues.models import Call, Queue
from queues.services import agent_sign_in, facts_apply

from .conftest import BY, Api, place, queries_of, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@dataclass
class Caller:
    """A caller in a queue, told to the product as a switch's backend would tell it. Times in seconds."""

    queue: str
    number: str = "13800138000"
    name: str = "Wang"
    start: datetime = START

    def __post_init__(self) -> None:
        self.channel, self.member, self.leg = (str(uuid.uuid4()) for _ in range(3))

    def tell(self, *facts: sw.Fact) -> None:
        facts_apply(facts=facts, node="default")

    def at(self, seconds: float) -> int:
        return to_us(self.start + timedelta(seconds=seconds))

    def member_fact(self, kind: type[sw.MemberFact], seconds: float, **more: object) -> sw.Fact:
        return kind(
            at=self.at(seconds),
            member=self.member,
            channel=self.channel,
            queue=self.queue,
            number=self.number,
            name=self.name,
            **more,  # type: ignore[arg-type]
        )

    def queued(self) -> Caller:
        created = sw.ChannelCreated(
            at=self.at(0), channel=self.channel, inbound=True, destination="8000", number=self.number
        )
        self.tell(created, self.member_fact(sw.MemberQueued, 1))
        return self

    def offered(self, agent: str) -> Caller:
        self.tell(self.member_fact(sw.OfferMade, 3, agent=agent))
        return self

    def answered(self, agent: str) -> Caller:
        self.offered(agent)
        leg = sw.ChannelCreated(
            at=self.at(3), channel=self.leg, inbound=False, agent=agent, member_channel=self.channel
        )
        self.tell(
            leg,
            self.member_fact(sw.OfferAnswered, 6, agent=agent, leg=self.leg),
            sw.ChannelBridged(at=self.at(6), channel=self.channel, other=self.leg),
        )
        return self

    def hung_up(self) -> Caller:
        cause = "NORMAL_CLEARING"
        self.tell(
            sw.ChannelHungUp(at=self.at(30), channel=self.channel, cause=cause),
            sw.ChannelHungUp(at=self.at(30), channel=self.leg, cause=cause),
            self.member_fact(sw.MemberServed, 30, channel_up=False),
        )
        return self

    def gave_up(self) -> Caller:
        left = self.member_fact(sw.MemberLeft, 20, reason=sw.Leaving.HUNG_UP, channel_up=False)
        self.tell(left, sw.ChannelHungUp(at=self.at(20), channel=self.channel, cause="ORIGINATOR_CANCEL"))
        return self

    @property
    def call(self) -> Call:
        return Call.objects.get(channel_uuid=self.channel)


@pytest.fixture
def team(alice: Api, bob: Api, support: Queue, sales: Queue) -> Iterator[None]:
    for agent in (alice.agent, bob.agent):
        place(agent, support, sales)
        agent_sign_in(agent_id=agent.pk, by=BY)
        agent_ready(agent_id=agent.pk, by=BY)
    return iter(())


@pytest.mark.usefixtures("team")
def test_a_past_call_is_told_with_its_offers_changes_and_channels(api: Api, alice: Api) -> None:
    caller = Caller("support").queued().answered("alice").hung_up()

    call = api.get(f"calls/{caller.call.pk}").json()

    assert (call["state"], call["outcome"], call["queue_name"]) == ("ended", "answered", "support")
    assert (call["caller_number"], call["destination"]) == ("13800138000", "8000")
    assert (call["wait_ms"], call["talk_ms"]) == (5000, 24000)
    assert call["agent"] == str(alice.agent.pk)
    assert call["end_cause"] == "NORMAL_CLEARING"
    assert [(o["agent"], o["outcome"]) for o in call["offers"]] == [(call["agent"], "answered")]
    assert [leg["role"] for leg in call["legs"]] == ["caller", "agent"]
    assert {leg["ended_at"] for leg in call["legs"]} == {"2026-03-02T09:00:30+00:00"}
    assert [t["new_state"] for t in call["transitions"]] == [
        "dialling",
        "waiting",
        "offered",
        "answered",
        "ended",
    ]


@pytest.mark.usefixtures("team")
def test_a_ringing_call_tells_whose_phones_ring(api: Api, alice: Api) -> None:
    caller = Caller("support").queued().offered("alice")
    call = api.get(f"calls/{caller.call.pk}").json()
    assert (call["state"], call["outcome"], call["offered_to"]) == ("offered", None, [str(alice.agent.pk)])


@pytest.fixture
def day(team: None) -> dict[str, Caller]:
    """Three calls of one morning: one answered and over, one abandoned, one still waiting."""

    def caller(queue: str, number: str, name: str, hours: int) -> Caller:
        return Caller(queue, number, name, START + timedelta(hours=hours)).queued()

    return {
        "answered": caller("support", "1380001", "Wang", 0).answered("alice").hung_up(),
        "abandoned": caller("support", "1380002", "Li", 1).gave_up(),
        "waiting": caller("sales", "1380003", "Zhao", 2),
    }


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["waiting", "abandoned", "answered"]),
        ({"live": "true"}, ["waiting"]),
        ({"live": "false"}, ["abandoned", "answered"]),
        ({"state": "waiting"}, ["waiting"]),
        ({"state": ["waiting", "ended"]}, ["waiting", "abandoned", "answered"]),
        ({"outcome": "abandoned"}, ["abandoned"]),
        ({"outcome": ["abandoned", "answered"]}, ["abandoned", "answered"]),
        ({"caller_number": "1380002"}, ["abandoned"]),
        ({"caller_number": "138"}, []),
        ({"search": "138000"}, ["waiting", "abandoned", "answered"]),
        ({"search": "zhao"}, ["waiting"]),
        ({"search": "sales"}, ["waiting"]),
        ({"queued": "true"}, ["waiting", "abandoned", "answered"]),
        ({"queued": "false"}, []),
        ({"node": "default", "live": "true"}, ["waiting"]),
        ({"started_from": "2026-03-02T10:00:00Z"}, ["waiting", "abandoned"]),
        ({"started_before": "2026-03-02T10:00:00Z"}, ["answered"]),
        ({"started_from": "2026-03-02T18:00:00+08:00", "started_before": "2026-03-02T11:00Z"}, ["abandoned"]),
    ],
)
def test_calls_are_found_by(
    api: Api, day: dict[str, Caller], query: dict[str, str], found: list[str]
) -> None:
    names = {caller.channel: name for name, caller in day.items()}
    answer = api.get("calls", **query)
    assert [names[call["channel_uuid"]] for call in answer.json()["results"]] == found


def test_calls_are_found_by_what_they_belong_to(
    api: Api, alice: Api, bob: Api, support: Queue, day: dict[str, Caller]
) -> None:
    def found(**query: object) -> set[str]:
        return {call["channel_uuid"] for call in api.get("calls", **query).json()["results"]}

    answered, abandoned = day["answered"], day["abandoned"]
    assert found(queue=support.pk) == {answered.channel, abandoned.channel}
    assert found(agent=alice.agent.pk) == {answered.channel}
    assert found(agent=bob.agent.pk) == set()
    assert found(member_uuid=abandoned.member) == {abandoned.channel}
    assert found(channel_uuid=abandoned.channel) == {abandoned.channel}


def test_pages_of_calls_that_began_at_the_same_instant_lose_none(api: Api, team: None) -> None:
    callers = {Caller("support", str(number)).queued().channel for number in range(7)}
    seen: list[str] = []
    page = api.get("calls", page_size=2).json()
    while True:
        seen += [call["channel_uuid"] for call in page["results"]]
        if page["next"] is None:
            break
        page = api.client.get(page["next"]).json()
    assert len(seen) == 7
    assert set(seen) == callers


def test_an_agent_sees_the_calls_it_was_part_of_or_was_offered(
    alice: Api, bob: Api, day: dict[str, Caller]
) -> None:
    day["waiting"].offered("bob")

    assert [c["channel_uuid"] for c in alice.get("calls").json()["results"]] == [day["answered"].channel]
    assert [c["channel_uuid"] for c in bob.get("calls").json()["results"]] == [day["waiting"].channel]
    assert alice.get(f"calls/{day['answered'].call.pk}").status_code == 200
    for other in ("waiting", "abandoned"):
        assert refusal(alice.get(f"calls/{day[other].call.pk}")) == (404, "call_not_found")


def test_a_list_takes_as_many_queries_for_twenty_as_for_one(api: Api, team: None) -> None:
    for number in range(3, 23):
        agent_create(name=f"agent{number}", by=BY)
    Caller("support").queued().offered("agent3")
    for_one = queries_of(lambda: api.get("calls"))
    for number in range(4, 23):
        Caller("support", start=START + timedelta(minutes=number)).queued().offered(f"agent{number}")
    assert len(api.get("calls").json()["results"]) == 20
    assert queries_of(lambda: api.get("calls")) == for_one


@pytest.mark.usefixtures("team")
def test_a_call_outlives_its_queue_and_its_agent(api: Api, alice: Api, support: Queue) -> None:
    caller = Caller("support").queued().answered("alice").hung_up()
    Agent.objects.filter(name="alice").update(state="LOGOUT", sub_state="")
    assert api.delete(f"agents/{alice.agent.pk}").status_code == 204
    assert api.delete(f"queues/{support.pk}").status_code == 204
    call = api.get(f"calls/{caller.call.pk}").json()
    assert (call["agent"], call["queue"], call["queue_name"], call["outcome"]) == (
        None,
        None,
        "support",
        "answered",
    )
