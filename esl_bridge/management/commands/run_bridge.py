"""`manage.py run_bridge`: keep the database and one FreeSWITCH together."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from esl_bridge.bridge import Bridge, SwitchAddress
from esl_bridge.engines import backend_load
from esl_bridge.transports.asyncio_transport import connect


class Command(BaseCommand):
    help = "Bridges the events of the FreeSWITCH at ESL_HOST into the database and sends it our orders."

    def handle(self, *args: Any, **options: Any) -> None:
        if not settings.ESL_HOST:
            raise CommandError("ESL_HOST is not set: which switch?")
        asyncio.run(self._run())

    async def _run(self) -> None:
        address = SwitchAddress(settings.ESL_HOST, settings.ESL_PORT, settings.ESL_PASSWORD)
        bridge = Bridge(address=address, connector=connect, backend=backend_load())
        task = asyncio.create_task(bridge.run())
        for sig in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(sig, task.cancel)
        with contextlib.suppress(asyncio.CancelledError):
            await task
