"""One value is one argument at the switch, whatever is in it, or it does not travel at all."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from esl_bridge.backends.words import UnsafeArgument, argument, words
from esl_bridge.protocol import encode_command
from esl_bridge.simulator.dialstring import split_quoted
from tests.backends.recordings import NAMES, events

UNSAFE = re.compile(r"[\x00-\x1f\x7f'\\]")
SAFE_TEXT = st.text(min_size=1).filter(lambda text: not UNSAFE.search(text) and text.isprintable())


@given(SAFE_TEXT)
@example("Available (On Demand)")
@example("{a=1,b=2}sofia/internal/1001@127.0.0.1:5081|user/1002")
@example("  two  blanks  ")
@example("客服")
def test_an_argument_comes_back_as_it_was_given(value: str) -> None:
    assert words(argument(value)) == [value]


@given(st.lists(SAFE_TEXT, min_size=1, max_size=7))
def test_the_switch_splits_a_line_of_arguments_into_the_same(values: list[str]) -> None:
    line = " ".join(map(argument, values))
    assert words(line) == split_quoted(line, " ") == values


@given(SAFE_TEXT)
def test_an_argument_is_one_line_on_the_wire(value: str) -> None:
    wire = encode_command(f"api callcenter_config agent add {argument(value)} callback")
    assert wire.count(b"\n") == 2 and wire.endswith(b"\n\n") and b"\r" not in wire


@given(st.text(), st.sampled_from("\r\n\0\t\x7f'\\"), st.text())
def test_what_could_end_an_argument_or_a_line_is_refused(before: str, bad: str, after: str) -> None:
    with pytest.raises(UnsafeArgument):
        argument(before + bad + after)


def test_an_empty_argument_is_refused() -> None:
    with pytest.raises(UnsafeArgument, match="empty"):
        argument("")


def test_a_refused_argument_is_not_quoted_in_the_message() -> None:
    with pytest.raises(UnsafeArgument) as refused:
        argument("s3cret\nexit")
    assert "s3cret" not in str(refused.value)


@given(st.text(alphabet="ab '\\\t"))
@example("a'b c'd")
@example("a\\'b c")
@example("''")
@example("'open")
def test_a_foreign_line_is_split_as_the_switch_splits_it(line: str) -> None:
    assert words(line) == split_quoted(line, " ")


@pytest.mark.parametrize("name", NAMES)
def test_every_recorded_command_is_split_as_the_switch_splits_it(name: str) -> None:
    for headers, _ in events(name):
        line = headers.get("API-Command-Argument", "")
        assert words(line) == split_quoted(line, " ")
