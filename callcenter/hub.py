"""The live stream of this process: one subscription that feeds all of its sockets.

Events arrive from this process's own commits at once, and from other processes over the channel layer.
Neither is trusted to bring everything: numbers have no gaps, so a missing one is read from the log, and
while nothing arrives the log is asked every second. With the layer down, events are late, never lost.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypeVar
from weakref import WeakKeyDictionary

import msgspec
from asgiref.sync import sync_to_async
from channels import DEFAULT_CHANNEL_LAYER
from channels.layers import BaseChannelLayer, InMemoryChannelLayer, channel_layers
from django.db import close_old_connections

from .events import EVENTS_GROUP, envelope, events_after, last_seq, listen
from .feed import Feed, Told

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
# A hub further behind than this does not catch up event by event: snapshots are cheaper.
MOST_FILLED = 1000
# Joining again is cheap, and needed after a restart of a Redis that keeps nothing.
JOIN_SECONDS = 10.0
# A connection that died without a word is given up after so long without a message.
RECEIVE_SECONDS = 30.0
RETRY_SECONDS = 1.0

P = ParamSpec("P")
T = TypeVar("T")


async def in_database(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Run database work in a thread of its own, so that one slow query holds no other socket up."""
    return await sync_to_async(_with_connection, thread_sensitive=False)(work, *args, **kwargs)


def _with_connection(work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    try:
        return work(*args, **kwargs)
    finally:
        # The thread goes back to a pool: a connection left in it would be lost to everybody else.
        close_old_connections()


def told_of(frame: Mapping[str, Any]) -> Told:
    """An event as it travels, made ready for all feeds."""
    event = {key: value for key, value in frame.items() if key != "agents"}
    return Told(
        frame["seq"], frozenset(frame["agents"]), msgspec.Raw(msgspec.json.encode(event, enc_hook=str))
    )


def told_after(seq: int, limit: int) -> list[Told]:
    """Events of the log, oldest first."""
    return [told_of(envelope(event) | {"agents": event.agents}) for event in events_after(seq, limit)]


class Hub:
    """Feeds the sockets of one event loop. Made by `attach`, ended by the last `detach`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.feeds: set[Feed] = set()
        self.cursor: int | None = None
        self._inbox: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self._joining = asyncio.Event()
        self._loop = loop
        self._unlisten = listen(EVENTS_GROUP, self._hear)
        self._layer = _layer_to_other_processes()
        self._channel = ""
        self._tasks = [loop.create_task(self._run(), name="hub")]
        if self._layer is not None:
            self._tasks.append(loop.create_task(self._receive(self._layer), name="hub layer"))

    @property
    def ready(self) -> bool:
        """Whether what is committed from now on reaches the feeds."""
        return self.cursor is not None

    async def stop(self) -> None:
        """End the subscription."""
        self._unlisten()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._layer is not None:
            # A Redis that does not answer forgets this channel by itself.
            with contextlib.suppress(Exception):
                async with asyncio.timeout(RETRY_SECONDS):
                    await self._layer.group_discard(EVENTS_GROUP, self._channel)
            with contextlib.suppress(Exception):
                await self._layer.close_pools()

    def _hear(self, message: Mapping[str, Any]) -> None:
        """Called by this process's own commits, on whatever thread they are made."""
        self._loop.call_soon_threadsafe(self._inbox.put_nowait, message)

    # --- from the database -------------------------------------------------------------------------------

    async def _run(self) -> None:
        while True:
            try:
                await self._begin()
                while True:
                    await self._next()
            except Exception:
                log.exception("the live stream cannot read the event log; trying again")
                await asyncio.sleep(RETRY_SECONDS)

    async def _begin(self) -> None:
        if self.cursor is None:
            self.cursor = await in_database(last_seq)
            for feed in self.feeds:
                feed.wake()

    async def _next(self) -> None:
        """Pass on one message, or, if none comes, what the log has."""
        try:
            async with asyncio.timeout(POLL_SECONDS):
                message = await self._inbox.get()
        except TimeoutError:
            if await self._catch_up():
                self._joining.set()
            return
        for frame in message.get("events", ()):
            await self._pass_on(frame)

    async def _pass_on(self, frame: Mapping[str, Any]) -> None:
        assert self.cursor is not None
        if frame["seq"] > self.cursor + 1:
            await self._catch_up()
        # Told twice, or read from the log meanwhile.
        if frame["seq"] <= self.cursor:
            return
        self._fan_out(told_of(frame))

    async def _catch_up(self) -> bool:
        """Read from the log what did not arrive; whether there was anything."""
        assert self.cursor is not None
        newest = await in_database(last_seq)
        if newest == self.cursor:
            return False
        if not 0 < newest - self.cursor <= MOST_FILLED:
            # Far behind, or the database was set back to an older state.
            self._skip_to(newest)
            return True
        for told in await in_database(told_after, self.cursor, MOST_FILLED):
            if told.seq != self.cursor + 1:
                self._skip_to(newest)
                break
            self._fan_out(told)
        return True

    def _fan_out(self, told: Told) -> None:
        self.cursor = told.seq
        for feed in self.feeds:
            feed.offer(told)

    def _skip_to(self, seq: int) -> None:
        self.cursor = seq
        for feed in self.feeds:
            feed.lose()

    # --- from other processes ----------------------------------------------------------------------------

    async def _receive(self, layer: BaseChannelLayer) -> None:
        self._channel = await layer.new_channel()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._stay_joined(layer), name="hub join")
            await self._receive_messages(layer)

    async def _receive_messages(self, layer: BaseChannelLayer) -> None:
        working = True
        while True:
            try:
                async with asyncio.timeout(RECEIVE_SECONDS):
                    self._inbox.put_nowait(await layer.receive(self._channel))
                working = True
            except TimeoutError:
                continue
            except Exception as error:
                if working:
                    log.warning("the channel layer is away, events come from the log: %s", error)
                working = False
                await asyncio.sleep(RETRY_SECONDS)

    async def _stay_joined(self, layer: BaseChannelLayer) -> None:
        """Be in the group, also after the layer forgot it: told so by an event that did not arrive."""
        while True:
            self._joining.clear()
            try:
                await layer.group_add(EVENTS_GROUP, self._channel)
            except Exception as error:
                log.debug("cannot join the channel layer: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
                continue
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(JOIN_SECONDS):
                    await self._joining.wait()


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def attach(feed: Feed) -> Hub:
    """Have `feed` told every event from now on, by the hub of the running loop."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None:
        hub = _hubs[loop] = Hub(loop)
    hub.feeds.add(feed)
    return hub


async def detach(feed: Feed) -> None:
    """Tell `feed` nothing more; the last one stops the hub."""
    loop = asyncio.get_running_loop()
    hub = _hubs.get(loop)
    if hub is None or feed not in hub.feeds:
        return
    hub.feeds.discard(feed)
    if not hub.feeds:
        del _hubs[loop]
        await hub.stop()


def _layer_to_other_processes() -> BaseChannelLayer | None:
    """A channel layer of the hub's own, or None where the layer does not leave this process anyway.

    Of its own, because a Redis layer refuses to be received from on two event loops.
    """
    layer = channel_layers.make_backend(DEFAULT_CHANNEL_LAYER)
    return None if isinstance(layer, InMemoryChannelLayer) else layer
