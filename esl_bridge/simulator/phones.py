"""How the phones behave that the switch rings: agents' desk phones, customers who are called."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

OUTCOMES = ("answer", "no_answer", "busy", "reject")
Range = tuple[float, float]


@dataclass(frozen=True)
class Ring:
    """What one phone will do with one call. Seconds are simulated."""

    outcome: str
    after: float
    hangs_up_after: float | None = None


@dataclass(frozen=True)
class PhoneRule:
    """Behaviour of the phones whose number matches ``number`` (whole match) and, if given, ``port``.

    ``chances`` weighs the outcomes; ``ring`` and ``talk`` are ranges in seconds. A phone with ``talk``
    hangs up by itself that long after it answered, one without never does.
    """

    number: str = ".*"
    port: int | None = None
    chances: Mapping[str, float] = field(default_factory=lambda: {"answer": 1.0})
    ring: Range = (1.0, 1.0)
    talk: Range | None = None

    def __post_init__(self) -> None:
        try:
            re.compile(self.number)
        except re.error as error:
            raise ValueError(f"a phone's number {self.number!r} is no pattern: {error}") from error
        unknown = set(self.chances) - set(OUTCOMES)
        if unknown:
            raise ValueError(f"unknown phone outcome {sorted(unknown)}; choose from {', '.join(OUTCOMES)}")
        if not self.chances or min(self.chances.values()) < 0 or not sum(self.chances.values()) > 0:
            raise ValueError("the chances of a phone must not be negative nor all zero")

    def matches(self, number: str, port: int | None) -> bool:
        """Whether this rule speaks for the phone."""
        return (self.port is None or self.port == port) and re.fullmatch(self.number, number) is not None


class Phones:
    """All phones of a scenario; the first rule that matches decides, seeded and reproducible."""

    def __init__(self, rules: Sequence[PhoneRule] = (), *, seed: int = 0) -> None:
        self.rules = list(rules)
        self._rng = random.Random(f"{seed}/phones")  # noqa: S311

    def ring(self, number: str, port: int | None) -> Ring:
        """Draw what the phone does with the call that starts now."""
        rule = next((r for r in self.rules if r.matches(number, port)), PhoneRule())
        outcome = self._rng.choices(list(rule.chances), list(rule.chances.values()))[0]
        after = self._rng.uniform(*rule.ring)
        talk = self._rng.uniform(*rule.talk) if rule.talk and outcome == "answer" else None
        return Ring(outcome, after, talk)
