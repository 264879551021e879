"""The event socket of the simulated switch, over real TCP on loopback."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest

from esl_bridge.simulator import (
    EslServer,
    PhoneRule,
    Phones,
    QueueConfig,
    RealClock,
    Scenario,
    Simulator,
    Switch,
)

from .client import Client

SPEED = 20.0


@pytest.fixture
async def switch() -> AsyncIterator[Switch]:
    clock = RealClock(SPEED)
    phones = Phones([PhoneRule("1999", chances={"no_answer": 1}), PhoneRule(ring=(1, 1))])
    yield Switch(clock, phones=phones, queues={"support@default": QueueConfig("support@default")})
    clock.close()


@pytest.fixture
async def port(switch: Switch) -> AsyncIterator[int]:
    server = EslServer(switch)
    yield await server.start()
    await server.stop()


async def test_a_wrong_password_is_refused_and_the_connection_closed(port: int) -> None:
    client = await Client.connect(port, password=None)
    assert await client.command("auth wrong") == "-ERR invalid"
    assert (await client.read()).kind == "text/disconnect-notice"
    assert await client.closed() == b""


async def test_nothing_works_before_the_password(port: int) -> None:
    client = await Client.connect(port, password=None)
    assert await client.command("api status") == "-ERR command not found"
    assert await client.command("auth ClueCon") == "+OK accepted"
    assert "is ready" in await client.command("api status")


async def test_unknown_words_get_the_answers_of_the_real_socket(port: int) -> None:
    client = await Client.connect(port)
    assert await client.command("frobnicate") == "-ERR command not found"
    assert await client.command("api frobnicate now") == "-ERR frobnicate Command not found!\n"
    assert await client.command("api callcenter_config member list") == "-ERR no reply\n"
    assert (await client.command("api callcenter_config")).startswith("-USAGE: \n")
    assert await client.command("event plain NOSUCH") == "-ERR no keywords supplied"
    assert await client.command("event plain") == "-ERR no keywords supplied"


async def test_subscriptions_add_up_and_subclasses_follow_custom(port: int) -> None:
    client = await Client.connect(port)
    assert await client.command("event plain API") == "+OK event listener enabled plain"
    await client.command("event plain CUSTOM callcenter::info")
    await client.command("api callcenter_config agent add 1001 callback")
    added = await client.next_event("CUSTOM")
    assert (added["Event-Subclass"], added["CC-Action"]) == ("callcenter::info", "agent-add")
    api = await client.next_event("API")
    assert api["API-Command-Argument"] == "agent add 1001 callback"
    assert int(api["Event-Sequence"]) < int(added["Event-Sequence"])


async def test_nixevent_takes_names_out_and_noevents_everything(port: int) -> None:
    client = await Client.connect(port)
    await client.command("event plain ALL")
    assert await client.command("nixevent API") == "+OK events nixed"
    await client.command("api callcenter_config agent add 1001 callback")
    await client.command("api callcenter_config agent set status 1001 Available")
    seen = [(await client.next_event("CUSTOM"))["CC-Action"] for _ in range(2)]
    assert seen == ["agent-add", "agent-status-change"]
    assert await client.command("noevents") == "+OK no longer listening for events"
    await client.command("api callcenter_config agent set status 1001 'On Break'")
    assert await client.command("api echo still here") == "still here"
    assert not client.events


async def test_json_events_are_objects(port: int) -> None:
    client = await Client.connect(port)
    await client.command("event json CUSTOM callcenter::info")
    await client.command("api callcenter_config agent add 1001 callback")
    message = client.events[0] if client.events else await client.read()
    assert message.kind == "text/event-json"
    assert json.loads(message.body)["CC-Agent"] == "1001"


@pytest.mark.parametrize(
    ("filters", "heard"),
    [
        (["CC-Agent 1002"], ["1002"]),
        (["CC-Agent 1001", "CC-Agent 1002"], ["1001", "1002"]),
        (["CC-Agent /^10/", "-CC-Agent 1002"], ["1001", "1003"]),
        (["-CC-Agent 1002"], []),
        (["CC-Agent 1002", "delete CC-Agent 1002"], ["1001", "1002", "1003"]),
        (["CC-Agent 1002", "delete all"], ["1001", "1002", "1003"]),
        (["cc-agent 1003"], ["1003"]),
        (["CC-Agent /[/"], []),
    ],
)
async def test_filters_let_pass_what_the_real_ones_do(
    port: int, filters: list[str], heard: list[str]
) -> None:
    client = await Client.connect(port)
    await client.command("event plain CUSTOM callcenter::info")
    for rule in filters:
        assert (await client.command(f"filter {rule}")).startswith("+OK")
    for agent in ("1001", "1002", "1003"):
        await client.command(f"api callcenter_config agent add {agent} callback")
    await client.command("filter delete all")
    await client.command("api callcenter_config agent add end callback")
    agents = []
    while (agent := (await client.next_event("CUSTOM"))["CC-Agent"]) != "end":
        agents.append(agent)
    assert agents == heard


async def test_a_background_job_is_answered_first_and_reported_later(port: int) -> None:
    client = await Client.connect(port)
    await client.command("event plain BACKGROUND_JOB")
    job = "0b9eb1a5-0000-4000-8000-000000000001"
    reply = await client.command(f"bgapi originate sofia/internal/1001@127.0.0.1 &park()\nJob-UUID: {job}")
    assert reply == f"+OK Job-UUID: {job}"
    assert not client.events
    message = await client.read()
    assert message.event["Job-UUID"] == job
    assert message.event["Job-Command"] == "originate"
    assert message.body.rpartition("\n\n")[2].startswith("+OK ")


async def test_a_long_command_holds_back_events_of_its_own_connection_only(port: int) -> None:
    busy, other = await Client.connect(port), await Client.connect(port)
    for client in (busy, other):
        await client.command("event plain CHANNEL_CREATE")
    busy.send("api originate sofia/internal/1001@127.0.0.1 &park()")
    await other.next_event("CHANNEL_CREATE")
    assert (await busy.read()).kind == "api/response"
    assert (await busy.read()).event["Event-Name"] == "CHANNEL_CREATE"


async def test_exit_says_goodbye(port: int) -> None:
    client = await Client.connect(port)
    assert await client.command("exit") == "+OK bye"
    notice = await client.read()
    assert (notice.kind, notice.body[:12]) == ("text/disconnect-notice", "Disconnected")
    assert await client.closed() == b""


async def test_an_event_sent_by_a_client_reaches_the_others(port: int) -> None:
    sender, listener = await Client.connect(port), await Client.connect(port)
    await listener.command("event plain CUSTOM shop::order")
    reply = await sender.command("sendevent CUSTOM\nEvent-Subclass: shop::order\norder-id: 17%2F2")
    assert reply.startswith("+OK")
    assert (await listener.next_event("CUSTOM"))["Order-Id"] == "17/2"


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\xff\xfe\x80\n\n",
        b"api\n\n",
        b"api \xff\xfe\n\n",
        b"event plain \xc3\x28\n\n",
        b"sendevent\n\n",
        b"filter\n\n",
        b"api originate {{{[[[(((\n\n",
        b"api originate {a=b}sofia/x &park() XML default '' '' NaN\n\n",
        b"api uuid_transfer 'x y\n\n",
        b"api uuid_bridge\n\n",
        b"api uuid_broadcast\n\n",
        b"api conference\n\n",
        b"api json {\n\n",
        b'api sim_queue q {"strategy": 7}\n\n',
        b"bgapi\n\n",
        b"api callcenter_config agent set status a 'unclosed\n\n",
        b"api callcenter_config tier set level support@default a many\n\n",
        b"\n\n\n\n",
    ],
)
async def test_garbage_is_answered_or_ignored_and_the_next_command_works(port: int, garbage: bytes) -> None:
    client = await Client.connect(port)
    client.writer.write(garbage)
    client.send("api echo in step")
    while (message := await client.read()).body != "in step":
        assert message.kind in ("command/reply", "api/response")


@pytest.mark.parametrize(
    "flood",
    [b"a" * 100_000, b"sendevent X\nContent-Length: 99999999\n\n", b"sendevent X\nContent-Length: -1\n\n"],
)
async def test_a_client_that_sends_too_much_is_dropped_and_others_stay(port: int, flood: bytes) -> None:
    good, bad = await Client.connect(port), await Client.connect(port)
    bad.writer.write(flood)
    await bad.closed()
    assert await good.command("api echo alive") == "alive"


async def test_a_client_that_vanishes_in_a_long_command_leaves_nothing(switch: Switch) -> None:
    server = EslServer(switch)
    port = await server.start()
    client = await Client.connect(port)
    client.send("api originate sofia/internal/1999@127.0.0.1 &park()")
    client.writer.transport.abort()
    other = await Client.connect(port)
    assert await other.command("api echo alive") == "alive"
    await other.close()
    await server.stop()
    assert len(asyncio.all_tasks()) == 1


async def test_a_client_that_does_not_read_is_disconnected(switch: Switch) -> None:
    server = EslServer(switch, queue_limit=50)
    port = await server.start()
    slow = socket.create_connection(("127.0.0.1", port))
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    slow.sendall(b"auth ClueCon\n\nevent plain ALL\n\n")
    good = await Client.connect(port)
    await good.command("event plain HEARTBEAT")

    async def lost() -> bool:
        for _ in range(500):
            switch.bus.emit("MESSAGE", {"Filler": "x" * 20_000})
        await asyncio.sleep(0)
        return server.client_count == 1

    async with asyncio.timeout(20):
        while not await lost():
            pass
    assert await good.command("api echo alive") == "alive"
    slow.close()
    await good.close()
    await server.stop()


async def test_stopping_notifies_clients_and_leaves_no_task(switch: Switch) -> None:
    before = asyncio.all_tasks()
    server = EslServer(switch)
    client = await Client.connect(await server.start())
    await client.command("event plain ALL")
    await server.stop()
    notice = await client.read()
    assert (notice.kind, notice.body) == ("text/disconnect-notice", "The system is being shut down.\n")
    assert await client.closed() == b""
    assert asyncio.all_tasks() == before
    await client.close()


async def test_heartbeats_come_every_twenty_simulated_seconds(port: int) -> None:
    client = await Client.connect(port)
    await client.command("event plain HEARTBEAT")
    first, second = [await client.next_event("HEARTBEAT") for _ in range(2)]
    assert first["Event-Info"] == "System Ready"
    elapsed = int(second["Event-Date-Timestamp"]) - int(first["Event-Date-Timestamp"])
    assert 19_900_000 < elapsed < 40_000_000


async def test_a_restart_opens_the_same_port_with_a_new_core_uuid() -> None:
    simulator = Simulator(Scenario(), speed=SPEED)
    port = await simulator.start()
    client = await Client.connect(port)
    first = await client.command("api global_getvar core_uuid")
    assert await client.command("api fsctl shutdown restart") == "+OK\n"
    await client.closed()
    async with asyncio.timeout(10):
        while True:
            try:
                client = await Client.connect(port)
                break
            except (ConnectionError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.02)
    assert await client.command("api global_getvar core_uuid") != first
    await simulator.stop()
    assert len(asyncio.all_tasks()) == 1


async def test_a_shutdown_ends_the_simulator() -> None:
    simulator = Simulator(Scenario(), speed=SPEED)
    client = await Client.connect(await simulator.start())
    await client.command("api fsctl shutdown")
    async with asyncio.timeout(10):
        await simulator.stopped.wait()
    assert b"being shut down" in await client.closed()


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing() -> None:
    first, second = Simulator(Scenario()), Simulator(Scenario())
    port = await first.start()
    with pytest.raises(OSError):
        await second.start(port=port)
    await first.stop()
    assert await second.start(port=port) == port
    await second.stop()
