"""Arguments of FreeSWITCH's API commands: the one place that quotes and splits them.

The switch splits at blanks, groups with single quotes and takes a backslash as an escape
(switch_separate_string). A new line would start another command; the protocol layer refuses it too.
"""

from __future__ import annotations

import re

PLAIN = re.compile(r"[A-Za-z0-9_.@+:/=-]+")
FORBIDDEN = re.compile(r"[\x00-\x1f\x7f'\\]")


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
    """The arguments of a command line, as the switch would split it."""
    found: list[str] = []
    for plain, quoted in re.findall(r"([^\s']+)|'([^']*)'", text):
        found.append(plain or quoted)
    return found
