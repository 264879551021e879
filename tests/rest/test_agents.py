"""Agents: made, read, changed, removed, found."""

from __future__ import annotations

import uuid

import pytest

from agents.models import Agent
from agents.services import agent_create, agent_ready, agent_report
from agents.state import Input
from callcenter.models import Event, SwitchCommand
from queues.models import Queue
from queues.services import agent_sign_in

from .conftest import BY, Api, place, queries_of, refusal, user_of

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


def test_an_agent_is_made_with_its_record_and_ordered_from_the_switch(api: Api) -> None:
    user_of("agent", "anna")
    body = {"name": "anna", "display_name": "Anna Kowalska", "extension": "1001", "user": "anna"}

    made = api.post("agents", body | {"acw_seconds": 30})

    agent = made.json()
    assert made.status_code == 201
    assert made.headers["Location"] == f"/api/v1/agents/{agent['id']}"
    assert made.headers["ETag"] == '"1"'
    assert (agent["state"], agent["own_extension"], agent["user"]) == ("LOGOUT", "1001", "anna")
    assert agent["acw_seconds"] == 30
    assert agent["contact"] == "sofia/internal/1001@127.0.0.1"
    assert [(o["kind"], o["status"]) for o in agent["switch"]] == [
        ("configure_agent", "pending"),
        ("set_presence", "pending"),
    ]
    shown = api.get(f"agents/{agent['id']}").json()
    assert shown == {name: value for name, value in agent.items() if name != "switch"}
    event = Event.objects.get(type="agent.created")
    assert (event.cause, event.actor) == ("api", "integrator")


def test_what_is_left_out_has_the_installations_defaults(api: Api, settings) -> None:  # type: ignore[no-untyped-def]
    settings.ACW_SECONDS = 42
    agent = api.post("agents", {"name": "anna"}).json()
    assert (agent["display_name"], agent["contact"], agent["acw_seconds"], agent["max_missed"]) == (
        "anna",
        "",
        42,
        3,
    )


def test_a_name_is_taken_once(api: Api) -> None:
    assert api.post("agents", {"name": "anna"}).status_code == 201
    assert refusal(api.post("agents", {"name": "anna"})) == (409, "agent_exists")
    assert Agent.objects.count() == 1


def test_a_user_is_one_agent_only(api: Api, alice: Api) -> None:
    assert refusal(api.post("agents", {"name": "anna", "user": "alice"})) == (409, "user_taken")
    anna = api.post("agents", {"name": "anna"}).json()
    assert refusal(api.patch(f"agents/{anna['id']}", {"user": "alice"})) == (409, "user_taken")
    assert api.patch(f"agents/{alice.agent.pk}", {"user": "alice"}).status_code == 200
    assert api.patch(f"agents/{alice.agent.pk}", {"user": None}).json()["user"] is None
    assert api.patch(f"agents/{anna['id']}", {"user": "alice"}).json()["user"] == "alice"


def test_patch_changes_what_is_given_and_put_resets_the_rest(api: Api, alice: Api) -> None:
    path = f"agents/{alice.agent.pk}"

    patched = api.patch(path, {"display_name": "Alice A."}).json()
    assert (patched["display_name"], patched["own_extension"], patched["acw_seconds"]) == (
        "Alice A.",
        "1001",
        60,
    )
    assert patched["revision"] == 2
    assert patched["switch"] == []

    replaced = api.put(path, {"name": "alice", "extension": "1009", "user": "alice"}).json()
    assert (replaced["display_name"], replaced["own_extension"], replaced["acw_seconds"]) == (
        "alice",
        "1009",
        15,
    )
    assert [order["kind"] for order in replaced["switch"]] == ["configure_agent"]


