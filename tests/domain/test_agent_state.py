"""The agent's table: every cell against a grid written by hand, and a machine that wanders through it."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from agents.state import (
    BUSY_SUBS,
    COMMANDS,
    FACTS,
    POSITIONS,
    TABLE,
    UNREADY_SUBS,
    Decision,
    Input,
    Standing,
    State,
    Sub,
    Target,
    decide,
)

# Columns: LOGOUT LOGIN UNREADY READY | CALLING RINGING ANSWERED TRANSFER CONFERENCE HOLD | ACW
# .  nothing changes          NL NA AB  refused: not_logged_in, not_in_acw, agent_busy
# in LOGIN then UNREADY/WAIT  o r u     to LOGOUT, READY, UNREADY as asked
# n  kept as next             w         the pending request is withdrawn
# b  back: to next, else where the agent was          a  to after-call work
# CA RI AN TR CO HO           to BUSY of that kind    ~  before it: marked reconciled
# aw br                       to UNREADY/AWAY, UNREADY/BREAK
GRID = """
login            in .  .  .  | .  .  .  .  .  .  | .
logout           .  o  o  o  | n  n  n  n  n  n  | n
ready            NL r  r  .  | n  n  n  n  n  n  | n
unready          NL u  u  u  | n  n  n  n  n  n  | n
withdraw_next    NL .  .  .  | w  w  w  w  w  w  | w
finish_acw       NL NA NA NA | NA NA NA NA NA NA | b
extend_acw       NL NA NA NA | NA NA NA NA NA NA | .
dial             NL NL CA CA | AB AB AB AB AB AB | CA
offered          ~RI ~RI ~RI RI | .  .  .  .  .  .  | ~RI
dialling         .  CA CA CA | .  .  .  .  .  .  | CA
rung             .  RI RI RI | .  .  .  .  .  .  | RI
answered         ~AN ~AN ~AN ~AN | AN AN .  .  .  .  | ~AN
offer_failed     .  .  .  .  | .  b  .  .  .  .  | .
missed_limit     .  aw .  aw | n  n  n  n  n  n  | n
held             ~HO ~HO ~HO ~HO | HO HO HO .  HO .  | ~HO
unheld           .  .  .  .  | .  .  .  .  .  AN | .
consulted        ~TR ~TR ~TR ~TR | TR TR TR .  TR TR | ~TR
conferenced      ~CO ~CO ~CO ~CO | CO CO CO CO .  CO | ~CO
retrieved        .  .  .  .  | .  .  .  AN AN AN | .
released         .  .  .  .  | b  b  b  b  b  b  | .
released_to_acw  .  .  .  .  | a  a  a  a  a  a  | .
opened           .  .  .  .  | .  ~b .  .  .  .  | ~b
phone_lost       .  aw .  aw | n  n  n  n  n  n  | n
phone_back       .  .  .  .  | .  .  .  .  .  .  | .
acw_expired      .  .  .  .  | .  .  .  .  .  .  | b
presence_ready   r  r  r  .  | .  .  .  .  .  .  | .
presence_break   br br .  br | n  n  n  n  n  n  | n
presence_logout  .  o  o  o  | n  n  n  n  n  n  | n
switch_refused   .  .  .  aw | .  .  .  .  .  .  | .
switch_restarted .  .  .  .  | ~b ~b ~b ~b ~b ~b | .
"""
BUSY_CODES = {
    "CA": Sub.CALLING,
    "RI": Sub.RINGING,
    "AN": Sub.ANSWERED,
    "TR": Sub.TRANSFER,
    "CO": Sub.CONFERENCE,
    "HO": Sub.HOLD,
}
REFUSALS = {"NL": "not_logged_in", "NA": "not_in_acw", "AB": "agent_busy"}
LUNCH = Target(State.UNREADY, Sub.BREAK, "lunch")


def cells() -> list[tuple[Input, str, str]]:
    return [
        (Input(line.split()[0]), position, code)
        for line in GRID.strip().splitlines()
        for position, code in zip(POSITIONS, line.replace("|", "").split()[1:], strict=True)
    ]


def standing_at(position: str, *, coming: Target | None = None) -> Standing:
    """An agent at this position who was READY before, as after a queue call's offer."""
    back = Target(State.READY)
    match position:
        case State.UNREADY:
            return Standing(State.UNREADY, Sub.DND, "quiet")
        case State.ACW:
            return Standing(State.ACW, next=coming, resume=back)
        case position if position in BUSY_SUBS:
            return Standing(State.BUSY, Sub(position), next=coming, resume=back)
        case _:
            return Standing(State(position))


def code_of(before: Standing, decision: Decision) -> str:
    """What happened, in the grid's words."""
    after, mark = decision.standing, "~" if decision.reconciled else ""
    if decision.refused:
        return next(code for code, name in REFUSALS.items() if name == decision.refused)
    if not decision.path:
        if after.next == before.next:
            return "."
        return "w" if after.next is None else "n"
    if [s.state for s in decision.path] == [State.LOGIN, State.UNREADY]:
        return "in"
    if after.state is State.BUSY:
        return mark + next(code for code, sub in BUSY_CODES.items() if sub is after.sub)
    if before.state in (State.BUSY, State.ACW) and after.state is not State.ACW:
        return mark + "b"
    names = {State.LOGOUT: "o", State.READY: "r", State.ACW: "a"}
    if after.state is State.UNREADY:
        return "u" if after.target == LUNCH else {Sub.AWAY: "aw", Sub.BREAK: "br"}[after.sub]
    return mark + names[after.state]


def test_the_grid_has_every_cell_of_the_table() -> None:
    assert {(given, position) for given, position, _ in cells()} == {
        (given, position) for given in Input for position in TABLE[given]
    }


