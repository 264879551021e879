"""A connection's backlog: in order, without gaps or repeats, bounded, within its credit."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from callcenter.feed import Feed, Step, Told
from callcenter.frames import EventFrame, Resumed

ME, OTHER = "me", "other"


def event(seq: int, *agents: str) -> Told:
    return Told(seq, frozenset(agents), msgspec.Raw(b"%d" % seq))


def new_feed(**options: object) -> Feed:
    return Feed(wake=lambda: None, **options)  # type: ignore[arg-type]


def begun_at(seq: int, *, window: int | None = None, **options: object) -> Feed:
    feed = new_feed(**options)
    feed.restart(window)
    feed.reading()
    feed.began(seq)
    return feed


def drain(feed: Feed) -> list[tuple[str, int, int]]:
    """Everything that may be sent now."""
    sent = []
    while feed.next_step() is Step.SEND:
        message = feed.take()
        if message is not None:
            sent.append((type(message).__name__, message.prev, message.seq))
    return sent


def test_events_follow_the_snapshot_each_naming_the_one_before() -> None:
    feed = begun_at(7)
    for seq in (8, 9):
        feed.offer(event(seq))

    assert drain(feed) == [("EventFrame", 7, 8), ("EventFrame", 8, 9)]
    assert feed.next_step() is Step.NOTHING


def test_an_event_that_the_snapshot_holds_already_is_not_sent() -> None:
    feed = new_feed()
    feed.restart(None)
    feed.reading()
    for seq in (5, 6, 7):
        feed.offer(event(seq))
    feed.began(6)

    assert drain(feed) == [("EventFrame", 6, 7)]


def test_events_before_the_snapshot_is_read_are_left_to_it() -> None:
    feed = new_feed()
    feed.restart(None)
    feed.offer(event(5))
    feed.reading()
    feed.began(5)

    assert drain(feed) == []


def test_a_full_backlog_is_dropped_for_a_snapshot() -> None:
    feed = begun_at(0, size=3)
    for seq in range(1, 5):
        feed.offer(event(seq))

    assert feed.next_step() is Step.SNAPSHOT
    feed.reading()
    feed.offer(event(5))
    feed.began(4)
    assert drain(feed) == [("EventFrame", 4, 5)]


def test_an_overflow_while_the_snapshot_is_read_asks_for_another() -> None:
    feed = new_feed(size=2)
    feed.restart(None)
    feed.reading()
    for seq in (1, 2, 3):
        feed.offer(event(seq))
    feed.began(0)

    assert feed.next_step() is Step.SNAPSHOT


def test_an_agent_s_feed_holds_what_concerns_the_agent_and_skips_the_rest_in_the_heartbeat() -> None:
    feed = begun_at(10, agent=ME)
    feed.offer(event(11, OTHER))
    feed.offer(event(12, OTHER, ME))
    feed.offer(event(13))

    assert drain(feed) == [("EventFrame", 10, 12)]
    assert feed.beat() == (12, 13)
    assert feed.beat() == (13, 13)


def test_a_heartbeat_does_not_pass_over_events_that_wait() -> None:
    feed = begun_at(1)
    feed.offer(event(2))

    assert feed.beat() == (1, 1)


def test_there_is_no_heartbeat_position_before_the_stream_has_begun() -> None:
    assert new_feed().beat() is None


def test_a_resumed_stream_sends_what_was_missed_and_then_says_so() -> None:
    feed = new_feed(agent=ME)
    feed.resume(3, None)
    feed.reading()
    feed.offer(event(6, ME))
    feed.offer(event(7, ME))
    feed.replay([event(4, OTHER), event(5, ME), event(6, ME)], until=6)

    assert drain(feed) == [
        ("EventFrame", 3, 5),
        ("EventFrame", 5, 6),
        ("Resumed", 6, 6),
        ("EventFrame", 6, 7),
    ]


def test_a_resume_that_missed_nothing_is_answered_at_once() -> None:
    feed = new_feed()
    feed.resume(3, None)
    feed.reading()
    feed.replay([], until=3)

    assert drain(feed) == [("Resumed", 3, 3)]


def test_a_replay_is_void_when_events_were_lost_while_it_was_read() -> None:
    feed = new_feed()
    feed.resume(3, None)
    feed.reading()
    feed.lose()
    feed.replay([event(4)], until=4)

    assert feed.next_step() is Step.SNAPSHOT


def test_no_more_is_sent_than_the_credit_allows() -> None:
    feed = begun_at(0, window=2)
    for seq in (1, 2, 3):
        feed.offer(event(seq))

    assert drain(feed) == [("EventFrame", 0, 1)]
    feed.acknowledge(0)
    assert drain(feed) == [("EventFrame", 1, 2)]
    feed.acknowledge(2)
    assert drain(feed) == [("EventFrame", 2, 3)]


def test_a_client_that_owes_acknowledgements_gets_its_snapshot_when_it_has_paid() -> None:
    feed = begun_at(0, window=1, size=1)
    feed.offer(event(1))
    feed.offer(event(2))

    assert feed.next_step() is Step.NOTHING
    feed.acknowledge(0)
    assert feed.next_step() is Step.SNAPSHOT


@pytest.mark.parametrize("begin", ["subscribe", "resume"])
def test_a_new_subscription_forgets_what_the_old_one_owed(begin: str) -> None:
    feed = begun_at(0, window=1)
    assert feed.next_step() is Step.NOTHING

    if begin == "subscribe":
        feed.restart(1)
        assert feed.next_step() is Step.SNAPSHOT
    else:
        feed.resume(0, 1)
        assert feed.next_step() is Step.REPLAY


class AnyOrderOfThings(RuleBasedStateMachine):
    """Commits, reads, overflows, resumes and acknowledgements in any order: the client never has a gap."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[Told] = []
        self.feed = new_feed(agent=ME, size=4)
        self.window: int | None = None
        self.read_at: int | None = None
        self.replaying: int | None = None
        self.at: int | None = None
        self.has: set[int] = set()
        self.owed = 0

    @rule(mine=st.booleans())
    def commit(self, mine: bool) -> None:
        told = event(len(self.log) + 1, ME if mine else OTHER)
        self.log.append(told)
        self.feed.offer(told)

    @rule(window=st.none() | st.integers(1, 3))
    def subscribe(self, window: int | None) -> None:
        self.window, self.owed = window, 0
        self.feed.restart(window)

    @precondition(lambda self: self.at is not None)
    @rule(window=st.none() | st.integers(1, 3))
    def reconnect(self, window: int | None) -> None:
        """A new connection, resuming where the client is."""
        self.window, self.owed, self.read_at, self.replaying = window, 0, None, None
        self.feed = new_feed(agent=ME, size=4)
        self.feed.resume(self.at, window)

    @precondition(lambda self: self.read_at is None)
    @rule()
    def read(self) -> None:
        """Snapshot and log are read at some moment, and arrive at another."""
        step = self.feed.next_step()
        if step in (Step.SNAPSHOT, Step.REPLAY):
            self.replaying = self.feed.resume_from if step is Step.REPLAY else None
            self.feed.reading()
            self.read_at = len(self.log)

    @precondition(lambda self: self.read_at is not None)
    @rule()
    def arrive(self) -> None:
        until, self.read_at = self.read_at, None
        assert until is not None
        if self.replaying is not None and self.replaying == self.feed.resume_from:
            self.feed.replay(self.log[self.replaying : until], until)
        elif self.replaying is None:
            self.feed.began(until)
            self.at, self.owed = until, self.owed + 1
            self.has = {told.seq for told in self.log[:until] if ME in told.agents}

    @precondition(lambda self: self.read_at is None)
    @rule()
    def send(self) -> None:
        if self.feed.next_step() is not Step.SEND:
            return
        message = self.feed.take()
        if message is None:
            return
        assert message.prev == self.at
        self.at, self.owed = message.seq, self.owed + 1
        if isinstance(message, EventFrame):
            assert message.seq not in self.has, "sent twice"
            self.has.add(message.seq)
        else:
            assert isinstance(message, Resumed)

    @precondition(lambda self: self.at is not None)
    @rule()
    def acknowledge(self) -> None:
        self.feed.acknowledge(self.at)
        self.owed = 0

    @precondition(lambda self: self.read_at is None)
    @rule()
    def heartbeat(self) -> None:
        beat = self.feed.beat()
        if beat is not None and self.at is not None:
            assert beat[0] == self.at
            self.at = beat[1]

    @invariant()
    def client_has_everything_up_to_where_it_is(self) -> None:
        if self.at is not None:
            assert {t.seq for t in self.log[: self.at] if ME in t.agents} == self.has

    @invariant()
    def credit_is_kept(self) -> None:
        assert self.window is None or self.owed <= self.window


TestAnyOrderOfThings = AnyOrderOfThings.TestCase


@given(st.lists(st.sampled_from([ME, OTHER]), max_size=30), st.integers(0, 30))
def test_replay_and_live_events_join_without_gap_or_repeat(agents: list[str], at: int) -> None:
    log = [event(seq, agent) for seq, agent in enumerate(agents, 1)]
    at = min(at, len(log))
    feed = new_feed(agent=ME)
    feed.resume(0, None)
    feed.reading()
    for told in log[at // 2 :]:
        feed.offer(told)
    feed.replay(log[:at], until=at)

    sent = [seq for name, _, seq in drain(feed) if name == "EventFrame"]
    assert sent == [told.seq for told in log if ME in told.agents]
