"""Callers who arrive by themselves, wait as long as their patience lasts, talk, and hang up."""

from __future__ import annotations

import random

from .channels import Channel
from .events import Event
from .scenario import Arrivals
from .switch import Switch

_SURNAMES = (
    "Adler", "Berg", "Costa", "Diaz", "Evans", "Fischer", "Gruber", "Haas", "Ito", "Jensen", "Klein", "Lopez", "Moreau", "Novak", "Olsen", "Petrov",
)  # fmt: skip
_GIVEN = (
    "Anna", "Boris", "Clara", "David", "Elena", "Felix", "Grete", "Hugo", "Irene", "Jonas", "Karin", "Luis", "Mina", "Nils", "Olga", "Paul",
)  # fmt: skip


class CallerCrowd:
    """A seeded stream of callers for one switch; names and numbers are invented."""

    def __init__(self, switch: Switch, plan: Arrivals) -> None:
        self.switch, self.plan = switch, plan
        self._rng = random.Random(f"{switch.seed}/callers")  # noqa: S311
        self._waiting: dict[str, tuple[float, bool]] = {}
        self._count = 0

    def start(self) -> None:
        """Begin; nothing happens when the plan has no callers."""
        if self.plan.every > 0 and self.plan.queues:
            self.switch.bus.subscribe(self._on_event)
            self._next()

    def _next(self) -> None:
        self.switch.clock.call_later(self._rng.expovariate(1 / self.plan.every), self._arrive)

    def _arrive(self) -> None:
        self._next()
        rng, plan, switch = self._rng, self.plan, self.switch
        queue = rng.choices(list(plan.queues), list(plan.queues.values()))[0]
        number = f"139{rng.randrange(10_000_000, 99_999_999)}"
        name = f"{rng.choice(_GIVEN)} {rng.choice(_SURNAMES)}"
        patience, talk = rng.uniform(*plan.patience), rng.uniform(*plan.talk)
        caller_ends = rng.random() < plan.caller_ends
        if switch.shutting_down or (plan.at_most and len(self._waiting) >= plan.at_most):
            return
        self._count += 1
        wanted = f"queue-{queue}"
        did = next((did for did, extension in switch.dids.items() if extension == wanted), wanted)
        ch = switch.incoming(number, name, did)
        ch.variables["customer_ref"] = f"sim-{self._count}"
        self._waiting[ch.uuid] = (talk, caller_ends)
        switch.clock.call_later(patience, lambda: self._lose_patience(ch))

    def _lose_patience(self, ch: Channel) -> None:
        if ch.uuid in self._waiting and not ch.down and ch.bridge is None:
            self.switch.calls.hangup(ch, "NORMAL_CLEARING", "recv_bye")

    def _on_event(self, event: Event) -> None:
        if event.name == "CHANNEL_BRIDGE":
            caller = event.headers["Bridge-A-Unique-ID"]
            plan = self._waiting.get(caller)
            ch = self.switch.calls.channels.get(caller)
            if plan is not None and ch is not None and ch.talk_timer is None:
                talk, caller_ends = plan
                ch.talk_timer = self.switch.clock.call_later(talk, lambda: self._end(ch, caller_ends))
        elif event.name == "CHANNEL_DESTROY":
            self._waiting.pop(event.headers["Unique-ID"], None)

    def _end(self, ch: Channel, caller_ends: bool) -> None:
        """The talk is over; a caller on hold or without a partner stays until somebody hangs up."""
        partner = ch.bridge.peer(ch) if ch.bridge is not None else None
        if partner is None or partner.consult is not None or "HELD" in (partner.callstate, ch.callstate):
            ch.talk_timer = self.switch.clock.call_later(5.0, lambda: self._end(ch, caller_ends))
        else:
            self.switch.calls.hangup(ch if caller_ends else partner, "NORMAL_CLEARING", "recv_bye")
