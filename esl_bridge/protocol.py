"""The FreeSWITCH event socket without I/O: bytes in, frames and events out, commands to bytes.

The wire is described by mod_event_socket: every message is a block of ``Name: value`` lines, an empty
line, and a body of ``Content-Length`` bytes where that header is given. An event is the body of a
``text/event-plain`` or ``text/event-json`` message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

MAX_BODY = 16 * 1024 * 1024
"""Largest body accepted, in bytes: the limit mod_event_socket itself sets for what it reads."""

MAX_HEADER = 64 * 1024
"""Largest header block accepted, in bytes; the switch sends a few hundred."""

_EMPTY_VALUE = "_undef_"  # how the switch writes an empty value in a plain event
_UNSAFE = frozenset("\r\n\0")
_CACHEABLE = 256


class ProtocolError(Exception):
    """The byte stream is not that of an event socket, and nothing after this point can be trusted.

    ``frames`` are the whole messages that came before the fault in the same piece of data.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.frames: list[Frame] = []


class UnsafeCommand(ValueError):
    """A command that would be more, or other, than one command on the wire. Its text is never quoted."""


class MalformedEvent(Exception):
    """A message is well framed but does not hold a readable event. The connection is still in step."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One message from the switch: its outer headers and its body (empty when it has none)."""

    headers: dict[str, str]
    body: bytes

    @property
    def content_type(self) -> str:
        return self.headers["Content-Type"]


