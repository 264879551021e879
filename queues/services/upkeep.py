"""What the bridge sees to from time to time."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.db.models import F
from django.utils import timezone

from callcenter.events import By, Cause, unit_of_work
from callcenter.models import SwitchCommand
from callcenter.services import switch_command_add
from callcenter.switch import HangUp

from ..models import Leg, Offer
from ..selectors import queue_stats
from ..state import OfferOutcome

SILENT_AFTER = timedelta(milliseconds=500)


def queue_stats_publish(*, queue_ids: Iterable[uuid.UUID]) -> None:
    """Tell the live figures of these queues."""
    now = timezone.now()
    with unit_of_work() as unit:
        for stats in queue_stats(queue_ids):
            unit.publish("queue.stats_changed", data=stats, by=By(Cause.SWITCH), at=now)


def silent_legs_hang_up(*, node: str, now: datetime) -> int:
    """Hang up agents' phones that answered a call which another agent got; how many.

    When a second phone answers in the instant a ring-all race is lost, the switch leaves that leg up in
    silence and offers the agent another call (seen in the recording of a busy hour).
    """
    legs = Leg.objects.filter(
        role=Leg.Role.AGENT,
        call__node=node,
        ended_at__isnull=True,
        answered_at__lte=now - SILENT_AFTER,
        call__answered_at__isnull=False,
    ).exclude(channel_uuid=F("call__agent_leg"))
    count = 0
    for leg in legs:
        lost = Offer.objects.filter(leg=leg.channel_uuid).exclude(
            outcome__in=(OfferOutcome.PENDING, OfferOutcome.ANSWERED)
        )
        key = f"channel:{leg.channel_uuid}"
        if lost.exists() and not SwitchCommand.objects.filter(key=key).exists():
            order = HangUp(channel=leg.channel_uuid, cause="LOSE_RACE")
            switch_command_add(order=order, key=key, by=By(Cause.TIMER), node=node)
            count += 1
    return count
