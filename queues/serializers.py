"""Bodies about queues and tiers, and the shapes of queues, tiers and calls in the API."""

from __future__ import annotations

from rest_framework import serializers

from callcenter.serializers import (
    CAUSES,
    Answer,
    Body,
    ModelBody,
    StrictString,
    StrictUUID,
    SwitchCommandAnswer,
    choices_of,
)
from callcenter.validators import validate_number, validate_switch_name

from .models import Leg, Queue, Strategy, Tier, TimeBase
from .selectors import QUEUE_FIELDS
from .state import CallInput, CallState, OfferOutcome, Outcome

CALL_STATES = choices_of(CallState)
OUTCOMES = choices_of(Outcome)
OFFER_OUTCOMES = choices_of(OfferOutcome)
# A call's first row is no change of a state.
TRIGGERS = choices_of(["started", *CallInput])
ORDERED = "After a change: what it ordered from the switch."


# --- bodies ------------------------------------------------------------------------------------------


class QueueBody(ModelBody):
    """A queue. Times in seconds."""

    class Meta:
        model = Queue
        fields = tuple(name for name in QUEUE_FIELDS if name not in ("node", "revision"))
        extra_kwargs: dict[str, dict[str, object]] = {"name": {"validators": [validate_switch_name]}}


class QueueChange(QueueBody):
    """A queue's settings; `name` may be repeated but never changes."""

    class Meta(QueueBody.Meta):
        extra_kwargs = {"name": {"validators": [validate_switch_name], "required": False}}


class TierBody(ModelBody):
    """An agent's place in a queue: lower levels first, then lower positions."""

    queue = StrictUUID()
    agent = StrictUUID()

    class Meta:
        model = Tier
        fields = ("queue", "agent", "level", "position")
        # That the agent is in the queue already is a conflict, which the service tells.
        validators: list[object] = []


class TierChange(TierBody):
    """Another level or position; `queue` and `agent` may be repeated but never change."""

    queue = StrictUUID(required=False)
    agent = StrictUUID(required=False)


class LoginBody(Body):
    """Where the agent sits, and the names of the queues to sign in to; without them, all of the agent's."""

    extension = StrictString(max_length=32, allow_blank=True, required=False, validators=[validate_number])
    queues = serializers.ListField(
        child=StrictString(max_length=64), max_length=1000, allow_null=True, required=False
    )


# --- answers -----------------------------------------------------------------------------------------


class QueueAnswer(serializers.ModelSerializer[Queue]):
    """A queue. Times in seconds."""

    switch = SwitchCommandAnswer(many=True, required=False, help_text=ORDERED)
    strategy = serializers.ChoiceField(choices=Strategy.choices)
    time_base_score = serializers.ChoiceField(choices=TimeBase.choices)

    class Meta:
        model = Queue
        fields = ("id", *QUEUE_FIELDS, "switch")
        read_only_fields = tuple(QUEUE_FIELDS)


class TierAnswer(Answer):
    """An agent's place in a queue. `active` is false while the agent is signed in to other queues only."""

    id = serializers.IntegerField()
    queue = serializers.UUIDField()
    agent = serializers.UUIDField()
    level = serializers.IntegerField()
    position = serializers.IntegerField()
    active = serializers.BooleanField()
    revision = serializers.IntegerField()
    switch = SwitchCommandAnswer(many=True, required=False, help_text=ORDERED)


class CallAnswer(Answer):
    """A queue entry with all that became of it, or a call outside queues. Lengths in milliseconds."""

    id = serializers.UUIDField()
    node = serializers.CharField()
    queue = serializers.UUIDField(allow_null=True)
    queue_name = serializers.CharField(allow_null=True)
    member_uuid = serializers.CharField(allow_null=True)
    channel_uuid = serializers.CharField()
    caller_number = serializers.CharField(allow_blank=True)
    caller_name = serializers.CharField(allow_blank=True)
    destination = serializers.CharField(allow_blank=True)
    state = serializers.ChoiceField(choices=CALL_STATES)
    outcome = serializers.ChoiceField(choices=OUTCOMES, allow_null=True)
    abandoned_while = serializers.ChoiceField(choices=choices_of(["waiting", "ringing"]), allow_null=True)
    agent = serializers.UUIDField(allow_null=True)
    agent_name = serializers.CharField(allow_null=True, help_text="Stays when the agent is deleted.")
    offered_to = serializers.ListField(
        child=serializers.UUIDField(), help_text="The agents whose phones ring now."
    )
    started_at = serializers.DateTimeField()
    queued_at = serializers.DateTimeField(allow_null=True)
    answered_at = serializers.DateTimeField(allow_null=True)
    released_at = serializers.DateTimeField(allow_null=True)
    left_queue_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    wait_ms = serializers.IntegerField(allow_null=True)
    talk_ms = serializers.IntegerField(allow_null=True)
    hold_ms = serializers.IntegerField()
    end_cause = serializers.CharField(allow_null=True)
    hung_up_by = serializers.ChoiceField(
        choices=choices_of(["caller", "agent", "other", "switch"]), allow_null=True
    )
    reconciled = serializers.BooleanField()
    revision = serializers.IntegerField()


class OfferAnswer(Answer):
    """One offer of a call to an agent."""

    agent = serializers.UUIDField(allow_null=True)
    agent_name = serializers.CharField()
    offered_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    outcome = serializers.ChoiceField(choices=OFFER_OUTCOMES, allow_null=True)
    cause = serializers.CharField(allow_null=True)
    reconciled = serializers.BooleanField()


class LegAnswer(Answer):
    """A channel of a call."""

    channel_uuid = serializers.CharField()
    role = serializers.ChoiceField(choices=Leg.Role.choices)
    agent = serializers.UUIDField(allow_null=True)
    number = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)
    ended_at = serializers.DateTimeField(allow_null=True)
    cause = serializers.CharField(allow_null=True)


class CallTransitionAnswer(Answer):
    """One change of a call."""

    at = serializers.DateTimeField()
    old_state = serializers.ChoiceField(choices=CALL_STATES, allow_null=True)
    new_state = serializers.ChoiceField(choices=CALL_STATES)
    trigger = serializers.ChoiceField(choices=TRIGGERS)
    outcome = serializers.ChoiceField(choices=OUTCOMES, allow_null=True)
    detail = serializers.CharField(allow_null=True)
    agent = serializers.UUIDField(allow_null=True)
    cause = serializers.ChoiceField(choices=CAUSES)
    actor = serializers.CharField(allow_blank=True)
    reconciled = serializers.BooleanField()


class CallDetailsAnswer(CallAnswer):
    """A call with its offers, its changes and its channels."""

    offers = OfferAnswer(many=True)
    transitions = CallTransitionAnswer(many=True)
    legs = LegAnswer(many=True)
