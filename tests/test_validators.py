"""What may travel to the switch: the whole text is looked at, not only its end."""

import pytest
from django.core.exceptions import ValidationError
from hypothesis import given
from hypothesis import strategies as st

from callcenter.validators import (
    validate_dial_string,
    validate_number,
    validate_printable,
    validate_switch_name,
)

ALL = [validate_switch_name, validate_dial_string, validate_printable, validate_number]


@pytest.mark.parametrize(
    ("validate", "value"),
    [
        (validate_switch_name, "support@default"),
        (validate_switch_name, "1001"),
        (validate_switch_name, "a" * 64),
        (validate_dial_string, "[leg_timeout=10]user/1001@pbx.example"),
        (validate_dial_string, "sofia/internal/1001@127.0.0.1:5060"),
        (validate_printable, "客服 – Zoë"),
        (validate_number, "+49*30#1"),
    ],
)
def test_what_is_safe_passes(validate: object, value: str) -> None:
    validate(value)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("validate", "value"),
    [
        (validate_switch_name, "a b"),
        (validate_switch_name, "@default"),
        (validate_switch_name, "exit\nsupport"),
        (validate_switch_name, "a" * 65),
        (validate_dial_string, "user/1001|user/1002"),
        (validate_dial_string, "'; user/1001"),
        (validate_dial_string, "a" * 256),
        (validate_number, "1 2"),
        (validate_number, "1" * 33),
    ],
)
def test_what_is_not_safe_is_refused(validate: object, value: str) -> None:
    with pytest.raises(ValidationError):
        validate(value)  # type: ignore[operator]


@pytest.mark.parametrize("validate", ALL)
@given(before=st.text(max_size=5), control=st.sampled_from("\r\n\0\x1b\x7f"), after=st.text(max_size=5))
def test_a_control_character_is_refused_wherever_it_stands(
    validate: object, before: str, control: str, after: str
) -> None:
    with pytest.raises(ValidationError):
        validate(f"{before}{control}{after}")  # type: ignore[operator]
    with pytest.raises(ValidationError):
        validate(f"x{control}1001")  # type: ignore[operator]
