"""The API's own resources: orders to the switch, switches, events, tokens; and answers outside DRF."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_view
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from .errors import CallCenterError, Gone, InvalidInput, NotFound
from .events import envelope, events_after, last_seq
from .filters import SwitchCommandFilter
from .models import ApiToken, SwitchCommand, SwitchNode
from .permissions import Role
from .problems import problem_response
from .resources import Resource, StrictView
from .selectors import api_token_payload
from .serializers import (
    EventsAnswer,
    MeAnswer,
    NewTokenAnswer,
    SwitchCommandAnswer,
    SwitchNodeAnswer,
    TokenAnswer,
    TokenBody,
)
from .services import api_token_create, api_token_delete, command_payload, switch_node_payload

MOST_EVENTS = 1000


class SwitchCommandViewSet(Resource[SwitchCommand]):
    """Orders to the switch, newest first, with what it answered."""

    entity = "switch_command"
    queryset = SwitchCommand.objects.all()
    serializer_class = SwitchCommandAnswer
    filterset_class = SwitchCommandFilter
    page_order = ("-id",)

    def payload(self, row: SwitchCommand) -> dict[str, Any]:
        return command_payload(row)


class SwitchNodeViewSet(Resource[SwitchNode]):
    """The FreeSWITCH nodes as the bridge sees them."""

    entity = "switch_node"
    queryset = SwitchNode.objects.all()
    serializer_class = SwitchNodeAnswer
    page_order = ("name",)
    http_method_names = ["get", "head"]

    def payload(self, row: SwitchNode) -> dict[str, Any]:
        return switch_node_payload(row)


class EventsView(StrictView):
    """The stream of events by asking for it. The WebSocket tells the same at once."""

    known_query = ("after", "limit")
    also_answers = ("410",)

    @extend_schema(
        parameters=[
            OpenApiParameter("after", OpenApiTypes.INT, description="The last number known; default 0."),
            OpenApiParameter("limit", OpenApiTypes.INT, description=f"1 to {MOST_EVENTS}; default 100."),
        ],
        responses=EventsAnswer,
    )
    def get(self, request: Request) -> Response:
        """Events after a number, oldest first. Answers 410 `events_gone` if the log begins later: then
        read the resources anew and go on from `last`."""
        after = _number(request, "after", 0, 0, 2**63 - 1)
        limit = _number(request, "limit", 100, 1, MOST_EVENTS)
        last = last_seq()
        events = events_after(after, limit)
        missing = events[0].seq > after + 1 if events else after < last
        if missing and "after" in request.query_params:
            raise Gone("The log does not reach back so far.", code="events_gone", fields={"last": last})
        if after > last:
            raise Gone("No event has this number yet.", code="events_gone", fields={"last": last})
        shown = [envelope(event) for event in events]
        return Response({"events": shown, "next": events[-1].seq if events else after, "last": last})


def _number(request: Request, name: str, default: int, least: int, most: int) -> int:
    given = request.query_params.get(name)
    if given is None:
        return default
    if not (given.isascii() and given.isdigit() and len(given) < 20 and least <= int(given) <= most):
        raise InvalidInput("Not valid.", fields={name: [f"{least} to {most}."]})
    return int(given)


@extend_schema_view(
    create=extend_schema(request=TokenBody, responses={201: NewTokenAnswer}),
    list=extend_schema(description="One's own tokens."),
)
class TokenViewSet(Resource[ApiToken]):
    """One's own API tokens."""

    entity = "token"
    queryset = ApiToken.objects.none()
    serializer_class = TokenAnswer
    page_order = ("id",)
    write_roles = frozenset(Role) - {Role.NOBODY}
    agent_actions = frozenset({"list", "retrieve", "create", "destroy"})

    def get_queryset(self) -> Any:
        return ApiToken.objects.filter(user=_user(self.request))

    def payload(self, row: ApiToken) -> dict[str, Any]:
        return api_token_payload(row)

    def create(self, request: Request) -> Response:
        """Make a token. Its secret is in this answer only. Asked for with a token, the new one ends no
        later than that one."""
        fields = self.body(TokenBody)
        days = fields.get("days")
        token, secret = api_token_create(
            user=_user(request),
            name=fields["name"],
            lifetime=self._lifetime(timedelta(days) if days else None),
        )
        response = Response(api_token_payload(token) | {"token": secret}, status=201)
        response.headers["Location"] = f"{request.path}/{token.pk}"
        add_never_cache_headers(response)
        return response

    def _lifetime(self, wanted: timedelta | None) -> timedelta | None:
        used = self.request.auth
        if not isinstance(used, ApiToken) or used.expires_at is None:
            return wanted
        left = used.expires_at - timezone.now()
        return min(wanted, left) if wanted else left

    def destroy(self, request: Request, pk: str) -> Response:
        """Revoke a token."""
        api_token_delete(user=_user(request), token_id=pk)
        return Response(status=204)


class MeView(StrictView):
    """Who is asking."""

    permission_classes = [IsAuthenticated]

    @extend_schema(responses=MeAnswer)
    def get(self, request: Request) -> Response:
        """One's user, role and agent."""
        user = _user(request)
        agent = getattr(user, "agent", None)
        return Response(
            {
                "username": user.get_username(),
                "full_name": user.get_full_name(),
                "role": str(self.role),
                "agent": str(agent.pk) if agent else None,
            }
        )


def _user(request: Request) -> User:
    return cast(User, request.user)


# --- outside DRF -------------------------------------------------------------------------------------


DOCS_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own static files; nothing is loaded from elsewhere."""

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response["Content-Security-Policy"] = DOCS_POLICY
        return super().finalize_response(request, response, *args, **kwargs)


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return JsonResponse({"status": "ok"})


@csrf_exempt
def no_such_address(request: HttpRequest, **kwargs: Any) -> HttpResponse:
    """An unknown address under /api/."""
    return problem_response(NotFound("There is nothing at this address."))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler for a request that it could not read."""
    if not _for_programs(request):
        return defaults.bad_request(request, exception)
    return problem_response(InvalidInput("The request cannot be read."))


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's handler for an exception that nobody expected; it is logged, not shown."""
    if not _for_programs(request):
        return defaults.server_error(request)
    error = CallCenterError("Something went wrong on our side.", code="internal_error")
    error.status = 500
    return problem_response(error)


def _for_programs(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")
