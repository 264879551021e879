"""The stream of everything, for supervisors and integrators."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User

from callcenter.errors import NotAllowed
from callcenter.permissions import STAFF_ROLES, role_of
from callcenter.sockets import StreamSocket, Visitor

from .selectors import live_snapshot


class EventsConsumer(StreamSocket):
    """`/ws/v1/events`: the live snapshot, then every event."""

    def admit(self, user: User) -> Visitor:
        role = role_of(user)
        if role not in STAFF_ROLES:
            raise NotAllowed("This stream is for supervisors, integrators and administrators.")
        return Visitor(user.pk, user.get_username(), role)

    def read_snapshot(self, visitor: Visitor) -> dict[str, Any]:
        return live_snapshot()
