"""An agent's record: made, changed and removed, told, and ordered at the switch."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.models import Agent
from agents.selectors import agent_payload
from agents.services import (
    agent_create,
    agent_delete,
    agent_extend_acw,
    agent_login,
    agent_ready,
    agent_update,
)
from callcenter.errors import Conflict, InvalidInput, NotFound, StaleVersion
from callcenter.switch import ConfigureAgent, Presence, RemoveAgent
from tests.services.support import (
    BY,
    an_agent,
    at_work,
    in_snapshot,
    left,
    on_a_call,
    presence,
    stands,
)

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


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
