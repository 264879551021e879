"""Changes to agents: each leaves its log rows, its event and its order, all in one transaction."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents.models import Agent, AgentTransition
from agents.selectors import agent_payload
from agents.services import (
    acw_sweep,
    agent_create,
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
from callcenter.errors import CallCenterError, Conflict, InvalidInput, NotFound, StaleVersion
from callcenter.events import unit_of_work
from callcenter.models import Event, SwitchCommand
from callcenter.switch import ConfigureAgent, Presence, RemoveAgent, SetPresence
from tests.services.support import BY, an_agent, at_work, in_snapshot, left, stands

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


def presence(how: Presence, name: str = "1001") -> SetPresence:
    return SetPresence(agent=name, presence=how)


def report(agent: Agent, fact: Input) -> None:
    agent.refresh_from_db()
    agent_report(agent=agent, fact=fact, at=timezone.now())


def on_a_call(**fields: Any) -> Agent:
    agent = at_work(**fields)
    report(agent, Input.OFFERED)
    report(agent, Input.ANSWERED)
    return agent


def in_after_call_work(seconds: int = 60) -> Agent:
    agent = on_a_call(acw_seconds=seconds)
    report(agent, Input.RELEASED_TO_ACW)
    return agent


class Undone(Exception):
    """The caller of a service changes its mind."""


# --- the record --------------------------------------------------------------------------------------


def test_a_new_agent_is_told_and_made_at_the_switch() -> None:
    with left() as made:
        agent = an_agent(display_name="Ada", max_missed=2, reject_delay=7)
    assert made.types == ["agent.created"]
    assert made.events[0].data == in_snapshot("agents", agent.pk)
    assert made.orders == [
        ConfigureAgent(
            agent="1001",
            contact="sofia/internal/1001@127.0.0.1",
            max_missed=2,
            reject_delay=7,
            busy_delay=10,
            no_answer_delay=5,
        ),
        presence(Presence.OUT),
    ]
    assert stands(agent) == "LOGOUT" and made.steps == []


def test_the_name_at_the_switch_never_changes() -> None:
    agent = an_agent()
    with left() as changed:
        agent_update(agent_id=agent.pk, by=BY, display_name="Someone Else")
    assert changed.orders == [] and changed.types == ["agent.updated"]
    with pytest.raises(InvalidInput) as refused:
        agent_update(agent_id=agent.pk, by=BY, name="1002")
    assert set(refused.value.fields) == {"name"}
    agent.refresh_from_db()
    assert (agent.name, agent.display_name) == ("1001", "Someone Else")


@pytest.mark.parametrize(
    ("field", "value", "at_switch"),
    [
        ("extension", "2001", True),
        ("contact", "user/7", True),
        ("max_missed", 9, True),
        ("reject_delay", 9, True),
        ("busy_delay", 9, True),
        ("no_answer_delay", 9, True),
        ("acw_seconds", 9, False),
        ("display_name", "Ada", False),
    ],
)
def test_the_switch_hears_of_what_it_needs_to_know(field: str, value: Any, at_switch: bool) -> None:
    agent = an_agent()
    with left() as changed:
        agent_update(agent_id=agent.pk, by=BY, **{field: value})
    assert [type(order) for order in changed.orders] == ([ConfigureAgent] if at_switch else [])
    assert changed.types == ["agent.updated"]
    assert changed.events[0].data == in_snapshot("agents", agent.pk)
    assert changed.events[0].revision == 2


def test_a_dial_string_made_from_the_extension_follows_it_and_a_given_one_stays() -> None:
    made, given = an_agent(), an_agent("1002", contact="user/7")
    for agent in (made, given):
        agent_update(agent_id=agent.pk, by=BY, extension="2001")
        agent.refresh_from_db()
    assert (made.contact, given.contact) == ("sofia/internal/2001@127.0.0.1", "user/7")


def test_a_change_to_what_is_there_already_leaves_nothing() -> None:
    agent = an_agent()
    with left() as nothing:
        agent_update(agent_id=agent.pk, by=BY, extension="1001", acw_seconds=agent.acw_seconds)
    assert (nothing.events, nothing.orders) == ([], [])
    agent.refresh_from_db()
    assert agent.revision == 1


@pytest.mark.parametrize(
    "fields",
    [
        {"nosuch": 1},
        {"state": "READY"},
        {"extension": "10 01"},
        {"extension": "1" * 33},
        {"extension": None},
        {"contact": "user/1\napi x"},
        {"contact": "a'b"},
        {"acw_seconds": -1},
        {"acw_seconds": "soon"},
        {"acw_seconds": 10**9},
        {"max_missed": 1001},
        {"display_name": "a\x00b"},
        {"display_name": "x" * 101},
    ],
)
def test_a_bad_field_is_named_and_changes_nothing(fields: dict[str, Any]) -> None:
    agent = an_agent()
    with left() as nothing, pytest.raises(InvalidInput) as refused:
        agent_update(agent_id=agent.pk, by=BY, **fields)
    assert set(refused.value.fields) == set(fields)
    assert (nothing.events, nothing.orders) == ([], [])
    with pytest.raises(InvalidInput):
        agent_create(name="1002", by=BY, **fields)
    assert Agent.objects.count() == 1


@pytest.mark.parametrize("name", ["", " ", "a b", "a\nb", "a'b", "x" * 65, "-a", "客服"])
def test_a_name_that_cannot_travel_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        agent_create(name=name, by=BY)
    assert set(refused.value.fields) == {"name"}


def test_two_agents_of_one_name_are_refused_and_the_first_stays_whole() -> None:
    an_agent()
    with left() as nothing, pytest.raises(Conflict) as refused:
        an_agent()
    assert refused.value.code == "agent_exists"
    assert (nothing.events, nothing.orders) == ([], [])


def test_a_user_is_one_agent() -> None:
    ada = User.objects.create_user("ada")
    first, second = an_agent(user=ada), an_agent("1002")
    agent_update(agent_id=first.pk, by=BY, user=ada)
    for change in (
        lambda: agent_update(agent_id=second.pk, by=BY, user=ada),
        lambda: an_agent("1003", user=ada),
    ):
        with pytest.raises(Conflict) as refused:
            change()
        assert refused.value.code == "user_taken"
    agent_update(agent_id=first.pk, by=BY, user=None)
    agent_update(agent_id=second.pk, by=BY, user=ada)


def test_an_older_version_is_not_changed_or_deleted() -> None:
    agent = an_agent()
    agent_update(agent_id=agent.pk, by=BY, revision=1, display_name="Ada")
    for change in (
        lambda: agent_update(agent_id=agent.pk, by=BY, revision=1, display_name="Bao"),
        lambda: agent_delete(agent_id=agent.pk, by=BY, revision=1),
    ):
        with left() as nothing, pytest.raises(StaleVersion):
            change()
        assert (nothing.events, nothing.orders) == ([], [])
    agent.refresh_from_db()
    assert (agent.display_name, agent.revision) == ("Ada", 2)


def test_a_deleted_agent_is_told_with_what_it_was_and_removed_at_the_switch() -> None:
    agent = at_work()
    before = agent_payload(agent)
    with left() as gone:
        agent_delete(agent_id=agent.pk, by=BY, revision=agent.revision)
    deleted = gone.events[-1]
    assert deleted.type == "agent.deleted"
    assert deleted.data == before | {"revision": agent.revision + 1}
    assert deleted.agents == [str(agent.pk)]
    assert RemoveAgent(agent="1001") in gone.orders
    assert not Agent.objects.exists()


def test_an_agent_on_a_call_is_not_deleted() -> None:
    agent = on_a_call()
    with left() as nothing, pytest.raises(Conflict) as refused:
        agent_delete(agent_id=agent.pk, by=BY)
    assert refused.value.code == "agent_busy"
    assert (nothing.events, nothing.orders) == ([], [])


@pytest.mark.parametrize("nobody", [uuid.uuid4(), "x", "", None, 7, "0" * 32])
def test_nobody_is_not_found(nobody: Any) -> None:
    for act in (
        lambda: agent_update(agent_id=nobody, by=BY, display_name="x"),
        lambda: agent_delete(agent_id=nobody, by=BY),
        lambda: agent_login(agent_id=nobody, by=BY),
        lambda: agent_ready(agent_id=nobody, by=BY),
        lambda: agent_extend_acw(agent_id=nobody, by=BY, seconds=10),
    ):
        with pytest.raises(NotFound) as refused:
            act()
        assert refused.value.code == "agent_not_found"


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
