"""The stream of events by asking, one's own tokens, and who one is."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from callcenter.events import last_seq
from callcenter.models import ApiToken, Event
from queues.models import Queue
from queues.services import queue_create

from .conftest import BY, Api, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


@pytest.fixture
def stream(db: None) -> int:
    """Five events; the number of the newest."""
    for number in range(5):
        queue_create(name=f"queue{number}", by=BY)
    return last_seq()


def test_events_are_read_in_order_and_in_steps(api: Api, stream: int) -> None:
    first = api.get("events", after=stream - 5, limit=3).json()
    assert [event["data"]["name"] for event in first["events"]] == ["queue0", "queue1", "queue2"]
    assert (first["next"], first["last"]) == (stream - 2, stream)
    assert {(e["type"], e["cause"], e["actor"]) for e in first["events"]} == {
        ("queue.created", "api", "tests")
    }
    rest = api.get("events", after=first["next"]).json()
    assert [event["seq"] for event in rest["events"]] == [stream - 1, stream]
    assert api.get("events", after=stream).json() == {"events": [], "next": stream, "last": stream}


def test_a_log_that_does_not_reach_back_says_so(api: Api, stream: int) -> None:
    Event.objects.filter(seq__lte=stream - 2).delete()
    answer = api.get("events", after=stream - 4)
    assert refusal(answer) == (410, "events_gone")
    assert answer.json()["errors"] == {"last": stream}
    assert [e["seq"] for e in api.get("events", after=stream - 2).json()["events"]] == [stream - 1, stream]
    assert [e["seq"] for e in api.get("events").json()["events"]] == [stream - 1, stream]
    Event.objects.all().delete()
    assert refusal(api.get("events", after=stream - 1)) == (410, "events_gone")
    assert refusal(api.get("events", after=stream + 1)) == (410, "events_gone")


@pytest.mark.parametrize(
    "query",
    [
        {"after": "-1"},
        {"after": "x"},
        {"after": ""},
        {"after": "9" * 30},
        {"after": "١"},
        {"limit": "0"},
        {"limit": "1001"},
        {"since": "1"},
    ],
)
def test_a_number_that_is_none_is_refused(api: Api, query: dict[str, str]) -> None:
    answer = api.get("events", **query)
    assert refusal(answer) == (400, "invalid_input")
    assert list(answer.json()["errors"]) == list(query)


# --- tokens ------------------------------------------------------------------------------------------


def test_a_token_is_shown_once_works_and_is_revoked(alice: Api) -> None:
    in_browser = Api(alice.user, session=True)
    made = in_browser.post("tokens", {"name": "softphone", "days": 7})
    token = made.json()
    assert made.status_code == 201
    assert "no-store" in made.headers["Cache-Control"]
    expires = datetime.fromisoformat(token["expires_at"])
    assert timedelta(days=6.9) < expires - timezone.now() <= timedelta(days=7)
    assert ApiToken.objects.filter(digest=token["token"]).count() == 0

    program = Api()
    program.client.credentials(HTTP_AUTHORIZATION=f"Bearer {token['token']}")
    assert program.get("me").json()["username"] == "alice"
    listed = {t["id"]: t for t in program.get("tokens").json()["results"]}
    assert "token" not in listed[token["id"]]
    assert token["token"].startswith(listed[token["id"]]["prefix"])
    assert program.delete(f"tokens/{token['id']}").status_code == 204
    assert refusal(program.get("me")) == (401, "token_invalid")


def test_tokens_of_others_are_out_of_reach(alice: Api, bob: Api) -> None:
    assert alice.token is not None
    assert [t["id"] for t in bob.get("tokens").json()["results"]] != [alice.token.pk]
    for method in ("GET", "DELETE"):
        assert refusal(bob.ask(method, f"tokens/{alice.token.pk}")) == (404, "token_not_found")
    assert alice.get("me").status_code == 200


def test_a_token_that_expires_makes_none_that_outlives_it(api: Api) -> None:
    assert api.token is not None
    end = timezone.now() + timedelta(days=1)
    ApiToken.objects.filter(pk=api.token.pk).update(expires_at=end)
    for body in ({"name": "long", "days": 30}, {"name": "for ever"}, {"name": "for ever", "days": None}):
        expires = datetime.fromisoformat(api.post("tokens", body).json()["expires_at"])
        assert abs(expires - end) < timedelta(seconds=2)
    ApiToken.objects.filter(pk=api.token.pk).update(expires_at=None)
    assert api.post("tokens", {"name": "for ever"}).json()["expires_at"] is None


def test_an_expired_an_unknown_and_a_mangled_token_open_nothing(api: Api, support: Queue) -> None:
    assert api.token is not None
    ApiToken.objects.filter(pk=api.token.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    expired = api.get("queues")
    assert refusal(expired) == (401, "token_expired")
    assert expired.headers["WWW-Authenticate"] == "Bearer"
    for header in ("Bearer nonsense", "Bearer", "Bearer a b", "Bearer \xff\xfe", "bearer é"):
        api.client.credentials(HTTP_AUTHORIZATION=header)
        assert refusal(api.get("queues")) == (401, "token_invalid")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": ""}, "name"),
        ({"name": "x" * 81}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": "a", "days": 0}, "days"),
        ({"name": "a", "days": 3651}, "days"),
        ({"name": "a", "days": "7"}, "days"),
        ({"name": "a", "user": "root"}, "user"),
    ],
)
def test_a_token_with_a_wrong_body_is_refused_by_field(api: Api, body: object, field: str) -> None:
    answer = api.post("tokens", body)
    assert refusal(answer) == (400, "invalid_input")
    assert field in answer.json()["errors"]


def test_everybody_may_know_who_they_are(
    alice: Api, supervisor: Api, integrator: Api, administrator: Api, stranger: Api
) -> None:
    assert alice.get("me").json() == {
        "username": "alice",
        "full_name": "",
        "role": "agent",
        "agent": str(alice.agent.pk),
    }
    for client in (supervisor, integrator, administrator):
        assert client.user is not None
        assert (client.get("me").json()["role"], client.get("me").json()["agent"]) == (
            client.user.username,
            None,
        )
    assert stranger.get("me").json()["role"] == "nobody"
