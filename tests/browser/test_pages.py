"""The pages as answers: who may have them, and what they allow the browser."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group, User
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

from agents.models import Agent
from callcenter.permissions import Role

pytestmark = pytest.mark.django_db


def signed_in(role: str = "") -> Client:
    user = User.objects.create_user(f"user-{role}")
    if role:
        user.groups.add(Group.objects.get_or_create(name=role)[0])
    client = Client()
    client.force_login(user)
    return client


@pytest.mark.parametrize("role", [Role.ADMINISTRATOR, Role.INTEGRATOR, Role.SUPERVISOR])
def test_staff_gets_the_dashboard(role: Role) -> None:
    answer = signed_in(role).get("/")
    assert answer.status_code == 200
    assert 'data-events="/ws/v1/events"' in answer.text


def test_an_agent_gets_his_own_page() -> None:
    from django.utils import timezone

    client = signed_in()
    Agent.objects.create(
        name="anna", display_name="Anna <b>", user=User.objects.get(), state_since=timezone.now()
    )
    answer = client.get("/")
    assert answer.status_code == 200
    assert "Anna &lt;b&gt;" in answer.text
    assert "data-events" not in answer.text


def test_nobody_gets_nothing() -> None:
    answer = signed_in().get("/")
    assert answer.status_code == 403
    assert "Your account may not open this page." in answer.text


def test_a_stranger_is_sent_to_the_sign_in() -> None:
    answer = Client().get("/")
    assert (answer.status_code, answer["Location"]) == (302, "/login/?next=/")


def test_the_sign_in_leads_nowhere_else() -> None:
    User.objects.create_user("sam", password="correct horse battery")
    form = {"username": "sam", "password": "correct horse battery", "next": "https://evil.example/"}
    answer = Client().post("/login/", form)
    assert (answer.status_code, answer["Location"]) == (302, "/")


@pytest.mark.parametrize("path", ["/", "/login/", "/messages.js"])
def test_only_our_own_scripts_may_run(path: str) -> None:
    policy = signed_in(Role.SUPERVISOR).get(path, follow=False)["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy


def test_pages_are_kept_by_no_cache() -> None:
    assert "no-store" in signed_in(Role.SUPERVISOR).get("/")["Cache-Control"]


def test_the_scripts_texts_come_in_the_readers_language() -> None:
    client = signed_in(Role.SUPERVISOR)
    assert "正在重新连接" not in client.get("/messages.js").text
    client.post("/i18n/setlang/", {"language": "zh-hans", "next": "/"})
    # The catalogue is written in ASCII.
    assert "正在重新连接".encode("unicode_escape").decode() in client.get("/messages.js").text
    assert 'lang="zh-hans"' in client.get("/").text


def test_signing_out_takes_a_form_and_a_token() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create_user("sam"))
    assert client.get("/logout/").status_code == 405
    answer = client.post("/logout/")
    assert answer.status_code == 403
    assert "The form has expired" in answer.text


def test_an_unknown_address_has_a_page_of_ours() -> None:
    answer = Client().get("/no/such/page")
    assert answer.status_code == 404
    assert "Page not found" in answer.text


def test_the_page_for_our_own_faults_needs_nothing_that_may_be_broken() -> None:
    assert "Something went wrong" in render_to_string("500.html")
    assert "Not allowed" in render_to_string("403.html", request=RequestFactory().get("/"))
