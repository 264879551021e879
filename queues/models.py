"""Queues, tiers, calls and offers, and the append-only log of calls."""

import uuid
from datetime import datetime

from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from callcenter.validators import validate_printable, validate_switch_name

from .state import LIVE_STATES, CallState, OfferOutcome, Outcome

DAY = MaxValueValidator(86400)


class Strategy(models.TextChoices):
    LONGEST_IDLE = "longest-idle-agent", _("longest idle agent")
    LEAST_TALK = "agent-with-least-talk-time", _("agent with least talk time")
    FEWEST_CALLS = "agent-with-fewest-calls", _("agent with fewest calls")
    SEQUENTIAL = "sequentially-by-agent-order", _("sequentially by agent order")
    RANDOM = "random", _("random")
    ROUND_ROBIN = "round-robin", _("round robin")
    TOP_DOWN = "top-down", _("top down")
    RING_ALL = "ring-all", _("ring all")
    RING_PROGRESSIVELY = "ring-progressively", _("ring progressively")


class TimeBase(models.TextChoices):
    QUEUE = "queue", _("time in the queue")
    SYSTEM = "system", _("time in the system")


class Queue(models.Model):
    """Where callers wait. `name` is what the switch knows and never changes. Times in seconds."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(
        _("name at the switch"), max_length=64, unique=True, validators=[validate_switch_name]
    )
    display_name = models.CharField(_("name"), max_length=100, blank=True, validators=[validate_printable])
    node = models.CharField(_("node"), max_length=64, default="default", validators=[validate_switch_name])
    strategy = models.CharField(
        _("strategy"), max_length=40, choices=Strategy.choices, default=Strategy.LONGEST_IDLE
    )
    moh_sound = models.CharField(
        _("music on hold"),
        max_length=255,
        blank=True,
        default="local_stream://moh",
        validators=[validate_printable],
    )
    announce_sound = models.CharField(
        _("announcement"), max_length=255, blank=True, validators=[validate_printable]
    )
    announce_frequency = models.PositiveIntegerField(_("announcement every"), default=0, validators=[DAY])
    record_template = models.CharField(
        _("recording file"), max_length=255, blank=True, validators=[validate_printable]
    )
    time_base_score = models.CharField(
        _("priority counts"), max_length=8, choices=TimeBase.choices, default=TimeBase.QUEUE
    )
    tier_rules_apply = models.BooleanField(_("tier rules apply"), default=False)
    tier_rule_wait_second = models.PositiveIntegerField(_("wait per tier level"), default=0, validators=[DAY])
    tier_rule_wait_multiply_level = models.BooleanField(_("multiply the wait by the level"), default=False)
    tier_rule_no_agent_no_wait = models.BooleanField(_("skip tiers without agents"), default=True)
    discard_abandoned_after = models.PositiveIntegerField(
        _("keep the place of an abandoned call"), default=60, validators=[DAY]
    )
    abandoned_resume_allowed = models.BooleanField(_("a caller may resume the place"), default=False)
    max_wait_time = models.PositiveIntegerField(_("longest wait, 0 = no limit"), default=0, validators=[DAY])
    max_wait_time_with_no_agent = models.PositiveIntegerField(
        _("longest wait without agents, 0 = no limit"), default=0, validators=[DAY]
    )
    max_wait_time_with_no_agent_time_reached = models.PositiveIntegerField(
        _("grace for a new caller without agents"), default=5, validators=[DAY]
    )
    ring_progressively_delay = models.PositiveIntegerField(
        _("one more agent every"), default=10, validators=[DAY]
    )
    service_level_seconds = models.PositiveIntegerField(
        _("service level, answered within"), default=20, validators=[DAY]
    )
    created_at = models.DateTimeField(auto_now_add=True)
    revision = models.BigIntegerField(default=1)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.display_name or self.name


class Tier(models.Model):
    """An agent's place in a queue: lower levels first, then lower positions.

    `active` is false while the agent is signed in to other queues only.
    """

    queue = models.ForeignKey(Queue, verbose_name=_("queue"), on_delete=models.CASCADE, related_name="tiers")
    agent = models.ForeignKey(Agent, verbose_name=_("agent"), on_delete=models.CASCADE, related_name="tiers")
    level = models.PositiveIntegerField(_("level"), default=1, validators=[MaxValueValidator(1000)])
    position = models.PositiveIntegerField(_("position"), default=1, validators=[MaxValueValidator(1000)])
    active = models.BooleanField(default=True)
    revision = models.BigIntegerField(default=1)

    class Meta:
        ordering = ["queue", "level", "position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["queue", "agent"], name="one_tier_per_queue_and_agent")
        ]

    def __str__(self) -> str:
        return f"{self.agent} @ {self.queue} {self.level}/{self.position}"


class Call(models.Model):
    """A queue entry with all that became of it, or a call outside queues.

    `queued_at` to `left_queue_at` is the time in the queue; `ended_at` is when the caller's channel
    went. `talk_ms` is the time with the answering agent from the bridge to the first of the two to
    leave, without `hold_ms`.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    node = models.CharField(max_length=64)
    queue = models.ForeignKey(Queue, null=True, blank=True, on_delete=models.SET_NULL, related_name="calls")
    queue_name = models.CharField(max_length=64, blank=True)
    member_uuid = models.CharField(max_length=64, blank=True, db_index=True)
    channel_uuid = models.CharField(max_length=64, db_index=True)
    caller_number = models.CharField(max_length=64, blank=True)
    caller_name = models.CharField(max_length=128, blank=True)
    destination = models.CharField(max_length=128, blank=True)
    state = models.CharField(max_length=12, choices=[(s, s) for s in CallState])
    outcome = models.CharField(max_length=12, blank=True, choices=[(o, o) for o in Outcome if o])
    abandoned_while = models.CharField(max_length=8, blank=True)
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="calls")
    agent_name = models.CharField(max_length=64, blank=True)
    agent_leg = models.CharField(max_length=64, blank=True)
    partner_leg = models.CharField(max_length=64, blank=True)
    started_at = models.DateTimeField()
    queued_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    bridged_at = models.DateTimeField(null=True, blank=True)
    held_at = models.DateTimeField(null=True, blank=True)
    released_at = models.DateTimeField(null=True, blank=True)
    left_queue_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    hold_ms = models.BigIntegerField(default=0)
    end_cause = models.CharField(max_length=48, blank=True)
    hung_up_by = models.CharField(max_length=8, blank=True)
    first_down = models.CharField(max_length=8, blank=True)
    reconciled = models.BooleanField(default=False)
    revision = models.BigIntegerField(default=1)

    class Meta:
        ordering = ["-started_at", "-id"]
        indexes = [
            models.Index(fields=["state"], name="call_live", condition=models.Q(state__in=LIVE_STATES)),
            models.Index(fields=["queue", "queued_at"], name="call_by_queue"),
            models.Index(fields=["started_at", "id"], name="call_by_start"),
            models.Index(fields=["agent_leg"], name="call_by_agent_leg", condition=~models.Q(agent_leg="")),
        ]

    @property
    def wait_ms(self) -> int | None:
        """Time in the queue until the agent answered or the entry ended; None while it lasts."""
        until = self.answered_at or self.left_queue_at
        return _span_ms(self.queued_at, until)

    @property
    def talk_ms(self) -> int | None:
        """Time with the answering agent without hold; None if there was none or it lasts."""
        talked = _span_ms(self.bridged_at, self.released_at or self.ended_at)
        return None if talked is None else max(0, talked - self.hold_ms)


