"""`python -m esl_bridge.simulator`: the simulated switch on its own."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import signal
import sys

from .scenario import ScenarioError, load_scenario
from .simulator import Simulator


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m esl_bridge.simulator", description=__doc__)
    parser.add_argument("--scenario", default="demo", help="a TOML file, or the name of a shipped one")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8021)
    parser.add_argument("--password", default="ClueCon")
    parser.add_argument("--speed", type=float, default=None, help="simulated seconds per second")
    return parser.parse_args()


async def run(arguments: argparse.Namespace) -> None:
    """Serve until the switch is shut down or a signal says stop."""
    simulator = Simulator(
        load_scenario(arguments.scenario), password=arguments.password, speed=arguments.speed
    )
    port = await simulator.start(arguments.host, arguments.port)
    print(f"simulated switch: event socket on {arguments.host}:{port}", flush=True)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, simulator.stopped.set)
    await simulator.stopped.wait()
    await simulator.stop()


def main() -> int:
    """Exit status 2 for a bad scenario or a port that is taken."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(run(_arguments()))
    except (ScenarioError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
