"""Bearer tokens: hashed, expiring, one class for REST and for the sockets."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import exceptions
from rest_framework.authentication import BaseAuthentication, get_authorization_header

from .errors import NotAuthenticated
from .models import ApiToken
from .services import token_digest

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from rest_framework.request import Request

NOTE_USE_EVERY = timedelta(minutes=1)


def user_of_token(secret: str) -> User:
    """The user a token stands for. Raises NotAuthenticated with `token_invalid` or `token_expired`."""
    token = ApiToken.objects.select_related("user").filter(digest=token_digest(secret)).first()
    if token is None or not token.user.is_active:
        raise NotAuthenticated("The token is not known.", code="token_invalid")
    now = timezone.now()
    if token.expires_at is not None and token.expires_at <= now:
        raise NotAuthenticated("The token has expired.", code="token_expired")
    if token.last_used_at is None or now - token.last_used_at > NOTE_USE_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.user


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        if len(words) != 2:
            raise exceptions.AuthenticationFailed("Bad authorization header.", code="token_invalid")
        try:
            return user_of_token(words[1].decode("ascii", "replace")), None
        except NotAuthenticated as bad:
            raise exceptions.AuthenticationFailed(bad.detail, code=bad.code) from bad

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "callcenter.authentication.TokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
