"""What surrounds the resources: unknown addresses, wrong methods, faults, documentation, health."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client, RequestFactory
from django.urls import reverse

from callcenter.views import server_error
from queues import views
from queues.models import Queue

from .conftest import PASSWORD, Api, refusal, user_of

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1/", "/api/v2/agents", "/api/v1/agent", "/api/v1/agents/", "/api/x"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "DELETE", "OPTIONS"])
def test_an_unknown_address_is_a_problem_for_everybody(client: Client, path: str, method: str) -> None:
    assert refusal(client.generic(method, path)) == (404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "agents", "GET, POST, HEAD"),
        ("DELETE", "queues", "GET, POST, HEAD"),
        ("POST", "calls", "GET, HEAD"),
        ("OPTIONS", "tiers", "GET, POST, HEAD"),
        ("GET", "agents/{agent}/ready", "POST"),
        ("DELETE", "events", "GET, HEAD"),
        ("BREW", "me", "GET, HEAD"),
    ],
)
def test_a_wrong_method_says_which_are_right(
    api: Api, alice: Api, method: str, path: str, allowed: str
) -> None:
    answer = api.client.generic(method, f"/api/v1/{path.format(agent=alice.agent.pk)}")
    assert refusal(answer) == (405, "method_not_allowed")
    told = set(answer.headers["Allow"].split(", ")) - {"OPTIONS"}
    assert told == set(allowed.split(", "))


def test_head_answers_as_get_without_the_body(api: Api, support: Queue) -> None:
    answer = api.client.head(f"/api/v1/queues/{support.pk}")
    assert (answer.status_code, answer.headers["ETag"], answer.content) == (200, '"1"', b"")


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/problem+json"])
def test_who_does_not_take_json_is_told_in_json(api: Api, accept: str) -> None:
    answer = api.client.get("/api/v1/agents", headers={"Accept": accept})
    assert refusal(answer) == (406, "not_acceptable")


@pytest.mark.parametrize("accept", ["*/*", "application/*", "text/html, application/json;q=0.5"])
def test_who_takes_json_among_others_gets_it(api: Api, accept: str) -> None:
    assert api.client.get("/api/v1/agents", headers={"Accept": accept}).status_code == 200


def test_a_fault_of_ours_is_told_without_its_trace(
    api: Api, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(row: Queue) -> dict[str, Any]:
        raise RuntimeError("the secret inside")

    monkeypatch.setattr(views, "queue_payload", fail)
    api.client.raise_request_exception = False

    with caplog.at_level(logging.ERROR):
        answer = api.post("queues", {"name": "support"})

    assert refusal(answer) == (500, "internal_error")
    assert "secret" not in answer.content.decode()
    assert "the secret inside" in caplog.text


def test_a_fault_elsewhere_is_a_page() -> None:
    assert "html" in server_error(RequestFactory().get("/"))["Content-Type"]


def test_a_request_that_django_itself_refuses_is_a_problem_too(client: Client) -> None:
    answer = client.get("/api/v1/me", headers={"Host": "elsewhere.example"})
    assert refusal(answer) == (400, "invalid_input")
    assert "html" in client.get("/", headers={"Host": "elsewhere.example"}).headers["Content-Type"]


def test_a_form_from_a_browser_is_refused_unread(settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(user_of("supervisor"))
    browser.cookies["csrftoken"] = "a" * 32
    form = "application/x-www-form-urlencoded"
    answer = browser.post("/api/v1/queues", "name=" + "x" * 200, content_type=form)
    assert refusal(answer) == (415, "unsupported_media_type")


def test_health_is_told_to_everybody(client: Client) -> None:
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert client.post("/healthz").status_code == 405


# --- documentation -----------------------------------------------------------------------------------


def test_the_schema_is_valid_and_complete() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", "/dev/null")


def test_the_schema_is_for_those_who_signed_in(client: Client, api: Api) -> None:
    assert refusal(client.get("/api/schema/")) == (401, "not_authenticated")
    answer = api.client.get("/api/schema/", headers={"Accept": "application/vnd.oai.openapi+json"})
    paths = answer.json()["paths"]
    assert "/api/v1/agents/{id}/acw/extend" in paths
    assert "If-Match" in {p["name"] for p in paths["/api/v1/tiers/{id}"]["patch"]["parameters"]}


def test_the_documentation_asks_for_a_login_and_loads_nothing_from_elsewhere(client: Client) -> None:
    away = client.get(reverse("docs"))
    assert (away.status_code, away.headers["Location"]) == (302, "/login/?next=/api/docs/")

    user_of("supervisor")
    assert client.login(username="supervisor", password=PASSWORD)
    page = client.get(reverse("docs"))
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    loaded = re.findall(r"""(?:src|href)=["']?([^"'\s>]+)""", page.content.decode())
    files = [address.removeprefix("/static/") for address in loaded if address.startswith("/static/")]
    scripts = [address for address in loaded if not address.startswith("/static/")]
    assert len(files) >= 3
    assert all(finders.find(name) for name in files)
    assert [script.partition("?")[0] for script in scripts] == ["/api/docs/"]
    script = client.get(scripts[0].replace("&amp;", "&"))
    assert "/api/schema/" in script.content.decode()
