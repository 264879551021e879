"""Whatever clients do, every call ends, exactly once, and nothing is left over."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from .desk import Desk

WORDS = (  # noqa: SIM905
    "agent tier queue add del set get list load reload unload count status state uuid contact level members agents "
    "support billing vip Available Waiting Idle callback uuid-standby 'On 'Logged Out' -both -bleg park inline XML "
    "start stop all off toggle 5 -1 --3 x=1 {a=b} [ ( &park() &bridge(sofia/internal/1@x) &conference(c) &echo "
    "queue-support conference-c conference:c@default intercept:LEG att_xfer::sofia/internal/2000@x aleg json kick "
    "sofia/internal/138@x sofia/internal/busy@x sofia/internal/silent@x {origination_uuid=LEG}sofia/internal/1@x "
    "1001 1002 shutdown c bgdial json_list mute ²³ é \x00 \ud800"
).split()
COMMANDS = (  # noqa: SIM905
    "callcenter_config callcenter_break uuid_kill uuid_transfer uuid_bridge uuid_hold uuid_broadcast uuid_record "
    "uuid_setvar uuid_getvar uuid_dump uuid_park uuid_exists uuid_recv_dtmf originate conference show json hupall "
    "sim_queue status bogus fsctl"
).split()
PLACES = ("CALLER", "LEG", "OTHER")

step = st.one_of(
    st.tuples(
        st.sampled_from(COMMANDS),
        st.lists(st.one_of(st.sampled_from(WORDS), st.sampled_from(PLACES), st.text(max_size=6)), max_size=6),
        st.sampled_from([0.0, 0.01, 0.3, 1.0, 4.0]),
    ),
    st.tuples(
        st.sampled_from(["uuid_transfer", "uuid_bridge", "uuid_kill", "uuid_broadcast", "uuid_hold"]),
        st.lists(st.sampled_from(PLACES + tuple(WORDS[-22:])), min_size=1, max_size=3),
        st.sampled_from([0.0, 0.02, 0.5, 2.0]),
    ),
)


def busy_desk() -> tuple[Desk, dict[str, str]]:
    """Two queues, three agents, a caller in conversation, one waiting."""
    desk = Desk(support={}, billing={"strategy": "ring-all", "max-wait-time": 20})
    desk.agent("1001", "support", "billing")
    desk.agent("1002", "billing", phone="silent2", status="Available (On Demand)")
    caller = desk.caller("support", "13800000001")
    desk.clock.advance(3)
    other = desk.caller("billing", "13800000002")
    return desk, {"CALLER": caller, "LEG": desk.row("1001")["uuid"], "OTHER": other}


def check(desk: Desk) -> None:
    """Each channel and each queue entry has one beginning and one end; bridges are closed."""
    calls, center = desk.switch.calls, desk.switch.callcenter
    assert not calls.channels, [(ch.name, ch.hangup_cause, ch.locks) for ch in calls.channels.values()]
    assert not center.offers and not center.sessions
    assert not desk.switch.eavesdrops.active and not desk.switch.conferences.rooms
    count = Counter((e["Event-Name"], e.get("Unique-ID", "")) for e in desk.events)
    for name, uuid in count:
        if name == "CHANNEL_CREATE":
            lifetimes = [count[event, uuid] for event in (name, "CHANNEL_HANGUP", "CHANNEL_HANGUP_COMPLETE")]
            assert lifetimes == [count["CHANNEL_DESTROY", uuid]] * 3
    begun = Counter(e["CC-Member-UUID"] for e in desk.actions("member-queue-start"))
    ended = Counter(e["CC-Member-UUID"] for e in desk.actions("member-queue-end"))
    assert begun == ended
    states = {e["CC-Agent"]: e["CC-Agent-State"] for e in desk.actions("agent-state-change")}
    stuck = {name for name, state in states.items() if state in ("Receiving", "In a queue call")}
    assert stuck <= set(Counter(a for a in states)) - set(center.agents)


@settings(max_examples=150, deadline=None)
@given(st.lists(step, min_size=1, max_size=8))
def test_every_call_ends_once_whatever_is_sent(steps: list[tuple[str, list[str], float]]) -> None:
    desk, places = busy_desk()
    replies: list[str] = []
    for command, words, wait in steps:
        text = " ".join([command, *words])
        for place, uuid in places.items():
            text = text.replace(place, uuid)
        before = len(replies)
        desk.switch.api(text, replies.append)
        if command != "originate":
            assert len(replies) == before + 1, text
        desk.clock.advance(wait)
    desk.switch.api("hupall", replies.append)
    desk.clock.advance(120)
    desk.switch.api("hupall", replies.append)
    desk.clock.advance(10)
    check(desk)
