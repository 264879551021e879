"""Events are numbered without gaps in the order of the commits, told after them, and never without."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import override_settings
from django.utils import timezone

from callcenter.events import (
    BRIDGE_GROUP,
    EVENT_TYPES,
    EVENTS_GROUP,
    LAYER_BATCH,
    Audience,
    By,
    Cause,
    UnitOfWork,
    envelope,
    events_after,
    last_seq,
    listen,
    prune_events,
    unit_of_work,
)
from callcenter.models import Event, EventCounter, SwitchNode
from tests.kernel.support import at_once, told
from tests.servers import free_port

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_stacks]

BY = By(Cause.API, "tests")
THREADS, TURNS = 4, 12


class Refused(Exception):
    """Something that goes wrong in the middle."""


def publish(unit: UnitOfWork, number: int = 0, type: str = "queue.updated", **more: Any) -> None:
    unit.publish(type, data={"number": number}, by=BY, at=timezone.now(), **more)


def new_node(name: str) -> SwitchNode:
    return SwitchNode.objects.create(name=name, since=timezone.now())


def test_threads_at_once_get_numbers_without_gaps_or_repeats() -> None:
    def work() -> None:
        for turn in range(TURNS):
            with unit_of_work() as unit:
                for _ in range(1 + turn % 3):
                    publish(unit)

    at_once(*[work] * THREADS)
    count = THREADS * sum(1 + turn % 3 for turn in range(TURNS))
    assert list(Event.objects.values_list("seq", flat=True)) == list(range(1, count + 1))
    assert last_seq() == count


def test_the_numbers_of_one_unit_follow_each_other_whatever_others_do() -> None:
    def work(name: str) -> None:
        for turn in range(TURNS):
            with unit_of_work() as unit:
                for _ in range(3):
                    unit.publish("queue.updated", data={"unit": f"{name}{turn}"}, by=BY, at=timezone.now())

    at_once(*[lambda name=name: work(name) for name in "abcd"])
    units = [event.data["unit"] for event in events_after(0, 1000)]
    assert [units[i : i + 3] for i in range(0, len(units), 3)] == [[u] * 3 for u in units[::3]]


def test_a_reader_never_sees_a_number_before_a_smaller_one() -> None:
    """Whoever has read up to a number has missed nothing before it."""
    seen: list[list[int]] = []

    def write() -> None:
        for _ in range(TURNS):
            with unit_of_work() as unit:
                publish(unit)

    def read() -> None:
        while last_seq() < 3 * TURNS:
            seen.append(list(Event.objects.values_list("seq", flat=True)))

    at_once(write, write, write, read)
    assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in seen)


def test_what_is_rolled_back_is_not_numbered_kept_or_told() -> None:
    with told(EVENTS_GROUP) as heard:
        with pytest.raises(Refused), unit_of_work() as unit:
            new_node("gone")
            publish(unit)
            raise Refused
        assert (last_seq(), Event.objects.count(), SwitchNode.objects.count()) == (0, 0, 0)
        with unit_of_work() as unit:
            publish(unit, 7)
    assert [event["data"] for message in heard for event in message["events"]] == [{"number": 7}]
    assert last_seq() == 1


def test_it_is_told_after_the_commit_and_as_the_log_has_it() -> None:
    in_transaction: list[bool] = []
    stop = listen(EVENTS_GROUP, lambda _: in_transaction.append(connection.in_atomic_block))
    with told(EVENTS_GROUP) as heard, unit_of_work() as unit:
        publish(unit, agents=["b", "a", "b"], revision=4)
        assert heard == []
    stop()
    (message,) = heard
    (event,) = message["events"]
    assert in_transaction == [False]
    assert event == envelope(Event.objects.get()) | {"agents": ["a", "b"]}
    assert (event["seq"], event["revision"], event["cause"], event["actor"]) == (1, 4, "api", "tests")


@pytest.mark.parametrize("type", EVENT_TYPES)
def test_agents_hear_what_is_meant_for_them_and_nothing_else(type: str) -> None:
    with unit_of_work() as unit:
        publish(unit, type=type, agents=["b", "a", "b"])
    meant = EVENT_TYPES[type].audience is Audience.AGENT
    assert Event.objects.get().agents == (["a", "b"] if meant else [])


def test_an_inner_unit_is_part_of_the_outer_one() -> None:
    with told(EVENTS_GROUP) as heard, unit_of_work() as outer:
        publish(outer, 1)
        with unit_of_work() as inner:
            assert inner is outer
            publish(inner, 2)
        assert heard == []
        publish(outer, 3)
    assert [e["data"]["number"] for message in heard for e in message["events"]] == [1, 2, 3]


def test_an_outer_unit_that_fails_takes_the_inner_one_with_it() -> None:
    with told(EVENTS_GROUP) as heard, pytest.raises(Refused), unit_of_work():
        with unit_of_work() as inner:
            new_node("gone")
            publish(inner)
        raise Refused
    assert (heard, Event.objects.count(), SwitchNode.objects.count()) == ([], 0, 0)


def test_a_unit_inside_a_transaction_of_others_is_told_with_its_commit() -> None:
    with told(EVENTS_GROUP) as heard:
        with transaction.atomic():
            with unit_of_work() as unit:
                publish(unit)
            assert heard == []
        assert len(heard) == 1


def test_a_unit_inside_a_transaction_that_fails_is_not_told() -> None:
    with told(EVENTS_GROUP) as heard, pytest.raises(Refused), transaction.atomic():
        with unit_of_work() as unit:
            publish(unit)
        raise Refused
    assert (heard, last_seq()) == ([], 0)


def test_after_a_failed_unit_the_next_one_begins_empty() -> None:
    with pytest.raises(Refused), unit_of_work() as failed:
        publish(failed, 1)
        raise Refused
    with unit_of_work() as unit:
        assert unit is not failed and unit.events == []


def test_an_unknown_type_is_refused_and_leaves_nothing() -> None:
    with pytest.raises(KeyError, match="agent_exploded"), unit_of_work() as unit:
        new_node("gone")
        publish(unit, type="agent_exploded")
    assert (Event.objects.count(), SwitchNode.objects.count()) == (0, 0)


def test_a_unit_without_events_writes_and_tells_nothing() -> None:
    with told(EVENTS_GROUP) as heard, told(BRIDGE_GROUP) as bridge, unit_of_work():
        pass
    assert (heard, bridge, EventCounter.objects.count()) == ([], [], 0)


def test_many_events_are_told_in_pieces_in_order() -> None:
    count = 2 * LAYER_BATCH + 1
    with told(EVENTS_GROUP) as heard, unit_of_work() as unit:
        for number in range(count):
            publish(unit, number)
    assert [len(m["events"]) for m in heard] == [LAYER_BATCH, LAYER_BATCH, 1]
    assert [e["seq"] for m in heard for e in m["events"]] == list(range(1, count + 1))


def test_a_listener_whose_loop_is_closed_is_not_called_again() -> None:
    called: list[Mapping[str, Any]] = []

    def closed(message: Mapping[str, Any]) -> None:
        called.append(message)
        raise RuntimeError("Event loop is closed")

    stop = listen(EVENTS_GROUP, closed)
    for _ in range(2):
        with told(EVENTS_GROUP) as heard, unit_of_work() as unit:
            publish(unit)
        assert len(heard) == 1
    stop()
    assert len(called) == 1


def test_a_layer_that_is_away_is_logged_and_fails_no_change(caplog: pytest.LogCaptureFixture) -> None:
    nowhere = {
        "BACKEND": "channels_redis.core.RedisChannelLayer",
        "CONFIG": {"hosts": [f"redis://127.0.0.1:{free_port()}/0"]},
    }
    with (
        override_settings(CHANNEL_LAYERS={"default": nowhere}),
        caplog.at_level(logging.WARNING),
        told(EVENTS_GROUP) as heard,
        unit_of_work() as unit,
    ):
        publish(unit)
    assert (last_seq(), len(heard)) == (1, 1)
    assert "the channel layer did not take a message for events" in caplog.text


def test_events_are_read_from_where_one_left_off_and_no_more_than_asked() -> None:
    with unit_of_work() as unit:
        for number in range(5):
            publish(unit, number)
    assert [e.seq for e in events_after(2, 2)] == [3, 4]
    assert [e.seq for e in events_after(4, 10)] == [5]
    assert events_after(5, 10) == []


def test_old_events_are_forgotten_and_their_numbers_are_not_given_again() -> None:
    with unit_of_work() as unit:
        for number in range(3):
            publish(unit, number)
    now = timezone.now()
    Event.objects.filter(seq__lte=2).update(recorded_at=now - timedelta(hours=2))
    assert prune_events(now - timedelta(hours=1)) == 2
    assert list(Event.objects.values_list("seq", flat=True)) == [3]
    assert prune_events(now + timedelta(hours=1)) == 1
    with unit_of_work() as unit:
        publish(unit)
    assert [e.seq for e in events_after(0, 10)] == [4]
