"""A plain event-socket client for tests: reads messages, sends commands, nothing clever."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from urllib.parse import unquote

DEADLINE = 10.0


@dataclass
class Message:
    """One message: its headers and its body."""

    headers: dict[str, str]
    body: str

    @property
    def kind(self) -> str:
        return self.headers["Content-Type"]

    @property
    def event(self) -> dict[str, str]:
        """The headers of a plain event."""
        lines = self.body.partition("\n\n")[0].split("\n")
        return {k: unquote(v) for k, v in (line.split(": ", 1) for line in lines if ": " in line)}


class Client:
    """``await Client.connect(port)``; every wait has a deadline."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.events: list[Message] = []

    @classmethod
    async def connect(cls, port: int, password: str | None = "ClueCon") -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**22)
        client = cls(reader, writer)
        assert (await client.read()).kind == "auth/request"
        if password is not None:
            assert await client.command(f"auth {password}") == "+OK accepted"
        return client

    async def read(self) -> Message:
        async with asyncio.timeout(DEADLINE):
            head = (await self.reader.readuntil(b"\n\n")).decode().strip()
            headers = dict(line.split(": ", 1) for line in head.split("\n"))
            body = await self.reader.readexactly(int(headers.get("Content-Length", 0)))
        return Message(headers, body.decode())

    def send(self, text: str) -> None:
        self.writer.write(f"{text}\n\n".encode())

    async def command(self, text: str) -> str:
        """Send and wait for the reply; events that come before it are kept."""
        self.send(text)
        while True:
            message = await self.read()
            if message.kind == "api/response":
                return message.body
            if message.kind == "command/reply":
                return message.headers["Reply-Text"]
            self.events.append(message)

    async def next_event(self, name: str, **wanted: str) -> dict[str, str]:
        """The next plain event of that name with these headers (``_`` for ``-``)."""
        async with asyncio.timeout(DEADLINE):
            while True:
                message = self.events.pop(0) if self.events else await self.read()
                event = message.event if message.kind == "text/event-plain" else {}
                if event.get("Event-Name") == name and all(
                    event.get(key.replace("_", "-")) == value for key, value in wanted.items()
                ):
                    return event

    async def closed(self) -> bytes:
        """What is left until the server closes."""
        async with asyncio.timeout(DEADLINE):
            return await self.reader.read()

    async def close(self) -> None:
        self.writer.close()
        await self.writer.wait_closed()
