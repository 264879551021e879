"""Reading dial strings: `{a=1,b='x y'}[c=2]sofia/internal/1001@127.0.0.1:5081`."""

from __future__ import annotations

import re
from dataclasses import dataclass

_PAIRS = {"{": "}", "[": "]", "<": ">"}


@dataclass(frozen=True)
class DialString:
    """One destination with its channel variables. ``error`` is a hang-up cause when nothing can be rung."""

    url: str
    variables: dict[str, str]
    number: str = ""
    port: int | None = None
    error: str = ""

    @property
    def endpoint(self) -> str:
        return self.url.partition("/")[0]


def parse_dial_string(text: str) -> DialString:
    """Split a dial string; of several destinations (`,` `|` `:_:`) only the first is rung.

    Never raises: what cannot be rung says so in ``error``, as originate does.
    """
    variables: dict[str, str] = {}
    rest = text.strip()
    while rest[:1] in _PAIRS:
        end = rest.find(_PAIRS[rest[0]])
        if end < 0:
            return DialString(rest, variables, error="DESTINATION_OUT_OF_ORDER")
        variables |= parse_variables(rest[1:end])
        rest = rest[end + 1 :].strip()
    for separator in (":_:", "|", ","):
        rest = rest.partition(separator)[0]
    if not rest:
        return DialString(rest, variables, error="DESTINATION_OUT_OF_ORDER")
    endpoint, _, path = rest.partition("/")
    if endpoint == "error":
        return DialString(rest, variables, error=path.upper() or "NORMAL_UNSPECIFIED")
    if endpoint not in ("sofia", "user", "loopback", "verto", "null") or not path:
        return DialString(rest, variables, error="CHAN_NOT_IMPLEMENTED")
    number, _, host = path.rpartition("/")[2].partition("@")
    port_text = host.rpartition(":")[2] if ":" in host else ""
    number = number.removeprefix("sip:")
    if not number:
        return DialString(rest, variables, error="INVALID_NUMBER_FORMAT")
    return DialString(rest, variables, number, whole_number(port_text) or None)


def parse_variables(text: str) -> dict[str, str]:
    """The inside of `{}`: `a=1,b='x,y',c=x\\,y`, or `^^;a=1;b=2` with another separator."""
    separator = ","
    if text.startswith("^^") and len(text) > 2:
        separator, text = text[2], text[3:]
    result: dict[str, str] = {}
    for part in split_quoted(text, separator):
        key, eq, value = part.strip().partition("=")
        if eq and key:
            result[key] = value
    return result


def whole_number(text: str, default: int = 0) -> int:
    """atoi for well-formed numbers of sane length; ``default`` for everything else."""
    return int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else default


def split_quoted(text: str, separator: str, limit: int = 0) -> list[str]:
    """switch_separate_string: single quotes group, a backslash escapes, blanks may repeat.

    ``limit`` above 0 leaves everything after that many pieces in the last one.
    """
    pieces: list[str] = []
    current: list[str] = []
    quoted = started = escaped = False
    for position, char in enumerate(text):
        if escaped:
            current.append(char if char in ("'", "\\", separator) else "\\" + char)
            escaped, started = False, True
        elif char == "\\":
            escaped = True
        elif char == "'":
            quoted, started = not quoted, True
        elif char == separator and not quoted:
            if separator == " " and not started:
                continue
            pieces.append("".join(current))
            current, started = [], False
            if limit and len(pieces) == limit - 1:
                return [*pieces, text[position + 1 :].strip()] if text[position + 1 :].strip() else pieces
        else:
            current.append(char)
            started = True
    if escaped:
        current.append("\\")
    if current or started or separator != " ":
        pieces.append("".join(current))
    return pieces
