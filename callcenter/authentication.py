"""Who is asking: bearer tokens (hashed, expiring) for REST and for the sockets, and the sockets' use of
the browser's session."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest, parse_cookie
from django.http.request import split_domain_port, validate_host
from django.utils import timezone
from django.utils.http import is_same_domain
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
    return token_of(secret).user


def token_of(secret: str) -> ApiToken:
    """The token with this secret, its use noted. Raises NotAuthenticated as `user_of_token` does."""
    token = ApiToken.objects.select_related("user").filter(digest=token_digest(secret)).first()
    if token is None or not token.user.is_active:
        raise NotAuthenticated("The token is not known.", code="token_invalid")
    now = timezone.now()
    if token.expires_at is not None and token.expires_at <= now:
        raise NotAuthenticated("The token has expired.", code="token_expired")
    if token.last_used_at is None or now - token.last_used_at > NOTE_USE_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def user_of_session(key: str) -> User:
    """The user who is logged in in a session. Raises NotAuthenticated `session_ended`: logged out, expired,
    deactivated, or the password was changed."""
    request = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    if not user.is_authenticated:
        raise NotAuthenticated("The session has ended.", code="session_ended")
    return user


def session_key_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """The session that a WebSocket handshake may use, from its cookie.

    Browsers send cookies with a handshake that any page on the web asks for, but always say which page
    that is. So the cookie counts only together with an `Origin` of our own; without one, or with a
    foreign one, it is as if it were not there.
    """
    found = {name.lower(): value.decode("latin-1") for name, value in headers}
    if not is_own_origin(found.get(b"origin", ""), found.get(b"host", "")):
        return None
    return parse_cookie(found.get(b"cookie", "")).get(settings.SESSION_COOKIE_NAME) or None


def is_own_origin(origin: str, host: str) -> bool:
    """Whether a page from `origin` is ours: served under the `Host` that was asked, which must be one of
    ALLOWED_HOSTS, or named in CSRF_TRUSTED_ORIGINS. With secure cookies only https counts."""
    try:
        page = urlsplit(origin.lower())
        domain, _port = split_domain_port(host)
    except ValueError:
        return False
    if page.scheme not in ({"https"} if settings.SESSION_COOKIE_SECURE else {"http", "https"}):
        return False
    if not page.netloc:
        return False
    if page.netloc == host.lower() and validate_host(domain, settings.ALLOWED_HOSTS):
        return True
    trusted = (urlsplit(name) for name in settings.CSRF_TRUSTED_ORIGINS)
    return any(
        page.scheme == own.scheme and is_same_domain(page.netloc, own.netloc.lstrip("*")) for own in trusted
    )


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer <token>`; `request.auth` is then the token."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != b"bearer":
            return None
        if len(words) != 2:
            raise exceptions.AuthenticationFailed("Bad authorization header.", code="token_invalid")
        try:
            token = token_of(words[1].decode("ascii", "replace"))
        except NotAuthenticated as bad:
            raise exceptions.AuthenticationFailed(bad.detail, code=bad.code) from bad
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "callcenter.authentication.TokenAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer"}
