"""The API's own schema as a judge of its answers."""

from __future__ import annotations

import re
from datetime import datetime
from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator
from jsonschema import Draft202012Validator, FormatChecker

FORMATS = FormatChecker(["uuid"])


@FORMATS.checks("date-time", raises=ValueError)
def is_moment(value: object) -> bool:
    return not isinstance(value, str) or datetime.fromisoformat(value).tzinfo is not None


@cache
def schema() -> dict[str, Any]:
    """The OpenAPI document, its `nullable` written as JSON Schema has it."""
    document = SchemaGenerator().get_schema(request=None, public=True)
    plain: dict[str, Any] = _as_json_schema(document)
    return plain


def _as_json_schema(node: Any) -> Any:
    if isinstance(node, list):
        return [_as_json_schema(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {str(key): _as_json_schema(value) for key, value in node.items()}
    if plain.pop("nullable", False) is True:
        return {"anyOf": [plain, {"type": "null"}]}
    if "properties" in plain and "additionalProperties" not in plain:
        # Anything that the schema does not tell of is a fault here.
        plain["additionalProperties"] = False
    return plain


def operation_of(method: str, path: str) -> dict[str, Any]:
    """The operation that the schema has for an address."""
    for template, operations in schema()["paths"].items():
        pattern = re.sub(r"\{[^}]+\}", "[^/]+", template)
        if re.fullmatch(pattern, path) and method.lower() in operations:
            found: dict[str, Any] = operations[method.lower()]
            return found
    raise AssertionError(f"the schema knows no {method} {path}")


def check_answer(method: str, path: str, response: Any) -> None:
    """Fail unless the schema announces this status, these headers and this body."""
    operation = operation_of(method, path)
    status = str(response.status_code)
    assert status in operation["responses"], f"{method} {path} does not announce {status}"
    announced = operation["responses"][status]
    if not response.content:
        assert "content" not in announced
        return
    media_type = response.headers["Content-Type"].partition(";")[0]
    assert media_type in announced["content"], f"{method} {path}: {media_type} of {status} is not announced"
    for header in ("ETag", "Location", "Preference-Applied"):
        if header in response.headers:
            assert header in announced["headers"], f"{method} {path} does not announce {header}"
    body = {**announced["content"][media_type]["schema"], "components": schema()["components"]}
    Draft202012Validator(body, format_checker=FORMATS).validate(response.json())