def test_a_dial_string_made_from_the_extension_follows_it_and_a_given_one_stays(api: Api, alice: Api) -> None:
    path = f"agents/{alice.agent.pk}"
    assert api.patch(path, {"extension": "1010"}).json()["contact"] == "sofia/internal/1010@127.0.0.1"
    assert api.patch(path, {"contact": "user/alice"}).json()["contact"] == "user/alice"
    assert api.patch(path, {"extension": "1011"}).json()["contact"] == "user/alice"
    assert api.patch(path, {"contact": ""}).json()["contact"] == "sofia/internal/1011@127.0.0.1"


def test_the_name_at_the_switch_never_changes(api: Api, alice: Api) -> None:
    refused = api.patch(f"agents/{alice.agent.pk}", {"name": "alicia"})
    assert refusal(refused) == (400, "invalid_input")
    assert "name" in refused.json()["errors"]


def test_changing_nothing_is_no_new_version(api: Api, alice: Api) -> None:
    events = Event.objects.count()
    answer = api.patch(f"agents/{alice.agent.pk}", {"display_name": ""})
    assert (answer.json()["revision"], Event.objects.count()) == (1, events)


def test_an_agent_is_removed_here_and_at_the_switch(api: Api, alice: Api) -> None:
    path = f"agents/{alice.agent.pk}"
    answer = api.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert refusal(api.get(path)) == (404, "agent_not_found")
    assert refusal(api.delete(path)) == (404, "agent_not_found")
    assert SwitchCommand.objects.filter(kind="remove_agent", key="agent:alice").exists()


def test_an_agent_on_a_call_is_not_removed(api: Api, alice: Api, support: Queue) -> None:
    agent = alice.agent
    place(agent, support)
    agent_sign_in(agent_id=agent.pk, by=BY)
    agent = agent_ready(agent_id=agent.pk, by=BY)
    agent_report(agent=agent, fact=Input.OFFERED, at=agent.state_since)
    assert refusal(api.delete(f"agents/{agent.pk}")) == (409, "agent_busy")


# --- versions ----------------------------------------------------------------------------------------


def test_a_change_meant_for_an_older_version_is_refused(api: Api, alice: Api) -> None:
    path = f"agents/{alice.agent.pk}"
    seen = api.get(path).headers["ETag"]
    changed = api.patch(path, {"display_name": "First"}, If_Match=seen)
    assert changed.headers["ETag"] == '"2"'

    for answer in (
        api.patch(path, {"display_name": "Second"}, If_Match=seen),
        api.put(path, {}, If_Match=seen),
        api.delete(path, If_Match=seen),
    ):
        assert refusal(answer) == (412, "stale_version")
    assert Agent.objects.get(name="alice").display_name == "First"
    assert api.delete(path, If_Match=changed.headers["ETag"]).status_code == 204


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ("*", 200),
        (' "1"', 200),
        ('"7", "1"', 200),
        ('W/"9","1"', 200),
        ('W/"1"', 412),
        ('"7"', 412),
        ('"one"', 412),
        ('""', 412),
        ("1", 400),
        ('"1', 400),
        ('"1" "2"', 400),
        ("", 400),
        ('"1",', 400),
        ("W/1", 400),
    ],
)
def test_if_match_compares_strongly_and_refuses_what_is_no_tag(
    api: Api, alice: Api, if_match: str, status: int
) -> None:
    answer = api.patch(f"agents/{alice.agent.pk}", {"display_name": "A"}, If_Match=if_match)
    assert answer.status_code == status


# --- finding -----------------------------------------------------------------------------------------


def names(answer) -> list[str]:  # type: ignore[no-untyped-def]
    assert answer.status_code == 200, answer.content
    return [agent["name"] for agent in answer.json()["results"]]


@pytest.fixture
def team(alice: Api, bob: Api, support: Queue, sales: Queue) -> None:
    """Alice, ready, in support and sales; Bob, signed in elsewhere than usual, in support; Carol, out."""
    place(alice.agent, support, sales)
    place(bob.agent, support)
    agent_create(name="carol", display_name="Carol Ng", extension="2001", by=BY)
    agent_sign_in(agent_id=alice.agent.pk, by=BY)
    agent_ready(agent_id=alice.agent.pk, by=BY)
    agent_sign_in(agent_id=bob.agent.pk, extension="3003", by=BY)


