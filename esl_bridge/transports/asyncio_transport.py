"""The event socket on asyncio: no thread, no build, a deadline on everything."""

# ruff: noqa: ASYNC109 (the deadline of a command includes its turn in the queue, and ends the connection)

import asyncio
import contextlib
import logging
import socket
from collections import deque
from collections.abc import AsyncIterator
from typing import cast

from esl_bridge.protocol import (
    Event,
    Frame,
    FrameReader,
    MalformedEvent,
    ProtocolError,
    decode_event,
    encode_command,
)
from esl_bridge.transports.base import (
    COMMAND_TIMEOUT,
    CONNECT_TIMEOUT,
    IDLE_TIMEOUT,
    EslClosed,
    EslError,
    EslRefused,
    EslTimeout,
)

log = logging.getLogger(__name__)

FRAME_TIMEOUT = 10.0
"""Seconds of silence in the middle of a message after which the connection is broken."""

READER_TIMEOUT = 30.0
"""Seconds the application may leave the queue of events full."""

MAX_QUEUED = 10_000
"""Events kept for the application; the switch keeps another 100000 before it drops any."""

_CLOSE_GRACE = 1.0


async def connect(
    host: str,
    port: int,
    password: str,
    *,
    connect_timeout: float = CONNECT_TIMEOUT,
    idle_timeout: float = IDLE_TIMEOUT,
    frame_timeout: float = FRAME_TIMEOUT,
    reader_timeout: float = READER_TIMEOUT,
    max_queued: int = MAX_QUEUED,
) -> "AsyncioConnection":
    """Connect and authenticate. Times are in seconds, `max_queued` is a number of events.

    Raises EslClosed (nobody listens, or hangs up on us), EslRefused (address or password), EslTimeout,
    UnsafeCommand (a password that cannot be sent).
    """
    login = encode_command(f"auth {password}")
    connection = AsyncioConnection(
        idle_timeout=idle_timeout,
        frame_timeout=frame_timeout,
        reader_timeout=reader_timeout,
        max_queued=max_queued,
    )
    try:
        async with asyncio.timeout(connect_timeout):
            await asyncio.get_running_loop().create_connection(lambda: connection, host, port)
            await connection.authenticate(login)
    except TimeoutError:
        raise EslTimeout(f"no accepted login at {host}:{port} within {connect_timeout:g} s") from None
    except OSError as error:
        raise EslClosed(f"cannot connect to {host}:{port}: {error}") from error
    finally:
        if not connection.authenticated:
            await connection.close()
    return connection


