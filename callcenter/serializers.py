"""Bodies of requests, read strictly, and the shapes of the kernel's answers.

A serializer here never saves: bodies go to the services, answers come from the selectors. The classes for
answers describe them in the API's schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth.models import User
from django.db import models
from rest_framework import serializers
from rest_framework.fields import empty

from .events import Cause
from .models import SwitchCommand
from .permissions import Role
from .switch import ORDERS
from .validators import validate_printable

MANY = 20
LONGEST_USERNAME = 150


def choices_of(values: Iterable[str]) -> list[tuple[str, str]]:
    """The values of an enumeration as a serializer's choices; the empty one is `null` in the API."""
    return [(str(value), str(value)) for value in values if value]


CAUSES = choices_of(Cause)


# --- bodies ------------------------------------------------------------------------------------------


class StrictString(serializers.CharField):
    """A JSON string, kept as it is."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"trim_whitespace": False} | kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictInteger(serializers.IntegerField):
    """A JSON number without a fraction: no string, no boolean."""

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("invalid")
        return super().to_internal_value(data)


class StrictBoolean(serializers.BooleanField):
    """`true` or `false`."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            self.fail("invalid", input=data)
        return data


class StrictChoice(serializers.ChoiceField):
    """One of some strings."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid_choice", input=data)
        return super().to_internal_value(data)


class StrictUUID(serializers.UUIDField):
    """A UUID as a string."""

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid", value=data)
        return super().to_internal_value(data)


class Username(serializers.SlugRelatedField[User]):
    """A user, by user name."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(slug_field="username", queryset=User.objects.all(), **kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        if data == "":
            # Not the same as null, although forms think so.
            self.fail("invalid")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, str):
            self.fail("invalid")
        if "\x00" in data or len(data) > LONGEST_USERNAME:
            # PostgreSQL fails at a NUL instead of not finding it.
            self.fail("invalid")
        return super().to_internal_value(data)


class _KnownFieldsOnly:
    fields: Any

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            known = {name for name, field in self.fields.items() if not field.read_only}
            unknown = sorted(set(data) - known)
            if unknown:
                raise serializers.ValidationError(
                    {name: ["Unknown or not to be changed."] for name in unknown[:MANY]}
                )
        return super().to_internal_value(data)  # type: ignore[misc]


class Body(_KnownFieldsOnly, serializers.Serializer[Any]):
    """A request's JSON object; an unknown field is refused."""


class ModelBody(_KnownFieldsOnly, serializers.ModelSerializer[Any]):
    """A body whose fields are a model's, with the model's own limits."""

    serializer_field_mapping = serializers.ModelSerializer.serializer_field_mapping | {
        models.CharField: StrictString,
        models.PositiveIntegerField: StrictInteger,
        models.BooleanField: StrictBoolean,
    }
    serializer_choice_field = StrictChoice


class TokenBody(Body):
    """A token to be made. Without `days` it does not expire."""

    name = StrictString(max_length=80, validators=[validate_printable])
    days = StrictInteger(min_value=1, max_value=3650, allow_null=True, required=False)


# --- answers -----------------------------------------------------------------------------------------


class Answer(serializers.Serializer[Any]):
    """What an answer looks like, for the schema."""


class Problem(Answer):
    """An error after RFC 9457. `code` is stable; `errors` tells what is wrong with which field."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()
    errors = serializers.DictField(required=False)  # type: ignore[assignment]


class SwitchCommandAnswer(Answer):
    """An order to the switch and what came of it."""

    id = serializers.IntegerField()
    node = serializers.CharField()
    kind = serializers.ChoiceField(choices=choices_of(ORDERS))
    key = serializers.CharField(help_text="The object that the order is about, like `agent:alice`.")
    status = serializers.ChoiceField(choices=SwitchCommand.Status.choices)
    answer = serializers.CharField(allow_blank=True, help_text="What the switch answered.")
    cause = serializers.ChoiceField(choices=CAUSES)
    actor = serializers.CharField(allow_blank=True)
    created_at = serializers.DateTimeField()
    answered_at = serializers.DateTimeField(allow_null=True)


class SwitchAnswer(Answer):
    """What a change ordered from the switch; with `Prefer: wait=N`, with the switch's answers."""

    switch = SwitchCommandAnswer(many=True)


class SwitchNodeAnswer(Answer):
    """A FreeSWITCH as the bridge sees it."""

    node = serializers.CharField()
    connected = serializers.BooleanField()
    since = serializers.DateTimeField()
    core_uuid = serializers.CharField(allow_null=True)
    detail = serializers.CharField(allow_null=True)
    revision = serializers.IntegerField()


class EventAnswer(Answer):
    """An event in its envelope; `data` is as `type` has it."""

    id = serializers.UUIDField()
    type = serializers.CharField()
    v = serializers.IntegerField()
    seq = serializers.IntegerField()
    revision = serializers.IntegerField()
    occurred_at = serializers.DateTimeField()
    cause = serializers.ChoiceField(choices=CAUSES)
    actor = serializers.CharField(allow_blank=True)
    data = serializers.DictField()  # type: ignore[assignment]


class EventsAnswer(Answer):
    """Events in the order of their numbers. Ask again with `after` set to `next`; `last` is the newest."""

    events = EventAnswer(many=True)
    next = serializers.IntegerField()
    last = serializers.IntegerField()


class TokenAnswer(Answer):
    """A token, without its secret."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    prefix = serializers.CharField(help_text="How the secret begins.")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    last_used_at = serializers.DateTimeField(allow_null=True)


class NewTokenAnswer(TokenAnswer):
    """A token just made, with the secret that is never shown again."""

    token = serializers.CharField()


class MeAnswer(Answer):
    """Who is asking."""

    username = serializers.CharField()
    full_name = serializers.CharField(allow_blank=True)
    role = serializers.ChoiceField(choices=choices_of(Role))
    agent = serializers.UUIDField(allow_null=True, help_text="The agent that the user is.")
