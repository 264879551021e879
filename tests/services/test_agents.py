"""What is asked of agents: each change leaves its log rows, its event and its order, in one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.models import Agent, AgentTransition
from agents.selectors import agent_payload
from agents.services import (
    acw_sweep,
    agent_delete,
    agent_extend_acw,
    agent_finish_acw,
    agent_login,
    agent_logout,
    agent_missed_call,
    agent_ready,
    agent_report,
    agent_unready,
    agent_update,
    agent_withdraw_next,
)
from agents.state import Input, State, Sub
from callcenter.errors import CallCenterError, Conflict, InvalidInput
from callcenter.events import unit_of_work
from callcenter.models import Event, SwitchCommand
from callcenter.switch import Presence
from tests.services.support import (
    BY,
    an_agent,
    at_work,
    in_snapshot,
    left,
    on_a_call,
    presence,
    report,
    stands,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


def in_after_call_work(seconds: int = 60) -> Agent:
    agent = on_a_call(acw_seconds=seconds)
    report(agent, Input.RELEASED_TO_ACW)
    return agent


class Undone(Exception):
    """The caller of a service changes its mind."""


# --- signing in and out ------------------------------------------------------------------------------


def test_signing_in_passes_login_with_one_login_event_per_queue() -> None:
    agent = an_agent()
    with left() as change:
        agent_login(agent_id=agent.pk, by=BY, extension="2002", queues=["a@d", "b@d"])
    assert change.steps == [("LOGOUT", "LOGIN"), ("LOGIN", "UNREADY/WAIT")]
    assert change.types == ["agent.logged_in", "agent.logged_in", "agent.state_changed"]
    logins = [(e.data["queue"], e.data["extension"], e.data["state"]) for e in change.events[:2]]
    assert logins == [("a@d", "2002", "LOGIN"), ("b@d", "2002", "LOGIN")]
    assert change.events[-1].data == in_snapshot("agents", agent.pk)
    assert change.events[-1].data["queues"] == ["a@d", "b@d"]
    assert change.orders == [presence(Presence.BREAK)]


def test_signing_in_without_a_queue_is_one_login_event_for_none() -> None:
    agent = an_agent()
    with left() as change:
        agent_login(agent_id=agent.pk, by=BY)
    assert change.types == ["agent.logged_in", "agent.state_changed"]
    assert change.events[0].data["queue"] is None
    assert change.events[-1].data["extension"] == "1001"


def test_signing_in_again_adds_a_queue_and_changes_no_state() -> None:
    agent = an_agent()
    agent_login(agent_id=agent.pk, by=BY, queues=["a@d"])
    agent_ready(agent_id=agent.pk, by=BY)
    with left() as again:
        agent_login(agent_id=agent.pk, by=BY, queues=["a@d", "b@d"])
    assert again.types == ["agent.updated", "agent.logged_in"]
    assert again.events[-1].data["queue"] == "b@d"
    assert (again.steps, again.orders, stands(agent)) == ([], [], "READY")
    with left() as same:
        agent_login(agent_id=agent.pk, by=BY, queues=["a@d", "b@d"])
    assert (same.events, same.steps, same.orders) == ([], [], [])


def test_an_extension_that_could_carry_more_is_refused_at_sign_in() -> None:
    agent = an_agent()
    with left() as nothing, pytest.raises(InvalidInput) as refused:
        agent_login(agent_id=agent.pk, by=BY, extension="10'01", queues=["a@d"])
    assert set(refused.value.fields) == {"signed_in_extension"}
    assert (nothing.events, nothing.steps) == ([], [])
    assert stands(agent) == "LOGOUT"


def test_signing_out_forgets_queues_and_extension() -> None:
    agent = at_work()
    with left() as change:
        agent_logout(agent_id=agent.pk, by=BY)
    assert change.steps == [("READY", "LOGOUT")]
    assert change.types == ["agent.state_changed"]
    assert change.events[0].data == in_snapshot("agents", agent.pk)
    assert (change.events[0].data["queues"], change.events[0].data["extension"]) == ([], "1001")
    assert change.orders == [presence(Presence.OUT)]


# --- ready and not -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("act", "start", "step", "order"),
    [
        (agent_ready, "UNREADY/WAIT", ("UNREADY/WAIT", "READY"), Presence.OPEN),
        (agent_unready, "READY", ("READY", "UNREADY/BREAK"), Presence.BREAK),
        (agent_unready, "UNREADY/WAIT", ("UNREADY/WAIT", "UNREADY/BREAK"), Presence.BREAK),
        (agent_logout, "UNREADY/WAIT", ("UNREADY/WAIT", "LOGOUT"), Presence.OUT),
    ],
)
def test_a_change_is_one_row_one_event_and_one_order(
    act: Callable[..., Agent], start: str, step: tuple[str, str], order: Presence
) -> None:
    agent = an_agent()
    agent_login(agent_id=agent.pk, by=BY)
    if start == "READY":
        agent_ready(agent_id=agent.pk, by=BY)
    with left() as change:
        answered = act(agent_id=agent.pk, by=BY)
    assert change.steps == [step]
    assert change.types == ["agent.state_changed"]
    assert change.events[0].data == in_snapshot("agents", agent.pk) == agent_payload(answered)
    assert change.events[0].revision == answered.revision
    assert (change.rows[0].cause, change.rows[0].actor) == ("api", "tests")
    assert change.rows[0].at == answered.state_since
    assert change.orders == [presence(order)]


def test_the_same_again_leaves_nothing() -> None:
    agent = at_work()
    for act, asked in ((agent_ready, {}), (agent_unready, {"reason": "tea"}), (agent_logout, {})):
        act(agent_id=agent.pk, by=BY, **asked)
        with left() as nothing:
            act(agent_id=agent.pk, by=BY, **asked)
        assert (nothing.steps, nothing.events, nothing.orders) == ([], [], [])


@pytest.mark.parametrize("sub", [Sub.WAIT, Sub.DND, Sub.BREAK, Sub.AWAY, Sub.CUSTOM])
def test_every_way_of_not_being_ready_has_its_reason(sub: Sub) -> None:
    agent = at_work()
    agent_unready(agent_id=agent.pk, by=BY, sub_state=sub, reason="Зубной врач")
    seen = in_snapshot("agents", agent.pk)
    assert (seen["state"], seen["sub_state"], seen["reason"]) == ("UNREADY", sub, "Зубной врач")
    assert AgentTransition.objects.last().reason == "Зубной врач"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({"sub_state": "LUNCH"}, "sub_state"),
        ({"sub_state": "RINGING"}, "sub_state"),
        ({"sub_state": ""}, "sub_state"),
        ({"reason": "x" * 81}, "reason"),
        ({"reason": "a\nb"}, "reason"),
        ({"reason": "a\x00"}, "reason"),
    ],
)
def test_an_unknown_sub_state_or_a_bad_reason_is_refused(asked: dict[str, str], field: str) -> None:
    agent = at_work()
    with pytest.raises(InvalidInput) as refused:
        agent_unready(agent_id=agent.pk, by=BY, **asked)
    assert set(refused.value.fields) == {field}
    assert stands(agent) == "READY"


@pytest.mark.parametrize(
    ("act", "code"),
    [
        (agent_ready, "not_logged_in"),
        (agent_unready, "not_logged_in"),
        (agent_withdraw_next, "not_logged_in"),
        (agent_finish_acw, "not_logged_in"),
    ],
)
def test_who_is_signed_out_is_refused_with_the_tables_code(act: Callable[..., Agent], code: str) -> None:
    agent = an_agent()
    with left() as nothing, pytest.raises(Conflict) as refused:
        act(agent_id=agent.pk, by=BY)
    assert refused.value.code == code
    assert (nothing.steps, nothing.events, nothing.orders) == ([], [], [])


# --- during a call -----------------------------------------------------------------------------------


def test_what_is_asked_for_in_a_call_is_kept_told_withdrawn_and_told() -> None:
    agent = on_a_call()
    with left() as asked:
        agent_unready(agent_id=agent.pk, by=BY, sub_state=Sub.DND, reason="tea")
    assert asked.types == ["agent.next_state_changed"]
    assert (asked.steps, asked.orders) == ([], [])
    assert asked.events[0].data == in_snapshot("agents", agent.pk)
    assert asked.events[0].data["next_state"] == {"state": "UNREADY", "sub_state": "DND", "reason": "tea"}
    with left() as withdrawn:
        agent_withdraw_next(agent_id=agent.pk, by=BY)
    assert withdrawn.types == ["agent.next_state_changed"]
    assert withdrawn.events[0].data["next_state"] is None
    with left() as nothing:
        agent_withdraw_next(agent_id=agent.pk, by=BY)
    assert nothing.types == []


@pytest.mark.parametrize(
    ("act", "after", "order"),
    [
        (agent_logout, "LOGOUT", Presence.OUT),
        (agent_unready, "UNREADY/BREAK", Presence.BREAK),
        (agent_ready, "READY", Presence.OPEN),
    ],
)
def test_what_was_asked_for_is_done_when_the_call_is_over(
    act: Callable[..., Agent], after: str, order: Presence
) -> None:
    agent = on_a_call()
    act(agent_id=agent.pk, by=BY)
    with left() as over:
        report(agent, Input.RELEASED)
    assert over.steps == [("BUSY/ANSWERED", after)]
    assert over.orders == [presence(order)]
    assert in_snapshot("agents", agent.pk)["next_state"] is None


# --- after-call work ---------------------------------------------------------------------------------


def test_after_call_work_has_a_deadline_and_no_order() -> None:
    agent = on_a_call(acw_seconds=30)
    with left() as begun:
        report(agent, Input.RELEASED_TO_ACW)
    agent.refresh_from_db()
    assert begun.steps == [("BUSY/ANSWERED", "ACW")]
    assert begun.orders == []
    assert agent.acw_deadline == agent.state_since + timedelta(seconds=30)
    assert begun.events[0].data == in_snapshot("agents", agent.pk)


def test_after_call_work_is_extended_from_its_deadline() -> None:
    agent = in_after_call_work(seconds=60)
    agent.refresh_from_db()
    before = agent.acw_deadline
    with left() as more:
        extended = agent_extend_acw(agent_id=agent.pk, by=BY, seconds=30)
    assert before is not None and extended.acw_deadline == before + timedelta(seconds=30)
    assert more.types == ["agent.acw_extended"]
    assert more.events[0].data == in_snapshot("agents", agent.pk)
    assert (more.steps, more.orders) == ([], [])


def test_after_call_work_that_is_overdue_is_extended_from_now() -> None:
    agent = in_after_call_work()
    Agent.objects.update(acw_deadline=timezone.now() - timedelta(seconds=5))
    extended = agent_extend_acw(agent_id=agent.pk, by=BY, seconds=30)
    assert extended.acw_deadline is not None
    assert extended.acw_deadline > timezone.now() + timedelta(seconds=29)
    assert acw_sweep(now=timezone.now()) == 0


@pytest.mark.parametrize("seconds", [0, -1, 3601, 10**12])
def test_a_bad_extension_of_after_call_work_is_refused(seconds: int) -> None:
    agent = in_after_call_work()
    with pytest.raises(InvalidInput):
        agent_extend_acw(agent_id=agent.pk, by=BY, seconds=seconds)


@pytest.mark.parametrize("act", [agent_finish_acw, lambda **k: agent_extend_acw(**k, seconds=5)])
def test_there_is_no_after_call_work_to_end_or_extend_for_who_is_ready(act: Callable[..., Agent]) -> None:
    agent = at_work()
    with pytest.raises(Conflict) as refused:
        act(agent_id=agent.pk, by=BY)
    assert refused.value.code == "not_in_acw"
    agent.refresh_from_db()
    assert agent.acw_deadline is None


def test_after_call_work_ends_early_and_opens_the_agent() -> None:
    agent = in_after_call_work()
    with left() as finished:
        agent_finish_acw(agent_id=agent.pk, by=BY)
    assert finished.steps == [("ACW", "READY")]
    assert finished.orders == [presence(Presence.OPEN)]
    agent.refresh_from_db()
    assert agent.acw_deadline is None


def test_after_call_work_ends_at_its_deadline_and_not_before() -> None:
    agent = in_after_call_work(seconds=60)
    agent.refresh_from_db()
    assert agent.acw_deadline is not None
    assert acw_sweep(now=agent.acw_deadline - timedelta(milliseconds=1)) == 0
    with left() as ended:
        assert acw_sweep(now=agent.acw_deadline) == 1
        assert acw_sweep(now=agent.acw_deadline) == 0
    assert ended.steps == [("ACW", "READY")]
    assert ended.rows[0].cause == "timer"
    assert ended.orders == [presence(Presence.OPEN)]


# --- missed calls ------------------------------------------------------------------------------------


def ring_out(agent: Agent) -> None:
    report(agent, Input.OFFERED)
    agent_missed_call(agent=agent, at=timezone.now())
    agent_report(agent=agent, fact=Input.OFFER_FAILED, at=timezone.now())


def test_missed_calls_are_counted_and_lead_away_at_the_limit_and_never_out() -> None:
    agent = at_work(max_missed=2)
    ring_out(agent)
    assert stands(agent) == "READY" and in_snapshot("agents", agent.pk)["missed_calls"] == 1
    with left() as second:
        ring_out(agent)
    assert stands(agent) == "UNREADY/AWAY"
    assert agent.reason == "missed_calls"
    assert second.steps[-1] == ("BUSY/RINGING", "UNREADY/AWAY")
    assert second.orders == [presence(Presence.BREAK)]


def test_who_comes_back_or_answers_begins_to_count_anew() -> None:
    agent = at_work(max_missed=2)
    for _ in range(2):
        ring_out(agent)
    agent_ready(agent_id=agent.pk, by=BY)
    agent.refresh_from_db()
    assert agent.missed_count == 0
    ring_out(agent)
    report(agent, Input.OFFERED)
    report(agent, Input.ANSWERED)
    agent.refresh_from_db()
    assert agent.missed_count == 0


def test_without_a_limit_nobody_is_sent_away() -> None:
    agent = at_work(max_missed=0)
    for _ in range(5):
        ring_out(agent)
    assert stands(agent) == "READY" and agent.missed_count == 5


# --- all or nothing ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "act",
    [
        lambda agent: agent_update(agent_id=agent.pk, by=BY, extension="7"),
        lambda agent: agent_delete(agent_id=agent.pk, by=BY),
        lambda agent: agent_login(agent_id=agent.pk, by=BY, queues=["a@d"]),
        lambda agent: agent_logout(agent_id=agent.pk, by=BY),
        lambda agent: agent_unready(agent_id=agent.pk, by=BY),
        lambda agent: an_agent("1002"),
    ],
)
def test_a_change_that_is_taken_back_leaves_no_row_no_event_and_no_order(
    act: Callable[[Agent], Any],
) -> None:
    agent = at_work()
    before = list(Agent.objects.values()), list(SwitchCommand.objects.values())
    with left() as nothing, pytest.raises(Undone), unit_of_work():
        act(agent)
        raise Undone
    assert (nothing.steps, nothing.events, nothing.orders) == ([], [], [])
    assert (list(Agent.objects.values()), list(SwitchCommand.objects.values())) == before


def test_a_newer_presence_replaces_the_one_not_yet_sent() -> None:
    agent = at_work()
    agent_unready(agent_id=agent.pk, by=BY)
    agent_logout(agent_id=agent.pk, by=BY)
    unsent = SwitchCommand.objects.filter(kind="set_presence", status="pending")
    assert [row.payload["presence"] for row in unsent] == ["out"]


def test_every_event_of_an_agent_is_heard_by_that_agent() -> None:
    agent = in_after_call_work()
    agent_finish_acw(agent_id=agent.pk, by=BY)
    heard = {tuple(e.agents) for e in Event.objects.filter(type__startswith="agent.")}
    assert heard == {(str(agent.pk),)}


def test_the_log_is_unbroken_from_the_first_state_to_the_last() -> None:
    agent = in_after_call_work()
    with pytest.raises(CallCenterError):
        agent_extend_acw(agent_id=agent.pk, by=BY, seconds=0)
    agent_logout(agent_id=agent.pk, by=BY)
    agent_finish_acw(agent_id=agent.pk, by=BY)
    rows = list(agent.transitions.order_by("id"))
    ends = [(r.old_state, r.old_sub_state) for r in rows[1:]]
    assert ends == [(r.new_state, r.new_sub_state) for r in rows[:-1]]
    assert rows[0].old_state == State.LOGOUT == rows[-1].new_state
