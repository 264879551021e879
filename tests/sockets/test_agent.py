"""An agent's socket: the agent's own picture, nobody else's events, and the agent's commands."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from agents.models import Agent, AgentTransition
from agents.services import agent_update
from callcenter.events import events_after, last_seq
from callcenter.hub import in_database
from queues.services import queue_create, queue_update, tier_create

from .client import AGENT, connect
from .conftest import BY, Person, sockets

pytestmark = [pytest.mark.both_stacks, pytest.mark.django_db(transaction=True)]


def put_in_queue(agent: Agent | None, name: str) -> Any:
    """A new queue with this agent in it."""
    assert agent is not None
    queue = queue_create(name=name, by=BY)
    tier_create(queue_id=queue.pk, agent_id=agent.pk, by=BY)
    return queue


def events_for(agent: str) -> list[str]:
    """The events after the first snapshot that this agent may hear."""
    return [str(e.id) for e in events_after(2, 1000) if agent in e.agents]


async def test_the_snapshot_is_the_agent_s_own(alice: Person, bob: Person) -> None:
    await in_database(put_in_queue, alice.agent, "sales")
    await in_database(put_in_queue, bob.agent, "support")
    async with connect(sockets(), AGENT, token=alice.token) as client:
        data = (await client.subscribe())["data"]

    assert [agent["name"] for agent in data["agents"]] == ["alice"]
    assert [queue["name"] for queue in data["queues"]] == ["sales"]
    assert [tier["agent"] for tier in data["tiers"]] == [data["agents"][0]["id"]]
    assert data["calls"] == data["stats"] == data["switch"] == []


async def test_commands_change_the_agent_and_the_change_is_heard(alice: Person) -> None:
    await in_database(put_in_queue, alice.agent, "sales")
    async with connect(sockets(), AGENT, token=alice.token) as client:
        await client.subscribe()
        answer = await client.command("login", id="1", extension="2002", queues=["sales"])
        assert answer["type"] == "result" and answer["id"] == "1"
        assert (answer["data"]["state"], answer["data"]["sub_state"]) == ("UNREADY", "WAIT")
        assert answer["data"]["extension"] == "2002"
        assert (await client.command("ready"))["data"]["state"] == "READY"
        assert (await client.command("unready", sub_state="CUSTOM", reason="培训"))["data"][
            "reason"
        ] == "培训"
        assert (await client.command("withdraw_next"))["data"]["next_state"] is None
        assert (await client.command("logout"))["data"]["state"] == "LOGOUT"

    by = await in_database(lambda: set(AgentTransition.objects.values_list("cause", "actor")))
    assert by == {("agent", "alice")}


async def test_what_a_command_brings_about_is_heard_as_events(alice: Person) -> None:
    await in_database(put_in_queue, alice.agent, "sales")
    async with connect(sockets(heartbeat=0.1), AGENT, token=alice.token) as client:
        await client.subscribe()
        await client.say("command", id="1", command="login")
        await client.say("command", id="2", command="ready")
        while (await in_database(Agent.objects.get, name="alice")).state != "READY":
            pass
        await client.reach(await in_database(last_seq))

    told = [(e["type"], e["data"].get("state"), e["cause"], e["actor"]) for e in client.events]
    assert told == [
        ("agent.logged_in", "LOGIN", "agent", "alice"),
        ("agent.state_changed", "UNREADY", "agent", "alice"),
        ("agent.state_changed", "READY", "agent", "alice"),
    ]


async def test_a_refused_command_has_the_service_s_code(alice: Person) -> None:
    async with connect(sockets(), AGENT, token=alice.token) as client:
        answer = await client.command("finish_acw", id="x")
        assert (answer["type"], answer["code"], answer["id"]) == ("error", "not_logged_in", "x")
        await client.command("login")
        assert (await client.command("finish_acw"))["code"] == "not_in_acw"
        assert (await client.command("extend_acw", seconds=0))["code"] == "invalid_input"


async def test_a_supervisor_s_socket_knows_no_commands(supervisor: Person) -> None:
    async with connect(sockets(), token=supervisor.token) as client:
        assert (await client.command("ready"))["code"] == "unknown_type"


async def test_an_agent_never_hears_what_concerns_another(alice: Person, bob: Person) -> None:
    application = sockets(heartbeat=0.1)
    async with (
        connect(application, AGENT, token=alice.token) as hers,
        connect(application, AGENT, token=bob.token) as his,
    ):
        await hers.subscribe()
        await his.subscribe()
        sales = await in_database(put_in_queue, alice.agent, "sales")
        await in_database(put_in_queue, bob.agent, "support")
        for name in ("ready", "logout"):
            await hers.command("login")
            await hers.command(name)
            await his.command("login")
        await in_database(partial(queue_update, queue_id=sales.pk, by=BY, display_name="Sales"))
        for client in (hers, his):
            await client.reach(await in_database(last_seq))

    for client, who, other in ((hers, alice, bob), (his, bob, alice)):
        assert who.agent is not None and other.agent is not None
        concerned = await in_database(events_for, str(who.agent.pk))
        assert len(concerned) > 2
        assert [event["id"] for event in client.events] == concerned
        assert str(other.agent.pk) not in str(client.events)


async def test_a_resumed_agent_hears_what_it_missed_and_nothing_else(alice: Person, bob: Person) -> None:
    application = sockets(heartbeat=0.1)
    async with connect(application, AGENT, token=alice.token) as client:
        seq = (await client.subscribe())["seq"]
    assert alice.agent is not None and bob.agent is not None
    for agent in (bob.agent, alice.agent, bob.agent, alice.agent):
        name = f"{agent.name} {await in_database(last_seq)}"
        await in_database(partial(agent_update, agent_id=agent.pk, by=BY, display_name=name))

    async with connect(application, AGENT, token=alice.token) as client:
        await client.resume(seq)
        events = [(await client.hear("event"))["event"] for _ in range(2)]
        resumed = await client.hear()

    assert [event["data"]["name"] for event in events] == ["alice", "alice"]
    assert (resumed["type"], resumed["seq"]) == ("resumed", seq + 4)


async def test_a_heartbeat_takes_an_agent_past_what_is_not_for_it(alice: Person, bob: Person) -> None:
    async with connect(sockets(heartbeat=0.1), AGENT, token=alice.token) as client:
        seq = (await client.subscribe())["seq"]
        assert bob.agent is not None
        await in_database(partial(agent_update, agent_id=bob.agent.pk, by=BY, display_name="Bobby"))

        await client.reach(seq + 1)
        assert client.events == []
