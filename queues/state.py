"""The call state machine as a pure table: no Django, no clock, no I/O.

Everything that happens to a call is a fact, so nothing is ever refused. A queue call's *outcome* is
decided once, when its queue entry ends; the call itself ends when the caller's channel does, which
can be much later (attended transfer, conference, take-over).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class CallState(StrEnum):
    DIALLING = "dialling"
    WAITING = "waiting"
    OFFERED = "offered"
    ANSWERED = "answered"
    HELD = "held"
    CONFERENCED = "conferenced"
    TRANSFERRED = "transferred"
    LEFT = "left"
    ENDED = "ended"


LIVE_STATES = tuple(s for s in CallState if s is not CallState.ENDED)
QUEUED_STATES = (CallState.WAITING, CallState.OFFERED)
TALKING_STATES = (CallState.ANSWERED, CallState.HELD, CallState.CONFERENCED)


class Outcome(StrEnum):
    """How a queue entry (or a call outside queues) came out."""

    OPEN = ""
    ANSWERED = "answered"
    ABANDONED = "abandoned"
    TIMED_OUT = "timed_out"
    NO_AGENTS = "no_agents"
    LEFT_BY_KEY = "left_by_key"
    REMOVED = "removed"
    UNANSWERED = "unanswered"
    LOST = "lost"


class OfferOutcome(StrEnum):
    PENDING = ""
    ANSWERED = "answered"
    NO_ANSWER = "no_answer"
    BUSY = "busy"
    REJECTED = "rejected"
    LOST_RACE = "lost_race"
    CALLER_GONE = "caller_gone"
    UNREACHABLE = "unreachable"
    FAILED = "failed"
    LOST = "lost"


class CallInput(StrEnum):
    QUEUED = "queued"
    OFFERED = "offered"
    OFFERS_FAILED = "offers_failed"
    ANSWERED = "answered"
    HELD = "held"
    RESUMED = "resumed"
    CONFERENCED = "conferenced"
    TRANSFERRED = "transferred"
    LEFT = "left"
    HUNG_UP = "hung_up"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class CallRule:
    """Where a fact leads; None is no change. `reconciled` marks a fact that does not fit."""

    to: CallState | None
    reconciled: bool = False


S = CallState
_SAME = CallRule(None)


def _row(
    *,
    dialling: CallRule,
    waiting: CallRule,
    offered: CallRule,
    answered: CallRule,
    held: CallRule,
    conferenced: CallRule,
    transferred: CallRule,
    left: CallRule,
) -> dict[CallState, CallRule]:
    """One fact over all states. A call that has ended stays ended, whatever is told late."""
    return {
        S.DIALLING: dialling,
        S.WAITING: waiting,
        S.OFFERED: offered,
        S.ANSWERED: answered,
        S.HELD: held,
        S.CONFERENCED: conferenced,
        S.TRANSFERRED: transferred,
        S.LEFT: left,
        S.ENDED: _SAME,
    }


def _all(to: CallState, *, reconciled: bool = False, **but: CallRule) -> dict[CallState, CallRule]:
    rule = CallRule(to, reconciled)
    return _row(**{s.value: but.get(s.value, _SAME if s is to else rule) for s in LIVE_STATES})


def _to(state: CallState) -> CallRule:
    return CallRule(state)


def _odd(state: CallState) -> CallRule:
    return CallRule(state, reconciled=True)


CALL_TABLE: Mapping[CallInput, Mapping[CallState, CallRule]] = {
    CallInput.QUEUED: _row(
        dialling=_to(S.WAITING),
        waiting=_SAME,
        offered=_SAME,
        answered=_SAME,
        held=_SAME,
        conferenced=_SAME,
        transferred=_SAME,
        left=_odd(S.WAITING),
    ),
    # Ring-all makes many offers of one call; an offer told after the answer belongs to a lost race.
    CallInput.OFFERED: _row(
        dialling=_odd(S.OFFERED),
        waiting=_to(S.OFFERED),
        offered=_SAME,
        answered=_SAME,
        held=_SAME,
        conferenced=_SAME,
        transferred=_SAME,
        left=_odd(S.OFFERED),
    ),
    CallInput.OFFERS_FAILED: _row(
        dialling=_SAME,
        waiting=_SAME,
        offered=_to(S.WAITING),
        answered=_SAME,
        held=_SAME,
        conferenced=_SAME,
        transferred=_SAME,
        left=_SAME,
    ),
    CallInput.ANSWERED: _row(
        dialling=_to(S.ANSWERED),
        waiting=_odd(S.ANSWERED),
        offered=_to(S.ANSWERED),
        answered=_SAME,
        held=_SAME,
        conferenced=_SAME,
        transferred=_SAME,
        left=_odd(S.ANSWERED),
    ),
    CallInput.HELD: _all(
        S.HELD, reconciled=True, answered=_to(S.HELD), conferenced=_to(S.HELD), transferred=_SAME
    ),
    CallInput.RESUMED: _row(
        dialling=_SAME,
        waiting=_SAME,
        offered=_SAME,
        answered=_SAME,
        held=_to(S.ANSWERED),
        conferenced=_SAME,
        transferred=_SAME,
        left=_SAME,
    ),
    CallInput.CONFERENCED: _all(
        S.CONFERENCED,
        reconciled=True,
        answered=_to(S.CONFERENCED),
        held=_to(S.CONFERENCED),
        transferred=_SAME,
    ),
    CallInput.TRANSFERRED: _all(
        S.TRANSFERRED,
        reconciled=True,
        answered=_to(S.TRANSFERRED),
        held=_to(S.TRANSFERRED),
        conferenced=_to(S.TRANSFERRED),
    ),
    CallInput.LEFT: _row(
        dialling=_SAME,
        waiting=_to(S.LEFT),
        offered=_to(S.LEFT),
        answered=_SAME,
        held=_SAME,
        conferenced=_SAME,
        transferred=_SAME,
        left=_SAME,
    ),
    CallInput.HUNG_UP: _all(S.ENDED),
    CallInput.LOST: _all(S.ENDED, reconciled=True),
}

OUTCOME_OF_LEAVING: Mapping[str, Outcome] = {
    "timeout": Outcome.TIMED_OUT,
    "no_agents": Outcome.NO_AGENTS,
    "key": Outcome.LEFT_BY_KEY,
    "removed": Outcome.REMOVED,
    "hung_up": Outcome.ABANDONED,
    "switch": Outcome.LOST,
}

# The switch may say two ends of one queue entry when the caller hangs up in the instant of bridging
# (reference, pitfall 7). The first one told counts, except that an answer told later wins.
UPGRADES: Mapping[Outcome, frozenset[Outcome]] = {
    Outcome.ABANDONED: frozenset({Outcome.ANSWERED}),
    Outcome.LOST: frozenset({Outcome.ANSWERED}),
    Outcome.REMOVED: frozenset({Outcome.ANSWERED}),
}

OFFER_OUTCOME_OF_CAUSE: Mapping[str, OfferOutcome] = {
    "NO_ANSWER": OfferOutcome.NO_ANSWER,
    "ALLOTTED_TIMEOUT": OfferOutcome.NO_ANSWER,
    "NO_USER_RESPONSE": OfferOutcome.NO_ANSWER,
    "PROGRESS_TIMEOUT": OfferOutcome.NO_ANSWER,
    "USER_BUSY": OfferOutcome.BUSY,
    "NORMAL_CIRCUIT_CONGESTION": OfferOutcome.BUSY,
    "CALL_REJECTED": OfferOutcome.REJECTED,
    "LOSE_RACE": OfferOutcome.LOST_RACE,
    "ORIGINATOR_CANCEL": OfferOutcome.CALLER_GONE,
    "USER_NOT_REGISTERED": OfferOutcome.UNREACHABLE,
    "SUBSCRIBER_ABSENT": OfferOutcome.UNREACHABLE,
    "DESTINATION_OUT_OF_ORDER": OfferOutcome.UNREACHABLE,
}


def decide_call(state: CallState, given: CallInput) -> CallRule:
    """The cell for this state and fact."""
    return CALL_TABLE[given][state]


def decide_outcome(current: Outcome, told: Outcome) -> Outcome:
    """The outcome of a queue entry after one more end was told: first wins, an answer may upgrade."""
    if current is Outcome.OPEN or told in UPGRADES.get(current, frozenset()):
        return told
    return current


def offer_outcome(cause: str) -> OfferOutcome:
    """How an offer failed, by the hang-up cause of the agent's leg (Q.850 names as FreeSWITCH spells them)."""
    return OFFER_OUTCOME_OF_CAUSE.get(cause, OfferOutcome.FAILED)
