"""A task that works in a thread ends when it is told to, whatever the thread was at."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from asgiref.sync import async_to_sync
from django.db import connections

from callcenter.events import EVENTS_GROUP, listen
from esl_bridge.demo import demo_seed, demo_work
from esl_bridge.threads import in_thread
from esl_bridge.wake import BridgeWake


async def test_a_cancellation_during_a_telling_that_is_finished_all_the_same_is_not_lost() -> None:
    telling = asyncio.Event()

    async def tell() -> None:
        telling.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(10)

    def work() -> str:
        async_to_sync(tell)()
        return "done"

    with ThreadPoolExecutor(1) as thread:
        task = asyncio.create_task(in_thread(thread, work))
        async with asyncio.timeout(10):
            await telling.wait()
            task.cancel()
            await asyncio.wait([task])
    assert task.cancelled()


async def test_a_cancellation_while_the_thread_works_is_not_lost() -> None:
    begun, go_on = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        go_on.wait(10)

    with ThreadPoolExecutor(1) as thread:
        task = asyncio.create_task(in_thread(thread, work))
        await asyncio.to_thread(begun.wait, 10)
        task.cancel()
        async with asyncio.timeout(10):
            await asyncio.wait([task])
        go_on.set()
    assert task.cancelled()


async def test_work_goes_on_in_a_task_whose_task_group_failed() -> None:
    async def fail() -> None:
        raise ValueError

    with ThreadPoolExecutor(1) as thread:
        with contextlib.suppress(ExceptionGroup):
            async with asyncio.TaskGroup() as group:
                group.create_task(fail())
        assert await in_thread(thread, divmod, 7, 2) == (3, 1)


async def test_what_work_returns_or_raises_is_handed_on() -> None:
    with ThreadPoolExecutor(1) as thread:
        assert await in_thread(thread, divmod, 7, 2) == (3, 1)
        with pytest.raises(ZeroDivisionError):
            await in_thread(thread, divmod, 7, 0)


async def test_a_cancellation_that_comes_with_the_waking_is_not_lost() -> None:
    wake = BridgeWake()
    task = asyncio.create_task(wake.wait(10))
    await asyncio.sleep(0)
    wake._event.set()
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.django_db(transaction=True)
@pytest.mark.both_stacks
async def test_the_demonstration_ends_only_with_its_thread() -> None:
    """At the end of a process its threads are waited for, and one that tells waits for the loop."""
    await asyncio.to_thread(in_its_own_connection, demo_seed)
    loop = asyncio.get_running_loop()
    task = asyncio.create_task(demo_work(seed=1, speed=20))
    telling: list[str] = []

    def heard(message: object) -> None:
        telling.append(threading.current_thread().name)
        if len(telling) == 1:
            loop.call_soon_threadsafe(task.cancel)

    stop = listen(EVENTS_GROUP, heard)
    async with asyncio.timeout(20):
        await asyncio.wait([task])
        stop()
        assert task.cancelled() and telling[0].startswith("demo")
        while [thread for thread in threading.enumerate() if thread.name in telling]:
            await asyncio.sleep(0.01)


def in_its_own_connection(work: Callable[[], object]) -> None:
    try:
        work()
    finally:
        connections.close_all()
