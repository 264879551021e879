"""The agent state machine as a pure table: no Django, no clock, no I/O.

An agent's whole situation is a `Standing`. `decide(standing, given)` looks the pair (position, input)
up in `TABLE` and returns a `Decision`. Commands may be refused with a code; facts never are: a fact
that does not fit is applied and marked `reconciled`, and a repeat is no change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum


class State(StrEnum):
    LOGOUT = "LOGOUT"
    LOGIN = "LOGIN"
    UNREADY = "UNREADY"
    READY = "READY"
    BUSY = "BUSY"
    ACW = "ACW"


class Sub(StrEnum):
    NONE = ""
    WAIT = "WAIT"
    DND = "DND"
    BREAK = "BREAK"
    AWAY = "AWAY"
    CUSTOM = "CUSTOM"
    CALLING = "CALLING"
    RINGING = "RINGING"
    ANSWERED = "ANSWERED"
    TRANSFER = "TRANSFER"
    CONFERENCE = "CONFERENCE"
    HOLD = "HOLD"


UNREADY_SUBS = (Sub.WAIT, Sub.DND, Sub.BREAK, Sub.AWAY, Sub.CUSTOM)
BUSY_SUBS = (Sub.CALLING, Sub.RINGING, Sub.ANSWERED, Sub.TRANSFER, Sub.CONFERENCE, Sub.HOLD)
TALKING_SUBS = (Sub.ANSWERED, Sub.TRANSFER, Sub.CONFERENCE, Sub.HOLD)

REASON_MISSED_CALLS = "missed_calls"
REASON_PHONE_LOST = "phone_lost"
REASON_SWITCH_REFUSED = "switch_refused"


class Input(StrEnum):
    """What can be put to an agent: commands first, then facts."""

    LOGIN = "login"
    LOGOUT = "logout"
    READY = "ready"
    UNREADY = "unready"
    WITHDRAW_NEXT = "withdraw_next"
    FINISH_ACW = "finish_acw"
    EXTEND_ACW = "extend_acw"
    DIAL = "dial"

    OFFERED = "offered"
    DIALLING = "dialling"
    RUNG = "rung"
    ANSWERED = "answered"
    OFFER_FAILED = "offer_failed"
    MISSED_LIMIT = "missed_limit"
    HELD = "held"
    UNHELD = "unheld"
    CONSULTED = "consulted"
    CONFERENCED = "conferenced"
    RETRIEVED = "retrieved"
    RELEASED = "released"
    RELEASED_TO_ACW = "released_to_acw"
    OPENED = "opened"
    PHONE_LOST = "phone_lost"
    PHONE_BACK = "phone_back"
    ACW_EXPIRED = "acw_expired"
    PRESENCE_READY = "presence_ready"
    PRESENCE_BREAK = "presence_break"
    PRESENCE_LOGOUT = "presence_logout"
    SWITCH_REFUSED = "switch_refused"
    SWITCH_RESTARTED = "switch_restarted"


COMMANDS = (
    Input.LOGIN,
    Input.LOGOUT,
    Input.READY,
    Input.UNREADY,
    Input.WITHDRAW_NEXT,
    Input.FINISH_ACW,
    Input.EXTEND_ACW,
    Input.DIAL,
)
FACTS = tuple(i for i in Input if i not in COMMANDS)


@dataclass(frozen=True, slots=True)
class Target:
    """A state to be in: asked for (`next`) or to come back to (`resume`)."""

    state: State
    sub: Sub = Sub.NONE
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where an agent stands. `next` is applied on release; `resume` is used when nothing was asked."""

    state: State = State.LOGOUT
    sub: Sub = Sub.NONE
    reason: str = ""
    next: Target | None = None
    resume: Target | None = None

    @property
    def position(self) -> str:
        """The column of the table: the state, and for BUSY its sub-state."""
        return str(self.sub) if self.state is State.BUSY else str(self.state)

    @property
    def target(self) -> Target:
        return Target(self.state, self.sub, self.reason)


@dataclass(frozen=True, slots=True)
class Decision:
    """What comes of an input.

    `path` holds every standing passed through, the last one being where the agent now is; it is empty
    when nothing changes. `next_changed` tells that only the pending request changed. `refused` is a
    stable error code and is only ever set for commands.
    """

    standing: Standing
    path: tuple[Standing, ...] = ()
    next_changed: bool = False
    reconciled: bool = False
    refused: str = ""


class Act(StrEnum):
    """What a cell of the table does."""

    SAME = "same"
    REFUSE = "refuse"
    SIGN_IN = "sign in"
    GO = "go"
    ASKED = "go as asked"
    LATER = "keep as next"
    DUE = "keep as next, unless something as strong is"
    WITHDRAW = "withdraw next"
    RELEASE = "to next, else back"
    WRAP_UP = "to after-call work"


