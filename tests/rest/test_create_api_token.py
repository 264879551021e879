"""`manage.py create_api_token`."""

from __future__ import annotations

import io
import json
from datetime import datetime, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from .conftest import user_of

pytestmark = pytest.mark.django_db


def run(*args: object) -> tuple[str, str]:
    out, err = io.StringIO(), io.StringIO()
    call_command("create_api_token", *args, stdout=out, stderr=err)
    return out.getvalue().strip(), err.getvalue()


def who(secret: str) -> str:
    answer = APIClient().get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})
    return answer.json()["username"]


def test_the_token_alone_is_printed_and_opens_the_api() -> None:
    user_of("integrator", "crm")
    secret, warnings = run("crm")
    assert (who(secret), warnings) == ("crm", "")


def test_its_record_is_printed_as_json() -> None:
    user_of("integrator", "crm")
    record = json.loads(run("crm", "--name", "CRM", "--days", "30", "--json")[0])
    assert (record["name"], who(record["token"])) == ("CRM", "crm")
    left = datetime.fromisoformat(record["expires_at"]) - timezone.now()
    assert timedelta(days=29) < left <= timedelta(days=30)


def test_a_user_without_a_role_is_warned_about() -> None:
    user_of("stranger")
    secret, warnings = run("stranger")
    assert who(secret) == "stranger"
    assert "no role" in warnings


@pytest.mark.parametrize(
    "args", [("ghost",), ("crm", "--days", "0"), ("crm", "--days", "9999"), ("crm", "--name", "a\nb")]
)
def test_what_cannot_be_is_refused(args: tuple[str, ...]) -> None:
    user_of("integrator", "crm")
    with pytest.raises(CommandError):
        run(*args)
