"""The demonstration: people to sign in with, queues, and agents who come to work by themselves."""

from __future__ import annotations

import asyncio
import logging
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.contrib.auth.models import Group, User
from django.db import DatabaseError, connections

from agents.models import Agent
from agents.services import (
    agent_create,
    agent_finish_acw,
    agent_ready,
    agent_unready,
)
from agents.state import REASON_MISSED_CALLS, State, Sub
from callcenter.errors import CallCenterError
from callcenter.events import By, Cause, unit_of_work
from queues.models import Queue
from queues.selectors import queue_payload
from queues.services import agent_sign_in, queue_create, tier_create

from .simulator.callcenter.model import QueueConfig
from .threads import in_thread

log = logging.getLogger(__name__)

BY_DEMO = By(Cause.AGENT, "demo")
REASON_COFFEE = "coffee"
SUPERVISOR = ("supervisor", "supervisor-demo")
ADMINISTRATOR = ("admin", "admin-demo")
AGENT_PASSWORD = "agent-demo"  # noqa: S105 (the demonstration listens on loopback only)
NAMES = (
    "Ada Byrne",
    "Bao Chen",
    "Carla Díaz",
    "Deniz Ekin",
    "Emeka Obi",
    "Fang Li",
    "Greta Holm",
    "Hana Sato",
)

# Per look at the agents, every LOOK_SECONDS: chances of what people do.
LOOK_SECONDS = 1.0
COFFEE = 0.004
BACK_FROM_COFFEE = 0.06
BACK_FROM_MISSED = 0.1
FINISH_EARLY = 0.05


def demo_seed() -> bool:
    """Fill an empty database with the demonstration; whether it did."""
    if User.objects.exists():
        return False
    with unit_of_work():
        User.objects.create_superuser(ADMINISTRATOR[0], password=ADMINISTRATOR[1])
        supervisor = User.objects.create_user(SUPERVISOR[0], password=SUPERVISOR[1])
        supervisor.groups.add(Group.objects.get_or_create(name="supervisor")[0])
        support = queue_create(name="support@default", by=BY_DEMO, display_name="Support")
        billing = queue_create(
            name="billing@default",
            by=BY_DEMO,
            display_name="Billing",
            strategy="round-robin",
            max_wait_time=120,
        )
        for number, name in enumerate(NAMES, 1001):
            user = User.objects.create_user(str(number), password=AGENT_PASSWORD)
            agent = agent_create(
                name=str(number),
                by=BY_DEMO,
                display_name=name,
                extension=str(number),
                acw_seconds=12,
                user=user,
            )
            tier_create(queue_id=support.pk, agent_id=agent.pk, by=BY_DEMO, position=number - 1000)
            if number % 2:
                tier_create(queue_id=billing.pk, agent_id=agent.pk, by=BY_DEMO, level=2)
    return True


def queue_config(name: str) -> QueueConfig | None:
    """What the simulated switch reads as its configuration of a queue, from our database.

    The simulator asks from within the event loop, as a real switch blocks on its HTTP configuration;
    the query runs in a thread because Django refuses one on the loop.
    """
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(_read_queue_config, name).result()


def _read_queue_config(name: str) -> QueueConfig | None:
    from django.db import connection

    try:
        queue = Queue.objects.filter(name=name).first()
    finally:
        connection.close()
    if queue is None:
        return None
    ours = {"id", "name", "display_name", "node", "service_level_seconds", "revision"}
    return QueueConfig.from_params(
        name, {key: value for key, value in queue_payload(queue).items() if key not in ours}
    )


async def demo_work(*, seed: int, speed: float = 1.0) -> None:
    """Let the demonstration's agents sign in one after the other, take breaks and come back, for ever.

    Who is set to anything else by a person is left as set.
    """
    rng = random.Random(seed)  # noqa: S311 (a demonstration, not a secret)
    thread = ThreadPoolExecutor(1, thread_name_prefix="demo")
    try:
        while True:
            try:
                await in_thread(thread, _look_round, rng)
            except DatabaseError:
                log.warning("the demonstration's agents wait for the database")
            await asyncio.sleep(LOOK_SECONDS / speed)
    finally:
        # What the thread is at goes on after a cancellation, and waits for this loop to tell of it: were the
        # loop closed before, neither would end.
        await asyncio.get_running_loop().run_in_executor(thread, connections.close_all)
        thread.shutdown(wait=False)


def _look_round(rng: random.Random) -> None:
    for agent in Agent.objects.filter(user__username__in=[str(1000 + i) for i in range(1, len(NAMES) + 1)]):
        try:
            _do_something(agent, rng)
        except CallCenterError as refused:
            # Between the look and the deed a call may have come: then the agent takes the call.
            log.debug("demo agent %s: %s", agent.name, refused.code)


def _do_something(agent: Agent, rng: random.Random) -> None:
    chance: float = rng.random()
    here: dict[str, Any] = {"agent_id": agent.pk, "by": BY_DEMO}
    match agent.state, agent.sub_state, agent.reason:
        case State.LOGOUT, _, _ if chance < 0.4 and agent.transitions.count() == 0:
            agent_sign_in(**here)
        case State.UNREADY, Sub.WAIT, _ if chance < 0.5:
            agent_ready(**here)
        case State.UNREADY, _, reason if reason == REASON_COFFEE and chance < BACK_FROM_COFFEE:
            agent_ready(**here)
        case State.UNREADY, Sub.AWAY, reason if reason == REASON_MISSED_CALLS and chance < BACK_FROM_MISSED:
            agent_ready(**here)
        case State.READY, _, _ if chance < COFFEE:
            agent_unready(**here, sub_state=Sub.BREAK, reason=REASON_COFFEE)
        case State.ACW, _, _ if chance < FINISH_EARLY:
            agent_finish_acw(**here)
