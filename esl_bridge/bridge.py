"""The bridge: one switch's events into the database, the database's orders to the switch.

Two connections: one for events, one for commands, because a command holds up the events of its own
connection. All database work runs in one thread of its own, in order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import uuid
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ParamSpec, TypeVar

from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from agents.services import acw_sweep, agent_open_refused
from callcenter.clock import from_us, to_us
from callcenter.events import prune_events
from callcenter.models import SwitchCommand
from callcenter.services import (
    switch_command_claim,
    switch_command_finish,
    switch_commands_prune,
    switch_node_reconciled,
    switch_node_report,
    switch_order_of,
)
from callcenter.switch import Presence, SetPresence, Snapshot
from queues.services import (
    queue_stats_publish,
    reconcile_begin,
    reconcile_settle,
    reconcile_take,
    silent_legs_hang_up,
)

from .applier import Applier
from .backends.base import Backend, Outcome, Pause, SnapshotUnreadable
from .backends.words import UnsafeArgument
from .protocol import Event, UnsafeCommand
from .threads import in_thread
from .transports.base import Connector, EslConnection, EslError, EslRefused, backoff
from .wake import BridgeWake

log = logging.getLogger(__name__)
P = ParamSpec("P")
R = TypeVar("R")

BATCH = 50
QUIET_SECONDS = 0.05
ACW_EVERY = 0.1
STATS_EVERY = 0.25
UPKEEP_EVERY = 0.5
PRUNE_EVERY = 600.0
UNSENT_POLL = 0.25
APPLY_TRIES = 7
DATABASE_AWAY = (OperationalError, InterfaceError)


@dataclass(frozen=True, slots=True)
class SwitchAddress:
    host: str
    port: int
    password: str = field(repr=False)


class Bridge:
    """Keeps one switch and the database together until cancelled."""

    def __init__(
        self,
        *,
        address: SwitchAddress,
        connector: Connector,
        backend: Backend,
        node: str = "",
        adopt: bool = False,
        event_time: bool = False,
        rng: random.Random | None = None,
    ) -> None:
        self.address = address
        self.connector = connector
        self.backend = backend
        self.node = node or settings.SWITCH_NODE
        self.applier = Applier(node=self.node, backend=backend, adopt=adopt, event_time=event_time)
        self.in_step = asyncio.Event()
        """Set while connected and reconciled."""
        # A recording has one story, and its switch cannot be asked what it would have said later.
        self.reconcile_every = 0.0 if event_time else settings.RECONCILE_SECONDS
        self._rng = rng or random.Random()  # noqa: S311 (spreads reconnects, guards nothing)
        self._dirty: set[uuid.UUID] = set()
        self._counted: dict[str, int] = {}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="bridge-db")

    async def run(self) -> None:
        """Connect, stay in step, reconnect; ends only by cancellation."""
        wake = BridgeWake()
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._stay_connected(wake), name="bridge-session")
                group.create_task(wake.listen(), name="bridge-wake")
                group.create_task(self._every(STATS_EVERY, self._publish_stats), name="bridge-stats")
                group.create_task(self._every(PRUNE_EVERY, self._prune), name="bridge-prune")
                if not self.applier.event_time:
                    group.create_task(self._every(ACW_EVERY, self._sweep_acw), name="bridge-acw")
                if not self.applier.adopt:
                    group.create_task(self._every(UPKEEP_EVERY, self._hang_up_silent), name="bridge-upkeep")
        finally:
            with contextlib.suppress(Exception):
                await asyncio.shield(
                    self._db(switch_node_report, name=self.node, connected=False, detail="stopped")
                )
            await asyncio.get_running_loop().run_in_executor(self._thread, connections.close_all)
            self._thread.shutdown(wait=False)

    # --- one connection after the other --------------------------------------------------------------

    async def _stay_connected(self, wake: BridgeWake) -> None:
        attempt = 0
        while True:
            why = "closed"
            try:
                await self._one_session(wake)
            except* (EslError, SnapshotUnreadable) as gone:
                why = _reason(gone)
            except* DATABASE_AWAY as gone:
                # The events of this session cannot be kept for ever: the next one starts from a snapshot.
                why = f"database: {_reason(gone)}"
            attempt = 0 if self.in_step.is_set() else attempt + 1
            self.in_step.clear()
            log.warning("switch %s is away: %s", self.node, why)
            with contextlib.suppress(*DATABASE_AWAY):
                await self._db(switch_node_report, name=self.node, connected=False, detail=why)
            await asyncio.sleep(backoff(attempt, self._rng))

    async def _one_session(self, wake: BridgeWake) -> None:
        """A session in a task of its own. A task group whose members fail while they are being cancelled
        raises their errors and forgets the cancellation; waiting from outside it does not."""
        session = asyncio.create_task(self._session(wake), name="bridge-connection")
        try:
            await asyncio.wait({session})
        finally:
            session.cancel()
            await asyncio.gather(session, return_exceptions=True)
        await session

    async def _session(self, wake: BridgeWake) -> None:
        at = self.address
        async with contextlib.AsyncExitStack() as stack:
            events = await self.connector(at.host, at.port, at.password)
            stack.push_async_callback(events.close)
            commands = await self.connector(at.host, at.port, at.password)
            stack.push_async_callback(commands.close)
            answer = await events.command(f"event plain {self.backend.subscription}")
            if not answer.startswith("+OK"):
                raise EslRefused(f"the switch refused our subscription: {answer[:80]}")
            try:
                await self._get_in_step(events, commands)
                log.info("in step with switch %s at %s:%d", self.node, at.host, at.port)
                async with asyncio.TaskGroup() as group:
                    group.create_task(self._pump(events, commands), name="bridge-pump")
                    group.create_task(self._send_orders(commands, wake), name="bridge-orders")
            except* EslError:
                # What was received before the line went is as true as ever.
                await self._drain(events)
                raise

    async def _get_in_step(self, events: EslConnection, commands: EslConnection) -> None:
        """Snapshot, then what happened meanwhile, then an end to what is gone."""
        noted = await self._db(reconcile_begin, node=self.node)
        hung_up = self.applier.hung_up = set()
        snapshot = await self._read_snapshot(commands)
        adopt = self.applier.adopt
        repairs = await self._db(reconcile_take, snapshot=snapshot, node=self.node, adopt=adopt)
        await self._drain(events)
        at = self._now()
        settled = await self._db(
            reconcile_settle, noted=noted, snapshot=snapshot, node=self.node, at=at, hung_up=hung_up
        )
        for line in (*repairs.done, *settled.done):
            log.info("reconciled %s: %s", self.node, line)
        await self._db(switch_node_report, name=self.node, connected=True)
        await self._db(switch_node_reconciled, name=self.node, at=timezone.now())
        self.applier.hung_up = None
        self.in_step.set()
        log.debug("in step with switch %s", self.node)

    async def _read_snapshot(self, commands: EslConnection) -> Snapshot:
        at = to_us(self._now())
        replies = {line: await commands.api(line) for line in self.backend.snapshot_requests()}
        return self.backend.read_snapshot(replies, at)

    async def _drain(self, events: EslConnection) -> None:
        """Apply what has queued up; done when the line falls quiet or has ended."""
        while True:
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    batch = await events.next_events(BATCH)
            except (TimeoutError, EslError):
                return
            await self._take(batch)

    def _now(self) -> datetime:
        """The time at which leftovers ended: by the events' clock where that is what counts."""
        last = self.applier.last_at
        if self.applier.event_time and last:
            return from_us(last)
        return timezone.now()

    async def _pump(self, events: EslConnection, commands: EslConnection) -> None:
        """Apply events; compare everything now and then, with the events held back meanwhile."""
        loop = asyncio.get_running_loop()
        due = loop.time() + self.reconcile_every
        while True:
            restarted = False
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(due if self.reconcile_every else None):
                    batch = await events.next_events(BATCH)
                restarted = await self._take(batch)
            if restarted:
                log.warning("switch %s was restarted under this connection", self.node)
            if restarted or (self.reconcile_every and loop.time() >= due):
                await self._get_in_step(events, commands)
                due = loop.time() + self.reconcile_every

    async def _take(self, batch: list[Event]) -> bool:
        """Apply a batch; whether the switch restarted.

        Shielded, because a batch that was taken from the connection is nowhere else: when the session
        ends in this moment it is applied all the same.
        """
        return await asyncio.shield(self._apply(batch))

    async def _apply(self, batch: list[Event]) -> bool:
        """Apply a batch, waiting for the database if it is away for a while."""
        for attempt in range(APPLY_TRIES):
            try:
                taken = await self._db(self.applier.take, batch)
                break
            except DATABASE_AWAY as away:
                if attempt == APPLY_TRIES - 1:
                    raise
                log.warning("database away, %d events wait: %s", len(batch), type(away).__name__)
                await asyncio.sleep(backoff(attempt, self._rng))
        self._dirty |= taken.queues
        self._report_skips()
        return taken.restarted

    def _report_skips(self) -> None:
        for reason in ("undecodable", "failed", "unknown_agent", "unknown_queue"):
            count = self.applier.counts[reason]
            # Every one is counted; the log gets the first, the tenth, the hundredth.
            if count != self._counted.get(reason, 0) and str(count).rstrip("0") == "1":
                log.warning("%s from switch %s: %d so far", reason.replace("_", " "), self.node, count)
            self._counted[reason] = count

    # --- orders --------------------------------------------------------------------------------------

    async def _send_orders(self, commands: EslConnection, wake: BridgeWake) -> None:
        while True:
            claimed = await self._db(switch_command_claim, node=self.node)
            for command in claimed:
                outcome = await self._carry_out(commands, command)
                await self._db(self._finish, command, outcome)
            if not claimed:
                await wake.wait(UNSENT_POLL)

    async def _carry_out(self, commands: EslConnection, command: SwitchCommand) -> Outcome:
        """Hold the conversation that an order needs. A lost connection leaves the order to be claimed again."""
        try:
            plan = self.backend.plan(switch_order_of(command))
            step = next(plan)
            while True:
                if isinstance(step, Pause):
                    await asyncio.sleep(step.seconds)
                    step = plan.send("")
                else:
                    step = plan.send(await commands.api(step))
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome
        except (UnsafeArgument, UnsafeCommand, SnapshotUnreadable, TypeError, KeyError) as bad:
            return Outcome(False, f"{type(bad).__name__}: {bad}")

    def _finish(self, command: SwitchCommand, outcome: Outcome) -> None:
        switch_command_finish(command=command, ok=outcome.ok, answer=outcome.answer)
        order = switch_order_of(command)
        if not outcome.ok and isinstance(order, SetPresence) and order.presence == Presence.OPEN:
            agent_open_refused(name=order.agent, node=self.node)

    # --- from time to time ---------------------------------------------------------------------------

    async def _every(self, seconds: float, act: Callable[[], Awaitable[Any]]) -> None:
        while True:
            try:
                await act()
            except DATABASE_AWAY:
                log.warning("database away: %s waits", getattr(act, "__name__", "timer"))
                await asyncio.sleep(1)
            await asyncio.sleep(seconds)

    async def _sweep_acw(self) -> None:
        await self._db(acw_sweep, now=timezone.now())

    async def _publish_stats(self) -> None:
        if self._dirty:
            dirty, self._dirty = self._dirty, set()
            await self._db(queue_stats_publish, queue_ids=dirty)

    async def _hang_up_silent(self) -> None:
        await self._db(silent_legs_hang_up, node=self.node, now=timezone.now())

    async def _prune(self) -> None:
        before = timezone.now() - timedelta(hours=settings.EVENT_LOG_HOURS)
        await self._db(prune_events, before)
        await self._db(switch_commands_prune, older_than=before)

    async def _db(self, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return await in_thread(self._thread, work, *args, **kwargs)


def _reason(gone: BaseExceptionGroup[BaseException]) -> str:
    """The first cause in plain words, for the log and the dashboard."""
    first: BaseException = gone
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return str(first)[:160] or type(first).__name__
