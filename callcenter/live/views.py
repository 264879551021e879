"""Pages. What moves on them comes over the WebSocket; what is clicked goes to the REST API."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils.cache import add_never_cache_headers
from django.utils.decorators import method_decorator
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django.views.i18n import JavaScriptCatalog

from agents.models import Agent
from agents.state import State, Sub
from callcenter.permissions import STAFF_ROLES, Role, role_of

ROLE_NAMES = {
    Role.ADMINISTRATOR: _("Administrator"),
    Role.INTEGRATOR: _("Integrator"),
    Role.SUPERVISOR: _("Supervisor"),
    Role.AGENT: _("Agent"),
}
STATE_NAMES = {
    State.LOGOUT: _("Signed out"),
    State.LOGIN: _("Signing in"),
    State.UNREADY: _("Not ready"),
    State.READY: _("Ready"),
    State.BUSY: _("Busy"),
    State.ACW: _("After-call work"),
}
SUB_STATE_NAMES = {
    Sub.WAIT: _("After sign-in"),
    Sub.DND: _("Do not disturb"),
    Sub.BREAK: _("Break"),
    Sub.AWAY: _("Away"),
    Sub.CUSTOM: _("Other reason"),
    Sub.CALLING: _("Dialling"),
    Sub.RINGING: _("Ringing"),
    Sub.ANSWERED: _("Talking"),
    Sub.TRANSFER: _("Transferring"),
    Sub.CONFERENCE: _("In a conference"),
    Sub.HOLD: _("Caller on hold"),
}

Response = TypeVar("Response", bound=HttpResponseBase)

# Scripts, styles and sockets of this site only; `form-action` and `frame-ancestors` have no default.
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)


def page(view: Callable[..., Response]) -> Callable[..., Response]:
    """A page of ours: nothing foreign may run on it, and no cache keeps what one person saw."""

    @wraps(view)
    def wrapped(*args: Any, **kwargs: Any) -> Response:
        response = view(*args, **kwargs)
        response["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        add_never_cache_headers(response)
        return response

    return wrapped


@method_decorator(page, name="dispatch")
class SignIn(LoginView):
    template_name = "live/login.html"
    redirect_authenticated_user = True


class ScriptMessages(JavaScriptCatalog):
    """The scripts' texts in the reader's language; the address is the same for all languages."""

    packages = ["callcenter"]

    @method_decorator(page)
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return super().dispatch(request, *args, **kwargs)


@page
@require_safe
@login_required
def dashboard(request: HttpRequest) -> HttpResponseBase:
    """The live dashboard for staff, an agent's own state for an agent, nothing for anybody else."""
    role = role_of(request.user)
    if role in STAFF_ROLES:
        return render(request, "live/dashboard.html", {"role": ROLE_NAMES[role]})
    if role is Role.AGENT:
        agent = Agent.objects.get(user=request.user.pk)
        return render(request, "live/agent.html", {"role": ROLE_NAMES[role], **_own_state(agent)})
    raise PermissionDenied


def _own_state(agent: Agent) -> dict[str, Any]:
    sub_state = SUB_STATE_NAMES[Sub(agent.sub_state)] if agent.sub_state else ""
    parts = [STATE_NAMES[State(agent.state)], sub_state, agent.reason]
    return {"agent": agent, "standing": [part for part in parts if part]}
