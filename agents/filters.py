"""Choosing among agents."""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from callcenter.filters import TrueOrFalseFilter, one_of

from .models import Agent
from .state import State, Sub


class AgentFilter(django_filters.FilterSet):
    state = one_of(State)
    sub_state = one_of(filter(None, Sub))
    signed_in = TrueOrFalseFilter(method="filter_signed_in", label="Whether the agent is signed in.")
    name = django_filters.CharFilter(max_length=64)
    extension = django_filters.CharFilter(
        method="filter_extension", max_length=32, label="The extension signed in with, or the record's."
    )
    node = django_filters.CharFilter(max_length=64)
    user = django_filters.CharFilter(field_name="user__username", max_length=150, label="A user name.")

    class Meta:
        model = Agent
        fields: list[str] = []

    def filter_signed_in(self, rows: QuerySet[Agent], name: str, value: bool) -> QuerySet[Agent]:
        return rows.exclude(state=State.LOGOUT) if value else rows.filter(state=State.LOGOUT)

    def filter_extension(self, rows: QuerySet[Agent], name: str, value: str) -> QuerySet[Agent]:
        return rows.filter(
            Q(signed_in_extension=value) | Q(signed_in_extension="", extension=value),
        )
