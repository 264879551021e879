"""What the bridge needs of a connection to a switch, whichever library carries it."""

# ruff: noqa: ASYNC109 (the deadline of a command is part of what a transport has to keep)

import random
from collections.abc import AsyncIterator
from typing import Protocol

from esl_bridge.protocol import Event

CONNECT_TIMEOUT = 5.0
"""Seconds for everything up to the accepted password."""

COMMAND_TIMEOUT = 10.0
"""Seconds from asking to the whole reply."""

IDLE_TIMEOUT = 50.0
"""Seconds of silence after which a connection that hears HEARTBEAT is dead: the switch sends one every
20 s, so two are lost and a third is on its way."""

SHORTEST_DELAY = 0.2
LONGEST_DELAY = 15.0


class EslError(Exception):
    """The switch could not be reached or understood. No message of these errors holds a password."""


class EslRefused(EslError):
    """The switch answered and wants none of us: wrong password, address not allowed, no permission."""


class EslTimeout(EslError):
    """Something did not happen within its time."""


class EslClosed(EslError):
    """There is no connection, or none any more; the message says why it ended."""


class EslConnection(Protocol):
    """One authenticated connection. Its commands go out one at a time, in the order of asking.

    A command whose reply does not come in time, or whose caller is cancelled, costs the connection: the
    late reply would be taken for the answer to the next command. All times are in seconds.
    """

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, for whatever reason."""

    @property
    def malformed_events(self) -> int:
        """Events skipped so far because they could not be read."""

    @property
    def queued_events(self) -> int:
        """Events that have come and were not taken yet."""

    async def command(self, line: str, *, timeout: float = COMMAND_TIMEOUT) -> str:
        """Send `event`, `filter`, `exit` and their like; the Reply-Text, ``+OK ...`` or ``-ERR ...``.

        Raises UnsafeCommand, EslTimeout, EslClosed; so do `api` and `bgapi`.
        """

    async def api(self, line: str, *, timeout: float = COMMAND_TIMEOUT) -> str:
        """Run an API command (``line`` without the word `api`); its output, errors of it included.

        The switch sends nothing else on this connection while the command runs.
        """

    async def bgapi(self, line: str, *, timeout: float = COMMAND_TIMEOUT) -> str:
        """Start an API command in the background; the Job-UUID that its BACKGROUND_JOB event will carry.

        Raises EslRefused when the switch does not start it.
        """

    async def next_events(self, limit: int) -> list[Event]:
        """The events waiting, in order: at least one, waiting for it, and at most `limit`.

        What came before the end of the connection is still delivered; then raises what ended it.
        """

    def events(self) -> AsyncIterator[Event]:
        """The events one by one. Ends after `close`; raises what ended the connection otherwise."""

    async def close(self) -> None:
        """End the connection. Repeating it does nothing."""


class Connector(Protocol):
    """Opens connections: the one thing a transport has to offer."""

    async def __call__(
        self,
        host: str,
        port: int,
        password: str,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        idle_timeout: float = IDLE_TIMEOUT,
    ) -> EslConnection:
        """Connect and authenticate. Raises EslRefused, EslTimeout, EslClosed or UnsafeCommand."""


def backoff(attempt: int, rng: random.Random) -> float:
    """Seconds to wait before the next attempt, `attempt` (from 0) having failed.

    The ceiling doubles from 0.4 s to 15 s; the delay is drawn between 0.2 s and the ceiling, so that
    bridges which lost the same switch do not come back to it in step.
    """
    ceiling = min(LONGEST_DELAY, 2 * SHORTEST_DELAY * 2 ** min(attempt, 16))
    return rng.uniform(SHORTEST_DELAY, ceiling)
