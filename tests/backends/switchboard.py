"""Orders carried out on a simulated switch in virtual time, without a bridge."""

from __future__ import annotations

from dataclasses import dataclass

from callcenter.switch import Order, Snapshot
from esl_bridge.backends.base import Outcome, Pause
from esl_bridge.backends.callcenter import CallcenterBackend
from esl_bridge.simulator import Switch, VirtualClock

BACKEND = CallcenterBackend()


@dataclass
class Switchboard:
    switch: Switch
    clock: VirtualClock

    def api(self, line: str) -> str:
        """One API command and its reply."""
        replies: list[str] = []
        self.switch.api(line, replies.append)
        self.clock.run_until(lambda: bool(replies), limit=90)
        return replies[0]

    def carry_out(self, order: Order) -> Outcome:
        """The whole conversation of an order, its pauses in virtual time."""
        plan = BACKEND.plan(order)
        try:
            step = next(plan)
            while True:
                if isinstance(step, Pause):
                    self.clock.advance(step.seconds)
                    step = plan.send("")
                else:
                    step = plan.send(self.api(step))
        except StopIteration as end:
            outcome: Outcome = end.value
            return outcome

    def snapshot(self) -> Snapshot:
        """What the switch holds now."""
        replies = {line: self.api(line) for line in BACKEND.snapshot_requests()}
        return BACKEND.read_snapshot(replies, round(self.clock.now() * 1_000_000))

    def engine(self, agent: str) -> str:
        """What the queue engine takes the agent for."""
        return self.snapshot().agents[agent].engine
