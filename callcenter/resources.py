"""What all resources of the REST API have in common.

Reading goes through a queryset and a payload of the selectors; writing through the services, in one unit
of work, so that the answer can tell what was ordered from the switch and, if the client waits, what the
switch answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, ClassVar, Generic, TypeVar

from django.core.exceptions import ObjectDoesNotExist, ValidationError
from django.db.models import Field, Model, QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView
from rest_framework.viewsets import GenericViewSet

from .authentication import TokenAuthentication
from .errors import InvalidInput, LengthRequired, NotFound, StaleVersion
from .events import By, Cause, unit_of_work
from .filters import refuse_unknown_query
from .headers import etag, expected_etags, preferred_wait
from .permissions import CONFIGURING_ROLES, Role, role_of
from .selectors import switch_commands_answered

M = TypeVar("M", bound=Model)
Orders = list[dict[str, Any]]


class StrictView(APIView):
    """A view that reads its request strictly."""

    known_query: ClassVar[Iterable[str]] = ()
    also_answers: ClassVar[Iterable[str]] = ()
    """Statuses of problems that only this view answers with, for the schema."""

    @cached_property
    def role(self) -> Role:
        """The role of whoever asks."""
        return role_of(self.request.user)

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if "HTTP_TRANSFER_ENCODING" in request.META and not request.META.get("CONTENT_LENGTH"):
            raise LengthRequired("Send Content-Length.")
        refuse_unknown_query(request, self.query_names())

    def query_names(self) -> Iterable[str]:
        """The query parameters that mean something here."""
        return self.known_query

    def by(self, owner: int | None = None) -> By:
        """Who asks, for the logs. `owner` is the user that the changed agent is."""
        user = self.request.user
        if owner is not None and owner == user.pk:
            cause = Cause.AGENT
        elif isinstance(self.request.successful_authenticator, TokenAuthentication):
            cause = Cause.API
        else:
            cause = Cause.SUPERVISOR
        return By(cause, user.get_username())

    def body(self, serializer: type[serializers.Serializer[Any]], *, partial: bool = False) -> dict[str, Any]:
        """The fields of the body. Raises InvalidInput."""
        read = serializer(data=self.request.data, partial=partial)
        read.is_valid(raise_exception=True)
        return dict(read.validated_data)


class Resource(StrictView, GenericViewSet[M], Generic[M]):
    """A kind of thing that can be read."""

    entity: ClassVar[str]
    page_order: ClassVar[tuple[str, ...]]
    """The first field decides where a page ends; it is unique, or the rest makes the order so."""
    search_fields: ClassVar[tuple[str, ...]] = ()

    paged: ClassVar[frozenset[str]] = frozenset({"list"})
    """The actions that answer with pages."""

    def query_names(self) -> Iterable[str]:
        names = ["cursor", "page_size"] if self.action in self.paged else []
        return [*names, *self.filter_names()] if self.action == "list" else names

    def filter_names(self) -> Iterable[str]:
        """The query parameters that choose among the rows."""
        filters = getattr(self, "filterset_class", None)
        return [*(filters.base_filters if filters else ()), *(["search"] if self.search_fields else ())]

    def payload(self, row: M) -> dict[str, Any]:
        """A row as the API shows it in lists."""
        raise NotImplementedError

    def details(self, row: M) -> dict[str, Any]:
        """A row as the API shows it by itself."""
        return self.payload(row)

    def row(self) -> M:
        """The row of the address, if the asker may see it. Raises NotFound."""
        return self.find(self.get_queryset())

    def find(self, rows: QuerySet[M]) -> M:
        """The row of the address among `rows`. Raises NotFound."""
        if "\x00" in self.kwargs["pk"]:
            # PostgreSQL fails at a NUL instead of not finding it.
            raise NotFound(code=f"{self.entity}_not_found")
        try:
            return rows.get(pk=self.kwargs["pk"])
        except (ObjectDoesNotExist, ValidationError, ValueError) as none:
            raise NotFound(code=f"{self.entity}_not_found") from none

    def list(self, request: Request) -> Response:
        """Those that the filters choose, in pages."""
        return self.page(self.filter_queryset(self.get_queryset()), self.payload)

    def page(self, rows: QuerySet[Any], payload: Callable[[Any], dict[str, Any]]) -> Response:
        """One page of `rows`."""
        return self.get_paginated_response([payload(row) for row in self.paginate_queryset(rows) or ()])

    def retrieve(self, request: Request, pk: str) -> Response:
        """One of them, its version as ETag."""
        return self.answer(self.row())

    def answer(self, row: M, *, status: int = 200, orders: Orders | None = None) -> Response:
        """One row, with its entity tag, and with the orders to the switch that a change brought about."""
        shown = self.details(row) | ({} if orders is None else {"switch": orders})
        headers = {"ETag": etag(shown["revision"])} if "revision" in shown else {}
        return Response(shown, status=status, headers=headers)

    def write(self, act: Callable[[], Any]) -> tuple[Any, Orders]:
        """Do `act` in one unit of work; what it returned, and the orders it gave to the switch."""
        with unit_of_work() as unit:
            result = act()
        ids = [command.pk for command in unit.commands]
        return result, switch_commands_answered(ids, wait=self.wait if ids else 0.0)

    @cached_property
    def wait(self) -> float:
        """How many seconds the client waits for the switch."""
        return preferred_wait(self.request.headers.get("Prefer"))

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        if self.wait and request.method not in ("GET", "HEAD") and response.status_code < 300:
            response.headers.setdefault("Preference-Applied", f"wait={self.wait:.0f}")
        return super().finalize_response(request, response, *args, **kwargs)


class ConfiguredResource(Resource[M]):
    """A kind of thing that is made, changed and removed through services.

    PUT replaces: what is left out takes its default. `fixed` fields may be repeated, but never change.
    """

    write_roles = CONFIGURING_ROLES
    body_class: ClassVar[type[serializers.ModelSerializer[Any]]]
    change_class: ClassVar[type[serializers.ModelSerializer[Any]]]
    fixed: ClassVar[Mapping[str, str]]
    """Fields that never change, and the attributes that hold them."""

    def make_row(self, by: By, fields: dict[str, Any]) -> M:
        """Make a row by the service."""
        raise NotImplementedError

    def change_row(self, row: M, by: By, revision: int, fields: dict[str, Any]) -> M:
        """Change a row by the service."""
        raise NotImplementedError

    def remove_row(self, row: M, by: By, revision: int) -> None:
        """Remove a row by the service."""
        raise NotImplementedError

    def create(self, request: Request) -> Response:
        """Make one. Refused with 409 where there is one like it."""
        fields = self.body(self.body_class)
        row, orders = self.write(lambda: self.make_row(self.by(), fields))
        response = self.answer(self.get_queryset().get(pk=row.pk), status=201, orders=orders)
        response.headers["Location"] = f"{request.path}/{row.pk}"
        return response

    def update(self, request: Request, pk: str) -> Response:
        """Replace: what is left out takes its default."""
        given = self.body(self.change_class)
        names = set(self.change_class.Meta.fields) - set(self.fixed)
        return self._change({name: self._default(name) for name in names} | given)

    def partial_update(self, request: Request, pk: str) -> Response:
        """Change what is given."""
        return self._change(self.body(self.change_class, partial=True))

    def destroy(self, request: Request, pk: str) -> Response:
        """Remove it. With `Prefer: wait=N` the answer tells what the switch said."""
        _, orders = self.write(self._remove)
        return Response({"switch": orders}) if self.wait else Response(status=204)

    def _change(self, fields: dict[str, Any]) -> Response:
        def change() -> M:
            row = self._row_expected()
            for name, attribute in self.fixed.items():
                if name in fields and fields.pop(name) != getattr(row, attribute):
                    raise InvalidInput("Not to be changed.", fields={name: ["This never changes."]})
            return self.change_row(row, self.by(), row.revision, fields)  # type: ignore[attr-defined]

        _, orders = self.write(change)
        return self.answer(self.row(), orders=orders)

    def _remove(self) -> None:
        row = self._row_expected()
        self.remove_row(row, self.by(), row.revision)  # type: ignore[attr-defined]

    def _row_expected(self) -> M:
        """The row, locked so that If-Match still holds when the service changes it."""
        wanted = expected_etags(self.request.headers.get("If-Match"))
        model = self.get_queryset().model
        row: M = self.find(model._default_manager.select_for_update())
        revision = row.revision  # type: ignore[attr-defined]
        if wanted is not None and etag(revision) not in wanted:
            raise StaleVersion(f"It is at revision {revision}.")
        return row

    def _default(self, name: str) -> Any:
        field = self.get_queryset().model._meta.get_field(name)
        assert isinstance(field, Field)
        return field.get_default()