@dataclass(frozen=True, slots=True)
class Rule:
    act: Act
    state: State | None = None
    sub: Sub = Sub.NONE
    reason: str = ""
    code: str = ""
    reconciled: bool = False
    returns: bool = False


def _go(state: State, sub: Sub = Sub.NONE, reason: str = "", *, reconciled: bool = False) -> Rule:
    return Rule(Act.GO, state, sub, reason, reconciled=reconciled)


def _due(state: State, sub: Sub = Sub.NONE, reason: str = "") -> Rule:
    return Rule(Act.DUE, state, sub, reason)


def _refuse(code: str) -> Rule:
    return Rule(Act.REFUSE, code=code)


SAME = Rule(Act.SAME)
ASKED = Rule(Act.ASKED)
LATER = Rule(Act.LATER)
WITHDRAW = Rule(Act.WITHDRAW)
RELEASE = Rule(Act.RELEASE)
RELEASE_RECONCILED = Rule(Act.RELEASE, reconciled=True)
WRAP_UP = Rule(Act.WRAP_UP)
NOT_LOGGED_IN = _refuse("not_logged_in")
NOT_IN_ACW = _refuse("not_in_acw")
AGENT_BUSY = _refuse("agent_busy")

POSITIONS: tuple[str, ...] = (
    State.LOGOUT,
    State.LOGIN,
    State.UNREADY,
    State.READY,
    *BUSY_SUBS,
    State.ACW,
)


def _row(
    *, out: Rule, login: Rule, unready: Rule, ready: Rule, busy: Rule, acw: Rule, **subs: Rule
) -> dict[str, Rule]:
    """One input over all positions; `busy` holds for each BUSY sub-state not named by itself."""
    row: dict[str, Rule] = {State.LOGOUT: out, State.LOGIN: login, State.UNREADY: unready, State.READY: ready}
    row |= {sub: subs.pop(sub.lower(), busy) for sub in BUSY_SUBS}
    assert not subs, f"no such sub-state: {subs}"
    row[State.ACW] = acw
    return row


def _on_call(sub: Sub, **subs: Rule) -> dict[str, Rule]:
    """A fact that says the agent is on a call in `sub`: it fits in BUSY, elsewhere it is reconciled."""
    odd = _go(State.BUSY, sub, reconciled=True)
    return _row(out=odd, login=odd, unready=odd, ready=odd, busy=_go(State.BUSY, sub), acw=odd, **subs)


_AWAY_MISSED = (State.UNREADY, Sub.AWAY, REASON_MISSED_CALLS)
_AWAY_PHONE = (State.UNREADY, Sub.AWAY, REASON_PHONE_LOST)
_RINGING = _go(State.BUSY, Sub.RINGING)
_RINGING_ODD = _go(State.BUSY, Sub.RINGING, reconciled=True)
_CALLING = _go(State.BUSY, Sub.CALLING)
# A call of one's own during after-call work comes back to it.
_CALLING_RETURNS = Rule(Act.GO, State.BUSY, Sub.CALLING, returns=True)
_RINGING_RETURNS = Rule(Act.GO, State.BUSY, Sub.RINGING, returns=True)
_ANSWERED = _go(State.BUSY, Sub.ANSWERED)

