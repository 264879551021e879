"""A connection to a switch that answers, keeps silent, lies, or goes away in the middle of it."""

import asyncio
import logging
import random
import socket
import time

import pytest

from esl_bridge.protocol import UnsafeCommand
from esl_bridge.transports.asyncio_transport import AsyncioConnection, connect
from esl_bridge.transports.base import Connector, EslClosed, EslError, EslRefused, EslTimeout, backoff
from tests.esl.switch import GREETING, PASSWORD, Caller, Script, ScriptedSwitch, event, output, reply

SOON = 0.15
"""A deadline short enough to wait for, in seconds."""

NEVER = 30.0
"""A deadline that fails the test when it is reached."""


async def dial(switch: ScriptedSwitch, password: str = PASSWORD, **limits: float) -> AsyncioConnection:
    deadlines = {
        "connect_timeout": 5.0,
        "idle_timeout": NEVER,
        "frame_timeout": NEVER,
        "reader_timeout": NEVER,
    }
    return await connect("127.0.0.1", switch.port, password, **(deadlines | limits))


def saying(*script: bytes | str) -> Script:
    """A switch that, after the login, says what is bytes and waits for the commands that are text."""

    async def play(caller: Caller) -> None:
        await caller.log_in()
        for part in script:
            if isinstance(part, bytes):
                await caller.say(part)
            else:
                await caller.expect(part)
        await caller.gone()

    return play


async def sequences(connection: AsyncioConnection) -> list[int]:
    """The sequence numbers of all events until the end of the connection, which must be a fault."""
    seen = []
    with pytest.raises(EslError):
        async for each in connection.events():
            seen.append(each.sequence)
    return seen


# Connecting


async def test_the_login_is_the_first_thing_sent_and_commands_follow():
    script = saying(
        "api status", output("UP\n"), "event plain ALL", reply("+OK event listener enabled plain")
    )
    async with ScriptedSwitch(script) as switch:
        connector: Connector = connect
        connection = await connector("127.0.0.1", switch.port, PASSWORD)
        assert await connection.api("status") == "UP\n"
        assert await connection.command("event plain ALL") == "+OK event listener enabled plain"
        assert not connection.closed
        await connection.close()
        assert connection.closed


async def test_a_wrong_password_is_refused_and_not_repeated_in_the_error():
    async def script(caller: Caller) -> None:
        await caller.say(GREETING)
        await caller.expect(
            "auth battery staple",
            reply("-ERR invalid"),
            b"Content-Type: text/disconnect-notice\nContent-Length: 6\n\nBye.\n\n",
        )
        await caller.gone()

    async with ScriptedSwitch(script) as switch:
        with pytest.raises(EslRefused, match="-ERR invalid") as refusal:
            await dial(switch, "battery staple")
        assert "staple" not in str(refusal.value)


async def test_an_address_that_the_switch_does_not_allow_is_refused():
    async def script(caller: Caller) -> None:
        await caller.say(
            b"Content-Type: text/rude-rejection\nContent-Length: 24\n\nAccess Denied, go away.\n"
        )
        caller.hang_up()

    async with ScriptedSwitch(script) as switch:
        with pytest.raises(EslRefused, match="this address"):
            await dial(switch)


async def test_nobody_listening_is_an_error_that_names_the_address():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        with pytest.raises(EslClosed, match=f"cannot connect to 127.0.0.1:{port}"):
            await connect("127.0.0.1", port, PASSWORD)


@pytest.mark.parametrize("greeting", [b"", b"Content-Type: auth/", b"SSH-2.0-OpenSSH_9.6\r\n"])
async def test_a_switch_that_does_not_greet_is_given_up(greeting):
    async def script(caller: Caller) -> None:
        await caller.say(greeting)
        await caller.gone()

    async with ScriptedSwitch(script) as switch:
        with pytest.raises(EslTimeout, match=f"no accepted login at 127.0.0.1:{switch.port} within 0.15 s"):
            await dial(switch, connect_timeout=SOON)


async def test_a_switch_that_greets_and_does_not_answer_the_login_is_given_up():
    async def script(caller: Caller) -> None:
        await caller.say(GREETING)
        await caller.expect(f"auth {PASSWORD}")
        await caller.gone()

    async with ScriptedSwitch(script) as switch:
        with pytest.raises(EslTimeout, match="no accepted login"):
            await dial(switch, connect_timeout=SOON)


