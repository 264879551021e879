"""Filters that refuse what they do not understand, instead of answering with everything."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import django_filters
from django import forms
from django.utils.translation import gettext_lazy as _
from django_filters.fields import IsoDateTimeField
from rest_framework.exceptions import ValidationError
from rest_framework.filters import SearchFilter
from rest_framework.request import Request

from .errors import InvalidInput
from .models import SwitchCommand
from .switch import ORDERS

LONGEST_SEARCH = 100


def refuse_unknown_query(request: Request, known: Iterable[str]) -> None:
    """Raise InvalidInput for a query parameter that means nothing here: a misspelt filter must not look
    like one that matches everything."""
    unknown = sorted(set(request.query_params) - set(known))
    if unknown:
        raise InvalidInput(
            "Unknown query parameters.", fields={name: ["Unknown here."] for name in unknown[:20]}
        )


class Search(SearchFilter):
    """`search`: rows that have every word. Each word is a condition more, and databases take only so many:
    SQLite fails at some hundreds, PostgreSQL plans for minutes."""

    def get_search_terms(self, request: Request) -> list[str]:
        """Raises InvalidInput for more words, or longer ones, than anybody searches for."""
        if len(request.query_params.get(self.search_param, "")) > LONGEST_SEARCH:
            raise InvalidInput(
                "The search is too long.", fields={"search": [f"{LONGEST_SEARCH} characters at most."]}
            )
        try:
            return list(super().get_search_terms(request))
        except ValidationError as bad:
            raise ValidationError({self.search_param: bad.detail}) from bad


class _TrueOrFalse(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        if value in (None, ""):
            return None
        if value not in ("true", "false"):
            raise forms.ValidationError(_("Must be true or false."), code="invalid")
        return bool(value == "true")


class TrueOrFalseFilter(django_filters.BooleanFilter):
    """`true` or `false`."""

    field_class = _TrueOrFalse


class _Moment(IsoDateTimeField):
    def to_python(self, value: Any) -> datetime | None:
        moment: datetime | None = super().to_python(value)
        try:
            return moment.astimezone(UTC) if moment else None
        except OverflowError as bad:
            raise forms.ValidationError(_("Out of range."), code="invalid") from bad


class MomentFilter(django_filters.IsoDateTimeFilter):
    """A time after ISO 8601; one without an offset is local."""

    field_class = _Moment


def one_of(values: Iterable[str], **kwargs: Any) -> django_filters.MultipleChoiceFilter:
    """A filter that may be given several times, for one value each."""
    return django_filters.MultipleChoiceFilter(choices=[(v, v) for v in map(str, values)], **kwargs)


class SwitchCommandFilter(django_filters.FilterSet):
    status = one_of(SwitchCommand.Status.values)
    kind = one_of(ORDERS)
    key = django_filters.CharFilter(max_length=160)
    node = django_filters.CharFilter(max_length=64)

    class Meta:
        model = SwitchCommand
        fields: list[str] = []