TABLE: Mapping[Input, Mapping[str, Rule]] = {
    Input.LOGIN: _row(out=Rule(Act.SIGN_IN), login=SAME, unready=SAME, ready=SAME, busy=SAME, acw=SAME),
    Input.LOGOUT: _row(
        out=SAME,
        login=_go(State.LOGOUT),
        unready=_go(State.LOGOUT),
        ready=_go(State.LOGOUT),
        busy=LATER,
        acw=LATER,
    ),
    Input.READY: _row(
        out=NOT_LOGGED_IN, login=_go(State.READY), unready=_go(State.READY), ready=SAME, busy=LATER, acw=LATER
    ),
    Input.UNREADY: _row(out=NOT_LOGGED_IN, login=ASKED, unready=ASKED, ready=ASKED, busy=LATER, acw=LATER),
    Input.WITHDRAW_NEXT: _row(
        out=NOT_LOGGED_IN, login=SAME, unready=SAME, ready=SAME, busy=WITHDRAW, acw=WITHDRAW
    ),
    Input.FINISH_ACW: _row(
        out=NOT_LOGGED_IN,
        login=NOT_IN_ACW,
        unready=NOT_IN_ACW,
        ready=NOT_IN_ACW,
        busy=NOT_IN_ACW,
        acw=RELEASE,
    ),
    Input.EXTEND_ACW: _row(
        out=NOT_LOGGED_IN, login=NOT_IN_ACW, unready=NOT_IN_ACW, ready=NOT_IN_ACW, busy=NOT_IN_ACW, acw=SAME
    ),
    Input.DIAL: _row(
        out=NOT_LOGGED_IN,
        login=NOT_LOGGED_IN,
        unready=_CALLING,
        ready=_CALLING,
        busy=AGENT_BUSY,
        acw=_CALLING_RETURNS,
    ),
    # A second offer while one call is on does not change what the agent is doing.
    Input.OFFERED: _row(
        out=_RINGING_ODD,
        login=_RINGING_ODD,
        unready=_RINGING_ODD,
        ready=_RINGING,
        busy=SAME,
        acw=_RINGING_ODD,
    ),
    # Somebody who is not signed in may use the phone without becoming an agent at work.
    Input.DIALLING: _row(
        out=SAME, login=_CALLING, unready=_CALLING, ready=_CALLING, busy=SAME, acw=_CALLING_RETURNS
    ),
    Input.RUNG: _row(
        out=SAME, login=_RINGING, unready=_RINGING, ready=_RINGING, busy=SAME, acw=_RINGING_RETURNS
    ),
    Input.ANSWERED: _on_call(Sub.ANSWERED, answered=SAME, transfer=SAME, conference=SAME, hold=SAME),
    # Only the offer that rings can fail the agent's state; one that fails during a call is the second.
    Input.OFFER_FAILED: _row(
        out=SAME, login=SAME, unready=SAME, ready=SAME, busy=SAME, acw=SAME, ringing=RELEASE
    ),
    Input.MISSED_LIMIT: _row(
        out=SAME,
        login=_go(*_AWAY_MISSED),
        unready=SAME,
        ready=_go(*_AWAY_MISSED),
        busy=_due(*_AWAY_MISSED),
        acw=_due(*_AWAY_MISSED),
    ),
    Input.HELD: _on_call(Sub.HOLD, hold=SAME, transfer=SAME),
    # FreeSWITCH sends an un-hold when a held call hangs up, so outside HOLD it tells nothing.
    Input.UNHELD: _row(out=SAME, login=SAME, unready=SAME, ready=SAME, busy=SAME, acw=SAME, hold=_ANSWERED),
    Input.CONSULTED: _on_call(Sub.TRANSFER, transfer=SAME),
    Input.CONFERENCED: _on_call(Sub.CONFERENCE, conference=SAME),
    Input.RETRIEVED: _row(
        out=SAME,
        login=SAME,
        unready=SAME,
        ready=SAME,
        busy=SAME,
        acw=SAME,
        transfer=_ANSWERED,
        conference=_ANSWERED,
        hold=_ANSWERED,
    ),
    Input.RELEASED: _row(out=SAME, login=SAME, unready=SAME, ready=SAME, busy=RELEASE, acw=SAME),
    Input.RELEASED_TO_ACW: _row(out=SAME, login=SAME, unready=SAME, ready=SAME, busy=WRAP_UP, acw=SAME),
    # The engine takes the agent for free. While RINGING that closes an offer that ended without an
    # event; in a call it is only somebody's unguarded setting, and the call goes on.
    Input.OPENED: _row(
        out=SAME,
        login=SAME,
        unready=SAME,
        ready=SAME,
        busy=SAME,
        acw=RELEASE_RECONCILED,
        ringing=RELEASE_RECONCILED,
    ),
    Input.PHONE_LOST: _row(
        out=SAME,
        login=_go(*_AWAY_PHONE),
        unready=SAME,
        ready=_go(*_AWAY_PHONE),
        busy=_due(*_AWAY_PHONE),
        acw=_due(*_AWAY_PHONE),
    ),
    # Coming back is the agent's own click; only a pending "away" that the loss itself caused is dropped.
    Input.PHONE_BACK: _row(
        out=SAME,
        login=SAME,
        unready=SAME,
        ready=SAME,
        busy=Rule(Act.WITHDRAW, reason=REASON_PHONE_LOST),
        acw=Rule(Act.WITHDRAW, reason=REASON_PHONE_LOST),
    ),
    Input.ACW_EXPIRED: _row(out=SAME, login=SAME, unready=SAME, ready=SAME, busy=SAME, acw=RELEASE),
    Input.PRESENCE_READY: _row(
        out=_go(State.READY),
        login=_go(State.READY),
        unready=_go(State.READY),
        ready=SAME,
        busy=_due(State.READY),
        acw=_due(State.READY),
    ),
    Input.PRESENCE_BREAK: _row(
        out=_go(State.UNREADY, Sub.BREAK),
        login=_go(State.UNREADY, Sub.BREAK),
        unready=SAME,
        ready=_go(State.UNREADY, Sub.BREAK),
        busy=_due(State.UNREADY, Sub.BREAK),
        acw=_due(State.UNREADY, Sub.BREAK),
    ),
    Input.PRESENCE_LOGOUT: _row(
        out=SAME,
        login=_go(State.LOGOUT),
        unready=_go(State.LOGOUT),
        ready=_go(State.LOGOUT),
        busy=_due(State.LOGOUT),
        acw=_due(State.LOGOUT),
    ),
    Input.SWITCH_REFUSED: _row(
        out=SAME,
        login=SAME,
        unready=SAME,
        ready=_go(State.UNREADY, Sub.AWAY, REASON_SWITCH_REFUSED),
        busy=SAME,
        acw=SAME,
    ),
    Input.SWITCH_RESTARTED: _row(
        out=SAME, login=SAME, unready=SAME, ready=SAME, busy=RELEASE_RECONCILED, acw=SAME
    ),
}