@pytest.mark.parametrize(
    ("greeting", "fault"),
    [
        (b"HTTP/1.1 400 Bad Request\n\n", "make no sense: a line that is no header"),
        (b"Content-Type: api/response\n\n", "no event socket"),
        (b"", "lost"),
        (b"Content-Type: au", "lost in the middle of a message"),
    ],
)
async def test_something_else_on_the_port_is_an_error_that_says_so(greeting, fault):
    async def script(caller: Caller) -> None:
        await caller.say(greeting)
        caller.hang_up()

    async with ScriptedSwitch(script) as switch:
        with pytest.raises(EslClosed, match=fault):
            await dial(switch)


async def test_a_password_with_a_line_break_is_not_sent():
    with pytest.raises(UnsafeCommand):
        await connect("127.0.0.1", 1, "x\n\napi shutdown")


async def test_the_connection_keeps_itself_alive_and_does_not_wait_to_send():
    async with ScriptedSwitch(saying()) as switch:
        connection = await dial(switch)
        assert connection._transport is not None
        sock = connection._transport.get_extra_info("socket")
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        await connection.close()


# Commands


async def test_commands_asked_at_once_go_out_one_by_one_and_get_their_own_replies():
    commands = [f"echo {n}" for n in range(20)]
    script = [part for line in commands for part in (f"api {line}", output(line))]
    async with ScriptedSwitch(saying(*script)) as switch:
        connection = await dial(switch)
        assert await asyncio.gather(*(connection.api(line) for line in commands)) == commands
        await connection.close()


async def test_events_between_a_command_and_its_reply_are_kept_in_order():
    script = saying("api status", event(1), event(2) + output("UP") + event(3), "exit", reply("+OK bye"))
    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch)
        assert await connection.api("status") == "UP"
        assert await connection.command("exit") == "+OK bye"
        assert [each.sequence for each in await connection.next_events(2)] == [1, 2]
        assert [each.sequence for each in await connection.next_events(2)] == [3]
        await connection.close()


async def test_a_background_job_is_known_by_its_uuid():
    script = saying(
        "bgapi status",
        reply("+OK Job-UUID: 1b1e", Job_UUID="1b1e"),
        "bgapi x",
        reply("-ERR permission denied"),
    )
    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch)
        assert await connection.bgapi("status") == "1b1e"
        with pytest.raises(EslRefused, match="permission denied"):
            await connection.bgapi("x")
        assert not connection.closed
        await connection.close()


async def test_output_is_text_whatever_its_bytes_and_a_refusal_is_output_too():
    script = saying(
        "api a", output(b"\xff\xe4\xb8\x96"), "api b", reply("-ERR permission denied"), "api c", output("")
    )
    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch)
        assert await connection.api("a") == "\ufffd世"
        assert await connection.api("b") == "-ERR permission denied"
        assert await connection.api("c") == ""
        await connection.close()


@pytest.mark.parametrize("line", ["status\n\napi shutdown", "status\r", "sta\0tus"])
async def test_a_command_that_would_be_two_is_refused_and_the_connection_goes_on(line):
    async with ScriptedSwitch(saying("api status", output("UP"))) as switch:
        connection = await dial(switch)
        for send in (connection.api, connection.bgapi, connection.command):
            with pytest.raises(UnsafeCommand):
                await send(line)
        assert await connection.api("status") == "UP"
        await connection.close()


async def test_a_late_reply_never_becomes_the_answer_to_the_next_command():
    async with ScriptedSwitch(saying("api slow")) as switch:
        connection = await dial(switch)
        with pytest.raises(EslTimeout, match=r"no reply to api within 0\.15 s"):
            await connection.api("slow", timeout=SOON)
        assert connection.closed
        with pytest.raises(EslClosed, match="would be taken for the next"):
            await connection.api("next")


async def test_a_caller_who_is_cancelled_costs_the_connection_too():
    heard = asyncio.Event()

    async def script(caller: Caller) -> None:
        await caller.log_in()
        await caller.expect("api slow")
        heard.set()
        await caller.gone()

    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch)
        asking = asyncio.create_task(connection.api("slow"))
        await heard.wait()
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert connection.closed


async def test_a_command_that_never_had_its_turn_costs_nothing():
    release = asyncio.Event()

    async def script(caller: Caller) -> None:
        await caller.log_in()
        await caller.expect("api first")
        await release.wait()
        await caller.say(output("done"))
        await caller.gone()

    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch)
        first = asyncio.create_task(connection.api("first"))
        await asyncio.sleep(0)
        with pytest.raises(EslTimeout):
            await connection.api("second", timeout=SOON)
        release.set()
        assert await first == "done"
        assert not connection.closed
        await connection.close()


