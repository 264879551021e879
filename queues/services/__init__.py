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

__all__ = [
    "agent_sign_in",
    "facts_apply",
    "queue_adopt",
    "queue_create",
    "queue_delete",
    "queue_update",
    "tier_adopt",
    "tier_create",
    "tier_delete",
    "tier_update",
]