def decide(standing: Standing, given: Input, asked: Target | None = None) -> Decision:
    """Apply one input. `asked` names the sub-state and reason of an UNREADY command."""
    rule = TABLE[given][standing.position]
    match rule.act:
        case Act.SAME:
            return Decision(standing)
        case Act.REFUSE:
            return Decision(standing, refused=rule.code)
        case Act.SIGN_IN:
            return _arrive(standing, Standing(State.LOGIN), Standing(State.UNREADY, Sub.WAIT))
        case Act.GO:
            assert rule.state is not None
            to = Target(rule.state, rule.sub, rule.reason)
            return _go_to(standing, to, reconciled=rule.reconciled, returns=rule.returns)
        case Act.ASKED:
            return _go_to(standing, _wanted(given, asked))
        case Act.LATER:
            return _pend(standing, _wanted(given, asked))
        case Act.DUE:
            assert rule.state is not None
            return _pend_due(standing, Target(rule.state, rule.sub, rule.reason))
        case Act.WITHDRAW:
            return _withdraw(standing, rule.reason)
        case Act.RELEASE:
            return _release(standing, rule.reconciled)
        case Act.WRAP_UP:
            return _arrive(standing, Standing(State.ACW, next=standing.next, resume=_before_call(standing)))


def _wanted(given: Input, asked: Target | None) -> Target:
    if given is Input.UNREADY:
        return asked or Target(State.UNREADY, Sub.BREAK)
    return Target(State.LOGOUT if given is Input.LOGOUT else State.READY)


def _arrive(before: Standing, *path: Standing, reconciled: bool = False) -> Decision:
    after = path[-1]
    if after == before:
        return Decision(before)
    if after.target == before.target:
        return Decision(after, next_changed=after.next != before.next, reconciled=reconciled)
    return Decision(after, path, next_changed=after.next != before.next, reconciled=reconciled)


def _go_to(before: Standing, to: Target, *, reconciled: bool = False, returns: bool = False) -> Decision:
    if to.state is not State.BUSY:
        return _arrive(before, Standing(to.state, to.sub, to.reason), reconciled=reconciled)
    after = replace(before, state=to.state, sub=to.sub, reason=to.reason)
    if returns:
        # What was to follow the after-call work stays pending over the call.
        after = replace(after, next=before.next or before.resume, resume=Target(State.ACW))
    elif before.state not in (State.BUSY, State.ACW):
        after = replace(after, resume=_settled(before))
    return _arrive(before, after, reconciled=reconciled)


def _settled(before: Standing) -> Target:
    """Where to come back to: LOGIN only passes, so it settles as not ready."""
    return Target(State.UNREADY, Sub.WAIT) if before.state is State.LOGIN else before.target


def _before_call(before: Standing) -> Target | None:
    """Where the agent was before the call; after-call work that it interrupted starts anew."""
    back = before.resume
    return None if back is not None and back.state is State.ACW else back


def _pend(before: Standing, wanted: Target) -> Decision:
    return _arrive(before, replace(before, next=wanted))


def _pend_due(before: Standing, due: Target) -> Decision:
    """A fact about what comes after: it does not weaken a request of the same or a stronger kind."""
    pending = before.next or before.resume
    if pending is not None and (pending.state is due.state or pending.state is State.LOGOUT):
        return Decision(before)
    return _pend(before, due)


def _withdraw(before: Standing, only_reason: str) -> Decision:
    if before.next is None or (only_reason and before.next.reason != only_reason):
        return Decision(before)
    return _arrive(before, replace(before, next=None))


def _release(before: Standing, reconciled: bool) -> Decision:
    if before.resume is not None and before.resume.state is State.ACW:
        return _arrive(before, Standing(State.ACW, next=before.next), reconciled=reconciled)
    to = before.next or before.resume or Target(State.READY)
    return _arrive(before, Standing(to.state, to.sub, to.reason), reconciled=reconciled)
