"""Orders to the switch and their answers, and the switches themselves."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from django.db import connection

from callcenter.hub import in_database
from callcenter.models import SwitchCommand
from callcenter.services import (
    switch_command_claim,
    switch_command_finish,
    switch_node_report,
)
from queues.models import Queue
from queues.services import queue_create
from tests.bridge.live import live, until

from .conftest import BY, Api, place, refusal, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


def answer_all(ok: bool = True, answer: str = "+OK") -> None:
    for command in switch_command_claim(node="default"):
        switch_command_finish(command=command, ok=ok, answer=answer)


@contextmanager
def switch_that_answers(**how: object) -> Iterator[None]:
    """The orders are answered from another thread, as the bridge does it."""
    stop = threading.Event()

    def work() -> None:
        try:
            while not stop.is_set():
                answer_all(**how)  # type: ignore[arg-type]
                stop.wait(0.02)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


# --- waiting for the answer --------------------------------------------------------------------------


def test_without_a_wish_to_wait_the_orders_are_told_as_pending(api: Api) -> None:
    answer = api.post("queues", {"name": "support"})
    assert [(o["kind"], o["key"], o["status"]) for o in answer.json()["switch"]] == [
        ("configure_queue", "queue:support", "pending")
    ]
    assert "Preference-Applied" not in answer.headers


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_is_told_what_the_switch_said(api: Api) -> None:
    with switch_that_answers(ok=False, answer="-ERR no such queue"):
        answer = api.post("queues", {"name": "support"}, Prefer="wait=5")
    assert answer.status_code == 201
    assert answer.headers["Preference-Applied"] == "wait=5"
    assert [(o["status"], o["answer"]) for o in answer.json()["switch"]] == [("failed", "-ERR no such queue")]


@pytest.mark.django_db(transaction=True)
def test_whoever_waits_gets_the_agent_as_it_stands_after_the_answer(
    api: Api, alice: Api, support: Queue
) -> None:
    place(alice.agent, support)
    path = f"agents/{alice.agent.pk}"
    with switch_that_answers():
        for name in ("login", "ready"):
            answer = api.post(f"{path}/{name}", Prefer="wait=5")
            assert {order["status"] for order in answer.json()["switch"]} == {"done"}
        deleted = api.delete(path, Prefer="wait=5")
    assert deleted.status_code == 200
    assert {(o["kind"], o["status"]) for o in deleted.json()["switch"]} == {("remove_agent", "done")}


@pytest.mark.parametrize(
    ("prefer", "applied", "seconds"),
    [
        ("wait=0", None, 0),
        ("respond-async", None, 0),
        ("wait=soon", None, 0),
        ("wait=-1", None, 0),
        ("wait", None, 0),
        ("respond-async, wait=1", "wait=1", 1),
    ],
)
def test_nobody_waits_longer_than_wished(api: Api, prefer: str, applied: str | None, seconds: int) -> None:
    began = time.monotonic()
    answer = api.post("queues", {"name": "support"}, Prefer=prefer)
    took = time.monotonic() - began
    assert answer.headers.get("Preference-Applied") == applied
    assert seconds <= took < seconds + 0.9
    assert {order["status"] for order in answer.json()["switch"]} == {"pending"}


def test_nobody_waits_where_nothing_was_ordered(api: Api, support: Queue) -> None:
    began = time.monotonic()
    assert api.patch(f"queues/{support.pk}", {"display_name": "Help"}, Prefer="wait=5").json()["switch"] == []
    assert time.monotonic() - began < 2


@pytest.mark.django_db(transaction=True)
async def test_a_change_of_queue_and_tier_reaches_the_switch_at_once(tmp_path: Path) -> None:
    async with live(tmp_path) as switch:
        await until(switch.bridge.in_step.is_set)
        api = await in_database(lambda: Api(user_of("integrator")))

        queue = await in_database(
            api.post, "queues", {"name": "vip@default", "strategy": "ring-all"}, Prefer="wait=5"
        )
        agent = await in_database(api.post, "agents", {"name": "1001", "extension": "1001"}, Prefer="wait=5")
        tier = await in_database(
            api.post,
            "tiers",
            {"queue": queue.json()["id"], "agent": agent.json()["id"], "level": 2, "position": 3},
            Prefer="wait=5",
        )

        for answer in (queue, agent, tier):
            assert {order["status"] for order in answer.json()["switch"]} == {"done"}, answer.json()
        assert "vip@default|ring-all|" in switch.api("callcenter_config queue list")
        assert "vip@default|1001|Ready|2|3" in switch.api("callcenter_config tier list")


# --- the orders by themselves ------------------------------------------------------------------------


def test_orders_are_listed_newest_first_and_found(api: Api, support: Queue, sales: Queue) -> None:
    answer_all()
    queue_create(name="billing", by=BY)
    answer_all(ok=False, answer="-ERR")
    queue_create(name="vip", by=BY)

    def keys(**query: object) -> list[str]:
        return [order["key"] for order in api.get("switch-commands", **query).json()["results"]]

    assert keys() == ["queue:vip", "queue:billing", "queue:sales", "queue:support"]
    assert keys(status="failed") == ["queue:billing"]
    assert keys(status=["failed", "pending"]) == ["queue:vip", "queue:billing"]
    assert keys(key="queue:sales") == ["queue:sales"]
    assert keys(kind="set_presence") == []
    assert keys(node="default", page_size=1) == ["queue:vip"]
    order = SwitchCommand.objects.get(key="queue:billing")
    shown = api.get(f"switch-commands/{order.pk}").json()
    assert (shown["status"], shown["answer"], shown["actor"]) == ("failed", "-ERR", "tests")
    assert refusal(api.get("switch-commands/0")) == (404, "switch_command_not_found")


def test_switches_are_told_as_the_bridge_sees_them(api: Api) -> None:
    switch_node_report(name="default", connected=True, core_uuid="core")
    switch_node_report(name="default", connected=False, detail="refused")
    [node] = api.get("switch").json()["results"]
    assert (node["node"], node["connected"], node["detail"]) == ("default", False, "refused")
    assert api.get("switch/default").json() == node
    assert refusal(api.get("switch/other")) == (404, "switch_node_not_found")
