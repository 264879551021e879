"""Call control of the simulated switch, and the replies of its API."""

from __future__ import annotations

import json

import pytest

from esl_bridge.simulator.events import Event

from .desk import START, Desk

NOBODY = "0b9eb1a5-0000-4000-8000-000000000001"


def bridged(desk: Desk) -> tuple[str, str]:
    """(caller, agent's leg) of a queue call in conversation."""
    desk.agent("1001", "support")
    caller = desk.caller("support")
    desk.clock.advance(3)
    return caller, desk.row("1001")["uuid"]


def causes(desk: Desk) -> dict[str, str]:
    return {e["Unique-ID"]: e["Hangup-Cause"] for e in desk.named("CHANNEL_HANGUP_COMPLETE")}


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        (f"uuid_kill {NOBODY}", "-ERR No such channel!\n"),
        (f"uuid_transfer {NOBODY} park", "-ERR No such channel!\n"),
        (f"uuid_bridge {NOBODY} {NOBODY}", "-ERR Invalid uuid\n"),
        (f"uuid_hold {NOBODY}", "+OK Success\n"),
        (f"uuid_broadcast {NOBODY} beep.wav", "-ERR invalid uuid\n"),
        (f"uuid_record {NOBODY} start x.wav", "-ERR Cannot locate session!\n"),
        (f"uuid_getvar {NOBODY} x", "-ERR No such channel!\n"),
        (f"uuid_setvar {NOBODY} x 1", "-ERR No such channel!\n"),
        (f"uuid_dump {NOBODY}", "-ERR No such channel!\n"),
        (f"uuid_park {NOBODY}", "-ERR No such channel!\n"),
        (f"uuid_exists {NOBODY}", "false"),
        ("callcenter_break agent", "-ERR Usage: callcenter_break agent <uuid>\n"),
        (f"callcenter_break agent {NOBODY}", f"-ERR Session not found for uuid {NOBODY}\n"),
        ("show channels as json", '{"row_count": 0}\n'),
        ("conference nowhere list", "-ERR Conference nowhere not found\n"),
        ("module_exists mod_callcenter", "true"),
        ("module_exists mod_nothing", "false"),
        ("originate sofia/internal/1001@127.0.0.1",
         "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] "
         "[<cid_name>] [<cid_num>] [<timeout_sec>]\n"),
        ("originate error/user_busy &park()", "-ERR USER_BUSY\n"),
        ("originate nonsense &park()", "-ERR CHAN_NOT_IMPLEMENTED\n"),
        ("originate sofia/internal/busy1@127.0.0.1 &park()", "-ERR USER_BUSY\n"),
        ("originate {originate_timeout=2}sofia/internal/silent1@127.0.0.1 &park()", "-ERR NO_ANSWER\n"),
        ("hupall", "+OK hangup all channels with cause MANAGER_REQUEST\n"),
    ],
)  # fmt: skip
def test_commands_answer_as_the_real_ones(command: str, reply: str) -> None:
    assert Desk().api(command) == reply


def test_a_uuid_may_be_chosen_once() -> None:
    desk = Desk()
    line = f"originate {{origination_uuid={NOBODY}}}sofia/internal/1001@127.0.0.1 &park()"
    assert desk.api(line) == f"+OK {NOBODY}\n"
    assert desk.api(line) == "-ERR NORMAL_TEMPORARY_FAILURE\n"


def test_the_time_out_of_originate_counts_whole_seconds() -> None:
    desk = Desk()
    desk.clock.advance(0.7)
    desk.api("originate sofia/internal/silent1@127.0.0.1 &park() XML default Name 100 3")
    assert desk.clock.now() - START == pytest.approx(3.0, abs=0.05)


