"""Agents in the API. Signing in needs the queues, which are above: `queues.views` adds it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from callcenter.events import By
from callcenter.permissions import CONFIGURING_ROLES, STAFF_ROLES, Role
from callcenter.resources import ConfiguredResource
from callcenter.serializers import SwitchAnswer

from . import services
from .filters import AgentFilter
from .models import Agent
from .selectors import agent_details, agent_transition_payload
from .serializers import (
    AgentAnswer,
    AgentBody,
    AgentChange,
    AgentTransitionAnswer,
    ExtendBody,
    Nothing,
    UnreadyBody,
)

command = partial(action, detail=True, methods=["post"])


@extend_schema_view(
    create=extend_schema(request=AgentBody, responses={201: AgentAnswer}),
    update=extend_schema(request=AgentChange),
    partial_update=extend_schema(request=AgentChange),
    destroy=extend_schema(responses={200: SwitchAnswer, 204: None}),
)
class AgentResource(ConfiguredResource[Agent]):
    """Agents. Staff see and command all of them; an agent sees and commands itself."""

    entity = "agent"
    queryset = Agent.objects.select_related("user")
    serializer_class = AgentAnswer
    body_class = AgentBody
    change_class = AgentChange
    fixed = {"name": "name"}
    filterset_class = AgentFilter
    search_fields = ("name", "display_name", "extension", "user__username")
    page_order = ("name",)
    paged = frozenset({"list", "transitions"})
    commands: ClassVar[frozenset[str]] = frozenset(
        {"logout", "ready", "unready", "withdraw_next", "finish_acw", "extend_acw"}
    )

    @property
    def agent_actions(self) -> frozenset[str]:
        return self.commands | {"list", "retrieve", "transitions"}

    @property
    def write_roles(self) -> frozenset[Role]:  # type: ignore[override]
        return STAFF_ROLES if self.action in self.commands else CONFIGURING_ROLES

    def get_queryset(self) -> QuerySet[Agent]:
        rows: QuerySet[Agent] = super().get_queryset()
        return rows.filter(user=self.request.user.pk) if self.role is Role.AGENT else rows

    def payload(self, row: Agent) -> dict[str, Any]:
        return agent_details(row)

    def make_row(self, by: By, fields: dict[str, Any]) -> Agent:
        return services.agent_create(by=by, **fields)

    def change_row(self, row: Agent, by: By, revision: int, fields: dict[str, Any]) -> Agent:
        return services.agent_update(agent_id=row.pk, by=by, revision=revision, **fields)

    def remove_row(self, row: Agent, by: By, revision: int) -> None:
        services.agent_delete(agent_id=row.pk, by=by, revision=revision)

    def obey(self, service: Callable[..., Agent], body: type[serializers.Serializer] = Nothing) -> Response:
        """Have `service` change the agent of the address as the body says."""
        agent = self.row()
        fields = self.body(body)
        _, orders = self.write(lambda: service(agent_id=agent.pk, by=self.by(agent.user_id), **fields))
        return self.answer(self.row(), orders=orders)

    @extend_schema(request=None)
    @command()
    def logout(self, request: Request, pk: str) -> Response:
        """Sign out now, or after the call or the after-call work. No call is touched."""
        return self.obey(services.agent_logout)

    @extend_schema(request=None)
    @command()
    def ready(self, request: Request, pk: str) -> Response:
        """Be offered calls, after the call if one is on. Refused with `not_logged_in`."""
        return self.obey(services.agent_ready)

    @extend_schema(request=UnreadyBody)
    @command()
    def unready(self, request: Request, pk: str) -> Response:
        """Take no calls, after the call if one is on. Refused with `not_logged_in`."""
        return self.obey(services.agent_unready, UnreadyBody)

    @extend_schema(request=None)
    @command()
    def withdraw_next(self, request: Request, pk: str) -> Response:
        """Take back what was asked for after the call. Refused with `not_logged_in`."""
        return self.obey(services.agent_withdraw_next)

    @extend_schema(request=None)
    @command(url_path="acw/finish")
    def finish_acw(self, request: Request, pk: str) -> Response:
        """End after-call work now. Refused with `not_logged_in`, `not_in_acw`."""
        return self.obey(services.agent_finish_acw)

    @extend_schema(request=ExtendBody)
    @command(url_path="acw/extend")
    def extend_acw(self, request: Request, pk: str) -> Response:
        """Give more time for after-call work. Refused with `not_logged_in`, `not_in_acw`."""
        return self.obey(services.agent_extend_acw, ExtendBody)

    @extend_schema(responses=AgentTransitionAnswer(many=True))
    @action(detail=True, filter_backends=[], page_order=("-id",))
    def transitions(self, request: Request, pk: str) -> Response:
        """What became of the agent, newest first."""
        return self.page(self.row().transitions.all(), agent_transition_payload)
