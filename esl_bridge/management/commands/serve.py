"""`manage.py serve`: the whole product in one process.

Without ESL_HOST it brings its own simulated FreeSWITCH, with callers and agents arriving by themselves.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ipaddress
import json
import logging
import math
from collections.abc import Coroutine
from typing import Any

from daphne.endpoints import build_endpoint_description_strings
from daphne.server import Server, twisted_loop  # first: it installs the reactor that all else runs on
from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import OperationalError, connection, connections
from twisted.internet import reactor
from twisted.internet.defer import Deferred

from esl_bridge.bridge import Bridge, SwitchAddress
from esl_bridge.demo import ADMINISTRATOR, AGENT_PASSWORD, SUPERVISOR, demo_seed, demo_work, queue_config
from esl_bridge.engines import backend_load
from esl_bridge.simulator import Scenario, ScenarioError, Simulator, load_scenario
from esl_bridge.transports.asyncio_transport import connect

log = logging.getLogger(__name__)
_reactor: Any = reactor  # the module is replaced by the installed reactor, which its types do not tell


def a_port(text: str) -> int:
    """A TCP port, or 0 for a free one. Raises ValueError."""
    port = int(text)
    if not 0 <= port <= 65535:
        raise argparse.ArgumentTypeError("0 to 65535")
    return port


def a_speed(text: str) -> float:
    """Simulated seconds per second. Raises ValueError."""
    speed = float(text)
    if not 0 < speed < math.inf:
        raise argparse.ArgumentTypeError("above 0")
    return speed


class Command(BaseCommand):
    help = "Runs web server and bridge, and without ESL_HOST a simulated FreeSWITCH with callers, in one process."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=a_port, default=8000, help="0 = a free one")
        parser.add_argument(
            "--scenario", default="demo", help="the simulator's scenario: a file or a shipped name"
        )
        parser.add_argument("--speed", type=a_speed, default=None, help="simulated seconds per second")
        parser.add_argument(
            "--no-agents", action="store_true", help="the demonstration's agents stay at home"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        simulated = not settings.ESL_HOST
        if simulated and not _is_loopback(options["host"]):
            raise CommandError("The demonstration has known passwords: it listens on loopback only.")
        try:
            scenario = load_scenario(options["scenario"]) if simulated else None
        except ScenarioError as bad:
            raise CommandError(f"--scenario: {bad}") from bad
        _prepare_database(demo=simulated)
        product = _Product(options, scenario)
        server = _WebServer(
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
        if server.refused:
            raise CommandError(server.refused)
        if product.failure is not None:
            raise CommandError(f"stopped: {product.failure}")


def _prepare_database(*, demo: bool) -> None:
    """The tables as this version wants them, and the demonstration's people. Raises CommandError."""
    try:
        connection.ensure_connection()
        call_command("migrate", verbosity=0, interactive=False)
        if demo:
            demo_seed()
    except OperationalError as away:
        raise CommandError(f"The database cannot be used: {str(away).strip()}") from away
    finally:
        # The event loop's own thread keeps none.
        connections.close_all()


class _WebServer(Server):
    refused = ""
    """Why it does not listen."""

    def listen_error(self, failure: Any) -> None:
        self.refused = failure.getErrorMessage()
        self.stop()


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

    def __init__(self, options: dict[str, Any], scenario: Scenario | None) -> None:
        self.options = options
        self.scenario = scenario
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
        if self.scenario is not None:
            self.simulator = Simulator(
                self.scenario, password=settings.ESL_PASSWORD, speed=self.options["speed"]
            )
            port = await self.simulator.start()
            assert self.simulator.switch is not None
            self.simulator.switch.queue_source = queue_config
            address = SwitchAddress("127.0.0.1", port, settings.ESL_PASSWORD)
        bridge = Bridge(address=address, connector=connect, backend=backend_load())
        self._start(bridge.run())
        if self.simulator is not None and not self.options["no_agents"]:
            self._start(demo_work(seed=self.simulator.scenario.seed, speed=self.simulator.speed))
        out.write(_welcome(url, address, self.simulator is not None))
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