def test_click_to_dial_rings_the_agent_then_the_customer() -> None:
    desk = Desk()
    line = "originate sofia/internal/1001@127.0.0.1 &bridge({origination_caller_id_number=95500}sofia/internal/138@x)"
    agent = desk.api(line).split()[1]
    desk.clock.advance(3)
    (bridge,) = desk.named("CHANNEL_BRIDGE")
    assert bridge["Bridge-A-Unique-ID"] == agent
    customer = bridge["Bridge-B-Unique-ID"]
    (create,) = desk.named("CHANNEL_CREATE", uuid=customer)
    assert create["Caller-Caller-ID-Number"] == "95500"
    assert (create["Other-Type"], create["Other-Leg-Unique-ID"]) == ("originator", agent)
    desk.api(f"uuid_kill {customer}")
    desk.clock.advance(1)
    order = [e["Event-Name"] for e in desk.named("CHANNEL_UNBRIDGE", "CHANNEL_HANGUP", "CHANNEL_DESTROY")]
    assert order.count("CHANNEL_DESTROY") == 2
    assert causes(desk) == {agent: "NORMAL_CLEARING", customer: "NORMAL_CLEARING"}


def test_a_busy_customer_ends_the_agents_leg_with_the_cause() -> None:
    desk = Desk()
    agent = desk.api("originate sofia/internal/1001@127.0.0.1 &bridge(sofia/internal/busy1@x)").split()[1]
    desk.clock.advance(1)
    assert causes(desk)[agent] == "USER_BUSY"


def test_the_agent_who_hangs_up_while_the_customer_rings_cancels_the_call() -> None:
    desk = Desk()
    agent = desk.api("originate sofia/internal/1001@127.0.0.1 &bridge(sofia/internal/silent1@x)").split()[1]
    desk.clock.advance(1)
    desk.api(f"uuid_kill {agent}")
    desk.clock.advance(1)
    assert sorted(causes(desk).values()) == ["NORMAL_CLEARING", "ORIGINATOR_CANCEL"]


def test_a_number_as_extension_is_dialled() -> None:
    desk = Desk()
    desk.api("originate sofia/internal/1001@127.0.0.1 13800000001 XML default")
    desk.clock.advance(3)
    assert len(desk.named("CHANNEL_BRIDGE")) == 1


def test_an_unknown_extension_hangs_up() -> None:
    desk = Desk()
    leg = desk.api("originate sofia/internal/1001@127.0.0.1 nowhere XML default").split()[1]
    desk.clock.advance(1)
    assert causes(desk) == {leg: "NORMAL_CLEARING"}


def test_an_unknown_queue_lets_the_dialplan_go_on_without_an_event() -> None:
    desk = Desk()
    leg = desk.caller("nosuch")
    desk.clock.advance(1)
    assert causes(desk) == {leg: "NORMAL_CLEARING"}
    assert desk.actions("member-queue-start", "member-queue-end") == []


def test_hold_answers_once_and_is_undone_by_a_hang_up() -> None:
    desk = Desk(support={})
    _, leg = bridged(desk)
    assert desk.api(f"uuid_hold {leg}") == "+OK Success\n"
    assert desk.api(f"uuid_hold {leg}") == "-ERR Operation failed\n"
    assert desk.api(f"uuid_hold toggle {leg}") == "+OK Success\n"
    assert desk.api(f"uuid_hold off {leg}") == "-ERR Operation failed\n"
    desk.clock.advance(1)
    desk.api(f"uuid_hold {leg}")
    desk.api(f"uuid_kill {leg}")
    states = [e["Channel-Call-State"] for e in desk.named("CHANNEL_CALLSTATE", uuid=leg)]
    assert states[2:] == ["HELD", "UNHELD", "ACTIVE", "HELD", "UNHELD"]


def test_a_caller_sent_to_another_queue_leaves_the_agent_free() -> None:
    desk = Desk(support={}, billing={})
    caller, leg = bridged(desk)
    desk.api(f"uuid_transfer {caller} queue-billing XML default")
    desk.clock.advance(1)
    assert causes(desk) == {leg: "NORMAL_CLEARING"}
    assert desk.row("1001")["state"] == "Waiting"
    starts = desk.actions("member-queue-start")
    assert [e["CC-Queue"] for e in starts] == ["support", "billing"]
    assert starts[0]["CC-Member-UUID"] != starts[1]["CC-Member-UUID"]
    assert starts[0]["CC-Member-Session-UUID"] == starts[1]["CC-Member-Session-UUID"] == caller


def test_a_waiting_caller_who_is_sent_away_breaks_out() -> None:
    desk = Desk(support={})
    caller = desk.caller("support")
    desk.clock.advance(2)
    desk.api(f"uuid_transfer {caller} park XML default")
    (end,) = desk.actions("member-queue-end")
    assert (end["CC-Cancel-Reason"], end["Answer-State"]) == ("BREAK_OUT", "answered")
    assert desk.api(f"uuid_exists {caller}") == "true"


