"""API tokens: shown once, kept as a digest, expired and revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import User
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from callcenter.authentication import user_of_token
from callcenter.errors import NotAuthenticated, NotFound
from callcenter.models import ApiToken
from callcenter.services import api_token_create, api_token_delete, token_digest

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


@pytest.fixture
def sue() -> User:
    return User.objects.create_user("sue")


def test_a_token_stands_for_its_user_and_its_secret_is_kept_nowhere(sue: User) -> None:
    token, secret = api_token_create(user=sue, name="crm")
    assert user_of_token(secret) == sue
    kept = ApiToken.objects.filter(pk=token.pk).values().get()
    assert all(secret not in str(value) for value in kept.values())
    assert kept["digest"] == token_digest(secret) and secret.startswith(kept["prefix"])
    assert len(secret) - len(kept["prefix"]) > 30


def test_no_two_tokens_are_alike(sue: User) -> None:
    secrets = {api_token_create(user=sue, name="same")[1] for _ in range(20)}
    assert len(secrets) == 20


def test_a_token_ends_at_its_time_and_not_before(sue: User) -> None:
    token, secret = api_token_create(user=sue, name="crm", lifetime=timedelta(hours=1))
    assert user_of_token(secret) == sue
    assert token.expires_at is not None and token.expires_at > timezone.now() + timedelta(minutes=59)
    ApiToken.objects.update(expires_at=timezone.now())
    with pytest.raises(NotAuthenticated) as refused:
        user_of_token(secret)
    assert refused.value.code == "token_expired"


def test_a_revoked_token_opens_nothing(sue: User) -> None:
    token, secret = api_token_create(user=sue, name="crm")
    api_token_delete(user=sue, token_id=token.pk)
    with pytest.raises(NotAuthenticated) as refused:
        user_of_token(secret)
    assert refused.value.code == "token_invalid"


def test_a_token_of_somebody_who_may_not_log_in_opens_nothing(sue: User) -> None:
    _, secret = api_token_create(user=sue, name="crm")
    User.objects.update(is_active=False)
    with pytest.raises(NotAuthenticated):
        user_of_token(secret)


def test_nobody_revokes_the_token_of_another(sue: User) -> None:
    token, secret = api_token_create(user=sue, name="crm")
    bob = User.objects.create_user("bob")
    for wrong in (token.pk, "x", token.pk + 1000, "", "9" * 40):
        with pytest.raises(NotFound) as refused:
            api_token_delete(user=bob, token_id=wrong)
        assert refused.value.code == "token_not_found"
    assert user_of_token(secret) == sue


def test_the_last_use_is_noted_at_most_once_a_minute(sue: User) -> None:
    _, secret = api_token_create(user=sue, name="crm")
    user_of_token(secret)
    first = ApiToken.objects.get().last_used_at
    assert first is not None
    user_of_token(secret)
    assert ApiToken.objects.get().last_used_at == first
    ApiToken.objects.update(last_used_at=first - timedelta(minutes=2))
    user_of_token(secret)
    assert ApiToken.objects.get().last_used_at > first - timedelta(minutes=1)


@pytest.mark.parametrize("secret", ["", "cc_", "\x00", "cc_\udcff", "é" * 5000])
def test_rubbish_is_no_token(secret: str) -> None:
    with pytest.raises(NotAuthenticated):
        user_of_token(secret)


@given(st.text())
def test_any_text_has_a_digest_of_64_hex_digits(secret: str) -> None:
    assert len(token_digest(secret)) == 64 and int(token_digest(secret), 16) >= 0
