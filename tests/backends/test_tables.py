"""The module's tables and `show channels as json`, as a real switch wrote them and as it might."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callcenter.switch import Presence, SeenAgent, SeenMember, SeenTier, Snapshot
from esl_bridge.backends.base import SnapshotUnreadable
from esl_bridge.backends.callcenter import (
    AGENT_LIST,
    MEMBER_LIST,
    QUEUE_LIST,
    TIER_LIST,
    CallcenterBackend,
    read_table,
)
from esl_bridge.backends.channels import SHOW_CHANNELS, read_channels
from tests.backends.recordings import replies, tables

BACKEND = CallcenterBackend()
AT = 1_795_516_480_000_000
NO_CHANNELS = '{"row_count": 0}\n'
EMPTY = "+OK\n"


def recorded_snapshot(name: str, **instead: str) -> Snapshot:
    """The snapshot of the first reply to each request in a recording; what was not asked is empty."""
    told: dict[str, str] = {}
    for command, reply in replies(name):
        told.setdefault(command, reply)
    asked = {line: told.get(line, EMPTY) for line in BACKEND.snapshot_requests()}
    asked[SHOW_CHANNELS] = told.get(SHOW_CHANNELS, NO_CHANNELS)
    return BACKEND.read_snapshot(asked | instead, AT)


# --- tables ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("where", "command", "reply"), tables())
def test_every_recorded_table_has_the_rows_and_columns_of_its_text(
    where: str, command: str, reply: str
) -> None:
    lines = reply.splitlines()[:-1]
    rows = read_table(reply)
    assert len(rows) == max(0, len(lines) - 1)
    for row, line in zip(rows, lines[1:], strict=True):
        assert list(row) == lines[0].split("|")
        assert "|".join(row.values()) == line


@pytest.mark.parametrize("command", [AGENT_LIST, TIER_LIST])
def test_a_table_without_rows_is_just_ok(command: str) -> None:
    assert dict(replies("cc_config"))[command] is not None
    first = next(reply for line, reply in replies("cc_config") if line == command)
    assert first == EMPTY and read_table(first) == []


def test_a_null_of_the_database_is_empty() -> None:
    assert read_table("name|uuid\n1001|(null)\n+OK\n") == [{"name": "1001", "uuid": ""}]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "\n",
        "-ERR Invalid!\n",
        "-ERR no reply\n",
        "name|uuid\n1001|x\n",
        "name|uuid\n1001|x\n+OK\nmore\n",
        "-ERR callcenter_config Command not found!\n",
        "name|uuid|state\n1001|x\n+OK\n",
    ],
)
def test_what_is_no_whole_table_is_unreadable(reply: str) -> None:
    with pytest.raises(SnapshotUnreadable):
        read_table(reply)


@given(st.text())
def test_any_text_is_a_table_or_unreadable(text: str) -> None:
    try:
        rows = read_table(text)
    except SnapshotUnreadable:
        return
    assert all(isinstance(value, str) for row in rows for value in row.values())


AGENT_HEAD = "name|uuid|type|contact|status|state|wrap_up_time"


def test_a_bar_in_a_dial_string_does_not_move_the_columns_after_it() -> None:
    table = f"{AGENT_HEAD}\n1001||callback|user/1001|user/2001|On Break|Waiting|7\n+OK\n"
    snapshot = recorded_snapshot("cc_switch_restart_after", **{AGENT_LIST: table})
    assert snapshot.agents["1001"] == SeenAgent(
        "1001", Presence.BREAK, "free", contact="user/1001|user/2001", wrap_up=7
    )


def test_a_caller_with_a_bar_in_his_name_is_seen_waiting() -> None:
    head = "queue|uuid|session_uuid|cid_number|cid_name|joined_epoch|serving_agent|state"
    table = f"{head}\ns@d|m1|c1|138|A|B|1795516475||Waiting\n+OK\n"
    member = recorded_snapshot("cc_config", **{MEMBER_LIST: table}).members["m1"]
    assert (member.name, member.joined_at, member.state) == ("A|B", 1_795_516_475_000_000, "waiting")


def test_columns_are_found_by_name_in_any_order() -> None:
    table = "state|wrap_up_time|status|name|contact|uuid\nIdle|3|Logged Out|1001|x|\n+OK\n"
    seen = recorded_snapshot("cc_config", **{AGENT_LIST: table}).agents["1001"]
    assert (seen.presence, seen.engine, seen.wrap_up) == (Presence.OUT, "parked", 3)


@pytest.mark.parametrize(
    ("request_line", "table"),
    [
        (AGENT_LIST, "name|status\n1001|Available\n+OK\n"),
        (TIER_LIST, "queue|level\ns@d|1\n+OK\n"),
        (QUEUE_LIST, "strategy\nring-all\n+OK\n"),
        (MEMBER_LIST, "uuid|state\nm|Waiting\n+OK\n"),
    ],
)
def test_a_table_without_a_column_we_need_is_unreadable(request_line: str, table: str) -> None:
    with pytest.raises(SnapshotUnreadable):
        recorded_snapshot("cc_config", **{request_line: table})


def test_a_snapshot_without_one_of_its_replies_is_unreadable() -> None:
    with pytest.raises(SnapshotUnreadable):
        BACKEND.read_snapshot({SHOW_CHANNELS: NO_CHANNELS}, AT)


# --- snapshots that were recorded --------------------------------------------------------------------


def test_the_snapshot_before_the_restart_holds_a_call_one_offered_and_two_dead() -> None:
    # The first `agent list` with no name; `queue list` was not asked in this recording.
    snapshot = recorded_snapshot("cc_switch_restart_before")
    contact = "sofia/internal/{}@127.0.0.1:5081"
    assert snapshot.agents == {
        "1001": SeenAgent(
            "1001",
            Presence.OPEN,
            "in_call",
            leg="8ffe07eb-b39d-4dd5-a4aa-f39afa991a6d",
            contact=contact.format(1001),
            wrap_up=3,
        ),
        "1002": SeenAgent(
            "1002", Presence.OPEN, "free", contact=contact.format(1002), wrap_up=3, on_demand=True
        ),
    }
    assert snapshot.tiers == {
        ("support@default", "1001"): SeenTier("support@default", "1001", 1, 1),
        ("support@default", "1002"): SeenTier("support@default", "1002", 1, 2),
    }
    states = {m.channel[:8]: m.state for m in snapshot.members.values() if m.channel}
    assert states == {"e7b9fa1b": "offered", "a562e894": "answered"}
    talking = snapshot.members["157c9d73-bdc4-425e-8c3b-f0ddcf9ecde7"]
    joined = datetime.fromtimestamp(1795516472, UTC)
    assert talking == SeenMember(
        member="157c9d73-bdc4-425e-8c3b-f0ddcf9ecde7",
        channel="a562e894-cccb-4c4d-9436-202089405471",
        queue="support@default",
        number="13800138000",
        name="Outbound Call",
        joined_at=int(joined.timestamp()) * 1_000_000,
        state="answered",
        agent="1001",
    )
    gone = [m for m in snapshot.members.values() if m.state == "gone"]
    assert len(gone) == 2 and all(m.channel == "" for m in gone)


def test_the_snapshot_after_the_restart_holds_dead_callers_only() -> None:
    snapshot = recorded_snapshot("cc_switch_restart_after")
    assert snapshot.at == AT
    assert snapshot.queues == {"support@default", "billing@default"}
    assert {a.name: (a.engine, a.leg) for a in snapshot.agents.values()} == {
        "1001": ("free", ""),
        "1002": ("free", ""),
    }
    assert len(snapshot.members) == 3
    assert {m.state for m in snapshot.members.values()} == {"gone"}
    assert snapshot.channels == {}


# --- channels ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "cc_answered_caller_hangs_up",
        "cc_attended_transfer",
        "cc_monitor_modes",
        "cc_switch_restart_after",
    ],
)
def test_recorded_channels_are_read_as_they_stand_in_the_json(name: str) -> None:
    for reply in (reply for line, reply in replies(name) if line == SHOW_CHANNELS):
        rows = {row["uuid"]: row for row in json.loads(reply).get("rows", [])}
        channels = read_channels(reply)
        assert channels.keys() == rows.keys()
        for uuid, channel in channels.items():
            row = rows[uuid]
            assert channel.created_at == int(row["created_epoch"]) * 1_000_000
            assert channel.inbound is (row["direction"] == "inbound")
            assert channel.destination == (row["initial_dest"] or row["dest"])
            assert (channel.number, channel.name) == (row["cid_num"], row["cid_name"])
            assert channel.call == row["call_uuid"]


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "-ERR no reply\n",
        "[]",
        "null",
        "7",
        '"rows"',
        '{"rows": 5}',
        '{"rows": null}',
        '{"rows": {"a": 1}}',
        '{"rows": ["x"]}',
        '{"rows": [{}]}',
        '{"rows": [{"uuid": {}}]}',
        '{"rows": [{"uuid": 7}]}',
        '{"rows": [{"uuid": "a", "created_epoch": "soon"}]}',
        '{"rows": [{"uuid": "a", "created_epoch": Infinity}]}',
        '{"rows": [{"uuid": "a", "cid_num": ["1"]}]}',
        '{"row_count": 1, "rows": [{"uuid": "a"',
        "[" * 200_000,
    ],
)
def test_what_is_no_table_of_channels_is_unreadable(reply: str) -> None:
    with pytest.raises(SnapshotUnreadable):
        read_channels(reply)


def test_a_channel_with_nothing_known_but_its_uuid_is_read() -> None:
    (channel,) = read_channels('{"rows": [{"uuid": "a", "cid_num": null}]}').values()
    assert (channel.channel, channel.number, channel.created_at, channel.call) == ("a", "", 0, "")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda x: (
            st.lists(x) | st.dictionaries(st.sampled_from(["rows", "uuid", "created_epoch", "cid_num"]), x)
        ),
    )
)
def test_any_json_is_channels_or_unreadable(value: object) -> None:
    try:
        channels = read_channels(json.dumps(value))
    except SnapshotUnreadable:
        return
    for uuid, channel in channels.items():
        assert isinstance(uuid, str) and isinstance(channel.number, str)
