"""The messages of the WebSocket protocol `callcenter.v1`, in both directions; docs/websocket.md explains them.

One JSON object per text frame; `type` tells which message it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeAlias

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from .errors import InvalidInput

PROTOCOL = "callcenter.v1"
MAX_FRAME_BYTES = 64 * 1024
MAX_CREDIT = 10_000

RequestId: TypeAlias = Annotated[str, Meta(max_length=64)] | int
Seq: TypeAlias = Annotated[int, Meta(ge=0)]
Credit: TypeAlias = Annotated[int, Meta(ge=1, le=MAX_CREDIT)]


class BadFrame(InvalidInput):
    """A frame that cannot be understood. `request_id` is the frame's own `id`, where one could be read."""

    code = "invalid_frame"

    def __init__(
        self,
        detail: str,
        *,
        code: str = "",
        fields: Mapping[str, Any] | None = None,
        request_id: Any = None,
    ) -> None:
        super().__init__(detail, code=code, fields=fields)
        self.request_id = request_id


# --- from the client -----------------------------------------------------------------------------------


class Authenticate(Struct, tag="authenticate", forbid_unknown_fields=True):
    """Who this is, where no session cookie says so; sent again, it renews a token that will expire."""

    token: Annotated[str, Meta(min_length=1, max_length=200)]


class Subscribe(Struct, tag="subscribe", forbid_unknown_fields=True):
    """Send a snapshot, then events. With `credit`, at most so many frames may be unacknowledged."""

    credit: Credit | None = None


class Resume(Struct, tag="resume", forbid_unknown_fields=True):
    """Go on after the event `seq`."""

    seq: Seq
    credit: Credit | None = None


class Ack(Struct, tag="ack", forbid_unknown_fields=True):
    """Everything up to `seq` has been dealt with."""

    seq: Seq


class Ping(Struct, tag="ping", forbid_unknown_fields=True):
    """Answered with `pong` and the same `id`."""

    id: RequestId | None = None


STREAM_FRAMES: Mapping[str, type[Struct]] = {
    "authenticate": Authenticate,
    "subscribe": Subscribe,
    "resume": Resume,
    "ack": Ack,
    "ping": Ping,
}


# --- from the server -----------------------------------------------------------------------------------


class Hello(Struct, tag="hello"):
    """The first message. `heartbeat` is the time between two heartbeats in seconds."""

    heartbeat: float
    authenticated: bool
    protocol: str = PROTOCOL


class Authenticated(Struct, tag="authenticated"):
    """The token was taken."""

    user: str
    role: str


class Snapshot(Struct, tag="snapshot"):
    """Everything as of event `seq` or later; replaces all that the client knew."""

    seq: int
    data: dict[str, Any]


class EventFrame(Struct, tag="event"):
    """One event; `prev` is the `seq` that the client must be at, or it has missed something."""

    seq: int
    prev: int
    event: msgspec.Raw


class Resumed(Struct, tag="resumed"):
    """All that was missed has been sent; the client is at `seq`."""

    seq: int
    prev: int


class Heartbeat(Struct, tag="heartbeat", omit_defaults=True):
    """The stream lives. With a stream, `prev` and `seq` as in an event: nothing happened in between."""

    now: str
    seq: int | UnsetType = UNSET
    prev: int | UnsetType = UNSET


class Pong(Struct, tag="pong"):
    """The answer to `ping`."""

    id: str | int | None


class Result(Struct, tag="result"):
    """The answer to a command."""

    id: str | int
    data: dict[str, Any]


_encoder = msgspec.json.Encoder(enc_hook=str)


def encode(message: Struct | Mapping[str, Any]) -> str:
    """A message as the text of a frame."""
    return _encoder.encode(message).decode()


def parse(text: str, known: Mapping[str, type[Struct]]) -> Struct:
    """The message in a client's frame. Raises BadFrame with a code that says what is wrong with it."""
    # A character is at most four bytes in UTF-8: only frames of doubtful size are measured.
    if len(text) > MAX_FRAME_BYTES or (len(text) > MAX_FRAME_BYTES // 4 and _size(text) > MAX_FRAME_BYTES):
        raise BadFrame(f"A frame may have {MAX_FRAME_BYTES} bytes.", code="too_large")
    try:
        found = msgspec.json.decode(text)
    except (msgspec.MsgspecError, RecursionError) as bad:
        raise BadFrame(f"Not JSON: {bad}", code="not_json") from bad
    if not isinstance(found, dict):
        raise BadFrame("A frame is a JSON object.", code="not_an_object")
    request_id = found.get("id")
    if isinstance(request_id, bool) or not isinstance(request_id, str | int) or len(str(request_id)) > 64:
        request_id = None
    kind = found.get("type")
    if not isinstance(kind, str):
        raise BadFrame("`type` is missing or is no text.", code="missing_type", request_id=request_id)
    if kind not in known:
        detail = f"Known types: {', '.join(sorted(known))}."
        raise BadFrame(detail, code="unknown_type", request_id=request_id)
    return convert(found, known[kind], request_id=request_id)


def convert(found: Mapping[str, Any], to: type[Struct], *, request_id: Any = None) -> Struct:
    """A decoded object as a message. Raises BadFrame `invalid_frame` naming the field and the reason."""
    try:
        return msgspec.convert(found, to)
    except msgspec.ValidationError as bad:
        raise BadFrame(str(bad), request_id=request_id) from bad


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