class AsyncioConnection(asyncio.Protocol):
    """An EslConnection; made by `connect`."""

    def __init__(
        self, *, idle_timeout: float, frame_timeout: float, reader_timeout: float, max_queued: int
    ) -> None:
        self.authenticated = False
        self._loop = asyncio.get_running_loop()
        self._idle_timeout = idle_timeout
        self._frame_timeout = frame_timeout
        self._reader_timeout = reader_timeout
        self._max_queued = max_queued
        self._transport: asyncio.Transport | None = None
        self._lost = self._loop.create_future()
        self._end: EslError | None = None
        self._frames = FrameReader()
        self._malformed = 0
        self._events: deque[Event] = deque()
        self._arrived = asyncio.Event()
        self._turn = asyncio.Lock()
        self._reply: asyncio.Future[Frame] | None = self._loop.create_future()  # the greeting
        self._heartbeat = False
        self._heard = self._loop.time()
        self._full_since: float | None = None
        self._watch: asyncio.TimerHandle | None = None

    @property
    def closed(self) -> bool:
        return self._end is not None

    @property
    def malformed_events(self) -> int:
        return self._malformed

    @property
    def queued_events(self) -> int:
        return len(self._events)

    async def authenticate(self, login: bytes) -> None:
        """Wait for the greeting and answer it with the `login` command. Once, and before all else."""
        assert self._reply is not None
        greeting = await self._reply
        if greeting.content_type != "auth/request":
            raise EslClosed("what answers is no event socket")
        answer = _reply_text(await self._ask(login))
        if not answer.startswith("+OK"):
            raise EslRefused(f"the switch refuses the password: {answer[:80]}")
        self.authenticated = True

    async def command(self, line: str, *, timeout: float = COMMAND_TIMEOUT) -> str:
        answer = _reply_text(await self._exchange(line, timeout))
        if answer.startswith("+OK") and _subscribes_to_heartbeat(line):
            self._heartbeat = True
            self._set_watch()
        return answer

    async def api(self, line: str, *, timeout: float = COMMAND_TIMEOUT) -> str:
        reply = await self._exchange(f"api {line}", timeout)
        # A refused api command is answered like any other command, without a body.
        return reply.body.decode("utf-8", "replace") or _reply_text(reply)

    async def bgapi(self, line: str, *, timeout: float = COMMAND_TIMEOUT) -> str:
        reply = await self._exchange(f"bgapi {line}", timeout)
        job = reply.headers.get("Job-UUID", "")
        if not job:
            raise EslRefused(f"the switch starts no job: {_reply_text(reply)[:80]}")
        return job

    async def next_events(self, limit: int) -> list[Event]:
        while not self._events:
            if self._end is not None:
                raise self._ended()
            self._arrived.clear()
            await self._arrived.wait()
        batch = [self._events.popleft() for _ in range(min(limit, len(self._events)))]
        if self._full_since is not None and len(self._events) <= self._max_queued // 2:
            self._resume_reading()
        return batch

    async def events(self) -> AsyncIterator[Event]:
        try:
            while True:
                for event in await self.next_events(1):
                    yield event
        except _ClosedHere:
            return

    async def close(self) -> None:
        self._finish(_ClosedHere("the connection was closed by this side"))
        if self._transport is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CLOSE_GRACE):
                    await asyncio.shield(self._lost)

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        _keep_alive(self._transport.get_extra_info("socket"))

    def data_received(self, data: bytes) -> None:
        self._heard = self._loop.time()
        try:
            for frame in self._frames.feed(data):
                self._take(frame)
        except ProtocolError as error:
            for frame in error.frames:
                self._take(frame)
            self._finish(EslClosed(f"the switch's bytes make no sense: {error}"))
        self._set_watch()

    def connection_lost(self, exc: Exception | None) -> None:
        reason = f": {exc}" if exc else " in the middle of a message" if self._frames.partial else ""
        self._finish(EslClosed(f"the connection was lost{reason}"))
        if not self._lost.done():
            self._lost.set_result(None)

    # Messages

    def _take(self, frame: Frame) -> None:
        if self._end is not None:
            return
        match frame.content_type:
            case "command/reply" | "api/response" | "auth/request":
                self._take_reply(frame)
            case "text/event-plain" | "text/event-json" | "text/event-xml":
                self._take_event(frame)
            case "text/disconnect-notice":
                farewell = frame.body.decode("utf-8", "replace").split("\n", 1)[0]
                self._finish(EslClosed(f"the switch hung up: {farewell[:80]}"))
            case "text/rude-rejection":
                self._finish(EslRefused("the switch does not accept connections from this address"))
            case other:
                log.debug("a message of type %.64r was skipped", other)

    def _take_reply(self, frame: Frame) -> None:
        if self._reply is None or self._reply.done():
            self._finish(EslClosed("the switch answered what nobody asked"))
        else:
            self._reply.set_result(frame)

    def _take_event(self, frame: Frame) -> None:
        try:
            self._events.append(decode_event(frame))
        except MalformedEvent as error:
            self._malformed += 1
            log.warning("an event was skipped: %s", error)
            return
        self._arrived.set()
        if len(self._events) >= self._max_queued and self._full_since is None:
            self._pause_reading()

    async def _exchange(self, line: str, timeout: float) -> Frame:
        data = encode_command(line)
        try:
            async with asyncio.timeout(timeout), self._turn:
                return await self._ask(data)
        except TimeoutError:
            verb = line.split(maxsplit=1)[0]
            raise EslTimeout(f"no reply to {verb} within {timeout:g} s") from None

    async def _ask(self, data: bytes) -> Frame:
        if self._end is not None or self._transport is None:
            raise self._ended()
        self._reply = self._loop.create_future()
        self._transport.write(data)
        try:
            return await self._reply
        except asyncio.CancelledError:
            self._finish(EslClosed("a reply was not waited for, and would be taken for the next one"))
            raise
        finally:
            self._reply = None

    # Deadlines

    def _pause_reading(self) -> None:
        self._full_since = self._loop.time()
        if self._transport is not None:
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        self._full_since = None
        self._heard = self._loop.time()
        if self._transport is not None and self._end is None:
            self._transport.resume_reading()
            self._set_watch()

    def _due(self) -> tuple[float, str] | None:
        """When the present silence becomes a fault, on the loop's clock, and which fault it then is."""
        if self._full_since is not None:
            since, allowed, fault = self._full_since, self._reader_timeout, "events are not taken fast enough"
        elif self._frames.partial:
            since, allowed, fault = self._heard, self._frame_timeout, "silence in the middle of a message"
        elif self._heartbeat:
            since, allowed, fault = self._heard, self._idle_timeout, "no event, not even a heartbeat"
        else:
            return None
        return since + allowed, f"{fault} for {allowed:g} s"

    def _set_watch(self) -> None:
        """Have `_check` called no later than the next deadline.

        A timer that would come too early is left alone: it finds nothing wrong and sets the next one. So
        a busy connection does not make a timer for every piece of data.
        """
        due = self._due()
        if self._end is not None or due is None:
            return
        if self._watch is not None:
            if self._watch.when() <= due[0]:
                return
            self._watch.cancel()
        self._watch = self._loop.call_at(due[0], self._check)

    def _check(self) -> None:
        self._watch = None
        due = self._due()
        if due is not None and self._loop.time() >= due[0]:
            self._finish(EslTimeout(due[1]))
        else:
            self._set_watch()

    # The end

    def _finish(self, reason: EslError) -> None:
        """End the connection for the first reason given; later ones are only its consequences."""
        if self._end is not None:
            return
        self._end = reason
        if self._watch is not None:
            self._watch.cancel()
        if self._transport is not None:
            self._transport.abort()
        if self._reply is not None and not self._reply.done():
            self._reply.set_exception(self._ended())
            self._reply.exception()  # seen: nobody may be waiting any more
        self._arrived.set()

    def _ended(self) -> EslError:
        """A fresh copy of what ended the connection: every caller raises its own."""
        return type(self._end)(*self._end.args) if self._end else EslClosed("not connected")


class _ClosedHere(EslClosed):
    """The application closed the connection itself."""


def _reply_text(frame: Frame) -> str:
    return frame.headers.get("Reply-Text", "")


def _subscribes_to_heartbeat(line: str) -> bool:
    """Whether an `event` command asks for HEARTBEAT. Words after CUSTOM are subclasses."""
    words = line.upper().split()
    natives = words[: words.index("CUSTOM")] if "CUSTOM" in words else words
    return natives[:1] == ["EVENT"] and not {"HEARTBEAT", "ALL"}.isdisjoint(natives)


def _keep_alive(sock: socket.socket) -> None:
    """Find a dead peer within about a minute also where no heartbeat is due, and send at once."""
    options = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 3, "TCP_NODELAY": 1}
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in options.items():
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