async def test_a_reply_nobody_asked_for_means_the_replies_are_out_of_step():
    async with ScriptedSwitch(saying(reply("+OK"))) as switch:
        connection = await dial(switch)
        with pytest.raises(EslClosed, match="answered what nobody asked"):
            await connection.next_events(1)


async def test_a_switch_that_goes_away_in_a_command_ends_it_at_once():
    async def script(caller: Caller) -> None:
        await caller.log_in()
        await caller.expect("api status", output("UP")[:-1])
        caller.hang_up()

    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch)
        with pytest.raises(EslClosed, match="lost in the middle of a message"):
            await connection.api("status", timeout=NEVER)


async def test_a_switch_that_shuts_down_says_so():
    async def script(caller: Caller) -> None:
        await caller.log_in()
        notice = b"The system is being shut down.\n"
        await caller.say(
            event(1),
            b"Content-Type: text/disconnect-notice\nContent-Length: %d\n\n" % len(notice),
            notice,
            event(2),
        )
        await caller.gone()

    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch)
        assert [each.sequence for each in await connection.next_events(9)] == [1]
        with pytest.raises(EslClosed, match="hung up: The system is being shut down"):
            await connection.next_events(9)


async def test_closing_ends_a_waiting_command_and_a_waiting_reader():
    heard = asyncio.Event()

    async def script(caller: Caller) -> None:
        await caller.log_in()
        await caller.expect("api slow")
        heard.set()
        await caller.gone()

    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch)
        asking = asyncio.create_task(connection.api("slow"))
        reading = asyncio.create_task(anext(connection.events(), "the end"))
        await heard.wait()
        await connection.close()
        with pytest.raises(EslClosed, match="closed by this side"):
            await asking
        assert await reading == "the end"
        await connection.close()


# Events


async def test_a_ten_megabyte_event_is_an_event():
    body = b"0123456789" * 1_000_000
    async with ScriptedSwitch(saying(event(1, "BACKGROUND_JOB", body))) as switch:
        connection = await dial(switch)
        [big] = await connection.next_events(1)
        assert big.body == body.decode()
        await connection.close()


async def test_an_oversized_event_ends_the_connection_before_it_comes():
    script = saying(event(1), b"Content-Length: 16777217\nContent-Type: text/event-plain\n\n")
    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch)
        assert await sequences(connection) == [1]
        with pytest.raises(EslClosed, match="a body of 16777217 bytes, the limit is 16777216"):
            await connection.api("status")


async def test_garbage_ends_the_connection_after_the_events_before_it():
    async with ScriptedSwitch(saying(event(1) + event(2) + b"\xff\xfe\n\n")) as switch:
        connection = await dial(switch)
        assert await sequences(connection) == [1, 2]
        with pytest.raises(EslClosed, match="make no sense"):
            await connection.next_events(1)


async def test_an_unreadable_event_is_counted_logged_without_its_content_and_skipped(caplog):
    def carrying(payload: bytes, kind: bytes) -> bytes:
        return b"Content-Length: %d\nContent-Type: text/event-%s\n\n%s" % (len(payload), kind, payload)

    script = saying(
        carrying(b"pin 1234\n\n", b"plain"),
        carrying(b'["1234"]', b"json"),
        carrying(b"<e>1234</e>", b"xml"),
        event(4),
    )
    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch)
        with caplog.at_level(logging.WARNING):
            [good] = await connection.next_events(9)
        assert good.sequence == 4
        assert connection.malformed_events == 3
        assert len(caplog.messages) == 3
        assert "1234" not in caplog.text
        await connection.close()


async def test_messages_of_other_kinds_are_passed_over():
    async with ScriptedSwitch(
        saying(b"Content-Type: log/data\nContent-Length: 3\n\nabc", event(1))
    ) as switch:
        connection = await dial(switch)
        assert [each.sequence for each in await connection.next_events(9)] == [1]
        assert connection.malformed_events == 0
        await connection.close()


# Silence and slowness


async def test_half_an_event_and_then_silence_ends_the_connection():
    async with ScriptedSwitch(saying(event(1) + event(2)[:-5])) as switch:
        connection = await dial(switch, frame_timeout=SOON)
        assert await sequences(connection) == [1]
        with pytest.raises(EslTimeout, match=r"silence in the middle of a message for 0\.15 s"):
            await connection.next_events(1)


