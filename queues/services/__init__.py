"""The one door for changes to queues, tiers and calls."""

from .config import (
    agent_sign_in,
    queue_adopt,
    queue_create,
    queue_delete,
    queue_update,
    tier_adopt,
    tier_create,
    tier_delete,
    tier_update,
)
from .facts import facts_apply
from .reconcile import reconcile_begin, reconcile_settle, reconcile_take
from .upkeep import queue_stats_publish, silent_legs_hang_up

__all__ = [
    "agent_sign_in",
    "facts_apply",
    "queue_adopt",
    "queue_create",
    "queue_delete",
    "queue_stats_publish",
    "queue_update",
    "reconcile_begin",
    "reconcile_settle",
    "reconcile_take",
    "silent_legs_hang_up",
    "tier_adopt",
    "tier_create",
    "tier_delete",
    "tier_update",
]