@pytest.mark.parametrize(("given", "position", "code"), cells())
def test_each_cell_does_what_the_grid_says(given: Input, position: str, code: str) -> None:
    before = standing_at(position, coming=LUNCH if given is Input.WITHDRAW_NEXT else None)
    assert code_of(before, decide(before, given, LUNCH)) == code


@pytest.mark.parametrize("given", FACTS)
@pytest.mark.parametrize("position", POSITIONS)
def test_a_fact_is_never_refused(given: Input, position: str) -> None:
    assert not decide(standing_at(position), given).refused


@pytest.mark.parametrize("given", [i for i in Input if i not in (Input.WITHDRAW_NEXT,)])
@pytest.mark.parametrize("position", POSITIONS)
def test_the_same_again_is_no_change(given: Input, position: str) -> None:
    once = decide(standing_at(position), given, LUNCH)
    if once.refused or once.standing.state is not once.standing.state:
        return
    # An input that left the position acts on the new one; only there must it come to rest.
    twice = decide(once.standing, given, LUNCH)
    thrice = decide(twice.standing, given, LUNCH)
    assert thrice.standing == twice.standing
    assert not thrice.path


def test_what_was_asked_for_in_a_call_is_applied_on_release() -> None:
    talking = standing_at(Sub.ANSWERED)
    asked = decide(talking, Input.UNREADY, LUNCH).standing
    wrapping = decide(asked, Input.RELEASED_TO_ACW).standing
    assert wrapping.state is State.ACW and wrapping.next == LUNCH
    assert decide(wrapping, Input.ACW_EXPIRED).standing == Standing(State.UNREADY, Sub.BREAK, "lunch")


def test_a_log_out_asked_for_in_a_call_touches_neither_the_call_nor_the_wrap_up() -> None:
    asked = decide(standing_at(Sub.ANSWERED), Input.LOGOUT).standing
    assert asked.sub is Sub.ANSWERED
    assert decide(asked, Input.RELEASED).standing == Standing(State.LOGOUT)


def test_what_was_asked_for_can_be_withdrawn() -> None:
    asked = decide(standing_at(Sub.ANSWERED), Input.LOGOUT).standing
    assert decide(asked, Input.WITHDRAW_NEXT).standing == standing_at(Sub.ANSWERED)


def test_an_offer_that_raced_with_a_break_comes_back_to_the_break() -> None:
    resting = Standing(State.UNREADY, Sub.BREAK, "lunch")
    rung = decide(resting, Input.OFFERED)
    assert rung.reconciled
    assert decide(rung.standing, Input.OFFER_FAILED).standing == resting


def test_missed_calls_lead_away_and_never_out() -> None:
    ringing = standing_at(Sub.RINGING)
    told = decide(ringing, Input.MISSED_LIMIT).standing
    after = decide(told, Input.OFFER_FAILED).standing
    assert after == Standing(State.UNREADY, Sub.AWAY, "missed_calls")
    assert decide(after, Input.READY).standing == Standing(State.READY)


def test_a_log_out_asked_for_outweighs_missed_calls() -> None:
    leaving = decide(standing_at(Sub.RINGING), Input.LOGOUT).standing
    assert decide(leaving, Input.MISSED_LIMIT).standing.next == Target(State.LOGOUT)


def test_a_call_made_out_of_after_call_work_comes_back_to_it() -> None:
    wrapping = Standing(State.ACW, next=LUNCH, resume=Target(State.READY))
    dialled = decide(wrapping, Input.DIAL).standing
    back = decide(dialled, Input.RELEASED).standing
    assert back.state is State.ACW and back.next == LUNCH


def test_a_phone_that_is_back_withdraws_only_what_its_loss_had_asked_for() -> None:
    lost = decide(standing_at(Sub.ANSWERED), Input.PHONE_LOST).standing
    assert decide(lost, Input.PHONE_BACK).standing.next is None
    asked = decide(standing_at(Sub.ANSWERED), Input.UNREADY, LUNCH).standing
    assert decide(asked, Input.PHONE_BACK).standing.next == LUNCH


class Wanderer(RuleBasedStateMachine):
    """Any inputs in any order: the agent always stands somewhere, and can always be freed."""

    def __init__(self) -> None:
        super().__init__()
        self.standing = Standing()

    @rule(given=st.sampled_from(Input), sub=st.sampled_from(UNREADY_SUBS))
    def put(self, given: Input, sub: Sub) -> None:
        before = self.standing
        decision = decide(before, given, Target(State.UNREADY, sub))
        if decision.refused:
            assert given in COMMANDS
            assert decision.standing == before
        if decision.path:
            assert decision.path[-1] == decision.standing
        self.standing = decision.standing

    @invariant()
    def never_rests_in_login(self) -> None:
        assert self.standing.state is not State.LOGIN

    @invariant()
    def sub_state_fits_the_state(self) -> None:
        fitting = {State.UNREADY: UNREADY_SUBS, State.BUSY: BUSY_SUBS}.get(self.standing.state, (Sub.NONE,))
        assert self.standing.sub in fitting

    @invariant()
    def only_a_call_or_its_work_has_something_pending(self) -> None:
        if self.standing.state not in (State.BUSY, State.ACW):
            assert self.standing.next is None and self.standing.resume is None

    @invariant()
    def is_freed_by_a_release_and_a_deadline(self) -> None:
        standing = decide(self.standing, Input.RELEASED).standing
        standing = decide(standing, Input.ACW_EXPIRED).standing
        assert standing.state in (State.LOGOUT, State.UNREADY, State.READY)


TestWanderer = Wanderer.TestCase
TestWanderer.settings = settings(max_examples=200, stateful_step_count=40, deadline=None)
