"""Queues, tiers and calls in the operators' back room."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from callcenter.admin import ReadOnlyAdmin, ServiceAdmin
from callcenter.events import By

from . import services
from .models import Call, CallTransition, Offer, Queue, Tier
from .selectors import QUEUE_FIELDS


@admin.register(Queue)
class QueueAdmin(ServiceAdmin):
    list_display = ("name", "display_name", "strategy", "node")
    list_filter = ("strategy", "node")
    search_fields = ("name", "display_name")
    fields = tuple(name for name in QUEUE_FIELDS if name not in ("node", "revision"))

    def make(self, by: By, fields: dict[str, Any]) -> Queue:
        return services.queue_create(by=by, **fields)

    def change(self, obj: Queue, by: By, fields: dict[str, Any]) -> None:
        services.queue_update(queue_id=obj.pk, by=by, **fields)

    def remove(self, obj: Queue, by: By) -> None:
        services.queue_delete(queue_id=obj.pk, by=by)


@admin.register(Tier)
class TierAdmin(ServiceAdmin):
    list_display = ("queue", "agent", "level", "position", "active")
    list_filter = ("queue", "active")
    list_select_related = ("queue", "agent")
    autocomplete_fields = ("queue", "agent")
    fields = ("queue", "agent", "level", "position")
    fixed = ("queue", "agent")

    def make(self, by: By, fields: dict[str, Any]) -> Tier:
        queue, agent = fields.pop("queue"), fields.pop("agent")
        return services.tier_create(queue_id=queue.pk, agent_id=agent.pk, by=by, **fields)

    def change(self, obj: Tier, by: By, fields: dict[str, Any]) -> None:
        services.tier_update(tier_id=obj.pk, by=by, **fields)

    def remove(self, obj: Tier, by: By) -> None:
        services.tier_delete(tier_id=obj.pk, by=by)


@admin.register(Call)
class CallAdmin(ReadOnlyAdmin):
    list_display = ("started_at", "queue_name", "caller_number", "state", "outcome", "agent", "end_cause")
    list_filter = ("state", "outcome", "queue_name", "reconciled")
    list_select_related = ("agent",)
    search_fields = ("caller_number", "caller_name", "channel_uuid", "member_uuid")
    date_hierarchy = "started_at"


@admin.register(Offer)
class OfferAdmin(ReadOnlyAdmin):
    list_display = ("offered_at", "agent", "call", "outcome", "cause", "reconciled")
    list_filter = ("outcome", "reconciled")
    list_select_related = ("agent", "call")


@admin.register(CallTransition)
class CallTransitionAdmin(ReadOnlyAdmin):
    list_display = ("at", "call", "old_state", "new_state", "trigger", "outcome", "agent", "cause")
    list_filter = ("trigger", "outcome", "reconciled")
    list_select_related = ("agent", "call")
    ordering = ("-id",)
