"""Arguments of FreeSWITCH's API commands: the one place that quotes and splits them.

The switch splits at blanks, groups with single quotes and takes a backslash as an escape
(switch_separate_string). A new line would start another command; the protocol layer refuses it too.
"""

from __future__ import annotations

import re

PLAIN = re.compile(r"[A-Za-z0-9_.@+:/=-]+")
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f'\\]")
ESCAPABLE = frozenset("'\\ ")


class UnsafeArgument(ValueError):
    """A value that cannot travel as one argument. It is not quoted in the message: it may be secret."""


def argument(value: str) -> str:
    """`value` as exactly one argument. Raises UnsafeArgument for control characters, `'` and `\\`."""
    if FORBIDDEN.search(value):
        raise UnsafeArgument("an argument has a control character, a quote or a backslash")
    if not value:
        raise UnsafeArgument("an argument is empty")
    return value if PLAIN.fullmatch(value) else f"'{value}'"


def words(text: str) -> list[str]:
    """The arguments of a command line, as the switch would split it: an unclosed quote reaches to the end."""
    found: list[str] = []
    word: list[str] | None = None
    quoted = escaped = False
    for char in text:
        if char == " " and not quoted and not escaped:
            if word is not None:
                found.append("".join(word))
            word = None
            continue
        word = word if word is not None else []
        if escaped:
            word.append(char if char in ESCAPABLE else "\\" + char)
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == "'":
            quoted = not quoted
        else:
            word.append(char)
    if word is not None:
        found.append("".join(word) + "\\" * escaped)
    return found
