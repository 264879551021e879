"""Time for the simulated switch: every wait goes through one clock, so a test can jump over it.

All times are epoch seconds of simulated time. Callbacks of one clock never run inside each other.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Protocol

Callback = Callable[[], None]


class Timer:
    """A pending callback; ``cancel`` is safe at any moment, also after it has run."""

    __slots__ = ("_callback", "_forget", "handle", "when")

    def __init__(
        self, when: float, callback: Callback, forget: Callable[[Timer], None] | None = None
    ) -> None:
        self.when = when
        self.handle: asyncio.TimerHandle | None = None
        self._callback: Callback | None = callback
        self._forget = forget

    @property
    def active(self) -> bool:
        """True until the callback has run or was cancelled."""
        return self._callback is not None

    def cancel(self) -> None:
        """Forget the callback."""
        self._callback = None
        if self.handle is not None:
            self.handle.cancel()
        if self._forget is not None:
            self._forget(self)

    def run(self) -> None:
        """Run the callback once, unless cancelled. Only a clock calls this."""
        callback, self._callback = self._callback, None
        if callback is not None:
            callback()


class Clock(Protocol):
    """What the simulated switch needs of time."""

    def now(self) -> float:
        """Simulated epoch seconds."""

    def call_later(self, delay: float, callback: Callback) -> Timer:
        """Run ``callback`` after ``delay`` simulated seconds (0: after the current callback)."""

    def close(self) -> None:
        """Cancel everything that is pending."""


class RealClock:
    """The event loop's time multiplied by ``speed`` (2.0: two simulated seconds per real one)."""

    def __init__(self, speed: float = 1.0) -> None:
        if not speed > 0:
            raise ValueError(f"speed must be above 0, not {speed!r}")
        self.speed = speed
        self._loop = asyncio.get_running_loop()
        self._epoch = time.time()
        self._started = self._loop.time()
        self._pending: set[Timer] = set()

    def now(self) -> float:
        return self._epoch + (self._loop.time() - self._started) * self.speed

    def call_later(self, delay: float, callback: Callback) -> Timer:
        timer = Timer(self.now() + delay, callback, self._pending.discard)

        def fire() -> None:
            self._pending.discard(timer)
            timer.run()

        timer.handle = self._loop.call_later(max(delay, 0.0) / self.speed, fire)
        self._pending.add(timer)
        return timer

    def close(self) -> None:
        for timer in tuple(self._pending):
            timer.cancel()


class VirtualClock:
    """Time that stands still until ``advance`` or ``run_until``, then jumps from timer to timer."""

    def __init__(self, start: float = 1_800_000_000.0) -> None:
        self._now = start
        self._order = itertools.count()
        self._heap: list[tuple[float, int, Timer]] = []

    def now(self) -> float:
        return self._now

    def call_later(self, delay: float, callback: Callback) -> Timer:
        timer = Timer(self._now + max(delay, 0.0), callback)
        heapq.heappush(self._heap, (timer.when, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Run everything due within the next ``seconds`` and stop exactly there."""
        end = self._now + seconds
        while self._heap and self._heap[0][0] <= end:
            self._step()
        self._now = end

    def run_until(self, condition: Callable[[], bool], limit: float = 3600.0) -> None:
        """Step from timer to timer until ``condition``; TimeoutError after ``limit`` seconds."""
        end = self._now + limit
        while not condition():
            if not self._heap or self._heap[0][0] > end:
                raise TimeoutError(f"condition not reached within {limit} simulated seconds")
            self._step()

    def close(self) -> None:
        self._heap.clear()

    def _step(self) -> None:
        when, _, timer = heapq.heappop(self._heap)
        self._now = max(self._now, when)
        timer.run()