class FrameReader:
    """Cuts a byte stream into messages. How the stream is split into pieces makes no difference.

    Time is linear in the number of bytes however small the pieces are: a header block is searched once,
    and an unfinished body is only measured.
    """

    def __init__(self, max_body: int = MAX_BODY, max_header: int = MAX_HEADER) -> None:
        self._max_body = max_body
        self._max_header = max_header
        self._buffer = bytearray()
        self._searched = 0
        self._headers: dict[str, str] | None = None
        self._length = 0
        self._broken: str | None = None

    @property
    def partial(self) -> bool:
        """Whether a message has begun and not ended."""
        return self._headers is not None or bool(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """Take the next bytes and return the messages they complete, in order.

        Raises ProtocolError when the bytes are no event socket's, and again on every later call.
        """
        if self._broken is not None:
            raise ProtocolError(self._broken)
        self._buffer += data
        frames: list[Frame] = []
        try:
            while (frame := self._next()) is not None:
                frames.append(frame)
        except ProtocolError as error:
            self._broken = str(error)
            self._buffer.clear()
            error.frames = frames
            raise
        return frames

    def _next(self) -> Frame | None:
        if self._headers is None and not self._read_headers():
            return None
        if self._headers is None or len(self._buffer) < self._length:
            return None
        frame = Frame(self._headers, bytes(self._buffer[: self._length]))
        del self._buffer[: self._length]
        self._headers = None
        return frame

    def _read_headers(self) -> bool:
        end = self._buffer.find(b"\n\n", self._searched)
        size = end if end >= 0 else len(self._buffer) - 1
        if size > self._max_header:
            raise ProtocolError(f"no end of the headers within {self._max_header} bytes")
        if end < 0:
            self._searched = max(0, size)
            return False
        headers = _parse_headers(bytes(self._buffer[:end]))
        self._length = self._body_length(headers)
        self._headers = headers
        del self._buffer[: end + 2]
        self._searched = 0
        return True

    def _body_length(self, headers: dict[str, str]) -> int:
        text = headers.get("Content-Length", "0")
        length = _number(text)
        if length is None:
            raise ProtocolError(f"Content-Length is not a number: {text[:32]!r}")
        if length > self._max_body:
            raise ProtocolError(f"a body of {length} bytes, the limit is {self._max_body}")
        return length


class Event:
    """One event of the switch, decoded.

    ``name`` is Event-Name, ``subclass`` Event-Subclass (empty for all but CUSTOM events), ``core_uuid``
    names one run of one switch, ``sequence`` orders the events of that run, ``at_us`` is the time the
    event was made, in microseconds since the epoch by the switch's clock. ``body`` is the text that some
    events carry beside their headers (the output of a BACKGROUND_JOB).

    Of a header given twice the last value counts. A header with several values reads
    ``ARRAY::first|:second``, in both encodings.
    """

    __slots__ = ("at_us", "body", "core_uuid", "headers", "name", "sequence", "subclass")

    def __init__(self, headers: dict[str, str], body: str = "") -> None:
        """Raises MalformedEvent when one of the headers that every event has is missing or no number."""
        try:
            self.name = headers["Event-Name"]
            self.core_uuid = headers["Core-UUID"]
            sequence = _number(headers["Event-Sequence"])
            at_us = _number(headers["Event-Date-Timestamp"])
        except KeyError as missing:
            raise MalformedEvent(f"no {missing.args[0]} in an event") from None
        if sequence is None or at_us is None:
            raise MalformedEvent("Event-Sequence or Event-Date-Timestamp is not a number")
        self.sequence = sequence
        self.at_us = at_us
        self.subclass = headers.get("Event-Subclass", "")
        self.headers = headers
        self.body = body

    def get(self, key: str, default: str = "") -> str:
        """The value of a header, `default` where the event has none. An empty value is no default."""
        return self.headers.get(key, default)

    def __repr__(self) -> str:
        return f"<Event {self.name} {self.subclass or '-'} #{self.sequence} of {self.core_uuid}>"


def decode_event(frame: Frame) -> Event:
    """The event that a ``text/event-plain`` or ``text/event-json`` message carries.

    Bytes that are not UTF-8 become U+FFFD. Raises MalformedEvent when there is no readable event in it.
    """
    if frame.content_type == "text/event-plain":
        return _decode_plain(frame.body)
    if frame.content_type == "text/event-json":
        return _decode_json(frame.body)
    raise MalformedEvent(f"{frame.content_type[:64]!r} carries no event that can be read")


def encode_command(line: str, headers: Mapping[str, str] | None = None) -> bytes:
    """One command with its headers, ready to send.

    Raises UnsafeCommand for CR, LF or NUL anywhere (a line break would begin a second command), for an
    empty command, a header name with a colon, or text that has no UTF-8 form.
    """
    if not line.strip():
        raise UnsafeCommand("an empty command")
    lines = [line]
    for name, value in (headers or {}).items():
        if not name or ":" in name:
            raise UnsafeCommand("the name of a command's header is empty or has a colon")
        lines.append(f"{name}: {value}")
    if any(not _UNSAFE.isdisjoint(text) for text in lines):
        raise UnsafeCommand("CR, LF or NUL in a command")
    try:
        return "\n".join([*lines, "", ""]).encode()
    except UnicodeEncodeError:
        raise UnsafeCommand("a command with text that has no UTF-8 form") from None


def _parse_headers(block: bytes) -> dict[str, str]:
    headers = {}
    for line in block.decode("utf-8", "replace").split("\n"):
        name, colon, value = line.partition(":")
        if not colon:
            raise ProtocolError("a line that is no header where headers were due")
        headers[name] = value.strip(" ")
    if "Content-Type" not in headers:
        raise ProtocolError("a message without Content-Type")
    return headers


def _decode_plain(payload: bytes) -> Event:
    head, _, rest = payload.partition(b"\n\n")
    headers = {}
    for line in head.decode("utf-8", "replace").rstrip("\n").split("\n"):
        name, separator, value = line.partition(": ")
        if not separator:
            raise MalformedEvent("a line that is no header in a plain event")
        if "%" in value:
            value = _unquote_known(value) if len(value) <= _CACHEABLE else _unquote(value)
        headers[name] = value
    if _EMPTY_VALUE.encode() in head:
        headers = {name: "" if value == _EMPTY_VALUE else value for name, value in headers.items()}
    if "Content-Length" not in headers:
        return Event(headers)
    length = _number(headers["Content-Length"])
    if length is None or length > len(rest):
        raise MalformedEvent("the body of a plain event is shorter than its Content-Length")
    return Event(headers, rest[:length].decode("utf-8", "replace"))


def _unquote(value: str) -> str:
    return unquote_to_bytes(value).decode("utf-8", "replace")


# A channel repeats its variables in each of its events, so nearly every value has been decoded before.
# Only short ones are kept: the cache is bounded in bytes too.
_unquote_known = lru_cache(maxsize=8192)(_unquote)


def _decode_json(payload: bytes) -> Event:
    text = payload.decode("utf-8", "replace")
    try:
        values = msgspec.json.decode(text, type=dict[str, str | list[str]])
    except msgspec.DecodeError as error:
        raise MalformedEvent(f"no JSON object of strings: {error}") from None
    headers = {
        name: value if isinstance(value, str) else "ARRAY::" + "|:".join(value)
        for name, value in values.items()
    }
    return Event(headers, headers.pop("_body", ""))


def _number(text: str) -> int | None:
    """A decimal number without sign as the switch writes it, of at most 20 digits, or None."""
    return int(text) if len(text) <= 20 and text.isascii() and text.isdigit() else None
