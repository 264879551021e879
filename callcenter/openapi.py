"""What every operation of the API's schema has besides its own: problems, entity tags, preferences."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema

from .resources import ConfiguredResource, StrictView
from .serializers import Problem

PROBLEMS = {
    "400": "The request is wrong.",
    "401": "No credentials, or wrong ones.",
    "403": "The role does not allow this.",
    "404": "There is no such thing, or none that the asker may see.",
    "406": "The answer is JSON, which the client does not accept.",
    "409": "It does not fit the present state.",
    "410": "The log does not reach back so far.",
    "412": "If-Match named another version.",
    "413": "The body is too large.",
    "415": "The body is no JSON.",
    "500": "Something went wrong on our side.",
}
OF_ALL = ("400", "401", "403", "406", "500")
OF_WRITES = ("409", "413", "415")

TEXT = {"type": "string"}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "schema": TEXT,
    "description": 'The ETag of the version that the change is meant for, like `"3"`.',
}
PREFER = {
    "in": "header",
    "name": "Prefer",
    "schema": TEXT,
    "description": "`wait=N`: wait up to N seconds, 5 at most, for the switch to have answered.",
}
ETAG = {"schema": TEXT, "description": "The version, for If-Match."}
LOCATION = {"schema": {"type": "string", "format": "uri-reference"}, "description": "Where it is."}
PREFERENCE_APPLIED = {"schema": TEXT, "description": "The wait that was granted."}


class Schema(AutoSchema):
    """Adds to each operation what the resources do for all of them."""

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation: dict[str, Any] | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        self._add_problems(operation)
        if self._writes_to_switch():
            operation.setdefault("parameters", []).append(PREFER)
        if isinstance(self.view, ConfiguredResource) and self.method in ("PUT", "PATCH", "DELETE"):
            operation["parameters"].append(IF_MATCH)
        for status, response in operation["responses"].items():
            self._add_headers(status, response)
        return operation

    def _writes_to_switch(self) -> bool:
        return self.method != "GET" and hasattr(self.view, "entity")

    def _add_problems(self, operation: dict[str, Any]) -> None:
        statuses = list(OF_ALL)
        if "{" in self.path:
            statuses.append("404")
        if self.method != "GET":
            statuses += OF_WRITES
        if isinstance(self.view, ConfiguredResource) and self.method in ("PUT", "PATCH", "DELETE"):
            statuses.append("412")
        if isinstance(self.view, StrictView):
            statuses += self.view.also_answers
        problem = self.resolve_serializer(Problem, "response").ref
        for status in sorted(set(statuses)):
            operation["responses"][status] = {
                "description": PROBLEMS[status],
                "content": {"application/problem+json": {"schema": problem}},
            }

    def _add_headers(self, status: str, response: dict[str, Any]) -> None:
        headers: dict[str, Any] = {}
        if status in ("200", "201") and self._is_one_with_revision():
            headers["ETag"] = ETAG
        if status == "201":
            headers["Location"] = LOCATION
        if status < "300" and self._writes_to_switch():
            headers["Preference-Applied"] = PREFERENCE_APPLIED
        if headers:
            response["headers"] = headers

    def _is_one_with_revision(self) -> bool:
        serializer = getattr(self.view, "serializer_class", None)
        one = not self._is_list_view() and self.method != "DELETE"
        return one and serializer is not None and "revision" in serializer().fields