@pytest.mark.usefixtures("team")
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ["alice", "bob", "carol"]),
        ({"state": "READY"}, ["alice"]),
        ({"state": ["READY", "LOGOUT"]}, ["alice", "carol"]),
        ({"sub_state": "WAIT"}, ["bob"]),
        ({"signed_in": "true"}, ["alice", "bob"]),
        ({"signed_in": "false"}, ["carol"]),
        ({"extension": "3003"}, ["bob"]),
        ({"extension": "1002"}, []),
        ({"extension": "2001"}, ["carol"]),
        ({"node": "default"}, ["alice", "bob", "carol"]),
        ({"node": "other"}, []),
        ({"user": "bob"}, ["bob"]),
        ({"name": "carol"}, ["carol"]),
        ({"search": "ng"}, ["carol"]),
        ({"search": "1001"}, ["alice"]),
        ({"state": "READY", "search": "carol"}, []),
    ],
)
def test_agents_are_found_by(api: Api, query: dict[str, str], found: list[str]) -> None:
    assert names(api.get("agents", **query)) == found


@pytest.mark.usefixtures("team")
def test_agents_are_found_by_queue(api: Api, support: Queue, sales: Queue) -> None:
    assert names(api.get("agents", queue=support.pk)) == ["alice", "bob"]
    assert names(api.get("agents", queue=sales.pk)) == ["alice"]
    assert names(api.get("agents", queue=uuid.uuid4())) == []


def many(count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        agent_create(name=f"agent{number:03}", by=BY)


def test_pages_go_there_and_back_and_stay_right_while_agents_come(api: Api) -> None:
    many(7)
    first = api.get("agents", page_size=3).json()
    assert [a["name"] for a in first["results"]] == ["agent000", "agent001", "agent002"]
    assert first["previous"] is None

    agent_create(name="agent000a", by=BY)
    second = api.client.get(first["next"]).json()
    third = api.client.get(second["next"]).json()
    assert [a["name"] for a in second["results"]] == ["agent003", "agent004", "agent005"]
    assert [a["name"] for a in third["results"]] == ["agent006"]
    assert third["next"] is None
    back = api.client.get(third["previous"]).json()
    assert back["results"] == second["results"]


def test_a_page_keeps_its_filters(api: Api, team: None) -> None:
    first = api.get("agents", signed_in="true", page_size=1).json()
    second = api.client.get(first["next"]).json()
    assert [a["name"] for a in second["results"]] == ["bob"]
    assert second["next"] is None


def test_a_list_takes_as_many_queries_for_twenty_as_for_one(api: Api) -> None:
    many(1)
    for_one = queries_of(lambda: names(api.get("agents")))
    many(19, start=1)
    assert len(names(api.get("agents"))) == 20
    assert queries_of(lambda: api.get("agents")) == for_one


def test_what_became_of_an_agent_is_read_newest_first(api: Api, alice: Api, support: Queue) -> None:
    place(alice.agent, support)
    for command in ("login", "ready", "unready"):
        assert alice.post(f"agents/{alice.agent.pk}/{command}").status_code == 200
    path = f"agents/{alice.agent.pk}/transitions"

    first = api.get(path, page_size=3).json()
    assert [(t["old_state"], t["new_state"], t["trigger"]) for t in first["results"]] == [
        ("READY", "UNREADY", "unready"),
        ("UNREADY", "READY", "ready"),
        ("LOGIN", "UNREADY", "login"),
    ]
    assert {(t["cause"], t["actor"]) for t in first["results"]} == {("agent", "alice")}
    rest = api.client.get(first["next"]).json()
    assert [(t["old_state"], t["new_state"]) for t in rest["results"]] == [("LOGOUT", "LOGIN")]
    assert refusal(api.get(f"agents/{uuid.uuid4()}/transitions")) == (404, "agent_not_found")
