"""Queues and tiers: every change here reaches the switch in the same transaction's orders."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from agents.models import Agent
from agents.services import agent_login
from callcenter.errors import Conflict, InvalidInput, NotFound, StaleVersion
from callcenter.events import By, UnitOfWork, unit_of_work
from callcenter.services import switch_command_add
from callcenter.switch import ConfigureQueue, ConfigureTier, RemoveQueue, RemoveTier
from callcenter.validators import check_fields

from ..models import Queue, Tier
from ..selectors import QUEUE_FIELDS, queue_payload, tier_payload

QUEUE_EDITABLE = frozenset(QUEUE_FIELDS) - {"name", "node", "revision"}
# These are ours alone: the switch need not hear of them.
QUEUE_OURS = frozenset({"display_name", "service_level_seconds"})


def queue_create(*, name: str, by: By, **fields: Any) -> Queue:
    """Make a queue, here and at the switch. Raises InvalidInput, Conflict `queue_exists`."""
    queue = Queue(name=name, node=settings.SWITCH_NODE)
    _take(queue, fields, QUEUE_EDITABLE)
    with unit_of_work() as unit:
        _insert(queue, Conflict("A queue of this name exists.", code="queue_exists"))
        unit.publish("queue.created", data=queue_payload(queue), by=by, at=timezone.now(), revision=1)
        _order_queue(queue, by)
    return queue


def queue_update(*, queue_id: uuid.UUID, by: By, revision: int | None = None, **fields: Any) -> Queue:
    """Change a queue. Raises InvalidInput, NotFound, StaleVersion."""
    with unit_of_work() as unit:
        queue = _queue_locked(queue_id, revision)
        changed = {f for f, value in fields.items() if getattr(queue, f, None) != value}
        _take(queue, fields, QUEUE_EDITABLE)
        if changed:
            _save(queue)
            unit.publish(
                "queue.updated",
                data=queue_payload(queue),
                by=by,
                at=timezone.now(),
                revision=queue.revision,
                agents=queue.tiers.values_list("agent_id", flat=True),
            )
        if changed - QUEUE_OURS:
            _order_queue(queue, by)
    return queue


def queue_delete(*, queue_id: uuid.UUID, by: By, revision: int | None = None) -> None:
    """Remove a queue and its tiers. Raises NotFound, StaleVersion, Conflict `queue_in_use`."""
    with unit_of_work() as unit:
        queue = _queue_locked(queue_id, revision)
        if queue.calls.filter(left_queue_at__isnull=True, ended_at__isnull=True).exists():
            raise Conflict("Callers are in this queue.", code="queue_in_use")
        tiers = list(Tier.objects.select_related("agent", "queue").filter(queue=queue))
        for tier in tiers:
            _tier_remove(unit, tier, by)
        data = queue_payload(queue) | {"revision": queue.revision + 1}
        switch_command_add(
            order=RemoveQueue(queue=queue.name), key=f"queue:{queue.name}", by=by, node=queue.node
        )
        queue.delete()
        unit.publish(
            "queue.deleted",
            data=data,
            by=by,
            at=timezone.now(),
            revision=data["revision"],
            agents=[tier.agent_id for tier in tiers],
        )


def queue_adopt(*, name: str, by: By, node: str = "") -> Queue:
    """A queue that is known at the switch only, made known here."""
    with unit_of_work() as unit:
        queue = Queue.objects.create(name=name, node=node or settings.SWITCH_NODE)
        unit.publish("queue.created", data=queue_payload(queue), by=by, at=timezone.now(), revision=1)
    return queue


def tier_create(
    *, queue_id: uuid.UUID, agent_id: uuid.UUID, by: By, level: int = 1, position: int = 1
) -> Tier:
    """Put an agent into a queue. Raises InvalidInput, NotFound, Conflict `tier_exists`."""
    with unit_of_work() as unit:
        queue = _queue_locked(queue_id, None)
        agent = Agent.objects.filter(pk=agent_id).first()
        if agent is None:
            raise NotFound(code="agent_not_found")
        tier = Tier(queue=queue, agent=agent)
        _take(tier, {"level": level, "position": position}, frozenset({"level", "position"}))
        _insert(tier, Conflict("The agent is in this queue.", code="tier_exists"))
        _tell_tier(unit, "tier.created", tier, by)
        tier_order(tier=tier, by=by)
    return tier


def tier_update(*, tier_id: int, by: By, revision: int | None = None, **fields: Any) -> Tier:
    """Change level or position. Raises InvalidInput, NotFound, StaleVersion."""
    with unit_of_work() as unit:
        tier = _tier_locked(tier_id, revision)
        changed = any(getattr(tier, f, None) != value for f, value in fields.items())
        _take(tier, fields, frozenset({"level", "position"}))
        if changed:
            _save(tier)
            _tell_tier(unit, "tier.updated", tier, by)
            if tier.active:
                tier_order(tier=tier, by=by)
    return tier


def tier_delete(*, tier_id: int, by: By, revision: int | None = None) -> None:
    """Take an agent out of a queue; a call that is on is not touched. Raises NotFound, StaleVersion."""
    with unit_of_work() as unit:
        _tier_remove(unit, _tier_locked(tier_id, revision), by)


def tier_adopt(*, queue: Queue, agent: Agent, level: int, position: int, by: By) -> Tier:
    """A tier that the switch has, made known here. A tier we have keeps its place in our record."""
    with unit_of_work() as unit:
        tier, made = Tier.objects.get_or_create(
            queue=queue, agent=agent, defaults={"level": level, "position": position}
        )
        if made:
            _tell_tier(unit, "tier.created", tier, by)
    return tier


def agent_sign_in(
    *, agent_id: uuid.UUID, by: By, extension: str = "", queues: Sequence[str] | None = None
) -> Agent:
    """Sign an agent in to some of its queues (default: all), by name.

    The tiers of the other queues rest until the next sign-in. Raises InvalidInput for a queue that the
    agent is not in, NotFound.
    """
    with unit_of_work() as unit:
        # Locked: saving writes the whole row, and a change of level or position may be under way.
        tiers = list(_tiers_locked().filter(agent_id=agent_id).order_by("id"))
        mine = {t.queue.name for t in tiers}
        wanted = mine if queues is None else set(queues)
        if wanted - mine:
            raise InvalidInput(
                "Not a queue of this agent.", fields={"queues": sorted(wanted - mine)}, code="not_in_queue"
            )
        agent = agent_login(
            agent_id=agent_id,
            by=by,
            extension=extension,
            queues=[t.queue.name for t in tiers if t.queue.name in wanted],
        )
        for tier in tiers:
            _tier_activate(unit, tier, tier.queue.name in agent.signed_in_queues, by)
    return agent


def _tier_activate(unit: UnitOfWork, tier: Tier, active: bool, by: By) -> None:
    if tier.active == active:
        return
    tier.active = active
    _save(tier)
    _tell_tier(unit, "tier.updated", tier, by)
    if active:
        tier_order(tier=tier, by=by)
    else:
        _order_tier_removal(tier, by)


def _tier_remove(unit: UnitOfWork, tier: Tier, by: By) -> None:
    _order_tier_removal(tier, by)
    tier.revision += 1
    _tell_tier(unit, "tier.deleted", tier, by)
    tier.delete()


def _order_queue(queue: Queue, by: By) -> None:
    order = ConfigureQueue(queue=queue.name)
    switch_command_add(order=order, key=f"queue:{queue.name}", by=by, node=queue.node)


def tier_order(*, tier: Tier, by: By) -> None:
    """Have the switch hold this tier."""
    order = ConfigureTier(
        queue=tier.queue.name, agent=tier.agent.name, level=tier.level, position=tier.position
    )
    switch_command_add(order=order, key=_tier_key(tier), by=by, node=tier.queue.node)


def _order_tier_removal(tier: Tier, by: By) -> None:
    order = RemoveTier(queue=tier.queue.name, agent=tier.agent.name)
    switch_command_add(order=order, key=_tier_key(tier), by=by, node=tier.queue.node)


def _tier_key(tier: Tier) -> str:
    return f"tier:{tier.queue.name}:{tier.agent.name}"


def _tell_tier(unit: UnitOfWork, type: str, tier: Tier, by: By) -> None:
    unit.publish(
        type,
        data=tier_payload(tier),
        by=by,
        at=timezone.now(),
        revision=tier.revision,
        agents=[tier.agent_id],
    )


def _queue_locked(queue_id: uuid.UUID, revision: int | None) -> Queue:
    queue = Queue.objects.select_for_update().filter(pk=queue_id).first()
    if queue is None:
        raise NotFound(code="queue_not_found")
    _check_revision(queue, revision)
    return queue


def _tiers_locked() -> QuerySet[Tier]:
    return Tier.objects.select_for_update(of=("self",)).select_related("queue", "agent")


def _tier_locked(tier_id: int, revision: int | None) -> Tier:
    tier = _tiers_locked().filter(pk=tier_id).first()
    if tier is None:
        raise NotFound(code="tier_not_found")
    _check_revision(tier, revision)
    return tier


def _check_revision(row: Queue | Tier, revision: int | None) -> None:
    if revision is not None and revision != row.revision:
        raise StaleVersion(f"It is at revision {row.revision}.")


def _take(row: Queue | Tier, fields: dict[str, Any], editable: frozenset[str]) -> None:
    check_fields(type(row), fields, editable)
    for field, value in fields.items():
        setattr(row, field, value)
    try:
        row.full_clean(validate_unique=False, validate_constraints=False)
    except ValidationError as bad:
        raise InvalidInput("Not valid.", fields=bad.message_dict) from bad


def _insert(row: Queue | Tier, taken: Conflict) -> None:
    """Another may make the same at the same time: the database decides."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as twice:
        raise taken from twice


def _save(row: Queue | Tier) -> None:
    row.revision += 1
    row.save()
