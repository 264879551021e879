"""A bridge against the simulated switch, as in production but faster."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asgiref.sync import sync_to_async

from agents.models import Agent
from agents.services import agent_create, agent_ready
from callcenter.events import By, Cause
from esl_bridge.bridge import Bridge, SwitchAddress
from esl_bridge.demo import queue_config
from esl_bridge.engines import backend_load
from esl_bridge.simulator import Simulator
from esl_bridge.transports.asyncio_transport import connect
from queues.models import Queue
from queues.services import agent_sign_in, queue_create, tier_create

BY = By(Cause.API, "test")
PHONES = """
seed = 7
speed = {speed}
[[queues]]
name = "support@default"
[[phones]]
number = "1001"
ring = [0.1, 0.2]
answer = 1.0
[[phones]]
number = "1002"
ring = [0.2, 0.4]
answer = 0.0
no_answer = 1.0
[[phones]]
number = ".*"
ring = [0.2, 0.5]
talk = [0.5, 3.0]
answer = 0.8
no_answer = 0.1
reject = 0.1
{arrivals}
"""


@dataclass
class Live:
    simulator: Simulator
    bridge: Bridge
    port: int

    def caller(self, number: str = "13800138000") -> Any:
        assert self.simulator.switch is not None
        return self.simulator.switch.incoming(number, "Caller", "queue-support@default")

    def api(self, line: str) -> str:
        """One API command on the simulated switch, its reply."""
        replies: list[str] = []
        assert self.simulator.switch is not None
        self.simulator.switch.api(line, replies.append)
        return replies[0]


@asynccontextmanager
async def live(tmp_path: Path, *, speed: float = 1.0, arrivals: str = "") -> AsyncIterator[Live]:
    scenario = tmp_path / "scenario.toml"
    scenario.write_text(PHONES.format(speed=speed, arrivals=arrivals), encoding="utf-8")
    simulator = Simulator(scenario)
    port = await simulator.start()
    assert simulator.switch is not None
    simulator.switch.queue_source = queue_config
    bridge = Bridge(
        address=SwitchAddress("127.0.0.1", port, "ClueCon"),
        connector=connect,
        backend=backend_load(),
        rng=random.Random(3),
    )
    task = asyncio.create_task(bridge.run())
    try:
        yield Live(simulator, bridge, port)
        assert not task.done(), "the bridge ended by itself"
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await simulator.stop()


async def until(condition: Callable[[], Any], *, seconds: float = 10, what: str = "") -> Any:
    """The condition's first true value, asked of the database again and again."""
    async with asyncio.timeout(seconds):
        while True:
            found = await sync_to_async(condition)()
            if found:
                return found
            await asyncio.sleep(0.02)


@sync_to_async
def staffed(*names: str, acw_seconds: int = 1, ready: bool = True, **fields: Any) -> list[Agent]:
    """Agents of these extensions in the queue `support@default`, signed in."""
    queue = Queue.objects.filter(name="support@default").first() or queue_create(
        name="support@default", by=BY
    )
    agents = []
    for name in names:
        agent = agent_create(name=name, extension=name, acw_seconds=acw_seconds, by=BY, **fields)
        tier_create(queue_id=queue.pk, agent_id=agent.pk, by=BY)
        agent_sign_in(agent_id=agent.pk, by=BY)
        if ready:
            agent_ready(agent_id=agent.pk, by=BY)
        agents.append(agent)
    return agents