def consulting(desk: Desk, third: str = "2000", wait: float = 3) -> tuple[str, str]:
    caller, leg = bridged(desk)
    assert (
        desk.api(f"uuid_broadcast {leg} att_xfer::sofia/internal/{third}@127.0.0.1 aleg")
        == "+OK Message sent\n"
    )
    desk.clock.advance(wait)
    return caller, leg


def test_a_consultation_nobody_answers_brings_the_agent_back() -> None:
    desk = Desk(support={})
    caller, leg = consulting(desk, "busy1")
    assert desk.row("1001")["state"] == "In a queue call"
    desk.api(f"uuid_kill {caller}")
    desk.clock.advance(1)
    assert causes(desk)[leg] == "NORMAL_CLEARING"
    assert not desk.switch.calls.channels


def test_a_third_party_who_hangs_up_brings_the_agent_back() -> None:
    desk = Desk(support={})
    caller, leg = consulting(desk, "short1", wait=6)
    assert desk.named("CHANNEL_UNBRIDGE")[0]["Bridge-A-Unique-ID"] == leg
    assert desk.api(f"uuid_exists {caller}") == desk.api(f"uuid_exists {leg}") == "true"
    desk.api(f"uuid_kill {leg}")
    desk.clock.advance(1)
    assert not desk.switch.calls.channels


def test_a_caller_who_hangs_up_leaves_the_consultation_alone() -> None:
    desk = Desk(support={})
    caller, leg = consulting(desk)
    desk.api(f"uuid_kill {caller}")
    desk.clock.advance(2)
    assert list(causes(desk)) == [caller]
    assert desk.row("1001")["state"] == "In a queue call"
    desk.api(f"uuid_kill {leg}")
    desk.clock.advance(2)
    assert not desk.switch.calls.channels and not desk.switch.callcenter.offers


def test_an_agent_who_hangs_up_before_the_third_party_answers_ends_the_call() -> None:
    desk = Desk(support={})
    _, leg = consulting(desk, "silent1", wait=1)
    desk.api(f"uuid_kill {leg}")
    desk.clock.advance(2)
    assert not desk.switch.calls.channels
    assert desk.actions("member-queue-end")[0]["CC-Cause"] == "Terminated"


def test_transferring_a_consulting_agent_drops_the_third_party() -> None:
    desk = Desk(support={})
    caller, leg = consulting(desk)
    desk.api(f"uuid_transfer {leg} park XML default")
    desk.clock.advance(1)
    assert caller in causes(desk) and leg not in causes(desk)
    desk.api("hupall")
    desk.clock.advance(1)
    assert not desk.switch.calls.channels


def test_everything_hung_up_in_a_consultation_leaves_nothing() -> None:
    desk = Desk(support={})
    consulting(desk)
    desk.api("hupall")
    desk.clock.advance(2)
    assert not desk.switch.calls.channels and not desk.switch.callcenter.offers
    assert set(causes(desk).values()) == {"MANAGER_REQUEST"}


def test_a_supervisor_listens_until_the_agent_is_gone() -> None:
    desk = Desk(support={})
    caller, leg = bridged(desk)
    spy = desk.api(f"originate sofia/internal/9001@127.0.0.1 &eavesdrop({leg})").split()[1]
    assert desk.named("MEDIA_BUG_START")[0]["Unique-ID"] == leg
    assert desk.named("CHANNEL_BRIDGE")[-1]["Unique-ID"] == caller
    desk.api(f"uuid_kill {caller}")
    desk.clock.advance(1)
    assert spy in causes(desk)


def test_two_parked_channels_are_bridged() -> None:
    desk = Desk()
    one, two = (desk.api(f"originate sofia/internal/{n}@127.0.0.1 &park()").split()[1] for n in ("1", "2"))
    assert desk.api(f"uuid_bridge {one} {two}") == f"+OK {two}\n"
    assert desk.named("CHANNEL_BRIDGE")[0]["Bridge-B-Unique-ID"] == two
    assert desk.api(f"uuid_bridge {one} {one}") == "-ERR Invalid uuid\n"