def _span_ms(start: datetime | None, end: datetime | None) -> int | None:
    if start is None or end is None:
        return None
    return max(0, round((end - start).total_seconds() * 1000))


class Leg(models.Model):
    """A channel of a call: the caller's, an agent's, or a third party's."""

    class Role(models.TextChoices):
        CALLER = "caller", _("caller")
        AGENT = "agent", _("agent")
        OTHER = "other", _("other")

    channel_uuid = models.CharField(max_length=64, db_index=True)
    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="legs")
    role = models.CharField(max_length=8, choices=Role.choices)
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="legs")
    number = models.CharField(max_length=128, blank=True)
    created_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    cause = models.CharField(max_length=48, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["call"], name="leg_live", condition=models.Q(ended_at__isnull=True)),
        ]


class Offer(models.Model):
    """One offer of one call to one agent."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="offers")
    agent = models.ForeignKey(Agent, null=True, on_delete=models.SET_NULL, related_name="offers")
    agent_name = models.CharField(max_length=64)
    leg = models.CharField(max_length=64, blank=True)
    offered_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    outcome = models.CharField(max_length=12, blank=True, choices=[(o, o) for o in OfferOutcome if o])
    cause = models.CharField(max_length=48, blank=True)
    reconciled = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["agent"], name="offer_open", condition=models.Q(outcome="")),
            models.Index(fields=["agent", "offered_at"], name="offer_by_agent"),
        ]


class CallTransition(models.Model):
    """One change of one call. Never changed."""

    call = models.ForeignKey(Call, on_delete=models.CASCADE, related_name="transitions")
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)
    old_state = models.CharField(max_length=12, blank=True)
    new_state = models.CharField(max_length=12)
    trigger = models.CharField(max_length=24)
    outcome = models.CharField(max_length=12, blank=True)
    detail = models.CharField(max_length=128, blank=True)
    agent = models.ForeignKey(Agent, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    cause = models.CharField(max_length=16)
    actor = models.CharField(max_length=150, blank=True)
    reconciled = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["call", "at"], name="call_transition_by_call")]
