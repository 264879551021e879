"""Orders to the switch and API tokens: the kernel's writes."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils import timezone

from .errors import NotFound
from .events import By, Cause, unit_of_work
from .models import ApiToken, SwitchCommand, SwitchNode
from .switch import KIND_OF_ORDER, ORDERS, Order

if TYPE_CHECKING:
    from django.contrib.auth.models import User

UNSENT = (SwitchCommand.Status.PENDING, SwitchCommand.Status.SENT)


def switch_command_add(*, order: Order, key: str, by: By, node: str = "") -> SwitchCommand:
    """Write an order to the switch into the caller's transaction.

    An older order of the same kind about the same `key` that is not yet on its way is superseded: the
    switch is told where things stand, not how they got there.
    """
    node = node or settings.SWITCH_NODE
    kind = KIND_OF_ORDER[type(order)]
    with unit_of_work() as unit:
        SwitchCommand.objects.filter(
            node=node, kind=kind, key=key, status=SwitchCommand.Status.PENDING
        ).update(status=SwitchCommand.Status.SUPERSEDED, answered_at=timezone.now())
        command = SwitchCommand.objects.create(
            node=node,
            kind=kind,
            key=key,
            payload=asdict(order),
            cause=by.cause,
            actor=by.actor,
            created_at=timezone.now(),
        )
        unit.commands.append(command)
        unit.wakes_bridge = True
    return command


def switch_order_of(command: SwitchCommand) -> Order:
    """The order that a row holds."""
    return ORDERS[command.kind](**command.payload)


def switch_command_claim(*, node: str, limit: int = 50) -> list[SwitchCommand]:
    """The oldest unsent orders of a node, marked as on their way.

    One that a dead bridge left as `sent` is claimed again: orders are written so that doing one twice
    is doing it once.
    """
    with unit_of_work():
        found = list(
            SwitchCommand.objects.select_for_update()
            .filter(node=node, status__in=UNSENT)
            .order_by("id")[:limit]
        )
        ids = [c.pk for c in found]
        SwitchCommand.objects.filter(pk__in=ids).update(status=SwitchCommand.Status.SENT)
    return found


def switch_command_finish(*, command: SwitchCommand, ok: bool, answer: str) -> None:
    """Keep what the switch answered, and tell it: a refused order must be seen by whoever gave it."""
    with unit_of_work() as unit:
        command.status = SwitchCommand.Status.DONE if ok else SwitchCommand.Status.FAILED
        command.answer = answer[:2000]
        command.answered_at = timezone.now()
        command.save(update_fields=["status", "answer", "answered_at"])
        unit.publish(
            "command.done" if ok else "command.failed",
            data=command_payload(command),
            by=By(Cause(command.cause), command.actor),
            at=command.answered_at,
        )


def command_payload(command: SwitchCommand) -> dict[str, object]:
    """An order as clients see it."""
    return {
        "id": command.pk,
        "node": command.node,
        "kind": command.kind,
        "key": command.key,
        "status": command.status,
        "answer": command.answer,
        "cause": command.cause,
        "actor": command.actor,
        "created_at": command.created_at.isoformat(),
        "answered_at": command.answered_at.isoformat() if command.answered_at else None,
    }


def switch_node_report(*, name: str, connected: bool, core_uuid: str = "", detail: str = "") -> SwitchNode:
    """Keep, and tell, that the bridge found or lost a switch. The same again is no change."""
    now = timezone.now()
    with unit_of_work() as unit:
        node, made = SwitchNode.objects.select_for_update().get_or_create(
            name=name,
            defaults={"connected": connected, "since": now, "core_uuid": core_uuid, "detail": detail[:200]},
        )
        if not made:
            if (node.connected, node.detail) == (connected, detail[:200]) and core_uuid in (
                "",
                node.core_uuid,
            ):
                return node
            if node.connected != connected:
                node.since = now
            node.connected, node.detail = connected, detail[:200]
            node.core_uuid = core_uuid or node.core_uuid
            node.revision += 1
            node.save()
        unit.publish(
            "switch.connected" if connected else "switch.disconnected",
            data=switch_node_payload(node),
            by=By(Cause.SWITCH),
            at=now,
            revision=node.revision,
        )
    return node


def switch_node_reconciled(*, name: str, at: datetime) -> None:
    """Keep when this node's switch and our record were last compared."""
    SwitchNode.objects.filter(name=name).update(reconciled_at=at)


def switch_node_payload(node: SwitchNode) -> dict[str, object]:
    """A node as clients see it."""
    return {
        "node": node.name,
        "connected": node.connected,
        "since": node.since.isoformat(),
        "core_uuid": node.core_uuid or None,
        "detail": node.detail or None,
        "revision": node.revision,
    }


def api_token_create(*, user: User, name: str, lifetime: timedelta | None = None) -> tuple[ApiToken, str]:
    """A new token and its secret, which is shown this once and never stored."""
    secret = f"cc_{secrets.token_urlsafe(32)}"
    expires: datetime | None = timezone.now() + lifetime if lifetime else None
    token = ApiToken.objects.create(
        user=user, name=name, prefix=secret[:9], digest=token_digest(secret), expires_at=expires
    )
    return token, secret


def api_token_delete(*, user: User, token_id: int | str) -> None:
    """Revoke a token of this user. Raises NotFound `token_not_found`."""
    try:
        count, _ = ApiToken.objects.filter(user=user, pk=token_id).delete()
    except ValueError:
        count = 0
    if not count:
        raise NotFound(code="token_not_found")


def token_digest(secret: str) -> str:
    """Tokens are long random strings, so a plain SHA-256 is enough to keep them unreadable."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def switch_commands_prune(*, older_than: datetime, keep: Iterable[str] = UNSENT) -> int:
    """Forget answered orders from before `older_than`; how many."""
    return SwitchCommand.objects.filter(created_at__lt=older_than).exclude(status__in=keep).delete()[0]
