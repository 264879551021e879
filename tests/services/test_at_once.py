"""Two who change the same thing at the same time: each change is there afterwards, on both databases."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents.models import Agent
from agents.services import (
    acw_sweep,
    agent_create,
    agent_delete,
    agent_finish_acw,
    agent_logout,
    agent_missed_call,
    agent_ready,
    agent_report,
    agent_unready,
    agent_update,
)
from agents.state import Input
from callcenter.errors import CallCenterError, Conflict, StaleVersion
from callcenter.events import unit_of_work
from callcenter.models import Event, SwitchCommand
from queues.models import Tier
from queues.services import agent_sign_in, queue_create, tier_create, tier_update
from tests.kernel.support import at_once
from tests.services.support import BY, a_queue, an_agent, at_work, stands

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.both_stacks]

TIMES = 8


def tried(act: Callable[[], Any]) -> Callable[[], str]:
    """The act, whose refusal is its result."""

    def run() -> str:
        try:
            act()
        except CallCenterError as refused:
            return refused.code
        return "done"

    return run


def test_two_changes_of_one_agent_are_both_there_and_counted() -> None:
    agent = an_agent()

    def change(field: str, *values: Any) -> None:
        for value in values:
            agent_update(agent_id=agent.pk, by=BY, **{field: value})

    at_once(
        lambda: change("acw_seconds", *range(100, 100 + TIMES)),
        lambda: change("display_name", *(f"name {n}" for n in range(TIMES))),
        lambda: change("extension", *(str(2000 + n) for n in range(TIMES))),
    )
    agent.refresh_from_db()
    assert (agent.acw_seconds, agent.display_name, agent.extension) == (107, "name 7", "2007")
    assert agent.revision == 1 + 3 * TIMES
    told = [e.revision for e in Event.objects.filter(type="agent.updated").order_by("seq")]
    assert told == list(range(2, 2 + 3 * TIMES))


def test_of_two_changes_of_one_version_one_is_taken() -> None:
    agent = an_agent()
    results = at_once(
        *[
            tried(lambda n=n: agent_update(agent_id=agent.pk, by=BY, revision=1, acw_seconds=n))
            for n in (1, 2, 3)
        ]
    )
    assert sorted(results) == ["done", StaleVersion.code, StaleVersion.code]
    agent.refresh_from_db()
    assert agent.revision == 2


def test_calls_that_ring_out_at_the_same_time_are_all_counted() -> None:
    agent = at_work(max_missed=0)

    def ring_out() -> None:
        for _ in range(TIMES):
            with unit_of_work():
                row = Agent.objects.select_for_update().get(pk=agent.pk)
                agent_missed_call(agent=row, at=timezone.now())

    at_once(ring_out, ring_out)
    agent.refresh_from_db()
    assert agent.missed_count == 2 * TIMES


def test_commands_at_the_same_time_leave_an_unbroken_log_and_the_last_order() -> None:
    agent = at_work()

    def toggle(act: Callable[..., Agent]) -> None:
        for _ in range(TIMES):
            act(agent_id=agent.pk, by=BY)

    at_once(lambda: toggle(agent_ready), lambda: toggle(agent_unready))
    rows = list(agent.transitions.order_by("id"))
    for before, after in itertools.pairwise(rows):
        assert (before.new_state, before.new_sub_state) == (after.old_state, after.old_sub_state)
    last = SwitchCommand.objects.filter(kind="set_presence").order_by("-id").first()
    assert last is not None
    wanted = {"READY": "open", "UNREADY/BREAK": "break"}[stands(agent)]
    assert (last.payload["presence"], last.status) == (wanted, "pending")


def test_a_log_out_and_the_end_of_after_call_work_at_once_sign_out_once() -> None:
    agent = at_work(acw_seconds=60)
    for fact in (Input.OFFERED, Input.ANSWERED, Input.RELEASED_TO_ACW):
        with unit_of_work():
            agent_report(
                agent=Agent.objects.select_for_update().get(pk=agent.pk), fact=fact, at=timezone.now()
            )
    now = timezone.now()
    Agent.objects.update(acw_deadline=now)
    at_once(
        tried(lambda: agent_logout(agent_id=agent.pk, by=BY)),
        tried(lambda: agent_finish_acw(agent_id=agent.pk, by=BY)),
        tried(lambda: acw_sweep(now=now)),
    )
    assert stands(agent) == "LOGOUT"
    assert agent.transitions.filter(old_state="ACW").count() == 1


def test_after_call_work_of_an_agent_who_is_being_deleted_ends_no_sweep() -> None:
    for n in range(6):
        an_agent(f"9{n}")
    now = timezone.now()
    Agent.objects.update(state="ACW", acw_deadline=now)
    ids = list(Agent.objects.values_list("pk", flat=True))

    def delete_all() -> None:
        for pk in ids:
            agent_delete(agent_id=pk, by=BY)

    at_once(delete_all, lambda: acw_sweep(now=now))
    assert not Agent.objects.exists()


@pytest.mark.parametrize(
    "make",
    [
        lambda n: agent_create(name="same", by=BY),
        lambda n: queue_create(name="same@d", by=BY),
    ],
)
def test_of_several_of_one_name_one_is_made(make: Callable[[int], Any]) -> None:
    results = at_once(*[tried(lambda n=n: make(n)) for n in range(3)])
    assert sorted(code.partition("_")[2] or code for code in results) == ["done", "exists", "exists"]


def test_of_two_agents_who_are_given_one_user_one_has_it() -> None:
    ada = User.objects.create_user("ada")
    agents = [an_agent(name) for name in ("1001", "1002")]
    results = at_once(*[tried(lambda a=a: agent_update(agent_id=a.pk, by=BY, user=ada)) for a in agents])
    assert sorted(results) == ["done", "user_taken"]
    assert Agent.objects.filter(user=ada).count() == 1


def test_an_agent_is_put_into_a_queue_once() -> None:
    queue, agent = a_queue(), an_agent()
    put = tried(lambda: tier_create(queue_id=queue.pk, agent_id=agent.pk, by=BY))
    assert sorted(at_once(put, put, put)) == ["done", "tier_exists", "tier_exists"]


def test_a_sign_in_and_a_move_of_a_tier_at_once_lose_neither() -> None:
    agent = an_agent()
    tiers = [tier_create(queue_id=a_queue(name).pk, agent_id=agent.pk, by=BY) for name in ("a@d", "b@d")]

    def move() -> None:
        for level in range(2, 2 + TIMES):
            tier_update(tier_id=tiers[0].pk, by=BY, level=level)

    def sign_in_and_out() -> None:
        for n in range(TIMES):
            agent_sign_in(agent_id=agent.pk, by=BY, queues=["ab"[n % 2] + "@d"])
            agent_logout(agent_id=agent.pk, by=BY)

    at_once(move, sign_in_and_out)
    tier = Tier.objects.get(pk=tiers[0].pk)
    assert tier.level == 1 + TIMES
    told = [
        e.data["level"] for e in Event.objects.filter(type="tier.updated", data__id=tier.pk).order_by("seq")
    ]
    assert told == sorted(told)


def test_a_conflict_is_told_with_its_code_and_breaks_no_other() -> None:
    an_agent("1001")
    with unit_of_work():
        with pytest.raises(Conflict):
            an_agent("1001")
        an_agent("1002")
    assert Agent.objects.count() == 2