async def test_half_an_event_is_not_waited_for_as_long_as_a_heartbeat():
    line = "event plain HEARTBEAT"
    async with ScriptedSwitch(saying(line, reply("+OK"), "exit", event(1)[:-5])) as switch:
        connection = await dial(switch, frame_timeout=SOON, idle_timeout=NEVER)
        await connection.command(line)
        with pytest.raises(EslTimeout, match="in the middle of a message"):
            await connection.command("exit", timeout=NEVER)


async def test_a_message_that_comes_slowly_is_waited_for():
    whole = event(1)

    async def script(caller: Caller) -> None:
        await caller.log_in()
        for start in range(0, len(whole), len(whole) // 6 + 1):
            await caller.say(whole[start : start + len(whole) // 6 + 1])
            await asyncio.sleep(0.1)
        await caller.gone()

    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch, frame_timeout=0.4)
        assert [each.sequence for each in await connection.next_events(1)] == [1]
        await connection.close()


@pytest.mark.parametrize("line", ["event plain HEARTBEAT CUSTOM callcenter::info", "event json ALL"])
async def test_a_silent_switch_is_noticed_by_who_hears_its_heartbeat(line):
    async with ScriptedSwitch(saying(line, reply("+OK") + event(1))) as switch:
        connection = await dial(switch, idle_timeout=SOON)
        await connection.command(line)
        start = time.monotonic()
        assert await sequences(connection) == [1]
        assert time.monotonic() - start >= SOON / 2
        with pytest.raises(EslTimeout, match=r"not even a heartbeat for 0\.15 s"):
            await connection.command("exit")


async def test_heartbeats_keep_a_quiet_connection():
    async def script(caller: Caller) -> None:
        await caller.log_in()
        await caller.expect("event plain HEARTBEAT", reply("+OK"))
        for sequence in range(8):
            await caller.say(event(sequence))
            await asyncio.sleep(0.1)
        await caller.gone()

    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch, idle_timeout=0.5)
        await connection.command("event plain HEARTBEAT")
        seen: list[int] = []
        while len(seen) < 8:
            seen += [each.sequence for each in await connection.next_events(8)]
        assert seen == list(range(8))
        await connection.close()


@pytest.mark.parametrize("answer", ["+OK", "-ERR no keywords supplied"])
async def test_who_does_not_hear_the_heartbeat_may_be_left_in_silence(answer):
    line = "event plain CUSTOM HEARTBEAT" if answer == "+OK" else "event plain HEARTBEAT"
    async with ScriptedSwitch(saying(line, reply(answer), "api status", output("UP"))) as switch:
        connection = await dial(switch, idle_timeout=0.05)
        await connection.command(line)
        await asyncio.sleep(0.2)  # the time that must not end the connection
        assert await connection.api("status") == "UP"
        await connection.close()


async def test_a_reader_who_falls_behind_holds_the_switch_back_and_loses_nothing():
    total, body = 600, b"x" * 65536  # more than the buffers of both sockets take
    all_sent = asyncio.Event()

    async def script(caller: Caller) -> None:
        await caller.log_in()
        for sequence in range(total):
            await caller.say(event(sequence, body=body))
        all_sent.set()
        await caller.gone()

    async with ScriptedSwitch(script) as switch:
        connection = await dial(switch, max_queued=10)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(all_sent.wait(), 0.5)  # the time that the switch is held back
        assert 10 <= connection.queued_events < 20
        seen: list[int] = []
        while len(seen) < total:
            batch = await connection.next_events(7)
            assert 1 <= len(batch) <= 7
            seen += [each.sequence for each in batch]
        assert seen == list(range(total))
        await connection.close()


async def test_a_reader_who_takes_nothing_is_told_so_and_still_gets_what_was_kept():
    async with ScriptedSwitch(saying(b"".join(event(n) for n in range(20)), "api status")) as switch:
        connection = await dial(switch, max_queued=5, reader_timeout=SOON)
        with pytest.raises(EslTimeout, match=r"events are not taken fast enough for 0\.15 s"):
            await connection.api("status", timeout=NEVER)
        assert await sequences(connection) == list(range(20))  # they came in one piece, before the pause


# Coming back


def test_the_delays_between_attempts_grow_and_differ():
    rng = random.Random(1)
    for attempt in range(40):
        ceiling = min(15.0, 0.4 * 2**attempt)
        delays = [backoff(attempt, rng) for _ in range(50)]
        assert all(0.2 <= delay <= ceiling for delay in delays)
        assert max(delays) > (0.2 + ceiling) / 2 > min(delays)
    assert backoff(10_000, rng) <= 15.0
    assert backoff(3, random.Random(5)) == backoff(3, random.Random(5))
