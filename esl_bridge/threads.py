"""Blocking work in a thread, awaited by a task that can be cancelled."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import wraps
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import InterfaceError, OperationalError, connections

P = ParamSpec("P")
R = TypeVar("R")


async def in_thread(
    executor: ThreadPoolExecutor, work: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs
) -> R:
    """What `work` returns, done in the executor's thread. Raises what it raises.

    Through asgiref, so that telling over the channel layer runs on this loop and not on one of the
    thread's own, whose queues nobody would be woken by. But asgiref (3.13) hands a cancellation to such a
    telling, and when that is finished all the same the cancellation is gone; a task that works in a loop
    would then never end.
    """
    task = asyncio.current_task()
    # A task group that failed leaves its request to cancel on the count (Python 3.11): only new ones matter.
    before = task.cancelling() if task is not None else 0
    done = await sync_to_async(_fresh_after_failure(work), thread_sensitive=False, executor=executor)(
        *args, **kwargs
    )
    if task is not None and task.cancelling() > before:
        raise asyncio.CancelledError
    return done


def _fresh_after_failure(work: Callable[P, R]) -> Callable[P, R]:
    """`work`, with the thread's database connection given up when it fails: a thread that lives as long as
    the process would try the dead one for ever."""

    @wraps(work)
    def attempt(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return work(*args, **kwargs)
        except (InterfaceError, OperationalError):
            connections.close_all()
            raise

    return attempt
