"""Reading the kernel's rows."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from django.db import connection

from .models import ApiToken, SwitchCommand
from .services import UNSENT, command_payload

LOOK_EVERY = 0.03


def switch_commands_answered(ids: Sequence[int], *, wait: float) -> list[dict[str, Any]]:
    """What became of these orders, waiting up to `wait` seconds for the bridge to have carried them out."""
    deadline = time.monotonic() + wait
    while True:
        commands = list(SwitchCommand.objects.filter(pk__in=ids).order_by("pk"))
        late = time.monotonic() >= deadline
        if late or not any(command.status in UNSENT for command in commands):
            return [command_payload(command) for command in commands]
        # A pool has few connections: whoever waits must not keep one from the bridge and the others.
        if not connection.in_atomic_block:
            connection.close()
        time.sleep(LOOK_EVERY)


def api_token_payload(token: ApiToken) -> dict[str, Any]:
    """A token as its owner sees it; the secret is not kept."""
    return {
        "id": token.pk,
        "name": token.name,
        "prefix": token.prefix,
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat() if token.expires_at else None,
        "last_used_at": token.last_used_at.isoformat() if token.last_used_at else None,
    }
