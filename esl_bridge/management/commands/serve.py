"""`manage.py serve`: the whole product in one process.

Without ESL_HOST it brings its own simulated FreeSWITCH, with callers and agents arriving by themselves.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import json
import logging
from collections.abc import Coroutine
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server, twisted_loop  # first: it installs the reactor that all else runs on
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from esl_bridge.bridge import Bridge, SwitchAddress
from esl_bridge.demo import ADMINISTRATOR, AGENT_PASSWORD, SUPERVISOR, demo_seed, demo_work, queue_config
from esl_bridge.engines import backend_load
from esl_bridge.simulator import Simulator, load_scenario
from esl_bridge.transports.asyncio_transport import connect

log = logging.getLogger(__name__)
_reactor: Any = reactor  # the module is replaced by the installed reactor, which its types do not tell


class Command(BaseCommand):
    help = "Runs web server and bridge, and without ESL_HOST a simulated FreeSWITCH with callers, in one process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, default=8000, help="0 = a free one")
        parser.add_argument(
            "--scenario", default="demo", help="the simulator's scenario: a file or a shipped name"
        )
        parser.add_argument("--speed", type=float, default=None, help="simulated seconds per second")
        parser.add_argument(
            "--no-agents", action="store_true", help="the demonstration's agents stay at home"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        simulated = not settings.ESL_HOST
        if simulated and not _is_loopback(options["host"]):
            raise CommandError("The demonstration has known passwords: it listens on loopback only.")
        call_command("migrate", verbosity=0, interactive=False)
        if simulated:
            demo_seed()
        product = _Product(options, simulated)
        server = Server(
            application=_application(),
            endpoints=build_endpoint_description_strings(host=options["host"], port=options["port"]),
            server_name="callcenter",
            verbosity=0,
        )
        server.ready_callable = lambda: product.listening(server, self.stdout)
        _reactor.addSystemEventTrigger("before", "shutdown", product.stop)
        try:
            server.run()
        finally:
            logging.shutdown()
        if product.failure is not None:
            raise CommandError(f"stopped: {product.failure}")


def _application() -> Any:
    from callcenter.asgi import application

    return application


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class _Product:
    """Everything beside the web server, as tasks on its loop."""

    def __init__(self, options: dict[str, Any], simulated: bool) -> None:
        self.options = options
        self.simulated = simulated
        self.failure: BaseException | None = None
        self.simulator: Simulator | None = None
        self._tasks: list[asyncio.Task[None]] = []

    def listening(self, server: Server, out: Any) -> None:
        """The web server listens: tell where, and start the rest."""
        port = server.listening_addresses[0][1]
        url = f"http://{self.options['host']}:{port}"
        self._start(self._work(url, out))

    async def _work(self, url: str, out: Any) -> None:
        address = SwitchAddress(settings.ESL_HOST, settings.ESL_PORT, settings.ESL_PASSWORD)
        if self.simulated:
            scenario = load_scenario(self.options["scenario"])
            self.simulator = Simulator(scenario, password=settings.ESL_PASSWORD, speed=self.options["speed"])
            port = await self.simulator.start()
            assert self.simulator.switch is not None
            self.simulator.switch.queue_source = queue_config
            address = SwitchAddress("127.0.0.1", port, settings.ESL_PASSWORD)
        bridge = Bridge(address=address, connector=connect, backend=backend_load())
        self._start(bridge.run())
        if self.simulated and not self.options["no_agents"]:
            speed = self.simulator.speed if self.simulator else 1.0
            self._start(demo_work(seed=scenario.seed, speed=speed))
        out.write(_welcome(url, address, self.simulated))
        out.write("READY " + json.dumps({"url": url}))
        out.flush()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = twisted_loop.create_task(work)
        task.add_done_callback(self._ended)
        self._tasks.append(task)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or task.exception() is None:
            return
        # Without its bridge the product would show yesterday's world: better to go down, to be restarted.
        self.failure = task.exception()
        log.critical("a part of the product failed", exc_info=self.failure)
        _reactor.stop()

    def stop(self) -> Deferred[None]:
        """Before the web server goes: end the rest in order."""
        return Deferred.fromFuture(asyncio.ensure_future(self._stop(), loop=twisted_loop))

    async def _stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await task
        if self.simulator is not None:
            await self.simulator.stop()


def _welcome(url: str, address: SwitchAddress, simulated: bool) -> str:
    lines = [f"\nThe call centre is at {url}"]
    if simulated:
        lines += [
            f"  supervisor     {SUPERVISOR[0]} / {SUPERVISOR[1]}",
            f"  administrator  {ADMINISTRATOR[0]} / {ADMINISTRATOR[1]}",
            f"  agents         1001 … 1008 / {AGENT_PASSWORD}",
            f"A simulated FreeSWITCH is on {address.host}:{address.port}; callers and agents come by themselves.",
        ]
    else:
        lines.append(f"It follows the FreeSWITCH at {address.host}:{address.port}.")
    return "\n".join([*lines, "Stop it with Ctrl-C.\n"])
