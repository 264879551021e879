"""Reading request bodies: JSON objects of a bounded size and depth, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import msgspec
from rest_framework.parsers import BaseParser

from .errors import InvalidInput, PayloadTooLarge

MAX_BODY = 1024 * 1024
MAX_DEPTH = 20


class JSONObjectParser(BaseParser):
    """RFC 8259 to the letter: UTF-8, no NaN, no lone surrogates, no byte order mark; an object at the top."""

    media_type = "application/json"

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Raises PayloadTooLarge, InvalidInput `malformed_json`."""
        body = stream.read(MAX_BODY + 1)
        if len(body) > MAX_BODY:
            raise PayloadTooLarge(f"A body has {MAX_BODY} bytes at most.")
        try:
            data = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as bad:
            detail = "nested too deeply" if isinstance(bad, RecursionError) else str(bad)
            raise InvalidInput(f"The body is no JSON: {detail}", code="malformed_json") from bad
        if not isinstance(data, dict):
            raise InvalidInput("The body is no JSON object.", code="malformed_json")
        if _deeper_than(data, MAX_DEPTH):
            raise InvalidInput(f"The body is nested deeper than {MAX_DEPTH}.", code="malformed_json")
        return data


def _deeper_than(data: Any, depth: int) -> bool:
    level = [data]
    for _ in range(depth):
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not level:
            return False
    return any(isinstance(item, dict | list) for item in level)
