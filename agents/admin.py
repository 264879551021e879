"""Agents in the operators' back room."""

from __future__ import annotations

from typing import Any

from django.contrib import admin

from callcenter.admin import ReadOnlyAdmin, ServiceAdmin
from callcenter.events import By

from . import services
from .models import Agent, AgentTransition
from .serializers import AgentBody


@admin.register(Agent)
class AgentAdmin(ServiceAdmin):
    list_display = ("name", "display_name", "extension", "user", "state", "sub_state", "state_since")
    list_filter = ("state", "node")
    list_select_related = ("user",)
    search_fields = ("name", "display_name", "extension")
    autocomplete_fields = ("user",)
    fields = AgentBody.Meta.fields

    def make(self, by: By, fields: dict[str, Any]) -> Agent:
        return services.agent_create(by=by, **fields)

    def change(self, obj: Agent, by: By, fields: dict[str, Any]) -> None:
        services.agent_update(agent_id=obj.pk, by=by, **fields)

    def remove(self, obj: Agent, by: By) -> None:
        services.agent_delete(agent_id=obj.pk, by=by)


@admin.register(AgentTransition)
class AgentTransitionAdmin(ReadOnlyAdmin):
    list_display = ("at", "agent", "old_state", "new_state", "new_sub_state", "trigger", "cause", "actor")
    list_filter = ("cause", "trigger", "reconciled")
    list_select_related = ("agent",)
    search_fields = ("agent__name", "actor")
    ordering = ("-id",)
