"""What all our WebSockets have in common: who is there, the stream, heartbeats, errors that close nothing."""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import msgspec
from asgiref.typing import WebSocketScope
from channels.generic.websocket import AsyncWebsocketConsumer
from django.contrib.auth.models import User
from django.db import DatabaseError
from django.utils import timezone

from .authentication import session_key_of, user_of_session, user_of_token
from .errors import CallCenterError, Conflict, InvalidInput, NotAllowed, NotAuthenticated, NotFound
from .events import last_seq
from .feed import BACKLOG, Feed, Step, Told
from .frames import (
    PROTOCOL,
    STREAM_FRAMES,
    Ack,
    Authenticate,
    Authenticated,
    BadFrame,
    Heartbeat,
    Hello,
    Ping,
    Pong,
    Resume,
    Snapshot,
    Subscribe,
    encode,
    parse,
)
from .hub import Hub, attach, detach, in_database, told_after
from .permissions import Role

log = logging.getLogger(__name__)

CLOSE_BAD_FRAMES = 4400
CLOSE_NOT_AUTHENTICATED = 4401
CLOSE_NOT_ALLOWED = 4403
CLOSE_NOT_FOUND = 4404
CLOSE_INTERNAL_ERROR = 1011


@dataclass(frozen=True, slots=True)
class Limits:
    """Times in seconds. `replayed` is how many events a `resume` may be behind."""

    heartbeat: float = 15.0
    to_authenticate: float = 10.0
    between_checks: float = 60.0
    retry: float = 1.0
    bad_frames: int = 20
    replayed: int = 1000
    backlog: int = BACKLOG


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who is connected, as far as the socket's rights depend on it."""

    user_id: int
    username: str
    role: Role
    agent: uuid.UUID | None = None


class TurnedAway(Exception):
    """Whoever is connected may not stay; `refusal` says why."""

    def __init__(self, refusal: CallCenterError) -> None:
        super().__init__(refusal.code)
        self.refusal = refusal


class Socket(AsyncWebsocketConsumer):
    """A consumer that has no channel of its own: an error of the channel layer cannot close it."""

    # No layer has this name, so Channels gives the consumer none.
    channel_layer_alias = "none: the hub subscribes for all sockets"
    scope: WebSocketScope

    async def accept_ours(self) -> None:
        """Accept, choosing our subprotocol where it is offered."""
        await self.accept(PROTOCOL if PROTOCOL in self.scope["subprotocols"] else None)

    async def say(self, message: msgspec.Struct | Mapping[str, Any]) -> None:
        """Send one message."""
        await self.send(text_data=encode(message))


class NoSuchSocket(Socket):
    """Answers on every path that is none, so that a client learns why it is closed."""

    async def connect(self) -> None:
        await self.accept_ours()
        await self.say(NotFound("There is no WebSocket at this path.", code="unknown_path").as_frame())
        await self.close(CLOSE_NOT_FOUND)


