"""The whole simulator: a switch on real time, its event socket, and the callers of a scenario."""

from __future__ import annotations

import asyncio
import logging
import secrets
from pathlib import Path

from .arrivals import CallerCrowd
from .clock import RealClock
from .phones import Phones
from .scenario import Scenario, load_scenario
from .server import EslServer
from .switch import Switch

log = logging.getLogger(__name__)

_RESTART_SECONDS = 1.0


class Simulator:
    """Start it in an event loop, point an ESL client at its port, stop it.

    ``speed`` overrides the scenario's. ``fsctl shutdown`` closes the event socket, ``fsctl shutdown
    restart`` opens it again on the same port a second later, with a new Core-UUID.
    """

    def __init__(
        self,
        scenario: Scenario | str | Path,
        *,
        password: str = "ClueCon",  # noqa: S107
        speed: float | None = None,
    ) -> None:
        self.scenario = scenario if isinstance(scenario, Scenario) else load_scenario(scenario)
        self.password = password
        self.speed = speed if speed is not None else self.scenario.speed
        self.switch: Switch | None = None
        self.stopped = asyncio.Event()
        self._server: EslServer | None = None
        self._clock: RealClock | None = None
        self._address = ("127.0.0.1", 0)
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, host: str = "127.0.0.1", port: int = 0) -> int:
        """Listen and let the callers come; returns the port. OSError when it is taken."""
        if self._server is not None:
            raise RuntimeError("the simulator is running already")
        self._clock = RealClock(self.speed)
        s = self.scenario
        self.switch = Switch(
            self._clock,
            phones=Phones(s.phones, seed=s.seed),
            queues=s.queues,
            dids=s.dids,
            seed=s.seed,
            run=secrets.token_hex(8),
        )
        self.switch.on_shutdown.append(self._on_shutdown)
        self._server = EslServer(self.switch, self.password)
        try:
            bound = await self._server.start(host, port)
        except OSError:
            self._clock.close()
            self._server = None
            raise
        self._address = (host, bound)
        CallerCrowd(self.switch, s.arrivals).start()
        return bound

    async def stop(self) -> None:
        """Close the event socket and forget all calls; nothing is left running."""
        tasks = [task for task in self._tasks if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._clock is not None:
            self._clock.close()
        if self._server is not None:
            await self._server.stop()
            self._server = None
        self.stopped.set()

    def _on_shutdown(self, restart: bool) -> None:
        task = asyncio.get_running_loop().create_task(self._go_down(restart))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _go_down(self, restart: bool) -> None:
        if not restart:
            await self.stop()
            return
        assert self._server is not None and self.switch is not None
        await self._server.stop()
        await asyncio.sleep(_RESTART_SECONDS / self.speed)
        self.switch.restart()
        try:
            await self._server.start(*self._address)
        except OSError:
            log.exception("the simulated switch cannot open port %d again", self._address[1])
            await self.stop()
            return
        log.info("the simulated switch is up again on port %d", self._address[1])
