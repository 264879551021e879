"""What may travel to the switch. One place decides, so that no argument can carry a second command."""

import re
from collections.abc import Collection, Mapping

from django.core.validators import RegexValidator
from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from .errors import InvalidInput

SWITCH_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}")
DIAL_STRING = re.compile(r"[^\x00-\x1f\x7f|'\\]{1,255}")
PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]*")
NUMBER = re.compile(r"[0-9A-Za-z+*#._-]{1,32}")

validate_switch_name = RegexValidator(
    re.compile(r"\A" + SWITCH_NAME.pattern + r"\Z"),
    _("Letters, digits and . _ @ + - only, starting with a letter or a digit, 64 characters at most."),
    code="unsafe_name",
)
validate_dial_string = RegexValidator(
    re.compile(r"\A" + DIAL_STRING.pattern + r"\Z"),
    _("No control characters, quotes, backslashes or vertical bars, 255 characters at most."),
    code="unsafe_dial_string",
)
validate_printable = RegexValidator(
    re.compile(r"\A" + PRINTABLE.pattern + r"\Z"), _("No control characters."), code="control_characters"
)
validate_number = RegexValidator(
    re.compile(r"\A" + NUMBER.pattern + r"\Z"),
    _("Digits, letters and + * # . _ - only, 32 characters at most."),
    code="unsafe_number",
)


def check_fields(model: type[Model], fields: Mapping[str, object], editable: Collection[str]) -> None:
    """Raises InvalidInput for a field that is not to be changed, or None where there must be a value.

    Django's own validation passes over None in a field that may be blank; the database does not.
    """
    wrong = dict.fromkeys(sorted(set(fields) - set(editable)), "Unknown or not to be changed.")
    if wrong:
        raise InvalidInput("Unknown fields.", fields=wrong)
    absent = [f for f, value in fields.items() if value is None and not model._meta.get_field(f).null]
    if absent:
        raise InvalidInput("Not valid.", fields=dict.fromkeys(absent, "There must be a value."))
