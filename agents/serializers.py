"""Bodies about agents, and the shape of an agent in the API."""

from __future__ import annotations

from rest_framework import serializers

from callcenter.serializers import (
    CAUSES,
    Answer,
    Body,
    ModelBody,
    StrictChoice,
    StrictInteger,
    StrictString,
    SwitchCommandAnswer,
    Username,
    choices_of,
)
from callcenter.validators import validate_printable, validate_switch_name

from .models import Agent
from .services import MAX_ACW_SECONDS
from .state import UNREADY_SUBS, Input, State, Sub

STATES = choices_of(State)
SUB_STATES = choices_of(Sub)
UNREADY_SUB_STATES = choices_of(UNREADY_SUBS)


# --- bodies ------------------------------------------------------------------------------------------


class AgentBody(ModelBody):
    """An agent. Without a `contact`, the dial string is made from the `extension`."""

    user = Username(required=False, allow_null=True, help_text="The user name that the agent signs in with.")

    class Meta:
        model = Agent
        fields = (
            "name",
            "display_name",
            "extension",
            "contact",
            "user",
            "acw_seconds",
            "max_missed",
            "reject_delay",
            "busy_delay",
            "no_answer_delay",
        )
        # That a name is taken is a conflict, which the service tells.
        extra_kwargs: dict[str, dict[str, object]] = {"name": {"validators": [validate_switch_name]}}


class AgentChange(AgentBody):
    """An agent's record; `name` may be repeated but never changes."""

    class Meta(AgentBody.Meta):
        extra_kwargs = {"name": {"validators": [validate_switch_name], "required": False}}


class Nothing(Body):
    """A command that needs no more than its address."""


class UnreadyBody(Body):
    """Why the agent takes no calls."""

    sub_state = StrictChoice(choices=UNREADY_SUB_STATES, default=str(Sub.BREAK))
    reason = StrictString(max_length=80, allow_blank=True, default="", validators=[validate_printable])


class ExtendBody(Body):
    """More time for after-call work."""

    seconds = StrictInteger(min_value=1, max_value=MAX_ACW_SECONDS)


# --- answers -----------------------------------------------------------------------------------------


class NextStateAnswer(Answer):
    """The state asked for after the call."""

    state = serializers.ChoiceField(choices=STATES)
    sub_state = serializers.ChoiceField(choices=UNREADY_SUB_STATES, allow_null=True)
    reason = serializers.CharField(allow_null=True)


class AgentAnswer(Answer):
    """An agent: where it stands, and its record. Times of day in UTC, delays in seconds."""

    id = serializers.UUIDField()
    name = serializers.CharField()
    display_name = serializers.CharField()
    extension = serializers.CharField(
        allow_blank=True, help_text="Where the agent sits now: the one signed in with, else the record's."
    )
    node = serializers.CharField()
    state = serializers.ChoiceField(choices=STATES)
    sub_state = serializers.ChoiceField(choices=SUB_STATES, allow_null=True)
    reason = serializers.CharField(allow_null=True)
    state_since = serializers.DateTimeField()
    next_state = NextStateAnswer(allow_null=True)
    acw_deadline = serializers.DateTimeField(allow_null=True)
    queues = serializers.ListField(
        child=serializers.CharField(), help_text="Names of the queues signed in to."
    )
    call = serializers.UUIDField(allow_null=True)
    missed_calls = serializers.IntegerField()
    revision = serializers.IntegerField()
    own_extension = serializers.CharField(allow_blank=True, help_text="The extension of the record.")
    contact = serializers.CharField(allow_blank=True)
    user = serializers.CharField(allow_null=True)
    acw_seconds = serializers.IntegerField()
    max_missed = serializers.IntegerField()
    reject_delay = serializers.IntegerField()
    busy_delay = serializers.IntegerField()
    no_answer_delay = serializers.IntegerField()
    created_at = serializers.DateTimeField()
    switch = SwitchCommandAnswer(
        many=True, required=False, help_text="After a change: what it ordered from the switch."
    )


class AgentTransitionAnswer(Answer):
    """One change of an agent."""

    id = serializers.IntegerField()
    at = serializers.DateTimeField()
    old_state = serializers.ChoiceField(choices=STATES)
    old_sub_state = serializers.ChoiceField(choices=SUB_STATES, allow_null=True)
    new_state = serializers.ChoiceField(choices=STATES)
    new_sub_state = serializers.ChoiceField(choices=SUB_STATES, allow_null=True)
    reason = serializers.CharField(allow_null=True)
    trigger = serializers.ChoiceField(choices=choices_of(Input))
    cause = serializers.ChoiceField(choices=CAUSES)
    actor = serializers.CharField(allow_blank=True)
    call = serializers.UUIDField(allow_null=True)
    reconciled = serializers.BooleanField()
