"""Commanding agents: what each command does, who is said to have given it, and when it is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from agents.models import Agent, AgentTransition
from agents.services import agent_ready, agent_report, agent_unready
from agents.state import Input
from callcenter.models import Event
from queues.models import Queue, Tier
from queues.services import agent_sign_in

from .conftest import BY, Api, place, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]

COMMANDS = {
    "logout": {},
    "ready": {},
    "unready": {"sub_state": "BREAK"},
    "withdraw_next": {},
    "acw/finish": {},
    "acw/extend": {"seconds": 30},
}


@pytest.fixture
def agent(alice: Api, support: Queue, sales: Queue) -> Agent:
    """Alice, in support and sales, signed out."""
    place(alice.agent, support, sales)
    return alice.agent


def signed_in(agent: Agent) -> Agent:
    return agent_sign_in(agent_id=agent.pk, by=BY)


def ready(agent: Agent) -> Agent:
    signed_in(agent)
    return agent_ready(agent_id=agent.pk, by=BY)


def ringing(agent: Agent) -> Agent:
    agent = ready(agent)
    agent_report(agent=agent, fact=Input.OFFERED, at=timezone.now())
    return agent


def talking(agent: Agent) -> Agent:
    agent = ringing(agent)
    agent_report(agent=agent, fact=Input.ANSWERED, at=timezone.now())
    return agent


def wrapping_up(agent: Agent) -> Agent:
    agent = talking(agent)
    agent_report(agent=agent, fact=Input.RELEASED_TO_ACW, at=timezone.now())
    return agent


def command(api: Api, agent: Agent, name: str, body: object = None):  # type: ignore[no-untyped-def]
    return api.post(f"agents/{agent.pk}/{name}", COMMANDS.get(name) if body is None else body)


def standing(answer) -> tuple[str, str | None]:  # type: ignore[no-untyped-def]
    assert answer.status_code == 200, answer.content
    return answer.json()["state"], answer.json()["sub_state"]


# --- signing in --------------------------------------------------------------------------------------


def test_signing_in_passes_through_login_with_one_event_for_each_queue(api: Api, agent: Agent) -> None:
    answer = command(api, agent, "login", {"extension": "1077"})

    shown = answer.json()
    assert standing(answer) == ("UNREADY", "WAIT")
    assert (shown["extension"], shown["own_extension"]) == ("1077", "1001")
    assert sorted(shown["queues"]) == ["sales", "support"]
    assert [order["kind"] for order in shown["switch"]] == ["set_presence"]
    events = Event.objects.filter(type="agent.logged_in").order_by("seq")
    assert [(e.data["queue"], e.data["extension"], e.data["state"]) for e in events] == [
        ("support", "1077", "LOGIN"),
        ("sales", "1077", "LOGIN"),
    ]
    log = AgentTransition.objects.filter(agent=agent).order_by("id")
    assert [(t.old_state, t.new_state) for t in log] == [("LOGOUT", "LOGIN"), ("LOGIN", "UNREADY")]


def test_signing_in_to_some_queues_lets_the_other_tiers_rest(api: Api, agent: Agent) -> None:
    answer = command(api, agent, "login", {"queues": ["sales"]})

    assert answer.json()["queues"] == ["sales"]
    assert {t.queue.name: t.active for t in Tier.objects.filter(agent=agent)} == {
        "support": False,
        "sales": True,
    }
    assert "remove_tier" in {order["kind"] for order in answer.json()["switch"]}
    assert Event.objects.filter(type="agent.logged_in").count() == 1


def test_signing_in_again_tells_only_of_new_queues(api: Api, agent: Agent) -> None:
    command(api, agent, "login", {"queues": ["sales"]})
    again = command(api, agent, "login", {"queues": ["support", "sales"]})

    assert sorted(again.json()["queues"]) == ["sales", "support"]
    told = Event.objects.filter(type="agent.logged_in").order_by("seq")
    assert [event.data["queue"] for event in told] == ["sales", "support"]


def test_an_agent_without_queues_signs_in_too(api: Api, bob: Api) -> None:
    assert standing(command(api, bob.agent, "login", {})) == ("UNREADY", "WAIT")
    assert [e.data["queue"] for e in Event.objects.filter(type="agent.logged_in")] == [None]


def test_signing_in_needs_no_body_at_all(api: Api, agent: Agent) -> None:
    assert standing(api.post(f"agents/{agent.pk}/login")) == ("UNREADY", "WAIT")


def test_nobody_signs_in_to_a_queue_of_others(api: Api, agent: Agent) -> None:
    answer = command(api, agent, "login", {"queues": ["sales", "billing"]})
    assert refusal(answer) == (400, "not_in_queue")
    assert answer.json()["errors"] == {"queues": ["billing"]}
    agent.refresh_from_db()
    assert agent.state == "LOGOUT"


# --- each command ------------------------------------------------------------------------------------


def test_the_commands_lead_where_they_say(api: Api, agent: Agent) -> None:
    signed_in(agent)
    assert standing(command(api, agent, "ready")) == ("READY", None)
    away = command(api, agent, "unready", {"sub_state": "AWAY", "reason": "dentist"})
    assert standing(away) == ("UNREADY", "AWAY")
    assert away.json()["reason"] == "dentist"
    assert standing(command(api, agent, "unready", {})) == ("UNREADY", "BREAK")
    out = command(api, agent, "logout")
    assert standing(out) == ("LOGOUT", None)
    assert out.json()["queues"] == []


def test_what_is_asked_for_on_a_call_waits_and_can_be_withdrawn(api: Api, agent: Agent) -> None:
    talking(agent)
    asked = command(api, agent, "unready", {"sub_state": "DND", "reason": "lunch"})

    assert standing(asked) == ("BUSY", "ANSWERED")
    assert asked.json()["next_state"] == {"state": "UNREADY", "sub_state": "DND", "reason": "lunch"}
    assert asked.json()["switch"] == []
    withdrawn = command(api, agent, "withdraw_next")
    assert withdrawn.json()["next_state"] is None
    assert Event.objects.filter(type="agent.next_state_changed").count() == 2


def test_after_call_work_is_extended_and_finished(api: Api, agent: Agent) -> None:
    before = wrapping_up(agent).acw_deadline
    assert before is not None

    longer = command(api, agent, "acw/extend", {"seconds": 90})
    deadline = datetime.fromisoformat(longer.json()["acw_deadline"])
    assert deadline - before == timedelta(seconds=90)
    done = command(api, agent, "acw/finish")
    assert standing(done) == ("READY", None)
    assert done.json()["acw_deadline"] is None
    assert [order["kind"] for order in done.json()["switch"]] == ["set_presence"]


@pytest.mark.parametrize(
    ("before", "name", "code"),
    [
        *((None, name, "not_logged_in") for name in COMMANDS if name != "logout"),
        *((where, name, "not_in_acw") for where in (ready, talking) for name in ("acw/finish", "acw/extend")),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_a_command_that_does_not_fit_is_refused_and_changes_nothing(
    api: Api, agent: Agent, before: Callable[[Agent], Agent] | None, name: str, code: str
) -> None:
    if before is not None:
        before(agent)
    agent.refresh_from_db()
    was, events = agent.revision, Event.objects.count()

    assert refusal(command(api, agent, name)) == (409, code)

    agent.refresh_from_db()
    assert (agent.revision, Event.objects.count()) == (was, events)


@pytest.mark.parametrize(("before", "name"), [(None, "logout"), (ready, "ready"), (ready, "withdraw_next")])
def test_a_command_for_what_is_already_so_changes_nothing(
    api: Api, agent: Agent, before: Callable[[Agent], Agent] | None, name: str
) -> None:
    if before is not None:
        before(agent)
    agent.refresh_from_db()
    answer = command(api, agent, name)
    assert (answer.status_code, answer.json()["revision"], answer.json()["switch"]) == (
        200,
        agent.revision,
        [],
    )


@pytest.mark.parametrize(
    ("name", "body", "field"),
    [
        ("unready", {"sub_state": "LUNCH"}, "sub_state"),
        ("unready", {"sub_state": "RINGING"}, "sub_state"),
        ("unready", {"sub_state": None}, "sub_state"),
        ("unready", {"sub_state": ["BREAK"]}, "sub_state"),
        ("unready", {"reason": "x" * 81}, "reason"),
        ("unready", {"reason": "a\r\nb"}, "reason"),
        ("unready", {"reason": "\u0000"}, "reason"),
        ("unready", {"reason": 5}, "reason"),
        ("acw/extend", {}, "seconds"),
        ("acw/extend", {"seconds": 0}, "seconds"),
        ("acw/extend", {"seconds": 3601}, "seconds"),
        ("acw/extend", {"seconds": "30"}, "seconds"),
        ("acw/extend", {"seconds": 1.5}, "seconds"),
        ("acw/extend", {"seconds": True}, "seconds"),
        ("acw/extend", {"seconds": 10**30}, "seconds"),
        ("login", {"extension": "10 01"}, "extension"),
        ("login", {"extension": "1001\r\n"}, "extension"),
        ("login", {"extension": "1" * 33}, "extension"),
        ("login", {"extension": 1001}, "extension"),
        ("login", {"queues": "support"}, "queues"),
        ("login", {"queues": [1]}, "queues"),
        ("login", {"queues": {"a": 1}}, "queues"),
        ("login", {"queues": ["q"] * 1001}, "queues"),
        ("ready", {"now": True}, "now"),
        ("logout", {"force": 1}, "force"),
    ],
)
def test_a_command_with_a_wrong_body_is_refused_by_field(
    api: Api, agent: Agent, name: str, body: object, field: str
) -> None:
    wrapping_up(agent)
    answer = command(api, agent, name, body)
    assert refusal(answer) == (400, "invalid_input")
    assert field in answer.json()["errors"]


# --- who ---------------------------------------------------------------------------------------------


def test_the_log_says_who_gave_the_command_and_how(
    api: Api, supervisor: Api, alice: Api, agent: Agent
) -> None:
    signed_in(agent)
    in_browser = Api(supervisor.user, session=True)
    itself_in_browser = Api(alice.user, session=True)
    for client, name in (
        (supervisor, "ready"),
        (in_browser, "unready"),
        (alice, "ready"),
        (itself_in_browser, "unready"),
        (api, "logout"),
    ):
        assert command(client, agent, name).status_code == 200
    log = AgentTransition.objects.filter(agent=agent).order_by("id").values_list("cause", "actor")
    assert list(log)[-5:] == [
        ("api", "supervisor"),
        ("supervisor", "supervisor"),
        ("agent", "alice"),
        ("agent", "alice"),
        ("api", "integrator"),
    ]


def test_a_reason_is_kept_as_it_was_given(api: Api, agent: Agent) -> None:
    signed_in(agent)
    agent_unready(agent_id=agent.pk, by=BY)
    answer = command(api, agent, "unready", {"sub_state": "CUSTOM", "reason": " 午休 — Pause "})
    assert answer.json()["reason"] == " 午休 — Pause "
