"""The kernel's rows: the event log, orders to the switch, API tokens."""

import uuid

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


class EventCounter(models.Model):
    """One row. Whoever publishes takes its numbers under this row's lock as the last act of a
    transaction, so numbers have no gaps and are in the order of the commits."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField(default=0)


class Event(models.Model):
    """What was told to the world: the stream that clients resume from."""

    seq = models.BigIntegerField(primary_key=True)
    id = models.UUIDField(default=uuid.uuid4, editable=False)
    type = models.CharField(max_length=40)
    v = models.PositiveSmallIntegerField(default=1)
    revision = models.BigIntegerField(default=0)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(auto_now_add=True, db_index=True)
    cause = models.CharField(max_length=16)
    actor = models.CharField(max_length=150, blank=True)
    agents = models.JSONField(default=list)
    data = models.JSONField()

    class Meta:
        ordering = ["seq"]


class SwitchCommand(models.Model):
    """An order to the switch, written in the transaction that wants it and sent by the bridge."""

    class Status(models.TextChoices):
        PENDING = "pending", _("pending")
        SENT = "sent", _("sent")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        SUPERSEDED = "superseded", _("superseded")

    node = models.CharField(max_length=64)
    kind = models.CharField(max_length=32)
    key = models.CharField(max_length=160, help_text=_("The object that the order is about."))
    payload = models.JSONField(default=dict)
    status = models.CharField(max_length=12, choices=Status.choices, default=Status.PENDING)
    answer = models.TextField(blank=True, help_text=_("What the switch answered."))
    cause = models.CharField(max_length=16)
    actor = models.CharField(max_length=150, blank=True)
    created_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(
                fields=["node", "id"],
                name="command_unsent",
                condition=models.Q(status__in=["pending", "sent"]),
            ),
            models.Index(fields=["key", "-id"], name="command_by_key"),
        ]


class SwitchNode(models.Model):
    """One FreeSWITCH as the bridge sees it."""

    name = models.CharField(max_length=64, primary_key=True)
    connected = models.BooleanField(default=False)
    since = models.DateTimeField()
    core_uuid = models.CharField(max_length=64, blank=True)
    detail = models.CharField(max_length=200, blank=True)
    reconciled_at = models.DateTimeField(null=True, blank=True)
    revision = models.BigIntegerField(default=1)


class ApiToken(models.Model):
    """A bearer token of a user. Only its digest is kept; the prefix tells tokens apart in lists."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=80)
    prefix = models.CharField(max_length=12)
    digest = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"
