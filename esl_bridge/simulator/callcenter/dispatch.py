"""The dispatch thread: which agent is offered which member (CC:2290-2800)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..clock import Timer
from .model import Agent, Member, Queue, Tier
from .offer import Offer

if TYPE_CHECKING:
    from .center import CallCenter

_TICK = 0.1
_FIRST_LOOK = 0.06
_RING_MANY = ("ring-all", "ring-progressively")
_PRESENT = ("Available", "Available (On Demand)", "On Break")
_STRATEGY_COLUMN = {
    "longest-idle-agent": "last_bridge_end",
    "agent-with-least-talk-time": "talk_time",
    "agent-with-fewest-calls": "calls_answered",
}

Candidate = tuple[Tier, Agent]


class Dispatcher:
    """Looks at the waiting members ten times a second, as long as there are any rows."""

    def __init__(self, center: CallCenter) -> None:
        self.center = center
        self._timer: Timer | None = None
        self._rng = random.Random(f"{center.switch.seed}/dispatch")  # noqa: S311

    def wake(self) -> None:
        """There is a row to look at."""
        if self._timer is None or not self._timer.active:
            self._timer = self.center.switch.clock.call_later(_FIRST_LOOK, self._tick)

    def _tick(self) -> None:
        center = self.center
        if not center.members:
            self._timer = None
            return
        self._timer = center.switch.clock.call_later(_TICK, self._tick)
        now = center.now()
        for member in sorted(center.members, key=lambda m: -m.score(now)):
            queue = center.queue(member.queue)
            if queue is None:
                center.members.remove(member)
            elif member.state == "Abandoned":
                left = member.abandoned_epoch or member.joined_epoch
                if left < now - queue.config.discard_abandoned_after:
                    center.members.remove(member)
            elif member.state == "Waiting" or (
                member.state == "Trying" and queue.config.strategy in _RING_MANY
            ):
                self._serve(member, queue)

    def _serve(self, member: Member, queue: Queue) -> None:
        center = self.center
        strategy = queue.config.strategy
        if strategy in _RING_MANY and member.state == "Waiting":
            member.state, member.serving_agent = "Trying", strategy
        queue.last_agent_exist_check = center.switch.clock.now()
        waited = center.now() - member.joined_epoch
        level, seen = 0, False
        for tier, agent in self._order(member, queue):
            if queue.config.tier_rules_apply and tier.level > level:
                rule, wait = queue.config, queue.config.tier_rule_wait_second
                needed = tier.level * wait if rule.tier_rule_wait_multiply_level else wait
                if not ((rule.tier_rule_no_agent_no_wait and not seen) or waited >= needed):
                    break
            if tier.level > level:
                level, seen = tier.level, False
            seen = True
            queue.last_agent_exist = center.switch.clock.now()
            if self._eligible(agent, tier, queue):
                self._offer(member, queue, tier, agent)
                if strategy != "ring-all":
                    break

    def _order(self, member: Member, queue: Queue) -> Iterator[Candidate]:
        """The candidates of the strategy's query, in its order. Level always comes first."""
        agents = self.center.agents
        rows = [
            (tier, agents[tier.agent])
            for tier in self.center.tiers
            if tier.queue == queue.name and tier.agent in agents and agents[tier.agent].status in _PRESENT
        ]
        strategy = queue.config.strategy
        if strategy == "ring-progressively":
            delay = queue.config.ring_progressively_delay or 10
            session = self.center.sessions.get(member.uuid)
            last = session.last_rung if session is not None else None
            if last is not None and self.center.switch.clock.now() - last < delay:
                # Nobody more is rung yet, but those who are there count as seen.
                if rows:
                    queue.last_agent_exist = self.center.switch.clock.now()
                return iter(())
        column = _STRATEGY_COLUMN.get(strategy)
        if column:
            rows.sort(key=lambda r: (r[0].level, getattr(r[1], column), r[0].position))
        elif strategy == "random":
            rows.sort(key=lambda r: (r[0].level, self._rng.random()))
        elif strategy in _RING_MANY:
            rows.sort(key=lambda r: (r[0].level, r[0].position))
        else:
            rows.sort(key=lambda r: (r[0].level, r[0].position, r[1].last_offered_call))
        if strategy == "round-robin":
            return iter(self._continue_after(rows, self._place_of(queue, queue.last_offered)))
        if strategy == "top-down":
            session = self.center.sessions.get(member.uuid)
            after = [r for r in rows if session is not None and _place(r) > session.last_tried]
            return iter(after if any(self._eligible(a, t, queue) for t, a in after) else rows)
        return iter(rows)

    def _place_of(self, queue: Queue, agent: str) -> tuple[int, int] | None:
        tier = self.center.tier(queue.name, agent)
        return (tier.level, tier.position) if tier else None

    @staticmethod
    def _continue_after(rows: list[Candidate], place: tuple[int, int] | None) -> list[Candidate]:
        """Round robin: first those of the same level behind the last one, then everybody."""
        if place is None:
            return rows
        behind = [r for r in rows if r[0].level == place[0] and r[0].position > place[1]]
        return behind + [r for r in rows if r not in behind]

    def _eligible(self, agent: Agent, tier: Tier, queue: Queue) -> bool:
        now = self.center.now()
        return (
            tier.state in ("Ready", "No Answer")
            and agent.state == "Waiting"
            and agent.last_bridge_end < now - agent.wrap_up_time
            and agent.ready_time <= now
            and agent.status != "On Break"
            and not (queue.config.skip_agents_with_external_calls and agent.external_calls_count > 0)
        )

    def _offer(self, member: Member, queue: Queue, tier: Tier, agent: Agent) -> None:
        center = self.center
        session = center.sessions.get(member.uuid)
        if session is None or session.over:
            return
        if queue.config.strategy not in _RING_MANY:
            member.state, member.serving_agent = "Trying", agent.name
        queue.last_offered = agent.name
        session.last_tried, session.last_rung = (tier.level, tier.position), center.switch.clock.now()
        center.set_agent("state", agent.name, "Receiving")
        for other in center.tiers:
            if other.agent == agent.name and other.state in ("Ready", "No Answer"):
                other.state = "Offering" if other is tier else "Standby"
        Offer(center, member, session, queue, agent)


def _place(row: Candidate) -> tuple[int, int]:
    return (row[0].level, row[0].position)
