"""The sockets in a web server of its own, with a Redis between it and the process that makes the changes."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from callcenter.hub import in_database
from queues.models import Queue
from queues.services import queue_create, queue_update
from tests.product import PROJECT, product_environment
from tests.servers import LOOPBACK, RedisServer, Server, free_port, wait_until

from .client import EVENTS
from .conftest import BY, Person

pytestmark = [pytest.mark.both_stacks, pytest.mark.servers, pytest.mark.django_db(transaction=True)]


class WebServer(Server):
    """daphne with our application, on a database and a Redis that are there."""

    name = "web"

    def __init__(self, database: str, layer: str) -> None:
        super().__init__()
        self.port = free_port()
        # The key, so that a session made here counts there.
        self.env = {
            "DATABASE_URL": database,
            "REDIS_URL": layer,
            "SECRET_KEY": settings.SECRET_KEY,
            "VAR_DIR": str(self.directory),
        }

    @property
    def url(self) -> str:
        return f"ws://{LOOPBACK}:{self.port}"

    def command(self) -> Sequence[str]:
        place = ["-b", LOOPBACK, "-p", str(self.port)]
        return [sys.executable, "-m", "daphne", *place, "callcenter.asgi:application"]

    def spawn(self) -> Any:
        return self.launch(self.command(), cwd=PROJECT, env=product_environment(self.env))

    def answers(self) -> bool:
        try:
            socket.create_connection((LOOPBACK, self.port), timeout=1).close()
        except OSError:
            return False
        return True


def database_of_the_tests() -> str:
    """The URL of the database that this process tests with."""
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{at['NAME']}"
    return f"postgres://{at['USER']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


@pytest.fixture(scope="module")
def redis() -> Iterator[RedisServer]:
    """A Redis that this module may stop."""
    with RedisServer() as server:
        yield server


@pytest.fixture(scope="module")
def web(django_db_setup: None, redis: RedisServer) -> Iterator[WebServer]:
    with WebServer(database_of_the_tests(), redis.url) as server:
        yield server
        # Whatever the tests did to it.
        assert "Traceback" not in server.log.read_text()


@pytest.fixture(autouse=True)
def this_process_tells_over_redis(settings: Any, redis: RedisServer) -> None:
    if redis.process is None or redis.process.poll() is not None:
        redis.start()
    hosts = [{"address": redis.url, "socket_timeout": None}]
    settings.CHANNEL_LAYERS = {
        "default": {"BACKEND": "channels_redis.core.RedisChannelLayer", "CONFIG": {"hosts": hosts}}
    }


class Listener:
    """A client on the network."""

    def __init__(self, websocket: ClientConnection) -> None:
        self.websocket = websocket

    async def say(self, type: str, **fields: Any) -> None:
        await self.websocket.send(json.dumps({"type": type, **fields}))

    async def hear(self, *types: str, within: float = 10.0) -> dict[str, Any]:
        async with asyncio.timeout(within):
            while True:
                message: dict[str, Any] = json.loads(await self.websocket.recv())
                if not types or message["type"] in types:
                    return message


@asynccontextmanager
async def listening(web: WebServer, person: Person, resume: int | None = None) -> AsyncIterator[Listener]:
    async with websocket_connect(web.url + EVENTS, max_size=None) as websocket:
        listener = Listener(websocket)
        await listener.hear("hello")
        await listener.say("authenticate", token=person.token)
        await listener.hear("authenticated")
        if resume is None:
            await listener.say("subscribe")
            await listener.hear("snapshot")
        else:
            await listener.say("resume", seq=resume)
        yield listener


async def make_queue() -> Queue:
    return await in_database(partial(queue_create, name="q", by=BY))


async def change_is_heard(listener: Listener, queue: Queue, *, within: float = 10.0) -> float:
    """Change something here; how many seconds after its commit began it is heard there."""
    name = f"at {time.monotonic_ns()}"
    begun = time.monotonic()
    telling = asyncio.create_task(
        in_database(partial(queue_update, queue_id=queue.pk, by=BY, display_name=name))
    )
    event = {}
    while event.get("display_name") != name:
        event = (await listener.hear("event", within=within))["event"]["data"]
    seconds = time.monotonic() - begun
    await telling
    return seconds


@pytest.mark.alone
async def test_what_another_process_changes_is_heard_at_once(web: WebServer, supervisor: Person) -> None:
    queue = await make_queue()
    async with listening(web, supervisor) as listener:
        took = [await change_is_heard(listener, queue) for _ in range(10)]

    assert statistics.median(took) < 0.25, took


@pytest.mark.alone
async def test_a_socket_that_idles_longer_than_redis_clients_are_patient_still_hears(
    web: WebServer, supervisor: Person
) -> None:
    queue = await make_queue()
    async with listening(web, supervisor) as listener:
        with pytest.raises(TimeoutError):
            await listener.hear("event", within=7)
        took = [await change_is_heard(listener, queue) for _ in range(3)]

    assert statistics.median(took) < 0.25, took


@pytest.mark.alone
async def test_a_restart_of_redis_closes_no_socket_and_loses_no_event(
    web: WebServer, redis: RedisServer, supervisor: Person
) -> None:
    queue = await make_queue()
    async with listening(web, supervisor) as listener:
        await change_is_heard(listener, queue)
        await asyncio.to_thread(redis.stop)
        assert await change_is_heard(listener, queue) < 4
        async with listening(web, supervisor) as newcomer:
            assert await change_is_heard(newcomer, queue) < 4

        await asyncio.to_thread(redis.start)
        assert await change_is_heard(listener, queue) < 4
        async with asyncio.timeout(20):
            while await change_is_heard(listener, queue) > 0.25:
                await asyncio.sleep(0.1)


async def test_a_client_resumes_across_a_restart_of_the_web_server(
    web: WebServer, supervisor: Person
) -> None:
    queue = await make_queue()
    with pytest.raises(ConnectionClosed):
        async with listening(web, supervisor) as listener:
            await change_is_heard(listener, queue)
            await asyncio.to_thread(web.kill)
            await listener.hear("event")
    for name in ("missed 1", "missed 2"):
        await in_database(partial(queue_update, queue_id=queue.pk, by=BY, display_name=name))
    await asyncio.to_thread(web.start)

    async with listening(web, supervisor, resume=2) as listener:
        missed = [(await listener.hear())["event"]["data"]["display_name"] for _ in range(2)]
        assert missed == ["missed 1", "missed 2"]
        assert (await listener.hear())["type"] == "resumed"
        await change_is_heard(listener, queue)


async def test_a_browser_s_session_is_known(web: WebServer, supervisor: Person) -> None:
    def log_in() -> str:
        browser = Client()
        browser.force_login(supervisor.user)
        return browser.cookies["sessionid"].value

    cookie = {"Cookie": f"sessionid={await in_database(log_in)}"}
    own, foreign = f"http://{LOOPBACK}:{web.port}", "http://evil.example"
    for origin, authenticated in ((own, True), (foreign, False)):
        async with websocket_connect(
            web.url + EVENTS,
            origin=origin,
            additional_headers=cookie,  # type: ignore[arg-type]
        ) as websocket:
            assert json.loads(await websocket.recv())["authenticated"] is authenticated


@pytest.mark.parametrize("what", ["10 MB", "invalid UTF-8"])
async def test_what_is_no_frame_at_all_ends_that_connection_alone(
    web: WebServer, supervisor: Person, what: str
) -> None:
    queue = await make_queue()
    async with listening(web, supervisor) as other:
        with pytest.raises(ConnectionClosed):
            async with listening(web, supervisor) as listener:
                if what == "10 MB":
                    await listener.websocket.send("x" * 10_000_000)
                else:
                    await listener.websocket.send(b"\xff\xfe{}", text=True)
                await listener.hear("nothing")
        await change_is_heard(other, queue)


async def test_a_large_frame_is_answered_and_the_socket_goes_on(web: WebServer, supervisor: Person) -> None:
    async with listening(web, supervisor) as listener:
        await listener.say("ping", id="x" * 100_000)
        assert (await listener.hear("error"))["code"] == "too_large"
        await listener.say("ping", id="small")
        assert await listener.hear("pong") == {"type": "pong", "id": "small"}


async def test_paths_that_are_none_are_closed_without_a_traceback(web: WebServer) -> None:
    for path in ("/", "/ws", "/ws/v1/events/", "/ws/v1/%00", "/ws/v1/agent/../events"):
        try:
            async with websocket_connect(web.url + path) as websocket:
                assert json.loads(await websocket.recv())["code"] == "unknown_path"
                await websocket.wait_closed()
                assert websocket.close_code == 4404
        except InvalidStatus as refused:
            assert refused.response.status_code in (400, 403)


def open_files(web: WebServer) -> int:
    assert web.process is not None
    return len(list(Path(f"/proc/{web.process.pid}/fd").iterdir()))


async def test_sockets_that_come_and_go_leave_nothing_behind(web: WebServer, supervisor: Person) -> None:
    async def come_and_go(times: int) -> None:
        for _ in range(times):
            async with asyncio.TaskGroup() as group:
                for _ in range(10):
                    group.create_task(visit())

    async def visit() -> None:
        async with listening(web, supervisor):
            return

    await come_and_go(3)
    files = open_files(web)
    await come_and_go(4)
    wait = partial(wait_until, lambda: open_files(web) <= files + 3, seconds=5, what="files closed")
    await asyncio.to_thread(wait)


async def test_the_server_ends_cleanly_with_sockets_open(redis: RedisServer, supervisor: Person) -> None:
    with WebServer(database_of_the_tests(), redis.url) as web:
        async with listening(web, supervisor) as listener, listening(web, supervisor):
            assert web.process is not None
            web.process.send_signal(signal.SIGTERM)
            with pytest.raises(ConnectionClosed):
                await listener.hear("nothing")
            assert await asyncio.to_thread(web.process.wait, 10) == 0
        assert not re.search("Traceback|never retrieved|was destroyed", web.log.read_text())
