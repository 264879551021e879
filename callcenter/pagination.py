"""Pages of lists."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db.models import Field, QuerySet
from rest_framework.exceptions import NotFound
from rest_framework.pagination import Cursor as Position
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request

from .errors import InvalidInput


class Cursor(CursorPagination):
    """Pages that stay right while rows are added, in the view's `page_order`."""

    page_size = 50
    max_page_size = 500
    page_size_query_param = "page_size"
    ordering = "pk"

    _ordered_by: Field[Any, Any]

    def get_ordering(self, request: Request, queryset: QuerySet[Any], view: Any) -> tuple[str, ...]:
        return tuple(view.page_order)

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any] | None:
        """Raises InvalidInput for a page size or a cursor that is none."""
        name = self.get_ordering(request, queryset, view)[0].lstrip("-")
        self._ordered_by = queryset.model._meta.get_field(name)
        return super().paginate_queryset(queryset, request, view)

    def get_page_size(self, request: Request) -> int:
        given = request.query_params.get(self.page_size_query_param)
        if given is None:
            return self.page_size
        if not (given.isascii() and given.isdigit() and 1 <= int(given[:9]) <= self.max_page_size):
            raise InvalidInput("Bad page size.", fields={"page_size": [f"1 to {self.max_page_size}."]})
        return int(given)

    def decode_cursor(self, request: Request) -> Position | None:
        try:
            cursor: Position | None = super().decode_cursor(request)
            if cursor is not None and cursor.position is not None:
                self._check(str(cursor.position))
        except (NotFound, ValidationError, ValueError, OverflowError) as bad:
            raise InvalidInput("The cursor is not one of ours.", code="invalid_cursor") from bad
        return cursor

    def _check(self, position: str) -> None:
        value = self._ordered_by.to_python(position)
        if "\x00" in position or (isinstance(value, datetime) and value.astimezone(UTC) != value):
            raise ValueError(position)
