"""Who may connect: a session of our own pages, or a token; and for how long."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from agents.services import agent_delete
from callcenter.authentication import is_own_origin
from callcenter.hub import in_database
from callcenter.models import ApiToken

from .client import AGENT, EVENTS, connect
from .conftest import BY, Person, new_person, sockets

pytestmark = [pytest.mark.both_stacks, pytest.mark.django_db(transaction=True)]

HOST = "testserver"


def browser_of(user: User, origin: str | None = f"http://{HOST}") -> dict[str, str]:
    """The headers that a logged-in browser sends with the handshake."""
    browser = Client()
    browser.force_login(user)
    headers = {"host": HOST, "cookie": f"theme=dark; sessionid={browser.cookies['sessionid'].value}"}
    return headers if origin is None else {**headers, "origin": origin}


async def greeting(headers: dict[str, str], path: str = EVENTS) -> bool:
    """Whether the handshake alone authenticates."""
    async with connect(sockets(), path, headers=headers) as client:
        hello = await client.hear()
        assert hello["type"] == "hello" and hello["protocol"] == "callcenter.v1"
        return bool(hello["authenticated"])


async def test_a_page_of_ours_is_known_by_its_session(supervisor: Person) -> None:
    headers = await in_database(browser_of, supervisor.user)
    async with connect(sockets(), headers=headers) as client:
        assert (await client.hear())["authenticated"]
        assert (await client.subscribe())["type"] == "snapshot"


@pytest.mark.parametrize(
    "origin",
    [
        None,
        "",
        "null",
        "http://evil.example",
        "http://testserver.evil.example",
        "http://testserver:8080",
        "testserver",
    ],
)
async def test_a_session_does_not_count_for_a_page_of_somebody_else(
    supervisor: Person, origin: str | None
) -> None:
    assert not await greeting(await in_database(browser_of, supervisor.user, origin))


async def test_a_token_counts_from_any_page(supervisor: Person) -> None:
    headers = await in_database(browser_of, supervisor.user, "http://app.example")
    async with connect(sockets(), headers=headers, token=supervisor.token) as client:
        assert (await client.subscribe())["type"] == "snapshot"


@pytest.mark.parametrize(
    ("origin", "host", "own"),
    [
        ("http://cc.example", "cc.example", True),
        ("https://cc.example", "cc.example", True),
        ("http://cc.example:8000", "cc.example:8000", True),
        ("HTTP://CC.example", "cc.EXAMPLE", True),
        ("http://[::1]:8000", "[::1]:8000", True),
        ("http://cc.example:8000", "cc.example", False),
        ("http://attacker.example", "attacker.example", False),
        ("http://cc.example.attacker.example", "cc.example", False),
        ("ftp://cc.example", "cc.example", False),
        ("https://front.example", "inner.cc.example", True),
        ("http://front.example", "inner.cc.example", False),
        ("https://a.wide.example", "cc.example", True),
        ("https://wide.example.attacker", "cc.example", False),
        ("http://", "cc.example", False),
        ("http://[", "cc.example", False),
        ("http://cc.example", "", False),
    ],
)
def test_an_origin_is_ours_under_the_host_that_was_asked_or_where_it_is_trusted(
    settings: Any, origin: str, host: str, own: bool
) -> None:
    settings.ALLOWED_HOSTS = [".cc.example", "[::1]"]
    settings.CSRF_TRUSTED_ORIGINS = ["https://front.example", "https://*.wide.example"]

    assert is_own_origin(origin, host) is own


def test_with_secure_cookies_only_a_secure_page_is_ours(settings: Any) -> None:
    settings.SESSION_COOKIE_SECURE = True

    assert is_own_origin("https://testserver", "testserver")
    assert not is_own_origin("http://testserver", "testserver")


def test_any_host_being_allowed_does_not_make_any_origin_ours(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]

    assert is_own_origin("http://cc.example", "cc.example")
    assert not is_own_origin("http://attacker.example", "cc.example")


async def test_a_session_that_was_logged_out_is_none(supervisor: Person) -> None:
    headers = await in_database(browser_of, supervisor.user)
    await in_database(Session.objects.all().delete)

    assert not await greeting(headers)


async def test_a_made_up_session_is_none(supervisor: Person) -> None:
    for key in ("made-up", "x" * 5000, "%00", ""):
        headers = {"host": HOST, "origin": f"http://{HOST}", "cookie": f"sessionid={key}"}
        assert not await greeting(headers)


@pytest.mark.parametrize(
    ("lifetime", "change", "code"),
    [
        (None, None, "token_invalid"),
        (timedelta(seconds=-1), None, "token_expired"),
        (None, {"is_active": False}, "token_invalid"),
    ],
    ids=["unknown", "expired", "user deactivated"],
)
async def test_a_token_that_does_not_count_is_refused_and_may_be_tried_again(
    supervisor: Person, lifetime: timedelta | None, change: dict[str, Any] | None, code: str
) -> None:
    other = await in_database(partial(new_person, "other", "supervisor", lifetime=lifetime))
    if change:
        await in_database(partial(User.objects.filter(username="other").update, **change))
    known = lifetime is not None or change is not None
    async with connect(sockets()) as client:
        await client.hear("hello")
        assert (await client.authenticate(other.token if known else "cc_unknown"))["code"] == code
        await client.say("subscribe")
        assert (await client.hear())["code"] == "not_authenticated"
        heard = await client.authenticate(supervisor.token)
        assert heard == {"type": "authenticated", "user": "sue", "role": "supervisor"}


async def test_a_token_in_the_address_is_not_looked_at(supervisor: Person) -> None:
    async with connect(sockets(), f"{EVENTS}?token={supervisor.token}") as client:
        assert not (await client.hear())["authenticated"]


async def test_who_does_not_authenticate_in_time_is_sent_away(supervisor: Person) -> None:
    async with connect(sockets(to_authenticate=0.1)) as client:
        await client.hear("hello")
        assert (await client.hear())["code"] == "not_authenticated"
        assert await client.closed() == 4401


async def test_who_has_authenticated_in_time_may_stay(supervisor: Person) -> None:
    async with connect(sockets(to_authenticate=0.1, heartbeat=0.15), token=supervisor.token) as client:
        await client.hear("heartbeat")
        await client.hear("heartbeat")


@pytest.mark.parametrize("role", ["administrator", "integrator", "supervisor"])
async def test_staff_hear_everything(transactional_db: None, role: str) -> None:
    person = await in_database(new_person, "somebody", role)
    async with connect(sockets(), token=person.token) as client:
        assert (await client.subscribe())["type"] == "snapshot"


@pytest.mark.parametrize("by", ["token", "session"])
async def test_an_agent_may_not_hear_everything(alice: Person, by: str) -> None:
    headers = await in_database(browser_of, alice.user) if by == "session" else {}
    async with connect(sockets(), headers=headers) as client:
        assert (await client.hear("hello"))["authenticated"] is (by == "session")
        if by == "token":
            await client.say("authenticate", token=alice.token)
        assert (await client.hear())["code"] == "not_allowed"
        assert await client.closed() == 4403


async def test_who_is_no_agent_has_no_agent_s_socket(supervisor: Person) -> None:
    async with connect(sockets(), AGENT) as client:
        await client.say("authenticate", token=supervisor.token)
        assert (await client.hear("error"))["code"] == "not_an_agent"
        assert await client.closed() == 4403


LOSSES: dict[str, tuple[str, Callable[[Person], Any], str, int]] = {
    "token expires": (
        EVENTS,
        lambda who: ApiToken.objects.filter(user=who.user).update(expires_at=timezone.now()),
        "token_expired",
        4401,
    ),
    "token revoked": (EVENTS, lambda who: who.user.api_tokens.all().delete(), "token_invalid", 4401),
    "user deactivated": (
        EVENTS,
        lambda who: User.objects.filter(pk=who.user.pk).update(is_active=False),
        "token_invalid",
        4401,
    ),
    "user deleted": (EVENTS, lambda who: who.user.delete(), "token_invalid", 4401),
    "role taken away": (EVENTS, lambda who: who.user.groups.clear(), "not_allowed", 4403),
    "role changed": (
        EVENTS,
        lambda who: User.objects.filter(pk=who.user.pk).update(is_superuser=True),
        "rights_changed",
        4403,
    ),
    "agent deleted": (
        AGENT,
        lambda who: agent_delete(agent_id=who.agent.pk, by=BY),  # type: ignore[union-attr]
        "not_an_agent",
        4403,
    ),
}


@pytest.mark.parametrize("loss", LOSSES)
async def test_who_loses_the_right_is_sent_away_at_the_next_check(
    supervisor: Person, alice: Person, loss: str
) -> None:
    path, lose, code, close_code = LOSSES[loss]
    who = supervisor if path == EVENTS else alice
    async with connect(sockets(between_checks=0.1, to_authenticate=0.1), path, token=who.token) as client:
        await client.subscribe()
        await in_database(lose, who)

        assert (await client.hear("error"))["code"] == code
        assert await client.closed() == close_code


@pytest.mark.parametrize("loss", ["logged out", "password changed", "user deactivated"])
async def test_a_session_that_ends_takes_its_sockets_along(supervisor: Person, loss: str) -> None:
    headers = await in_database(browser_of, supervisor.user)
    async with connect(sockets(between_checks=0.1), headers=headers) as client:
        await client.subscribe()

        def lose() -> None:
            if loss == "logged out":
                Session.objects.all().delete()
            elif loss == "password changed":
                supervisor.user.set_password("another long password")
                supervisor.user.save()
            else:
                User.objects.filter(pk=supervisor.user.pk).update(is_active=False)

        await in_database(lose)
        assert (await client.hear("error"))["code"] == "session_ended"
        assert await client.closed() == 4401


async def test_a_command_is_not_obeyed_once_the_right_is_gone(alice: Person) -> None:
    async with connect(sockets(), AGENT, token=alice.token) as client:
        await in_database(alice.user.api_tokens.all().delete)
        await client.say("command", id="a", command="login")

        assert (await client.hear())["code"] == "token_invalid"
        assert await client.closed() == 4401
    assert alice.agent is not None
    await in_database(alice.agent.refresh_from_db)
    assert alice.agent.state == "LOGOUT"


async def test_no_snapshot_is_sent_once_the_right_is_gone(supervisor: Person) -> None:
    async with connect(sockets(), token=supervisor.token) as client:
        await in_database(supervisor.user.groups.clear)
        await client.say("subscribe")

        assert (await client.hear())["code"] == "not_allowed"
        assert await client.closed() == 4403


async def test_a_token_is_renewed_without_leaving(supervisor: Person) -> None:
    from callcenter.services import api_token_create

    _, fresh = await in_database(partial(api_token_create, user=supervisor.user, name="fresh"))
    async with connect(sockets(between_checks=0.1, heartbeat=0.3), token=supervisor.token) as client:
        assert (await client.authenticate("cc_wrong"))["code"] == "token_invalid"
        assert (await client.authenticate(fresh))["type"] == "authenticated"
        await in_database(ApiToken.objects.filter(name="tests").delete)

        await client.hear("heartbeat")
        assert (await client.subscribe())["type"] == "snapshot"


async def test_a_socket_does_not_change_hands(supervisor: Person) -> None:
    other = await in_database(new_person, "other", "supervisor")
    async with connect(sockets(), token=supervisor.token) as client:
        assert (await client.authenticate(other.token))["code"] == "other_user"
        assert (await client.subscribe())["type"] == "snapshot"
