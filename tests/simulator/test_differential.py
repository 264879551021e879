"""The simulated switch beside the recordings of a real one: same commands, same times, same story.

Events of a recording come from many threads of the switch, so only the order within one thread means
anything. A thread here is: one agent (all its `callcenter::info` events), one member, one queue's
counts, one channel. Within each the events must be the same, in the same order, with the same headers in
the same order, and the same values once uuids are mapped and times are allowed their tolerance.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict

import pytest

from esl_bridge.simulator import PhoneRule

from .recordings import UUID, Headers, Played, Recording, learn, load, new_switch, play

SCENARIOS = (
    "cc_config", "cc_answered_caller_hangs_up", "cc_answered_agent_hangs_up", "cc_on_demand",
    "cc_no_answer_to_break", "cc_busy_and_reject", "cc_abandon_waiting", "cc_abandon_while_ringing", "cc_timeout",
    "cc_ring_all", "cc_hold_transfer_record", "cc_uuid_standby", "cc_attended_transfer", "cc_conference",
    "cc_monitor_modes", "cc_switch_restart_before", "click_to_dial",
)  # fmt: skip
CHANNEL_EVENTS = {
    "CHANNEL_CREATE", "CHANNEL_PROGRESS", "CHANNEL_ANSWER", "CHANNEL_CALLSTATE", "CHANNEL_BRIDGE",
    "CHANNEL_UNBRIDGE", "CHANNEL_HOLD", "CHANNEL_UNHOLD", "CHANNEL_PARK", "CHANNEL_UNPARK", "CHANNEL_HANGUP",
    "CHANNEL_HANGUP_COMPLETE", "CHANNEL_DESTROY",
}  # fmt: skip

# Headers that tell of the machine or the moment, not of the call.
VOLATILE = re.compile(
    r"Event-(Date|Sequence|Calling)|Core-UUID|FreeSWITCH-IPv|Channel-State$|Channel-State-Number$"
)
# Variables of the call (not of SIP, RTP or timing) whose values must agree wherever both sides have them.
VARIABLES = re.compile(
    r"variable_(cc_(?!last)\w+|uuid|direction|is_outbound|channel_name|hangup_cause\w*|sip_hangup_disposition"
    r"|customer_ref|origination_\w+|current_application|pre_transfer_\w+|caller_id|start_epoch|answer_epoch"
    r"|end_epoch|last_hold_epoch|billsec|duration|ignore_early_media)$"
)
EPOCH = re.compile(r"1795\d{6}")
MICROSECONDS = re.compile(r"1795\d{12}")

# (recording, header): why the simulator differs there. A difference that is gone must leave this list.
_RESET = "the module resets it at another moment of the end, in a race of two threads"
ACCEPTED = {
    ("cc_hold_transfer_record", "Caller-Channel-Hold-Accum"): "microseconds of jitter of the real clock",
    ("cc_uuid_standby", "Channel-Call-UUID"): "UNPARK came just before the legs were joined",
    ("cc_switch_restart_before", "Channel-Call-UUID"): _RESET,
    ("cc_attended_transfer", "Channel-Call-UUID"): _RESET,
    ("cc_monitor_modes", "Channel-Call-UUID"): _RESET,
    ("cc_monitor_modes", "Caller-Channel-Bridged-Time"): "member-queue-end came between two bridges",
    (
        "cc_attended_transfer",
        "Other-Leg-Channel-Progress-Time",
    ): "the copy that a consulted leg keeps stays blank",
    ("cc_attended_transfer", "Caller-Callee-ID-Number"): "set 20 ms later than CALLSTATE ACTIVE",
    ("cc_attended_transfer", "Caller-Channel-Bridged-Time"): "set 20 ms earlier than CALLSTATE ACTIVE",
    (
        "cc_attended_transfer",
        "Channel-Call-State",
    ): "bridge-agent-end came 60 ms before the leg's own last events",
    ("cc_attended_transfer", "Caller-Channel-Hangup-Time"): "the same",
    ("cc_conference", "Channel-Read-Codec-Name"): "the conference's mixing codec L16: there is no media here",
    ("cc_conference", "Channel-Read-Codec-Bit-Rate"): "the same",
}
# Durations in whole seconds may round differently, times differ by scheduling.
SECONDS = {"variable_billsec", "variable_duration"}


@pytest.fixture(scope="module", params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> tuple[str, Recording, Played]:
    name: str = request.param
    recording = load(name)
    # In click_to_dial all lines of phone 5081 were taken, so nobody answered.
    silent = PhoneRule(number="1001", chances={"no_answer": 1}) if name == "click_to_dial" else None
    switch, clock = new_switch(recording.start, first_rule=silent)
    if name == "cc_config":
        # The recorded switch had answered one call before this recording began.
        switch.callcenter.queues["support@default"].calls_answered = 1
    played = play(recording, switch, clock)
    assert not switch.calls.channels, "a channel was left over"
    assert not switch.callcenter.offers and not switch.callcenter.sessions
    return name, recording, played


def threads(events: list[Headers]) -> dict[tuple[str, ...], list[Headers]]:
    """The events of each thread; a channel is known by the number dialled and how often it was before."""
    result: dict[tuple[str, ...], list[Headers]] = defaultdict(list)
    channels: dict[str, tuple[str, ...]] = {}
    dialled: dict[str, int] = defaultdict(int)
    for event in events:
        if "CC-Action" in event:
            if "CC-Agent" in event:
                key = ("agent", event["CC-Agent"])
            elif "CC-Member-UUID" in event:
                key = ("member", event["CC-Member-CID-Number"])
            else:
                key = ("queue", event["CC-Queue"])
            result[key].append(event)
        if event["Event-Name"] == "CHANNEL_CREATE":
            number = event["Caller-Destination-Number"]
            dialled[number] += 1
            channels[event["Unique-ID"]] = ("channel", number, str(dialled[number]))
        if event["Event-Name"] in CHANNEL_EVENTS:
            result[channels[event["Unique-ID"]]].append(event)
    return dict(result)


def label(event: Headers) -> str:
    """What happened, in short."""
    parts = [event.get("CC-Action") or event["Event-Name"]]
    for name in ("CC-Agent-State", "CC-Agent-Status", "CC-Cause", "CC-Cancel-Reason", "CC-Count"):
        if name in event:
            parts.append(event[name])
    if event["Event-Name"] == "CHANNEL_CALLSTATE":
        parts.append(event["Channel-Call-State"])
    if "HANGUP" in event["Event-Name"]:
        parts.append(event["Hangup-Cause"])
    return " ".join(parts)


def pairs(recording: Recording, played: Played) -> list[tuple[str, Headers, Headers]]:
    """Every recorded event beside the simulated one of the same thread and place."""
    ours = threads(played.events)
    return [
        (f"{'/'.join(key)}: {label(old)}", old, new)
        for key, events in threads(recording.events).items()
        for old, new in zip(events, ours[key], strict=True)
    ]


def same(old: str, new: str, uuids: dict[str, str]) -> bool:
    """Equal after mapping uuids; epochs may differ by a second, microseconds by 0.3 s."""
    if UUID.sub(lambda m: uuids.get(m[0], m[0]), old) == new:
        return True
    if MICROSECONDS.fullmatch(old) and MICROSECONDS.fullmatch(new):
        return abs(int(old) - int(new)) < 300_000
    if EPOCH.fullmatch(old) and EPOCH.fullmatch(new):
        return abs(int(old) - int(new)) <= 1
    if (old[:4], new[:4]) == ("1795", "1795") and ":" in old:
        return same(old.partition(":")[2], new.partition(":")[2], uuids)
    return False


def test_each_thread_tells_the_same_story(scenario: tuple[str, Recording, Played]) -> None:
    _, recording, played = scenario
    recorded = {key: [label(e) for e in events] for key, events in threads(recording.events).items()}
    simulated = {key: [label(e) for e in events] for key, events in threads(played.events).items()}
    assert simulated == recorded


def test_each_event_has_the_same_headers_in_the_same_order(scenario: tuple[str, Recording, Played]) -> None:
    _, recording, played = scenario
    for what, old, new in pairs(recording, played):
        plain = [[name for name in event if not name.startswith("variable_")] for event in (old, new)]
        assert plain[1] == plain[0], what


def test_each_header_has_the_same_value(scenario: tuple[str, Recording, Played]) -> None:
    name, recording, played = scenario
    compared = pairs(recording, played)
    uuids = dict(played.uuids)
    for _, old, new in compared:
        for header in ("Unique-ID", "Other-Leg-Unique-ID", "CC-Member-UUID", "Bridge-B-Unique-ID"):
            learn(uuids, old.get(header, ""), new.get(header, ""))
        for header in ("Caller-Transfer-Source", "variable_transfer_source"):
            learn(uuids, old.get(header, ""), new.get(header, ""))
    different: set[str] = set()
    excused: set[str] = set()
    for what, old, new in compared:
        for header, value in old.items():
            if header.startswith("variable_"):
                if header not in new or not VARIABLES.match(header):
                    continue
                if header in SECONDS and abs(int(value) - int(new[header])) <= 1:
                    continue
            elif VOLATILE.match(header):
                continue
            if same(value, new[header], uuids):
                continue
            if (name, header) in ACCEPTED:
                excused.add(header)
            else:
                different.add(f"{what}: {header} is {new[header]!r}, was {value!r}")
    assert different == set()
    assert excused == {header for recording_name, header in ACCEPTED if recording_name == name}


def test_agent_legs_and_callers_carry_the_call_centres_variables(
    scenario: tuple[str, Recording, Played],
) -> None:
    """The variables that join channels to agents and queue entries are there in every event that had them."""
    name, recording, played = scenario
    for what, old, new in pairs(recording, played):
        # A consulted leg inherits its caller's variables on the real switch; nothing joins on those.
        if name == "cc_attended_transfer" and what.startswith("channel/2000/"):
            continue
        # CALLSTATE carries variables only while the real switch shuts down; never rely on them.
        if old["Event-Name"] == "CHANNEL_CALLSTATE":
            continue
        wanted = {h for h in old if re.match(r"variable_cc_(?!last)", h)}
        assert wanted <= set(new), what


def test_every_command_gets_the_recorded_reply(scenario: tuple[str, Recording, Played]) -> None:
    """To the letter, times excepted; these are looked at in tests of their own or cannot be compared."""
    _, recording, played = scenario
    elsewhere = (
        "show channels",
        "callcenter_config queue list members",
        "conference c1 json_list",
        "uuid_dump",
    )
    for command, reply in zip(recording.commands, played.replies, strict=True):
        if command.line.startswith(elsewhere):
            continue
        expected = UUID.sub(lambda m: played.uuids.get(m[0], m[0]), command.reply)
        ours, theirs = (re.split(r"(\b1795\d{6}\b)", text) for text in (reply, expected))
        assert len(ours) == len(theirs), f"{command.line}: {reply!r} instead of {expected!r}"
        for one, other in zip(ours, theirs, strict=True):
            assert same(other, one, {}), f"{command.line}: {reply!r} instead of {expected!r}"


def replies_to(scenario: tuple[str, Recording, Played], line: str) -> list[tuple[str, str]]:
    """(recorded, simulated) replies of the commands that begin so, recorded uuids mapped."""
    _, recording, played = scenario
    return [
        (UUID.sub(lambda m: played.uuids.get(m[0], m[0]), command.reply), reply)
        for command, reply in zip(recording.commands, played.replies, strict=True)
        if command.line.startswith(line)
    ]


def test_show_channels_lists_the_same_rows(scenario: tuple[str, Recording, Played]) -> None:
    # What a leg shows of its last partner's display, and the address of a phone, are media matters.
    loose = {"callee_name", "callee_num", "sent_callee_name", "sent_callee_num", "call_uuid", "ip_addr",
             "initial_ip_addr", "created", "callee_direction", "application", "application_data"}  # fmt: skip
    if scenario[0] == "cc_monitor_modes":
        loose.add("dest")  # shows the `intercept:UUID` it was sent to, events show its number
    for recorded, simulated in replies_to(scenario, "show channels as json"):
        old, new = json.loads(recorded), json.loads(simulated)
        assert new["row_count"] == old["row_count"]
        for one, other in zip(new["rows"], old["rows"], strict=True):
            assert list(one) == list(other)
            for column in set(one) - loose:
                assert same(other[column], one[column], {}), column


def test_member_rows_are_the_same(scenario: tuple[str, Recording, Played]) -> None:
    """The recorded switch still listed callers of earlier recordings: rows of other sessions are left out."""
    _, recording, _ = scenario
    started = int(recording.start)
    for recorded, simulated in replies_to(scenario, "callcenter_config queue list members"):
        old = [row.split("|") for row in recorded.splitlines()]
        old = [row for row in old if len(row) == 1 or row[7] == "joined_epoch" or int(row[7]) >= started]
        new = [row.split("|") for row in simulated.splitlines()]
        assert len(old) == len(new)
        for one, other in zip(new, old, strict=True):
            assert len(one) == len(other)
            uuids = dict(zip(other[2:3], one[2:3], strict=True))
            for value, expected in zip(one[:-1], other[:-1], strict=True):
                assert same(expected, value, uuids)


def test_a_conference_is_described_alike(scenario: tuple[str, Recording, Played]) -> None:
    for recorded, simulated in replies_to(scenario, "conference c1 json_list"):
        old, new = json.loads(recorded)[0], json.loads(simulated)[0]
        assert {k: old[k] for k in ("conference_name", "member_count", "running")} == {
            k: new[k] for k in ("conference_name", "member_count", "running")
        }
        kept = ("id", "type", "flags", "uuid", "caller_id_name", "caller_id_number")
        assert [{k: m[k] for k in kept} for m in new["members"]] == [
            {k: m[k] for k in kept} for m in old["members"]
        ]
