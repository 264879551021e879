"""Orders to the switch: written with the change that wants them, newest wins, sent in order, answers kept."""

from __future__ import annotations

from dataclasses import asdict
from datetime import timedelta

import pytest
from django.utils import timezone

from callcenter.events import BRIDGE_GROUP, By, Cause, unit_of_work
from callcenter.models import Event, SwitchCommand, SwitchNode
from callcenter.services import (
    command_payload,
    switch_command_add,
    switch_command_claim,
    switch_command_finish,
    switch_commands_prune,
    switch_node_payload,
    switch_node_reconciled,
    switch_node_report,
    switch_order_of,
)
from callcenter.switch import (
    ConfigureAgent,
    ConfigureQueue,
    ConfigureTier,
    HangUp,
    Order,
    Presence,
    RemoveAgent,
    RemoveQueue,
    RemoveTier,
    SetPresence,
    SuspendAgent,
)
from tests.kernel.support import at_once, told

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_stacks]

BY = By(Cause.SUPERVISOR, "sue")
ORDERS = (
    SetPresence(agent="1001", presence=Presence.OPEN),
    SuspendAgent(agent="1001"),
    ConfigureAgent(agent="1001", contact="user/1001", max_missed=3),
    RemoveAgent(agent="1001"),
    ConfigureTier(queue="s@d", agent="1001", level=2, position=3),
    RemoveTier(queue="s@d", agent="1001"),
    ConfigureQueue(queue="s@d"),
    RemoveQueue(queue="s@d"),
    HangUp(channel="c", cause="LOSE_RACE"),
)


def presence(how: Presence, agent: str = "1001", node: str = "") -> SwitchCommand:
    order = SetPresence(agent=agent, presence=how)
    return switch_command_add(order=order, key=f"agent:{agent}", by=BY, node=node)


def statuses() -> list[str]:
    return list(SwitchCommand.objects.order_by("id").values_list("status", flat=True))


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: type(order).__name__)
def test_an_order_comes_back_from_its_row_as_it_was_given(order: Order) -> None:
    switch_command_add(order=order, key="k", by=BY)
    (claimed,) = switch_command_claim(node="default")
    assert switch_order_of(claimed) == order
    assert asdict(order) == claimed.payload


def test_the_bridge_is_woken_by_the_commit_and_not_by_a_rollback() -> None:
    with told(BRIDGE_GROUP) as heard:
        with unit_of_work():
            presence(Presence.OPEN)
            presence(Presence.OPEN, "1002")
            assert heard == []
        assert len(heard) == 1
        with pytest.raises(LookupError), unit_of_work():
            presence(Presence.OUT)
            raise LookupError
        assert len(heard) == 1
    assert statuses() == ["pending", "pending"]


def test_a_newer_order_of_the_same_kind_about_the_same_object_replaces_an_unsent_one() -> None:
    presence(Presence.OPEN)
    presence(Presence.BREAK)
    presence(Presence.OUT)
    assert statuses() == ["superseded", "superseded", "pending"]
    assert SwitchCommand.objects.filter(status="superseded", answered_at__isnull=False).count() == 2
    (claimed,) = switch_command_claim(node="default")
    assert switch_order_of(claimed) == SetPresence(agent="1001", presence=Presence.OUT)


def test_an_order_about_something_else_replaces_nothing() -> None:
    presence(Presence.OPEN)
    presence(Presence.OPEN, agent="1002")
    presence(Presence.OPEN, node="other")
    switch_command_add(order=SuspendAgent(agent="1001"), key="agent:1001", by=BY)
    assert statuses() == ["pending"] * 4


def test_an_order_on_its_way_is_not_replaced() -> None:
    presence(Presence.OPEN)
    switch_command_claim(node="default")
    presence(Presence.OUT)
    assert statuses() == ["sent", "pending"]


def test_orders_are_claimed_oldest_first_for_one_node_and_no_more_than_asked() -> None:
    ids = [presence(Presence.OPEN, agent=str(n)).pk for n in range(5)]
    presence(Presence.OPEN, node="other")
    assert [c.pk for c in switch_command_claim(node="default", limit=3)] == ids[:3]
    assert statuses() == ["sent"] * 3 + ["pending"] * 3


def test_what_a_dead_bridge_left_on_its_way_is_claimed_again_before_the_rest() -> None:
    first = presence(Presence.OPEN)
    switch_command_claim(node="default")
    second = presence(Presence.OUT)
    assert [c.pk for c in switch_command_claim(node="default")] == [first.pk, second.pk]


@pytest.mark.parametrize(
    ("ok", "status", "type"), [(True, "done", "command.done"), (False, "failed", "command.failed")]
)
def test_the_answer_is_kept_and_told_to_whoever_watches(ok: bool, status: str, type: str) -> None:
    presence(Presence.OPEN)
    (command,) = switch_command_claim(node="default")
    switch_command_finish(command=command, ok=ok, answer="-ERR x" * 1000)
    kept = SwitchCommand.objects.get()
    assert (kept.status, len(kept.answer)) == (status, 2000)
    event = Event.objects.get()
    assert (event.type, event.cause, event.actor) == (type, "supervisor", "sue")
    assert event.data == command_payload(kept)
    assert switch_command_claim(node="default") == []


def test_two_changes_at_once_leave_one_order_to_send() -> None:
    def change(how: Presence) -> None:
        for _ in range(8):
            presence(how)

    at_once(lambda: change(Presence.OPEN), lambda: change(Presence.BREAK))
    left = SwitchCommand.objects.filter(status="pending")
    assert SwitchCommand.objects.count() == 16
    newest = SwitchCommand.objects.order_by("id").last()
    # Two that were written at the same time may both be left: the newer is sent last and so holds.
    assert newest in left and left.count() <= 2


def test_answered_orders_are_forgotten_and_open_ones_are_not() -> None:
    presence(Presence.OPEN)
    (command,) = switch_command_claim(node="default")
    switch_command_finish(command=command, ok=True, answer="+OK")
    presence(Presence.OUT)
    presence(Presence.OUT)
    assert switch_commands_prune(older_than=timezone.now() - timedelta(hours=1)) == 0
    assert switch_commands_prune(older_than=timezone.now() + timedelta(hours=1)) == 2
    assert statuses() == ["pending"]


def test_a_node_found_lost_and_found_again_is_told_each_time_and_a_repeat_is_not() -> None:
    for connected, detail in ((True, ""), (True, ""), (False, "closed"), (False, "closed"), (True, "")):
        node = switch_node_report(name="default", connected=connected, detail=detail)
    told_types = list(Event.objects.values_list("type", flat=True))
    assert told_types == ["switch.connected", "switch.disconnected", "switch.connected"]
    assert Event.objects.last().data == switch_node_payload(SwitchNode.objects.get())  # type: ignore[union-attr]
    assert node.revision == 3


def test_a_node_that_was_restarted_is_told_with_its_new_run() -> None:
    since = switch_node_report(name="default", connected=True, core_uuid="one").since
    node = switch_node_report(name="default", connected=True, core_uuid="two")
    assert (node.core_uuid, node.since) == ("two", since)
    assert Event.objects.count() == 2
    switch_node_report(name="default", connected=False, detail="x" * 500)
    node = SwitchNode.objects.get()
    assert (node.core_uuid, len(node.detail)) == ("two", 200)


def test_when_a_node_was_compared_last_is_kept() -> None:
    now = timezone.now()
    switch_node_report(name="default", connected=True)
    switch_node_reconciled(name="default", at=now)
    assert SwitchNode.objects.get().reconciled_at == now