class StreamSocket(Socket):
    """A socket with authentication, a stream of events, and commands if a subclass has any.

    Frames are handled one after the other. Everything that is sent by itself (heartbeats, events) comes
    from one task, `_keep`.
    """

    frames: ClassVar[Mapping[str, type[msgspec.Struct]]] = STREAM_FRAMES

    def __init__(self, *, limits: Limits | None = None) -> None:
        super().__init__()
        self.limits = limits or Limits()
        self.visitor: Visitor | None = None
        self._user: Callable[[], User] | None = None
        self._feed: Feed | None = None
        self._hub: Hub | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()
        self._closing = False
        self._bad_frames = 0

    # --- for subclasses ----------------------------------------------------------------------------------

    def admit(self, user: User) -> Visitor:
        """Who this user is here. Runs in a database thread. Raises NotAllowed."""
        raise NotImplementedError

    def read_snapshot(self, visitor: Visitor) -> dict[str, Any]:
        """What a stream begins with, `seq` in it. Runs in a database thread."""
        raise NotImplementedError

    async def handle(self, frame: msgspec.Struct, visitor: Visitor) -> None:
        """Deal with a frame that this class does not know."""
        raise NotImplementedError

    # --- coming and going --------------------------------------------------------------------------------

    async def __call__(self, *asgi: Any) -> None:
        try:
            await super().__call__(*asgi)
        finally:
            self._closing = True
            if self._keeper is not None:
                self._keeper.cancel()
                await asyncio.gather(self._keeper, return_exceptions=True)
            if self._feed is not None:
                await detach(self._feed)

    async def connect(self) -> None:
        await self.accept_ours()
        key = session_key_of(self.scope["headers"])
        try:
            if key is not None:
                await self._let_in(partial(user_of_session, key))
        except NotAuthenticated:
            # An old cookie is as good as none.
            log.debug("a socket came with a session that has ended")
        except TurnedAway as turned_away:
            await self.say(Hello(heartbeat=self.limits.heartbeat, authenticated=True))
            await self._turn_away(turned_away.refusal)
            return
        await self.say(Hello(heartbeat=self.limits.heartbeat, authenticated=self.visitor is not None))
        self._keeper = asyncio.create_task(self._keep(), name="socket")

    async def _let_in(self, user: Callable[[], User]) -> Visitor:
        """Take `user` for who is connected. Raises NotAuthenticated, InvalidInput, TurnedAway."""
        found = await in_database(user)
        try:
            visitor = await in_database(self.admit, found)
        except NotAllowed as refusal:
            raise TurnedAway(refusal) from refusal
        if self.visitor not in (None, visitor):
            raise InvalidInput("The token belongs to another user.", code="other_user")
        self._user, self.visitor = user, visitor
        return visitor

    def visitor_now(self) -> Visitor:
        """The visitor, looked up again. Runs in a database thread. Raises TurnedAway."""
        try:
            if self._user is None:
                raise NotAuthenticated("Nobody has authenticated in time.")
            visitor = self.admit(self._user())
            if visitor != self.visitor:
                raise NotAllowed("Your rights have changed: connect again.", code="rights_changed")
        except (NotAuthenticated, NotAllowed) as refusal:
            raise TurnedAway(refusal) from refusal
        return visitor

    async def _turn_away(self, refusal: CallCenterError) -> None:
        self._closing = True
        await self.say(refusal.as_frame())
        await self.close(CLOSE_NOT_ALLOWED if isinstance(refusal, NotAllowed) else CLOSE_NOT_AUTHENTICATED)

    # --- frames from the client --------------------------------------------------------------------------

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self._closing:
            return
        request_id: Any = None
        try:
            if text_data is None:
                raise BadFrame("Frames are text.", code="binary_frame")
            frame = parse(text_data, self.frames)
            request_id = getattr(frame, "id", None)
            await self._deal_with(frame)
            self._bad_frames = 0
        except BadFrame as bad:
            await self._complain(bad, bad.request_id or request_id)
        except NotAuthenticated as refusal:
            await self._complain(refusal, request_id)
        except TurnedAway as turned_away:
            await self._turn_away(turned_away.refusal)
        except CallCenterError as error:
            await self.say(error.as_frame(request_id))
        except Exception:
            log.exception("a frame could not be dealt with")
            ours = CallCenterError("Something went wrong here; it is logged.", code="internal_error")
            await self.say(ours.as_frame(request_id))

    async def _complain(self, error: CallCenterError, request_id: Any) -> None:
        await self.say(error.as_frame(request_id))
        self._bad_frames += 1
        if self._bad_frames >= self.limits.bad_frames:
            self._closing = True
            await self.close(CLOSE_BAD_FRAMES)

    async def _deal_with(self, frame: msgspec.Struct) -> None:
        match frame:
            case Ping(id=request_id):
                await self.say(Pong(request_id))
                return
            case Authenticate(token=token):
                visitor = await self._let_in(partial(user_of_token, token))
                await self.say(Authenticated(visitor.username, visitor.role))
                self._wake.set()
                return
        if self.visitor is None:
            raise NotAuthenticated("Send `authenticate` first.")
        match frame:
            case Subscribe(credit=credit):
                self._stream().restart(credit)
            case Resume(seq=seq, credit=credit):
                self._stream().resume(seq, credit)
            case Ack(seq=seq):
                if self._feed is None:
                    raise Conflict("Send `subscribe` first.", code="not_subscribed")
                self._feed.acknowledge(seq)
            case _:
                await self.handle(frame, self.visitor)

    def _stream(self) -> Feed:
        if self._feed is None:
            assert self.visitor is not None
            agent = str(self.visitor.agent) if self.visitor.agent else None
            self._feed = Feed(wake=self._wake.set, agent=agent, size=self.limits.backlog)
            self._hub = attach(self._feed)
        return self._feed

    # --- what is sent by itself --------------------------------------------------------------------------

    async def _keep(self) -> None:
        try:
            await self._keep_going()
        except TurnedAway as turned_away:
            await self._turn_away(turned_away.refusal)
        except Exception:
            log.exception("a socket's stream ended")
            self._closing = True
            await self.close(CLOSE_INTERNAL_ERROR)

    async def _keep_going(self) -> None:
        clock = asyncio.get_running_loop().time
        beat = clock() + self.limits.heartbeat
        check = clock() + (self.limits.between_checks if self.visitor else self.limits.to_authenticate)
        while not self._closing:
            await self._until(min(beat, check))
            if clock() >= check:
                check = clock() + self.limits.between_checks
                await self._unless_the_database_is_away(self._check)
            if not await self._unless_the_database_is_away(self._send_stream):
                # What was to be sent is not known any more.
                self._stream().lose()
                await asyncio.sleep(self.limits.retry)
            if clock() >= beat:
                beat = clock() + self.limits.heartbeat
                await self._heartbeat()

    async def _until(self, due: float) -> None:
        try:
            async with asyncio.timeout_at(due):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    async def _check(self) -> None:
        await in_database(self.visitor_now)

    async def _unless_the_database_is_away(self, work: Callable[[], Awaitable[None]]) -> bool:
        """Whether `work` could be done: a database that is restarted costs a pause, not the connection."""
        try:
            await work()
        except DatabaseError:
            log.exception("a socket has to wait for the database")
            return False
        return True

    async def _heartbeat(self) -> None:
        beat = Heartbeat(now=timezone.now().isoformat())
        if self._feed is not None and (reached := self._feed.beat()) is not None:
            beat.prev, beat.seq = reached
        await self.say(beat)

    async def _send_stream(self) -> None:
        feed = self._feed
        if feed is None or self._hub is None or not self._hub.ready:
            return
        while not self._closing:
            match feed.next_step():
                case Step.NOTHING:
                    return
                case Step.SNAPSHOT:
                    await self._send_snapshot(feed)
                case Step.REPLAY:
                    await self._read_missed(feed)
                case Step.SEND:
                    message = feed.take()
                    if message is not None:
                        await self.say(message)

    async def _send_snapshot(self, feed: Feed) -> None:
        feed.reading()
        data = await in_database(lambda: self.read_snapshot(self.visitor_now()))
        seq = data.pop("seq")
        await self.say(Snapshot(seq=seq, data=data))
        feed.began(seq)

    async def _read_missed(self, feed: Feed) -> None:
        feed.reading()
        missed = await in_database(self._missed_since, feed.resume_from)
        if missed is None:
            feed.lose()
        else:
            feed.replay(missed, feed.resume_from + len(missed))

    def _missed_since(self, seq: int) -> list[Told] | None:
        """The events after `seq`, or None where only a snapshot helps: the log does not reach back so
        far, the number is from another log's future, or there are too many."""
        self.visitor_now()
        behind = last_seq() - seq
        if not 0 <= behind <= self.limits.replayed:
            return None
        missed = told_after(seq, behind) if behind else []
        return missed if len(missed) == behind else None
