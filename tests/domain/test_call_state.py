"""The call's table: every cell against a grid written by hand."""

from __future__ import annotations

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from queues.state import (
    CALL_TABLE,
    CallInput,
    CallState,
    OfferOutcome,
    Outcome,
    decide_call,
    decide_outcome,
    offer_outcome,
)

# Columns: dialling waiting offered answered held conferenced transferred left ended
# . nothing changes; ~ marked reconciled; else the first letters of the new state
GRID = """
queued        wa   .    .    .    .    .    .    ~wa  .
offered       ~of  of   .    .    .    .    .    ~of  .
offers_failed .    .    wa   .    .    .    .    .    .
answered      an   ~an  an   .    .    .    .    ~an  .
held          ~he  ~he  ~he  he   .    he   .    ~he  .
resumed       .    .    .    .    an   .    .    .    .
conferenced   ~co  ~co  ~co  co   co   .    .    ~co  .
transferred   ~tr  ~tr  ~tr  tr   tr   tr   .    ~tr  .
left          .    le   le   .    .    .    .    .    .
hung_up       en   en   en   en   en   en   en   en   .
lost          ~en  ~en  ~en  ~en  ~en  ~en  ~en  ~en  .
"""


def cells() -> list[tuple[CallInput, CallState, str]]:
    return [
        (CallInput(line.split()[0]), state, code)
        for line in GRID.strip().splitlines()
        for state, code in zip(CallState, line.split()[1:], strict=True)
    ]


def test_the_grid_has_every_cell_of_the_table() -> None:
    assert {(i, s) for i, s, _ in cells()} == {(i, s) for i in CallInput for s in CALL_TABLE[i]}


@pytest.mark.parametrize(("given", "state", "code"), cells())
def test_each_cell_does_what_the_grid_says(given: CallInput, state: CallState, code: str) -> None:
    rule = decide_call(state, given)
    told = "." if rule.to is None else ("~" if rule.reconciled else "") + rule.to.value[:2]
    assert told == code


@pytest.mark.parametrize("given", CallInput)
def test_a_call_that_has_ended_stays_ended(given: CallInput) -> None:
    assert decide_call(CallState.ENDED, given).to is None


@pytest.mark.parametrize("first", [o for o in Outcome if o])
@pytest.mark.parametrize("second", [o for o in Outcome if o])
def test_the_first_end_told_counts_unless_the_second_is_an_answer(first: Outcome, second: Outcome) -> None:
    decided = decide_outcome(decide_outcome(Outcome.OPEN, first), second)
    upgraded = second is Outcome.ANSWERED and first in (Outcome.ABANDONED, Outcome.LOST, Outcome.REMOVED)
    assert decided is (second if upgraded else first)


@examples(st.lists(st.sampled_from(CallInput), max_size=30))
def test_any_facts_in_any_order_end_with_a_hang_up(facts: list[CallInput]) -> None:
    state, ends = CallState.DIALLING, 0
    for fact in [*facts, CallInput.HUNG_UP]:
        to = decide_call(state, fact).to
        ends += to is CallState.ENDED
        state = to or state
    assert state is CallState.ENDED and ends == 1


@pytest.mark.parametrize(
    ("cause", "outcome"),
    [
        ("NO_ANSWER", OfferOutcome.NO_ANSWER),
        ("USER_BUSY", OfferOutcome.BUSY),
        ("CALL_REJECTED", OfferOutcome.REJECTED),
        ("LOSE_RACE", OfferOutcome.LOST_RACE),
        ("ORIGINATOR_CANCEL", OfferOutcome.CALLER_GONE),
        ("USER_NOT_REGISTERED", OfferOutcome.UNREACHABLE),
        ("SOMETHING_NEW", OfferOutcome.FAILED),
    ],
)
def test_an_offer_fails_as_its_cause_says(cause: str, outcome: OfferOutcome) -> None:
    assert offer_outcome(cause) is outcome
