"""Every error of the REST API as RFC 9457 `application/problem+json`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse, JsonResponse
from rest_framework import exceptions
from rest_framework.views import set_rollback

from .errors import CallCenterError, InvalidInput, NotAllowed, NotAuthenticated, NotFound, TooManyRequests


def handle(exc: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """DRF's exception handler. Anything unknown stays a 500 and is logged as such."""
    error = translate(exc)
    if error is None:
        return None
    set_rollback()
    headers = {}
    if isinstance(exc, exceptions.APIException):
        if auth_header := getattr(exc, "auth_header", None):
            headers["WWW-Authenticate"] = auth_header
        if wait := getattr(exc, "wait", None):
            headers["Retry-After"] = str(int(wait))
    return problem_response(error, headers)


def problem_response(error: CallCenterError, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An error as an answer. Always JSON: a view that renders YAML, or nothing that the client accepts,
    has its problems told in the same way."""
    return JsonResponse(
        error.as_problem(), status=error.status, content_type="application/problem+json", headers=headers
    )


def translate(exc: Exception) -> CallCenterError | None:
    """Django's and DRF's exceptions as ours."""
    match exc:
        case CallCenterError():
            return exc
        case Http404():
            return NotFound()
        case PermissionDenied() | exceptions.PermissionDenied():
            return NotAllowed(str(getattr(exc, "detail", "")) or "Your role does not allow this.")
        case exceptions.ValidationError():
            detail = exc.detail
            fields = detail if isinstance(detail, dict) else {"non_field_errors": detail}
            return InvalidInput("The request is not valid.", fields=fields)
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            code = str(exc.get_codes())
            return NotAuthenticated(str(exc.detail), code=code if code.startswith("token_") else "")
        case exceptions.Throttled():
            return TooManyRequests(str(exc.detail))
        case exceptions.APIException():
            error = CallCenterError(str(exc.detail), code=str(exc.default_code))
            error.status = exc.status_code
            return error
    return None
