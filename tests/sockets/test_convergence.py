"""Whatever happens, and however often the connection is lost: a client that follows the rules of
docs/websocket.md ends with the picture that a fresh snapshot gives."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from itertools import count
from typing import Any

import pytest
from django.utils import timezone

from agents import services as agents
from agents.models import Agent
from callcenter import switch as sw
from callcenter.errors import CallCenterError
from callcenter.events import last_seq
from callcenter.hub import in_database
from callcenter.services import switch_node_report
from queues import services as queues
from queues.models import Queue, Tier
from queues.selectors import agent_snapshot, live_snapshot

from .client import AGENT, EVENTS, SocketClient, connect
from .conftest import BY, Person, sockets
from .store import Store, picture_of

pytestmark = [pytest.mark.both_stacks, pytest.mark.django_db(transaction=True)]

CAUSES = ["NO_ANSWER", "USER_BUSY", "CALL_REJECTED", "LOSE_RACE", "ORIGINATOR_CANCEL"]
LEAVINGS = list(sw.Leaving)


class World:
    """A small call centre in which anything may happen. `i` and `j` choose who and which."""

    numbers = count(1)

    def __init__(self, own: Agent) -> None:
        self.number = next(self.numbers)
        self.own = own
        self.clock = 1_800_000_000_000_000

    def do(self, what: str, i: int, j: int) -> None:
        """One act. What the services refuse did not happen."""
        with contextlib.suppress(CallCenterError):
            ACTS[what](self, i, j)

    def agent(self, i: int) -> Agent:
        """Often the one who is connected."""
        rows = list(Agent.objects.order_by("created_at"))
        return Agent.objects.get(pk=self.own.pk) if i % 2 else rows[i % len(rows)]

    def queue(self, i: int) -> Queue:
        rows = list(Queue.objects.order_by("created_at"))
        return rows[i % len(rows)] if rows else queues.queue_create(name=f"q{next(self.numbers)}", by=BY)

    def tier(self, i: int) -> Tier:
        rows = list(Tier.objects.order_by("id"))
        if not rows:
            return queues.tier_create(queue_id=self.queue(i).pk, agent_id=self.agent(i).pk, by=BY)
        return rows[i % len(rows)]

    def create_agent(self, i: int, j: int) -> None:
        agents.agent_create(name=f"a{next(self.numbers)}", by=BY, acw_seconds=i)

    def delete_agent(self, i: int, j: int) -> None:
        agent = self.agent(2 * i)
        if agent.pk != self.own.pk:
            agents.agent_delete(agent_id=agent.pk, by=BY)

    def fact(self, kind: Callable[..., sw.Fact], i: int, **fields: Any) -> None:
        """A fact about queue entry number `i`."""
        self.clock += 1_000_000
        member = {"member": f"m{self.number}-{i % 4}", "channel": f"c{self.number}-{i % 4}"}
        fact = kind(at=self.clock, queue=self.queue(i).name, **member, **fields)
        book = queues.facts_apply(facts=[fact], node="default")
        queues.queue_stats_publish(queue_ids=book.touched_queues)

    def channel_fact(self, kind: Callable[..., sw.Fact], i: int, **fields: Any) -> None:
        self.clock += 1_000_000
        fact = kind(at=self.clock, channel=f"c{self.number}-{i % 4}", **fields)
        book = queues.facts_apply(facts=[fact], node="default")
        queues.queue_stats_publish(queue_ids=book.touched_queues)


ACTS: dict[str, Callable[[World, int, int], Any]] = {
    "agent created": World.create_agent,
    "agent deleted": World.delete_agent,
    "agent renamed": lambda w, i, j: agents.agent_update(
        agent_id=w.agent(i).pk, by=BY, display_name=f"name {j}"
    ),
    "logs in": lambda w, i, j: queues.agent_sign_in(agent_id=w.agent(i).pk, by=BY),
    "logs out": lambda w, i, j: agents.agent_logout(agent_id=w.agent(i).pk, by=BY),
    "ready": lambda w, i, j: agents.agent_ready(agent_id=w.agent(i).pk, by=BY),
    "unready": lambda w, i, j: agents.agent_unready(agent_id=w.agent(i).pk, by=BY, reason=f"reason {j}"),
    "extends": lambda w, i, j: agents.agent_extend_acw(agent_id=w.agent(i).pk, by=BY, seconds=60),
    "time passes": lambda w, i, j: agents.acw_sweep(now=timezone.now() + timedelta(days=9000)),
    "queue created": lambda w, i, j: queues.queue_create(name=f"q{next(w.numbers)}", by=BY),
    "queue changed": lambda w, i, j: queues.queue_update(
        queue_id=w.queue(i).pk, by=BY, display_name=f"name {j}"
    ),
    "queue deleted": lambda w, i, j: queues.queue_delete(queue_id=w.queue(i).pk, by=BY),
    "tier created": lambda w, i, j: queues.tier_create(queue_id=w.queue(j).pk, agent_id=w.agent(i).pk, by=BY),
    "tier changed": lambda w, i, j: queues.tier_update(tier_id=w.tier(i).pk, by=BY, level=1 + j),
    "tier deleted": lambda w, i, j: queues.tier_delete(tier_id=w.tier(i).pk, by=BY),
    "switch": lambda w, i, j: switch_node_report(name="default", connected=bool(i % 2), core_uuid=str(j)),
    "queued": lambda w, i, j: w.fact(sw.MemberQueued, i, number=str(j)),
    "offered": lambda w, i, j: w.fact(sw.OfferMade, i, agent=w.agent(j).name),
    "answered": lambda w, i, j: w.fact(sw.OfferAnswered, i, agent=w.agent(j).name, leg=f"leg{w.number}-{j}"),
    "not taken": lambda w, i, j: w.fact(
        sw.OfferFailed, i, agent=w.agent(j).name, cause=CAUSES[j % len(CAUSES)]
    ),
    "released": lambda w, i, j: w.fact(
        sw.AgentReleased, i, agent=w.agent(j).name, leg=f"leg{w.number}-{j}", bridged=True
    ),
    "served": lambda w, i, j: w.fact(sw.MemberServed, i, channel_up=bool(j % 2)),
    "left": lambda w, i, j: w.fact(
        sw.MemberLeft, i, reason=LEAVINGS[j % len(LEAVINGS)], channel_up=bool(i % 2)
    ),
    "hung up": lambda w, i, j: w.channel_fact(sw.ChannelHungUp, i, cause="NORMAL_CLEARING"),
}


class Follower:
    """A client that keeps a picture, on a connection that comes and goes."""

    def __init__(self, path: str, token: str, fresh: Callable[[], dict[str, Any]]) -> None:
        self.path, self.token, self.fresh = path, token, fresh
        self.own_only = path == AGENT
        self.store = Store(own_only=self.own_only)
        self.seq: int | None = None
        self.heard: set[str] = set()
        self.client: SocketClient | None = None
        self._stack = contextlib.AsyncExitStack()
        # A short backlog and a small credit: snapshots take the place of events again and again.
        self.application = sockets(backlog=8, heartbeat=0.02)

    async def come(self) -> None:
        if self.client is not None:
            return
        self.client = await self._stack.enter_async_context(
            connect(self.application, self.path, token=self.token)
        )
        if self.seq is None:
            await self.client.say("subscribe", credit=3)
        else:
            await self.client.resume(self.seq, credit=3)

    async def go(self) -> None:
        self.client = None
        await self._stack.aclose()

    async def listen(self, until: int) -> None:
        """Hear and keep what there is, up to the event `until`."""
        assert self.client is not None
        while self.seq is None or self.seq < until or self.store.wants_snapshot:
            message = await self.client.hear("snapshot", "event", "resumed", "heartbeat")
            self.heard.add(message["type"])
            if message["type"] == "snapshot":
                self.store.begin(message["data"])
            elif message["type"] == "event":
                self.store.apply(message["event"])
            if "seq" in message and (self.seq is not None or message["type"] == "snapshot"):
                self.seq = message["seq"]
                await self.client.say("ack", seq=self.seq)
            if self.store.wants_snapshot and message["type"] == "event":
                await self.client.say("subscribe", credit=3)

    async def is_up_to_date(self) -> None:
        """Nothing happens now: the picture is complete."""
        await self.listen(await in_database(last_seq))
        fresh = picture_of(await in_database(self.fresh), own_only=self.own_only)
        assert self.store.picture() == fresh


RARE = {"agent deleted", "queue created", "queue deleted", "logs out", "time passes"}


WEIGHTS = {what: 1 if what in RARE else 4 for what in ACTS} | {"comes": 4, "goes": 6, "listens": 12}


def at_random(seed: int, length: int) -> list[tuple[str, int, int]]:
    """So many happenings."""
    chance = random.Random(seed)
    whats = chance.choices(list(WEIGHTS), list(WEIGHTS.values()), k=length)
    return [(what, chance.randrange(8), chance.randrange(8)) for what in whats]


async def live_through(
    happenings: list[tuple[str, int, int]], followers: list[Follower], world: World
) -> None:
    for what, i, j in happenings:
        if what in ACTS:
            await in_database(world.do, what, i, j)
            continue
        follower = followers[i % len(followers)]
        if what == "goes":
            await follower.go()
        else:
            await follower.come()
        if what == "listens":
            await follower.is_up_to_date()
    for follower in followers:
        await follower.come()
        await follower.is_up_to_date()
        await follower.go()


@pytest.mark.parametrize("seed", range(6))
async def test_a_client_s_picture_is_that_of_a_fresh_snapshot(
    supervisor: Person, alice: Person, seed: int
) -> None:
    assert alice.agent is not None
    staff = Follower(EVENTS, supervisor.token, live_snapshot)
    agent = Follower(AGENT, alice.token, partial(agent_snapshot, alice.agent.pk))

    await live_through(at_random(seed, 250), [staff, agent], World(alice.agent))

    for follower in (staff, agent):
        assert {"snapshot", "event", "resumed", "heartbeat"} <= follower.heard
