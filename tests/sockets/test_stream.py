"""The stream: a snapshot, then every event once and in order, whatever the channel layer does."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import pytest

from callcenter import events
from callcenter.events import EVENTS_GROUP, envelope, events_after, last_seq, prune_events, tell
from callcenter.hub import in_database
from callcenter.models import Event
from queues.models import Queue
from queues.services import queue_create, queue_update

from .client import EVENTS, SocketClient, connect
from .conftest import BY, Person, change_untold, sockets

pytestmark = [pytest.mark.both_stacks, pytest.mark.django_db(transaction=True)]


async def make_queue(name: str) -> Queue:
    return await in_database(partial(queue_create, name=name, by=BY))


def change(queue: Queue, times: int) -> None:
    """So many events."""
    for number in range(times):
        queue_update(queue_id=queue.pk, by=BY, display_name=f"changed {number} {time.monotonic_ns()}")


async def hear_events(client: SocketClient, count: int) -> list[dict[str, Any]]:
    return [(await client.hear("event"))["event"] for _ in range(count)]


@pytest.mark.alone
async def test_a_snapshot_comes_first_and_each_change_follows_at_once(supervisor: Person) -> None:
    await make_queue("before")
    async with connect(sockets(), token=supervisor.token) as client:
        snapshot = await client.subscribe()
        assert [queue["name"] for queue in snapshot["data"]["queues"]] == ["before"]

        begun = time.monotonic()
        await make_queue("after")
        heard = await client.hear()

        assert time.monotonic() - begun < 0.5
        assert heard["type"] == "event"
        assert (heard["event"]["type"], heard["event"]["data"]["name"]) == ("queue.created", "after")
        assert heard["seq"] == heard["event"]["seq"] == snapshot["seq"] + 1


async def test_an_event_looks_live_as_it_looks_in_the_log(supervisor: Person) -> None:
    async with connect(sockets(), token=supervisor.token) as client:
        await client.subscribe()
        await make_queue("q")
        live = (await client.hear("event"))["event"]

        assert live == envelope((await in_database(events_after, live["seq"] - 1, 1))[0])


async def test_two_clients_hear_the_same_events(supervisor: Person) -> None:
    application = sockets()
    async with (
        connect(application, token=supervisor.token) as one,
        connect(application, token=supervisor.token) as other,
    ):
        await one.subscribe()
        await other.subscribe()
        queue = await make_queue("q")
        await in_database(change, queue, 5)

        assert await hear_events(one, 6) == await hear_events(other, 6)


async def test_events_that_the_layer_loses_come_from_the_log_within_a_second_or_so(
    supervisor: Person,
) -> None:
    async with connect(sockets(), token=supervisor.token) as client:
        await client.subscribe()
        queue = await make_queue("q")
        await client.hear("event")

        await in_database(change_untold, queue, 3)
        begun = time.monotonic()
        await hear_events(client, 3)

        assert time.monotonic() - begun < 3


async def test_a_lost_event_is_filled_in_before_the_next_one_that_arrives(supervisor: Person) -> None:
    async with connect(sockets(), token=supervisor.token) as client:
        await client.subscribe()
        queue = await make_queue("q")
        await client.hear("event")

        await in_database(change_untold, queue, 2)
        await in_database(change, queue, 1)

        numbers = [event["seq"] for event in await hear_events(client, 3)]
        assert numbers == list(range(numbers[0], numbers[0] + 3))


async def test_events_told_twice_or_out_of_order_are_sent_once_and_in_order(supervisor: Person) -> None:
    async with connect(sockets(), token=supervisor.token) as client:
        await client.subscribe()
        queue = await make_queue("q")
        await in_database(change_untold, queue, 3)
        logged = [envelope(e) | {"agents": e.agents} for e in await in_database(events_after, 0, 10)]

        for frame in [*reversed(logged), *logged]:
            await in_database(tell, EVENTS_GROUP, {"type": "events.told", "events": [frame]})
        await in_database(change, queue, 1)

        assert [e["seq"] for e in await hear_events(client, 5)] == [1, 2, 3, 4, 5]
        assert await client.says_nothing()


async def test_a_message_that_is_none_of_ours_does_not_stop_the_stream(supervisor: Person) -> None:
    async with connect(sockets(), token=supervisor.token) as client:
        await client.subscribe()
        await in_database(tell, EVENTS_GROUP, {"type": "something.else"})
        await make_queue("q")

        assert (await client.hear("event"))["event"]["type"] == "queue.created"


async def test_a_client_that_comes_back_hears_what_it_missed(supervisor: Person) -> None:
    application = sockets()
    async with connect(application, token=supervisor.token) as client:
        seq = (await client.subscribe())["seq"]
    queue = await make_queue("q")
    await in_database(change, queue, 4)

    async with connect(application, token=supervisor.token) as client:
        await client.resume(seq)
        missed = await hear_events(client, 5)
        resumed = await client.hear()
        assert resumed == {"type": "resumed", "seq": seq + 5, "prev": seq + 5}
        await in_database(change, queue, 1)
        live = await hear_events(client, 1)

    assert [event["seq"] for event in missed + live] == list(range(seq + 1, seq + 7))


async def test_a_client_that_missed_nothing_is_told_so(supervisor: Person) -> None:
    await make_queue("q")
    async with connect(sockets(), token=supervisor.token) as client:
        await client.resume(1)
        assert await client.hear() == {"type": "resumed", "seq": 1, "prev": 1}


@pytest.mark.parametrize("why", ["pruned", "from the future", "too far behind"])
async def test_where_the_log_does_not_help_a_resume_is_answered_by_a_snapshot(
    supervisor: Person, why: str
) -> None:
    queue = await make_queue("q")
    await in_database(change, queue, 6)
    if why == "pruned":
        await in_database(Event.objects.filter(seq__lte=3).delete)
    application = sockets(replayed=5)
    async with connect(application, token=supervisor.token) as client:
        await client.say("resume", seq={"pruned": 2, "from the future": 10**30, "too far behind": 1}[why])
        heard = await client.hear()

        assert (heard["type"], heard["seq"]) == ("snapshot", 7)
        await in_database(change, queue, 1)
        assert (await client.hear("event"))["seq"] == 8


async def test_a_log_pruned_up_to_where_the_client_is_still_resumes(supervisor: Person) -> None:
    queue = await make_queue("q")
    await in_database(change, queue, 3)
    cut = (await in_database(Event.objects.get, seq=3)).recorded_at
    assert await in_database(prune_events, cut) == 2

    async with connect(sockets(), token=supervisor.token) as client:
        await client.resume(2)
        assert [event["seq"] for event in await hear_events(client, 2)] == [3, 4]
        assert (await client.hear())["type"] == "resumed"


async def test_a_resume_on_an_open_stream_repeats_from_there(supervisor: Person) -> None:
    async with connect(sockets(), token=supervisor.token) as client:
        await client.subscribe()
        queue = await make_queue("q")
        await in_database(change, queue, 2)
        await hear_events(client, 3)

        await client.resume(1)
        assert [event["seq"] for event in await hear_events(client, 2)] == [2, 3]
        assert (await client.hear())["type"] == "resumed"


async def test_a_second_subscribe_brings_a_fresh_snapshot(supervisor: Person) -> None:
    async with connect(sockets(), token=supervisor.token) as client:
        await client.subscribe()
        await make_queue("q")
        await client.hear("event")

        assert len((await client.subscribe())["data"]["queues"]) == 1


async def test_a_reader_that_owes_acknowledgements_is_sent_no_more_than_its_credit(
    supervisor: Person,
) -> None:
    queue = await make_queue("q")
    async with connect(sockets(), token=supervisor.token) as client:
        await client.subscribe(credit=3)
        await in_database(change, queue, 5)
        await hear_events(client, 2)
        assert await client.says_nothing()

        assert client.seq is not None
        await client.say("ack", seq=client.seq)
        await hear_events(client, 3)


async def test_a_reader_too_slow_for_its_backlog_gets_a_snapshot_instead(supervisor: Person) -> None:
    queue = await make_queue("q")
    async with connect(sockets(backlog=3), token=supervisor.token) as client:
        await client.subscribe(credit=1)
        await in_database(change, queue, 10)
        newest = await in_database(last_seq)
        assert await client.says_nothing()

        assert client.seq is not None
        await client.say("ack", seq=client.seq)
        heard = await client.hear()

        assert (heard["type"], heard["seq"]) == ("snapshot", newest)


async def test_the_log_read_from_far_behind_ends_in_a_snapshot(
    supervisor: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callcenter.hub.MOST_FILLED", 4)
    queue = await make_queue("q")
    async with connect(sockets(), token=supervisor.token) as client:
        await client.subscribe()
        await in_database(change_untold, queue, 10)

        heard = await client.hear()
        assert (heard["type"], heard["seq"]) == ("snapshot", 11)


async def test_a_database_set_back_to_an_older_state_ends_in_a_snapshot(supervisor: Person) -> None:
    queue = await make_queue("q")
    await in_database(change, queue, 5)
    async with connect(sockets(), token=supervisor.token) as client:
        await client.subscribe()

        def set_back() -> None:
            Event.objects.filter(seq__gt=2).delete()
            events.EventCounter.objects.update(value=2)

        await in_database(set_back)
        heard = await client.hear()
        assert (heard["type"], heard["seq"]) == ("snapshot", 2)


async def test_a_heartbeat_tells_the_time_and_where_the_stream_is(supervisor: Person) -> None:
    async with connect(sockets(heartbeat=0.05)) as client:
        assert (await client.hear())["heartbeat"] == 0.05
        before = await client.hear("heartbeat")
        assert set(before) == {"type", "now"}

        await client.authenticate(supervisor.token)
        seq = (await client.subscribe())["seq"]
        after = await client.hear("heartbeat")
        assert (after["seq"], after["prev"]) == (seq, seq)
        assert after["now"] > before["now"]


async def test_heartbeats_go_on_among_events(supervisor: Person) -> None:
    queue = await make_queue("q")
    async with connect(sockets(heartbeat=0.1), token=supervisor.token) as client:
        await client.subscribe()
        changing = asyncio.create_task(in_database(change, queue, 60))
        await client.hear("heartbeat")
        await client.hear("heartbeat")
        await changing
        while client.seq != await in_database(last_seq):
            await client.hear()


async def test_ping_is_answered_with_its_id_before_and_after_authentication(supervisor: Person) -> None:
    async with connect(sockets()) as client:
        await client.hear("hello")
        await client.say("ping", id="a")
        assert await client.hear() == {"type": "pong", "id": "a"}
        await client.authenticate(supervisor.token)
        await client.say("ping", id=7)
        assert await client.hear() == {"type": "pong", "id": 7}
        await client.say("ping")
        assert await client.hear() == {"type": "pong", "id": None}


async def test_an_acknowledgement_without_a_stream_is_an_error(supervisor: Person) -> None:
    async with connect(sockets(), token=supervisor.token) as client:
        await client.say("ack", seq=1)
        assert (await client.hear())["code"] == "not_subscribed"


async def test_our_subprotocol_is_chosen_where_it_is_offered(application: Any) -> None:
    from channels.testing import WebsocketCommunicator

    communicator = WebsocketCommunicator(application, EVENTS, subprotocols=["other", "callcenter.v1"])
    assert await communicator.connect() == (True, "callcenter.v1")
    await communicator.disconnect()


async def test_an_unknown_path_says_so_and_closes(application: Any) -> None:
    async with connect(application, "/ws/v2/events") as client:
        assert (await client.hear())["code"] == "unknown_path"
        assert await client.closed() == 4404
