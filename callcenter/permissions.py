"""Who may what. A user's role is the strongest of the groups that the user is in."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any

from rest_framework.permissions import SAFE_METHODS, BasePermission

if TYPE_CHECKING:
    from rest_framework.request import Request
    from rest_framework.views import APIView


class Role(StrEnum):
    ADMINISTRATOR = "administrator"
    INTEGRATOR = "integrator"
    SUPERVISOR = "supervisor"
    AGENT = "agent"
    NOBODY = "nobody"


STAFF_ROLES = frozenset({Role.ADMINISTRATOR, Role.INTEGRATOR, Role.SUPERVISOR})
CONFIGURING_ROLES = frozenset({Role.ADMINISTRATOR, Role.INTEGRATOR})


def role_of(user: Any) -> Role:
    """The role of a user; an agent is a user whom an agent's record names."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return Role.NOBODY
    if user.is_superuser:
        return Role.ADMINISTRATOR
    groups = set(user.groups.values_list("name", flat=True))
    for role in (Role.ADMINISTRATOR, Role.INTEGRATOR, Role.SUPERVISOR):
        if role in groups:
            return role
    return Role.AGENT if getattr(user, "agent", None) else Role.NOBODY


class ByRole(BasePermission):
    """Staff read everything; who may write is the view's `write_roles`; an agent gets what the view
    itself opens with `agent_actions`."""

    message = "Your role does not allow this."

    def has_permission(self, request: Request, view: APIView) -> bool:
        role = getattr(view, "role", None) or role_of(request.user)
        if role in STAFF_ROLES:
            if request.method in SAFE_METHODS:
                return True
            return role in getattr(view, "write_roles", CONFIGURING_ROLES)
        return role is Role.AGENT and getattr(view, "action", None) in getattr(view, "agent_actions", ())
