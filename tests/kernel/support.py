"""Threads of a test, and what this process was told."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

from django.db import connection

from callcenter.events import listen


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """Each work in a thread of its own, all let go together; their results. Raises what one of them raised."""
    gate = Barrier(len(works))

    def run(work: Callable[[], Any]) -> Any:
        try:
            gate.wait(10)
            return work()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return [running.result(30) for running in [pool.submit(run, work) for work in works]]


@contextmanager
def told(group: str) -> Iterator[list[Mapping[str, Any]]]:
    """The messages that this process tells `group` meanwhile."""
    heard: list[Mapping[str, Any]] = []
    stop = listen(group, heard.append)
    try:
        yield heard
    finally:
        stop()