def test_variables_can_be_read_and_written() -> None:
    desk = Desk()
    leg = desk.api("originate {ref='a, b',n=1}sofia/internal/1001@127.0.0.1 &park()").split()[1]
    assert desk.api(f"uuid_getvar {leg} ref") == "a, b"
    assert desk.api(f"uuid_getvar {leg} nothing") == "_undef_"
    assert desk.api(f"uuid_setvar {leg} ref two words") == "+OK\n"
    assert desk.api(f"uuid_getvar {leg} ref") == "two words"
    assert json.loads(desk.api(f"uuid_dump {leg} json"))["variable_ref"] == "two words"
    assert "variable_ref: two%20words\n" in desk.api(f"uuid_dump {leg}")
    assert "variable_ref: [two words]\n" in desk.api(f"uuid_dump {leg} plain")


def test_the_json_api_lists_what_the_tables_list() -> None:
    desk = Desk(support={})
    desk.agent("1001", "support")
    reply = json.loads(desk.api('json {"command":"callcenter_config","data":{"arguments":"agent list"}}'))
    assert (reply["status"], reply["response"][0]["name"]) == ("success", "1001")
    reply = json.loads(
        desk.api('json {"command":"callcenter_config","data":{"arguments":"queue list tiers"}}')
    )
    assert reply["response"] == {"error": "Missing data attribute: queue_name"}
    assert desk.api("json nonsense") == "-ERR Invalid JSON\n"


def test_quoted_words_and_their_lack_are_read_like_the_module_reads_them() -> None:
    desk = Desk(support={})
    desk.agent("1001", "support")
    assert desk.cc("agent set status 1001 Available (On Demand)") == "+OK\n"
    assert desk.row("1001")["status"] == "Available"
    assert desk.cc("agent set status 1001 On Break") == "-ERR Invalid Agent Status!\n"
    assert desk.cc("agent set status 1001 'On Break'") == "+OK\n"
    assert desk.row("1001")["status"] == "On Break"
    assert desk.cc(r"agent set contact 1001 '{x=\'a b\'}sofia/internal/1001@127.0.0.1'") == "+OK\n"
    assert desk.row("1001")["contact"] == "{x='a b'}sofia/internal/1001@127.0.0.1"


def test_a_misspelt_status_is_stored_and_never_served() -> None:
    desk = Desk(support={})
    desk.agent("1001", "support", status="available")
    desk.caller("support")
    desk.clock.advance(5)
    assert desk.row("1001")["status"] == "available"
    assert desk.offered() == []


def test_state_if_waiting_compares_and_sets() -> None:
    desk = Desk(support={})
    desk.agent("1001", "support")
    assert desk.cc("agent set state_if_waiting 1001 Idle") == "+OK\n"
    assert desk.cc("agent set state_if_waiting 1001 Idle") == "-ERR Agent not found!\n"


def test_an_inbound_caller_is_listed_with_the_number_it_dialled() -> None:
    desk = Desk(support={})
    desk.switch.dids["95500"] = "queue-support"
    desk.switch.incoming("13911112222", "Anna Berg", "95500")
    desk.clock.advance(1)
    (row,) = json.loads(desk.api("show channels as json"))["rows"]
    assert (row["direction"], row["initial_dest"], row["dest"]) == ("inbound", "95500", "queue-support")
    assert (row["cid_num"], row["cid_name"]) == ("13911112222", "Anna Berg")


def test_a_configuration_source_that_fails_means_no_such_queue(caplog: pytest.LogCaptureFixture) -> None:
    def broken(name: str) -> None:
        raise OSError("no database")

    desk = Desk()
    desk.switch.queue_source = broken
    assert desk.cc("queue load support") == "-ERR Invalid Queue not found!\n"
    assert "the configuration of queue support cannot be read" in caplog.text


def test_half_a_surrogate_pair_harms_nobody() -> None:
    desk = Desk()
    assert desk.api('sim_queue q {"moh_sound": "\\ud800"}') == "+OK\n"
    desk.caller("q")
    (start,) = desk.named("PLAYBACK_START")
    assert start["Playback-File-Path"] == "\ud800"
    assert b"Playback-File-Path: %3F" in Event(start).plain()
