"""A WebSocket client of the tests: speaks the protocol of docs/websocket.md to an application in this process."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from channels.testing import WebsocketCommunicator

EVENTS = "/ws/v1/events"
AGENT = "/ws/v1/agent"
PATIENCE = 10.0


class Closed(Exception):
    """The server closed the connection, with `code`."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


class SocketClient:
    """One connection. `seq` is where the client is, `events` all that it heard; `hear` checks that no frame
    was left out."""

    def __init__(self, communicator: WebsocketCommunicator) -> None:
        self.communicator = communicator
        self.seq: int | None = None
        self.events: list[dict[str, Any]] = []

    async def say(self, type: str, **fields: Any) -> None:
        await self.communicator.send_json_to({"type": type, **fields})

    async def send(self, text: str | bytes) -> None:
        frame = {"text": text} if isinstance(text, str) else {"bytes": text}
        await self.communicator.send_input({"type": "websocket.receive", **frame})

    async def hear(self, *types: str) -> dict[str, Any]:
        """The next message (of these types: others are passed over). Raises Closed."""
        while True:
            output = await self.communicator.receive_output(PATIENCE)
            if output["type"] == "websocket.close":
                raise Closed(output["code"])
            message: dict[str, Any] = json.loads(output["text"])
            self._follow(message)
            if not types or message["type"] in types:
                return message

    def _follow(self, message: dict[str, Any]) -> None:
        if "seq" not in message:
            return
        if message["type"] != "snapshot":
            assert message["prev"] == self.seq, f"a gap: at {self.seq}, then {message}"
        self.seq = message["seq"]
        if message["type"] == "event":
            self.events.append(message["event"])

    async def reach(self, seq: int) -> None:
        """Hear everything on the way to `seq`, which a heartbeat names if nothing else does."""
        while self.seq is None or self.seq < seq:
            await self.hear()

    async def authenticate(self, token: str) -> dict[str, Any]:
        await self.say("authenticate", token=token)
        return await self.hear("authenticated", "error")

    async def subscribe(self, **fields: Any) -> dict[str, Any]:
        await self.say("subscribe", **fields)
        return await self.hear("snapshot")

    async def resume(self, seq: int, **fields: Any) -> None:
        await self.say("resume", seq=seq, **fields)
        self.seq = seq

    async def command(self, command: str, id: str = "c1", **data: Any) -> dict[str, Any]:
        """The answer to a command."""
        await self.say("command", id=id, command=command, data=data)
        return await self.hear("result", "error")

    async def closed(self) -> int:
        """The code that the server closes with; what it says before is passed over."""
        try:
            while True:
                await self.hear()
        except Closed as closed:
            return closed.code

    async def says_nothing(self, seconds: float = 0.2) -> bool:
        return bool(await self.communicator.receive_nothing(timeout=seconds))


@asynccontextmanager
async def connect(
    application: Any, path: str = EVENTS, *, token: str = "", headers: dict[str, str] | None = None
) -> AsyncIterator[SocketClient]:
    """An open connection that has heard `hello`, and is authenticated where a token is given."""
    raw = [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    communicator = WebsocketCommunicator(application, path, headers=raw)
    accepted, _ = await communicator.connect(PATIENCE)
    assert accepted
    client = SocketClient(communicator)
    try:
        if token:
            assert (await client.hear())["type"] == "hello"
            assert (await client.authenticate(token))["type"] == "authenticated"
        yield client
    finally:
        await communicator.disconnect(timeout=PATIENCE)


async def until(condition: Any, *, seconds: float = PATIENCE, what: str = "the condition") -> None:
    """Return as soon as `condition()` is true, or fail."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)
