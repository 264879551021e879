"""Being told that an order waits, without waiting for the next look at the table."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from typing import Any

from channels.layers import get_channel_layer
from django.conf import settings

from callcenter.events import BRIDGE_GROUP, listen

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class BridgeWake:
    """Set whenever somebody wrote an order. It may miss one: the caller looks by itself now and then."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Until woken, or for so long."""
        with contextlib.suppress(TimeoutError):
            # Not wait_for: before Python 3.12 it loses a cancellation that comes together with the event.
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()

    async def listen(self) -> None:
        """Hear this process, and other ones through Redis, for ever."""
        loop = asyncio.get_running_loop()

        def heard(message: Mapping[str, Any]) -> None:
            loop.call_soon_threadsafe(self._event.set)

        stop = listen(BRIDGE_GROUP, heard)
        try:
            if settings.REDIS_URL:
                await self._hear_other_processes()
            else:
                await loop.create_future()
        finally:
            stop()

    async def _hear_other_processes(self) -> None:
        layer = get_channel_layer()
        assert layer is not None
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(BRIDGE_GROUP, channel)
                while True:
                    await layer.receive(channel)
                    self._event.set()
            except Exception as error:
                log.warning("the channel layer is away, orders are looked for by themselves: %s", error)
                await asyncio.sleep(RETRY_SECONDS)
