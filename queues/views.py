"""Queues, tiers and calls in the API, and agents with what only the queues know."""

from __future__ import annotations

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_view
from rest_framework.request import Request
from rest_framework.response import Response

from agents.models import Agent
from agents.views import AgentResource, command
from callcenter.events import By
from callcenter.permissions import Role
from callcenter.resources import ConfiguredResource, Resource
from callcenter.serializers import SwitchAnswer

from . import services
from .filters import AgentOfQueueFilter, CallFilter, QueueFilter, TierFilter
from .models import Call, Leg, Offer, Queue, Tier
from .selectors import call_details, call_payload, queue_payload, tier_payload
from .serializers import (
    CallAnswer,
    CallDetailsAnswer,
    LoginBody,
    QueueAnswer,
    QueueBody,
    QueueChange,
    TierAnswer,
    TierBody,
    TierChange,
)


class AgentViewSet(AgentResource):
    __doc__ = AgentResource.__doc__
    filterset_class = AgentOfQueueFilter
    commands = AgentResource.commands | {"login"}

    @extend_schema(request=LoginBody)
    @command()
    def login(self, request: Request, pk: str) -> Response:
        """Sign in, to UNREADY/WAIT, with one event per queue. Again while signed in, it only adds queues
        and changes the extension. Refused with `not_in_queue`."""
        return self.obey(services.agent_sign_in, LoginBody)


@extend_schema_view(
    create=extend_schema(request=QueueBody, responses={201: QueueAnswer}),
    update=extend_schema(request=QueueChange),
    partial_update=extend_schema(request=QueueChange),
    destroy=extend_schema(responses={200: SwitchAnswer, 204: None}),
)
class QueueViewSet(ConfiguredResource[Queue]):
    """Queues. A change reaches the switch at once."""

    entity = "queue"
    queryset = Queue.objects.all()
    serializer_class = QueueAnswer
    body_class = QueueBody
    change_class = QueueChange
    fixed = {"name": "name"}
    filterset_class = QueueFilter
    search_fields = ("name", "display_name")
    page_order = ("name",)

    def payload(self, row: Queue) -> dict[str, Any]:
        return queue_payload(row)

    def make_row(self, by: By, fields: dict[str, Any]) -> Queue:
        return services.queue_create(by=by, **fields)

    def change_row(self, row: Queue, by: By, revision: int, fields: dict[str, Any]) -> Queue:
        return services.queue_update(queue_id=row.pk, by=by, revision=revision, **fields)

    def remove_row(self, row: Queue, by: By, revision: int) -> None:
        services.queue_delete(queue_id=row.pk, by=by, revision=revision)


@extend_schema_view(
    create=extend_schema(request=TierBody, responses={201: TierAnswer}),
    update=extend_schema(request=TierChange),
    partial_update=extend_schema(request=TierChange),
    destroy=extend_schema(responses={200: SwitchAnswer, 204: None}),
)
class TierViewSet(ConfiguredResource[Tier]):
    """Tiers: agents' places in queues. A change reaches the switch at once."""

    entity = "tier"
    queryset = Tier.objects.all()
    serializer_class = TierAnswer
    body_class = TierBody
    change_class = TierChange
    fixed = {"queue": "queue_id", "agent": "agent_id"}
    also_answers = ("404",)
    filterset_class = TierFilter
    page_order = ("id",)

    def payload(self, row: Tier) -> dict[str, Any]:
        return tier_payload(row)

    def make_row(self, by: By, fields: dict[str, Any]) -> Tier:
        queue, agent = fields.pop("queue"), fields.pop("agent")
        return services.tier_create(queue_id=queue, agent_id=agent, by=by, **fields)

    def change_row(self, row: Tier, by: By, revision: int, fields: dict[str, Any]) -> Tier:
        return services.tier_update(tier_id=row.pk, by=by, revision=revision, **fields)

    def remove_row(self, row: Tier, by: By, revision: int) -> None:
        services.tier_delete(tier_id=row.pk, by=by, revision=revision)


@extend_schema_view(retrieve=extend_schema(responses=CallDetailsAnswer))
class CallViewSet(Resource[Call]):
    """Calls, live and past, newest first. An agent sees the calls that it was part of or was offered."""

    entity = "call"
    queryset = Call.objects.prefetch_related("offers")
    serializer_class = CallAnswer
    filterset_class = CallFilter
    search_fields = ("caller_number", "caller_name", "destination", "queue_name")
    page_order = ("-started_at", "-id")
    agent_actions = frozenset({"list", "retrieve"})
    http_method_names = ["get", "head"]

    def get_queryset(self) -> QuerySet[Call]:
        rows: QuerySet[Call] = super().get_queryset()
        if self.role is Role.AGENT:
            return rows.filter(_with(Agent.objects.get(user=self.request.user.pk)))
        return rows

    def payload(self, row: Call) -> dict[str, Any]:
        return call_payload(row)

    def details(self, row: Call) -> dict[str, Any]:
        return call_details(row)


def _with(agent: Agent) -> Q:
    offered = Offer.objects.filter(call=OuterRef("pk"), agent=agent)
    taken_part = Leg.objects.filter(call=OuterRef("pk"), agent=agent)
    return Q(agent=agent) | Exists(offered) | Exists(taken_part)
