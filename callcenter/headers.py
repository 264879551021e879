"""The two request headers that change what a request means: If-Match (RFC 9110) and Prefer (RFC 7240)."""

from __future__ import annotations

import re

from .errors import InvalidInput

LONGEST_WAIT = 5.0

_ETAG = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_ETAGS = re.compile(rf"\s*{_ETAG}(?:\s*,\s*{_ETAG})*\s*")
_WAIT = re.compile(r'(?:^|[,;\s])wait\s*=\s*"?(\d{1,6})"?(?=\s*(?:[,;]|$))', re.IGNORECASE)


def etag(revision: int) -> str:
    """The strong entity tag of a resource at `revision`."""
    return f'"{revision}"'


def expected_etags(if_match: str | None) -> frozenset[str] | None:
    """The entity tags one of which the resource must have; None where any will do.

    If-Match compares strongly, so a weak tag never matches. Raises InvalidInput for what is no list of tags.
    """
    if if_match is None or if_match.strip() == "*":
        return None
    if not _ETAGS.fullmatch(if_match):
        raise InvalidInput(
            "If-Match is no list of entity tags.", fields={"If-Match": ['Like "3", or * for any.']}
        )
    return frozenset(tag for tag in re.findall(_ETAG, if_match) if not tag.startswith("W/"))


def preferred_wait(prefer: str | None) -> float:
    """How many seconds the client would wait for the switch's answer, 5 at most; what else is preferred
    is left out of account, as the RFC wants."""
    found = _WAIT.search(prefer or "")
    return min(float(found[1]), LONGEST_WAIT) if found else 0.0
