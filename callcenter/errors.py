"""What can go wrong, with a stable code each, and the one mapping to HTTP and to WebSocket.

Renaming a code breaks clients: codes are part of the API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class CallCenterError(Exception):
    """Root of all refusals. `code` is for programs, `detail` for people, `fields` per input field."""

    code = "error"
    status = 400

    def __init__(self, detail: str = "", *, code: str = "", fields: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail or code or self.code)
        self.code = code or self.code
        self.detail = detail or self.code.replace("_", " ")
        self.fields = dict(fields or {})

    def as_problem(self) -> dict[str, Any]:
        """The body of RFC 9457 `application/problem+json`."""
        problem: dict[str, Any] = {
            "type": f"urn:callcenter:error:{self.code}",
            "title": self.code.replace("_", " "),
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
        }
        if self.fields:
            problem["errors"] = self.fields
        return problem

    def as_frame(self, request_id: Any = None) -> dict[str, Any]:
        """The error message of our WebSocket dialect; the socket stays open."""
        frame: dict[str, Any] = {"type": "error", "code": self.code, "detail": self.detail}
        if request_id is not None:
            frame["id"] = request_id
        if self.fields:
            frame["errors"] = self.fields
        return frame


class InvalidInput(CallCenterError):
    """The request itself is wrong: unknown field, wrong type, over-long, unsafe characters."""

    code = "invalid_input"
    status = 400


class NotAuthenticated(CallCenterError):
    """No credentials, or credentials that are wrong, expired or revoked."""

    code = "not_authenticated"
    status = 401


class NotAllowed(CallCenterError):
    """Known, but without the right to do this."""

    code = "not_allowed"
    status = 403


class NotFound(CallCenterError):
    """There is no such thing, or none that the asker may see."""

    code = "not_found"
    status = 404


class Conflict(CallCenterError):
    """The request is well formed but does not fit the present state; `code` says why."""

    code = "conflict"
    status = 409


class Gone(CallCenterError):
    """What was asked for is no longer kept."""

    code = "gone"
    status = 410


class StaleVersion(CallCenterError):
    """If-Match named an older version of the resource."""

    code = "stale_version"
    status = 412


class LengthRequired(CallCenterError):
    """A body of unknown length is not taken."""

    code = "length_required"
    status = 411


class PayloadTooLarge(CallCenterError):
    """The body is longer than is taken."""

    code = "payload_too_large"
    status = 413


class TooManyRequests(CallCenterError):
    """A limit was passed."""

    code = "throttled"
    status = 429


class SwitchUnavailable(CallCenterError):
    """The switch cannot be asked now."""

    code = "switch_unavailable"
    status = 503
