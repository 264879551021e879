"""The event socket: ESL over TCP, as mod_event_socket speaks it to inbound clients."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import logging
from collections import deque
from collections.abc import Mapping
from urllib.parse import unquote

from .commands import Reply
from .dialstring import whole_number
from .events import Event
from .subscriptions import Subscription
from .switch import Switch

log = logging.getLogger(__name__)

_MAX_HEAD = 64 * 1024
_MAX_BODY = 16 * 1024 * 1024
_AUTH_SECONDS = 25.0
_GIVE_UP_AFTER_DROPS = 500
_HIGH_WATER = 1024 * 1024
_GOODBYE = b"Disconnected, goodbye.\nSee you at ClueCon! http://www.cluecon.com/\n"
_SHUTDOWN = b"The system is being shut down.\n"


class EslServer:
    """Accepts event-socket clients for one switch.

    ``queue_limit`` events may wait for a client that reads slowly; more are dropped, and a client that
    loses more than 500 in a row is disconnected (ES:388-405).
    """

    def __init__(self, switch: Switch, password: str = "ClueCon", *, queue_limit: int = 100_000) -> None:  # noqa: S107
        self.switch = switch
        self.password = password
        self.queue_limit = queue_limit
        self._server: asyncio.Server | None = None
        self._connections: set[Connection] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def client_count(self) -> int:
        """Clients connected now."""
        return len(self._connections)

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen; the port (chosen by the system for 0) is returned. OSError when it is taken."""
        self._server = await asyncio.start_server(self._accept, host, port, limit=_MAX_HEAD)
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self, notice: bytes = _SHUTDOWN) -> None:
        """Say goodbye to every client and close everything; no task or socket is left."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
        for connection in tuple(self._connections):
            connection.say_goodbye(notice)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if server is not None:
            await server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection(self, reader, writer)
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(connection)
        self._tasks.add(task)
        try:
            await connection.serve()
        except asyncio.CancelledError:
            log.debug("connection closed by the server")
        finally:
            self._connections.discard(connection)
            self._tasks.discard(task)


class Connection:
    """One client: commands are answered one after the other, events flow between the answers."""

    def __init__(self, server: EslServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.server = server
        self.switch = server.switch
        self.reader, self.writer = reader, writer
        self.subscription = Subscription()
        self.authenticated = False
        self.closing = False
        self._events: deque[bytes] = deque()
        self._dropped = 0
        self._wake = asyncio.Event()
        self._busy = False

    async def serve(self) -> None:
        """Talk until either side closes."""
        unsubscribe = self.switch.bus.subscribe(self._on_event)
        pump = asyncio.create_task(self._pump())
        try:
            self._write(b"Content-Type: auth/request\n\n")
            await self._commands()
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            log.debug("client went away")
        finally:
            unsubscribe()
            pump.cancel()
            await asyncio.gather(pump, return_exceptions=True)
            if not self.writer.transport.is_closing():
                self.writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self.writer.wait_closed()
            self.writer.transport.abort()

    def say_goodbye(self, text: bytes) -> None:
        """Write the disconnect notice and close."""
        if self.writer.transport.is_closing():
            return
        for message in self._events:
            self.writer.write(message)
        self._events.clear()
        head = b"Content-Type: text/disconnect-notice\nContent-Length: %d\n\n" % len(text)
        self._write(head + text)
        self.closing = True
        self.writer.close()

    # -- in ---------------------------------------------------------------------------------------

    async def _commands(self) -> None:
        while not self.closing:
            async with asyncio.timeout(None if self.authenticated else _AUTH_SECONDS):
                request = await self._read_request()
            if request is None:
                return
            line, headers, body = request
            if line:
                await self._execute(line, headers, body)

    async def _read_request(self) -> tuple[str, dict[str, str], str] | None:
        """One command with its headers and body. None: too long or too big, the connection is dropped."""
        try:
            head = await self.reader.readuntil(b"\n\n")
        except asyncio.LimitOverrunError:
            return None
        lines = head.decode("utf-8", "replace").replace("\r", "").strip("\n").split("\n")
        headers: dict[str, str] = {}
        for text in lines[1:]:
            name, separator, value = text.partition(":")
            if separator:
                headers[name.strip().lower()] = value.strip()
        length = headers.get("content-length", "")
        body = b""
        if length:
            if not 0 <= whole_number(length, -1) <= _MAX_BODY:
                return None
            body = await self.reader.readexactly(int(length))
        return lines[0].strip(), headers, body.decode("utf-8", "replace")

    async def _execute(self, line: str, headers: Mapping[str, str], body: str) -> None:
        word, _, argument = line.partition(" ")
        word, argument = word.lower(), argument.strip()
        if word in ("exit", "..."):
            self._reply("+OK bye")
            self.say_goodbye(_GOODBYE)
        elif word == "auth":
            self._auth(argument)
        elif not self.authenticated:
            self._reply("-ERR command not found")
        elif word == "api":
            await self._api(argument)
        elif word == "bgapi":
            job = headers.get("job-uuid") or self.switch.bus.uuid()
            self._reply(f"+OK Job-UUID: {job}", {"Job-UUID": job})
            self.switch.bgapi(argument, job)
        elif word == "sendevent":
            self._sendevent(argument, headers, body)
        else:
            self._reply(self._subscribe(word, argument))

    def _auth(self, password: str) -> None:
        if hmac.compare_digest(password.encode(), self.server.password.encode()):
            self.authenticated = True
            self._reply("+OK accepted")
        else:
            self._reply("-ERR invalid")
            self.say_goodbye(_GOODBYE)

    def _subscribe(self, word: str, argument: str) -> str:
        if word == "event":
            return self.subscription.event(argument.replace(",", " ").split())
        if word == "nixevent":
            return self.subscription.nixevent(argument.split())
        if word == "noevents":
            self._events.clear()
            return self.subscription.noevents()
        if word == "filter":
            return self.subscription.filter(argument)
        if word in ("linger", "nolinger", "divert_events"):
            return "-ERR not controlling a session"
        if word == "log":
            return f"+OK log level {argument or 'DEBUG'} [7]"
        return "+OK no longer logging" if word == "nolog" else "-ERR command not found"

    async def _api(self, line: str) -> None:
        """Nothing else is sent on this connection, not even events, until the command is done."""
        output: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def done(text: str) -> None:
            if not output.done():
                output.set_result(text)

        self._busy = True
        try:
            self._run(line, done)
            # A client that hangs up in a long command is noticed by its reader, not by this wait.
            text = await self._or_gone(output)
        finally:
            self._busy = False
        body = text.encode("utf-8", "replace")
        self._write(b"Content-Type: api/response\nContent-Length: %d\n\n%b" % (len(body), body))
        self._wake.set()

    def _run(self, line: str, done: Reply) -> None:
        """A defect in one command must not cost the client its connection, nor the others theirs."""
        try:
            self.switch.api(line, done)
        except Exception:
            log.exception("command failed: %.200s", line)
            done("-ERR Internal error\n")

    async def _or_gone(self, output: asyncio.Future[str]) -> str:
        while True:
            done, _ = await asyncio.wait([output], timeout=1.0)
            if done:
                return output.result()
            if self.reader.at_eof() or self.writer.transport.is_closing():
                raise ConnectionResetError

    def _sendevent(self, name: str, headers: Mapping[str, str], body: str) -> None:
        subclass = headers.get("event-subclass", "")
        event = self.switch.bus.create(name.strip().upper() or "CUSTOM", subclass=subclass)
        for key, value in headers.items():
            if key not in ("content-length", "event-subclass", "event-name"):
                title = "-".join(part[:1].upper() + part[1:] for part in key.split("-"))
                event.headers[title] = unquote(value)
        if body:
            event.body = body
        self._reply(f"+OK {event.headers['Event-Sequence']}")
        self.switch.bus.fire(event)

    # -- out --------------------------------------------------------------------------------------

    def _reply(self, text: str, headers: Mapping[str, str] | None = None) -> None:
        extra = "".join(f"{k}: {v}\n" for k, v in (headers or {}).items())
        self._write(f"Content-Type: command/reply\nReply-Text: {text}\n{extra}\n".encode())

    def _write(self, data: bytes) -> None:
        if not self.writer.transport.is_closing():
            self.writer.write(data)

    def _on_event(self, event: Event) -> None:
        if self.closing or not self.authenticated or not self.subscription.wants(event):
            return
        if len(self._events) >= self.server.queue_limit:
            self._dropped += 1
            if self._dropped > _GIVE_UP_AFTER_DROPS:
                log.warning("a client does not read: %d events lost, disconnected", self._dropped)
                self.closing = True
                self.writer.transport.abort()
            return
        self._dropped = 0
        self._events.append(event.json() if self.subscription.format == "json" else event.plain())
        self._wake.set()

    async def _pump(self) -> None:
        """Write waiting events whenever no command runs and the client keeps reading."""
        with contextlib.suppress(ConnectionError):
            while not self.closing:
                await self._wake.wait()
                self._wake.clear()
                while self._events and not self._busy and not self.closing:
                    self._write(self._events.popleft())
                    if self.writer.transport.get_write_buffer_size() > _HIGH_WATER:
                        await self.writer.drain()
