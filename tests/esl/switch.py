"""A switch on loopback that says exactly what a test tells it to, byte for byte."""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

PASSWORD = "correct horse"
GREETING = b"Content-Type: auth/request\n\n"


def reply(text: str, **headers: str) -> bytes:
    extra = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    return f"Content-Type: command/reply\nReply-Text: {text}\n{extra}\n".encode()


def output(text: str | bytes) -> bytes:
    body = text.encode() if isinstance(text, str) else text
    return b"Content-Type: api/response\nContent-Length: %d\n\n%s" % (len(body), body)


def event(sequence: int, name: str = "HEARTBEAT", body: bytes = b"") -> bytes:
    length = f"Content-Length: {len(body)}\n" if body else ""
    payload = (
        f"Event-Name: {name}\nCore-UUID: 0ee7449e\nEvent-Date-Timestamp: 1795515237842290\n"
        f"Event-Sequence: {sequence}\n{length}\n"
    ).encode() + body
    return b"Content-Length: %d\nContent-Type: text/event-plain\n\n%s" % (len(payload), payload)


class Caller:
    """The switch's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def say(self, *pieces: bytes) -> None:
        self._writer.write(b"".join(pieces))
        await self._writer.drain()

    async def hear(self) -> str:
        """The next command, without the empty line that ends it."""
        return (await self._reader.readuntil(b"\n\n")).decode().removesuffix("\n\n")

    async def expect(self, command: str, *answer: bytes) -> None:
        heard = await self.hear()
        assert heard == command, f"the switch heard {heard!r}, expected {command!r}"
        await self.say(*answer)

    async def log_in(self) -> None:
        await self.say(GREETING)
        await self.expect(f"auth {PASSWORD}", reply("+OK accepted"))

    async def gone(self) -> None:
        """Wait until the other end has left, sending nothing more."""
        try:
            rest = await self._reader.read()
        except ConnectionResetError:
            return
        assert rest == b"", f"the switch heard {rest!r} after the end of its script"

    def hang_up(self) -> None:
        self._writer.close()


Script = Callable[[Caller], Awaitable[None]]


class ScriptedSwitch:
    """Plays `script` to the first who connects. On leaving, a script that went wrong fails the test."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._played: asyncio.Task[None] | None = None
        self.port = 0

    async def __aenter__(self) -> "ScriptedSwitch":
        self._server = await asyncio.start_server(self._play, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def play() -> None:
            try:
                await self._script(Caller(reader, writer))
            finally:
                writer.close()

        self._played = asyncio.ensure_future(play())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        if self._played is not None:
            async with asyncio.timeout(10):
                await self._played
