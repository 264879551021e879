"""Agents and the append-only log of everything that became of them."""

import uuid

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from callcenter.validators import (
    validate_dial_string,
    validate_number,
    validate_printable,
    validate_switch_name,
)

from .state import Standing, State, Sub, Target

DAY = MaxValueValidator(86400)


def default_acw_seconds() -> int:
    """The installation's length of after-call work."""
    return int(settings.ACW_SECONDS)


class Agent(models.Model):
    """A person who takes calls.

    `name` is what the switch knows and never changes; `display_name` is free to change.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    name = models.CharField(
        _("name at the switch"), max_length=64, unique=True, validators=[validate_switch_name]
    )
    display_name = models.CharField(_("name"), max_length=100, blank=True, validators=[validate_printable])
    extension = models.CharField(_("extension"), max_length=32, blank=True, validators=[validate_number])
    contact = models.CharField(
        _("dial string"), max_length=255, blank=True, validators=[validate_dial_string]
    )
    node = models.CharField(_("node"), max_length=64, default="default", validators=[validate_switch_name])
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        verbose_name=_("user"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="agent",
    )
    acw_seconds = models.PositiveIntegerField(
        _("after-call work, seconds"), default=default_acw_seconds, validators=[DAY]
    )
    max_missed = models.PositiveIntegerField(
        _("missed calls before away, 0 = never"), default=3, validators=[MaxValueValidator(1000)]
    )
    reject_delay = models.PositiveIntegerField(
        _("pause after a rejected call, seconds"), default=5, validators=[DAY]
    )
    busy_delay = models.PositiveIntegerField(
        _("pause after a busy phone, seconds"), default=10, validators=[DAY]
    )
    no_answer_delay = models.PositiveIntegerField(
        _("pause after a missed call, seconds"), default=5, validators=[DAY]
    )
    created_at = models.DateTimeField(auto_now_add=True)

    state = models.CharField(max_length=8, choices=[(s, s) for s in State], default=State.LOGOUT)
    sub_state = models.CharField(max_length=12, blank=True, choices=[(s, s) for s in Sub if s])
    reason = models.CharField(max_length=80, blank=True)
    state_since = models.DateTimeField()
    next_state = models.CharField(max_length=8, blank=True)
    next_sub_state = models.CharField(max_length=12, blank=True)
    next_reason = models.CharField(max_length=80, blank=True)
    resume_state = models.CharField(max_length=8, blank=True)
    resume_sub_state = models.CharField(max_length=12, blank=True)
    resume_reason = models.CharField(max_length=80, blank=True)
    acw_deadline = models.DateTimeField(null=True, blank=True)
    missed_count = models.PositiveIntegerField(default=0)
    parked = models.BooleanField(default=False, help_text=_("The switch gives no call until told to."))
    call_id = models.UUIDField(null=True, blank=True)
    signed_in_extension = models.CharField(max_length=32, blank=True, validators=[validate_number])
    signed_in_queues = models.JSONField(default=list, blank=True)
    revision = models.BigIntegerField(default=1)

    class Meta:
        ordering = ["name"]
        indexes = [
            models.Index(
                fields=["acw_deadline"], name="agent_acw_due", condition=models.Q(acw_deadline__isnull=False)
            ),
            models.Index(fields=["extension"], name="agent_extension"),
        ]

    def __str__(self) -> str:
        return self.display_name or self.name

    @property
    def standing(self) -> Standing:
        """The agent's situation, in the state machine's own terms."""
        return Standing(
            State(self.state),
            Sub(self.sub_state),
            self.reason,
            next=_target(self.next_state, self.next_sub_state, self.next_reason),
            resume=_target(self.resume_state, self.resume_sub_state, self.resume_reason),
        )

    def stand(self, standing: Standing) -> None:
        """Take over a situation that the state machine decided on; the caller saves."""
        self.state, self.sub_state, self.reason = standing.state, standing.sub, standing.reason
        coming = standing.next
        self.next_state = coming.state if coming else ""
        self.next_sub_state = coming.sub if coming else ""
        self.next_reason = coming.reason if coming else ""
        back = standing.resume
        self.resume_state = back.state if back else ""
        self.resume_sub_state = back.sub if back else ""
        self.resume_reason = back.reason if back else ""


def _target(state: str, sub: str, reason: str) -> Target | None:
    return Target(State(state), Sub(sub), reason) if state else None


class AgentTransition(models.Model):
    """One change of one agent: history, audit trail and source of the statistics. Never changed."""

    # The history outlives the agent's record: then the name alone tells whose it is.
    agent = models.ForeignKey(Agent, null=True, on_delete=models.SET_NULL, related_name="transitions")
    agent_name = models.CharField(max_length=64)
    at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True)
    old_state = models.CharField(max_length=8)
    old_sub_state = models.CharField(max_length=12, blank=True)
    new_state = models.CharField(max_length=8)
    new_sub_state = models.CharField(max_length=12, blank=True)
    reason = models.CharField(max_length=80, blank=True)
    trigger = models.CharField(max_length=24, help_text=_("The command or fact that led here."))
    cause = models.CharField(max_length=16)
    actor = models.CharField(max_length=150, blank=True)
    call_id = models.UUIDField(null=True, blank=True)
    reconciled = models.BooleanField(default=False)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["agent", "at"], name="transition_by_agent")]
