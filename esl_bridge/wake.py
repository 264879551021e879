"""Being told that an order waits, without waiting for the next look at the table."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from channels.layers import get_channel_layer

from callcenter.events import BRIDGE_GROUP

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class BridgeWake:
    """Set whenever somebody wrote an order. It may miss one: the caller looks by itself now and then."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    async def wait(self, seconds: float) -> None:
        """Until woken, or for so long."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._event.wait(), seconds)
        self._event.clear()

    async def listen(self) -> None:
        """Hear the channel layer for ever; one that is away is tried again."""
        layer = get_channel_layer()
        if layer is None:
            return
        while True:
            try:
                channel = await layer.new_channel()
                await layer.group_add(BRIDGE_GROUP, channel)
                while True:
                    await layer.receive(channel)
                    self._event.set()
            except Exception:
                log.warning("channel layer is away; orders are looked for every moment")
                await asyncio.sleep(RETRY_SECONDS)
