"""Choosing among queues, tiers and calls, and among agents by their queues."""

from __future__ import annotations

import django_filters
from django.db.models import Q, QuerySet

from agents.filters import AgentFilter
from callcenter.filters import MomentFilter, TrueOrFalseFilter, one_of

from .models import Call, Queue, Strategy, Tier
from .state import LIVE_STATES, CallState, Outcome


class AgentOfQueueFilter(AgentFilter):
    queue = django_filters.UUIDFilter(field_name="tiers__queue", label="A queue that the agent is in.")


class QueueFilter(django_filters.FilterSet):
    name = django_filters.CharFilter(max_length=64)
    node = django_filters.CharFilter(max_length=64)
    strategy = one_of(Strategy.values)
    agent = django_filters.UUIDFilter(field_name="tiers__agent", label="An agent who is in the queue.")

    class Meta:
        model = Queue
        fields: list[str] = []


class TierFilter(django_filters.FilterSet):
    queue = django_filters.UUIDFilter(field_name="queue_id")
    agent = django_filters.UUIDFilter(field_name="agent_id")
    level = django_filters.NumberFilter(min_value=0, max_value=1000)
    active = TrueOrFalseFilter()

    class Meta:
        model = Tier
        fields: list[str] = []


class CallFilter(django_filters.FilterSet):
    live = TrueOrFalseFilter(method="filter_live", label="Whether the call has not ended.")
    queued = TrueOrFalseFilter(method="filter_queued", label="Whether it is a queue call.")
    state = one_of(CallState)
    outcome = one_of(filter(None, Outcome))
    queue = django_filters.UUIDFilter(field_name="queue_id")
    agent = django_filters.UUIDFilter(field_name="agent_id", label="The agent who answered.")
    caller_number = django_filters.CharFilter(max_length=64)
    member_uuid = django_filters.CharFilter(max_length=64)
    channel_uuid = django_filters.CharFilter(max_length=64, label="The caller's channel.")
    node = django_filters.CharFilter(max_length=64)
    started_from = MomentFilter(field_name="started_at", lookup_expr="gte")
    started_before = MomentFilter(field_name="started_at", lookup_expr="lt")

    class Meta:
        model = Call
        fields: list[str] = []

    def filter_live(self, rows: QuerySet[Call], name: str, value: bool) -> QuerySet[Call]:
        live = Q(state__in=LIVE_STATES)
        return rows.filter(live if value else ~live)

    def filter_queued(self, rows: QuerySet[Call], name: str, value: bool) -> QuerySet[Call]:
        return rows.filter(queued_at__isnull=not value)
