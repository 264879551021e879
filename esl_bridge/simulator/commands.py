"""The API commands of the switch other than `callcenter_config`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from .callcenter import QueueConfig
from .callcenter.config import ConfigApi, json_lists
from .channels import Channel, channel_block
from .dialstring import split_quoted, whole_number
from .events import local_stamp, percent_encode
from .originate import DEFAULT_TIMEOUT, Originate
from .transfer import AttendedTransfer

if TYPE_CHECKING:
    from .switch import Switch

Reply = Callable[[str], None]
NO_CHANNEL = "-ERR No such channel!\n"
_MODULES = (
    "mod_callcenter",
    "mod_commands",
    "mod_conference",
    "mod_dptools",
    "mod_event_socket",
    "mod_sofia",
)
_ORIGINATE_USAGE = (
    "-USAGE: <call url> <exten>|&<application_name>(<app_args>) [<dialplan>] [<context>] "
    "[<cid_name>] [<cid_num>] [<timeout_sec>]\n"
)


class Commands:
    """Finds a command by its first word, runs it, and reports the API event as the switch does."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        config = ConfigApi(switch.callcenter)
        self._table: dict[str, Callable[[str], str | None]] = {
            "callcenter_config": config.run, "callcenter_break": self._callcenter_break, "sim_queue": self._sim_queue,
            "uuid_kill": self._kill, "uuid_transfer": self._transfer, "uuid_bridge": self._bridge,
            "uuid_hold": self._hold, "uuid_broadcast": self._broadcast, "uuid_record": self._record,
            "uuid_setvar": self._setvar, "uuid_getvar": self._getvar, "uuid_exists": self._exists,
            "uuid_dump": self._dump, "uuid_park": self._park, "uuid_answer": self._answer,
            "uuid_recv_dtmf": lambda a: self._dtmf(a, "received"),
            "uuid_send_dtmf": lambda a: self._dtmf(a, "sent"), "uuid_break": self._break,
            "hupall": self._hupall, "show": self._show, "json": self._json, "status": self._status,
            "version": lambda _: f"FreeSWITCH Version {VERSION_TEXT}\n", "hostname": lambda _: switch.bus.hostname,
            "echo": lambda a: a, "fsctl": self._fsctl, "create_uuid": lambda _: switch.bus.uuid(),
            "module_exists": lambda a: "true" if a.strip() in _MODULES else "false",
            "conference": switch.conferences.command, "reloadxml": lambda _: "+OK [Success]\n",
            "global_getvar": self._global, "sofia_contact": lambda a: f"sofia/internal/sip:{a.strip()}:5060",
        }  # fmt: skip

    def run(self, line: str, reply: Reply) -> None:
        """Run one line. The API event takes its sequence number first and is fired last (as recorded)."""
        name, _, argument = line.strip().partition(" ")
        argument = argument.strip()
        event = self.switch.bus.create("API")
        event.headers["API-Command"] = name
        if argument:
            event.headers["API-Command-Argument"] = argument

        def done(output: str) -> None:
            self.switch.bus.fire(event)
            reply(output or "-ERR no reply\n")

        if name == "originate":
            self._originate(argument, done)
            return
        handler = self._table.get(name)
        if handler is None:
            done(f"-ERR {name} Command not found!\n")
            return
        done(handler(argument) or "")

    def _channel(self, uuid: str) -> Channel | None:
        ch = self.switch.calls.channels.get(uuid)
        return ch if ch is not None and not ch.down else None

    # -- making and ending calls ------------------------------------------------------------------

    def _originate(self, argument: str, done: Reply) -> None:
        words = _originate_words(argument)
        if not 2 <= len(words) <= 7 or self.switch.shutting_down:
            done(_ORIGINATE_USAGE if not self.switch.shutting_down else "-ERR NORMAL_TEMPORARY_FAILURE\n")
            return
        url, extension, *rest = words
        dialplan, _context, name, number, seconds = [
            w if w != "undef" else "" for w in [*rest, *[""] * 5][:5]
        ]
        dialplan = dialplan or "XML"
        given = whole_number(seconds)
        timeout = given if 0 < given <= 86_400 else DEFAULT_TIMEOUT

        def result(leg: Channel | None, cause: str) -> None:
            if leg is None:
                done(f"-ERR {cause}\n")
                return
            done(f"+OK {leg.uuid}\n")
            if leg.down:
                return
            if extension.startswith("&"):
                self.switch.calls.execute(leg, self.switch.apps.program(extension, "inline"))
            else:
                self.switch.calls.transfer([leg], extension, dialplan=dialplan)

        Originate(self.switch, url, result, caller_id=(name, number or "0000000000"), timeout=timeout)

    def _kill(self, argument: str) -> str:
        uuid, _, cause = argument.partition(" ")
        ch = self._channel(uuid)
        if ch is None:
            return NO_CHANNEL
        self.switch.calls.hangup(ch, cause.strip().upper() or "NORMAL_CLEARING")
        return "+OK\n"

    def _hupall(self, argument: str) -> str:
        words = argument.split()
        cause = words[0].upper() if words else "MANAGER_REQUEST"
        wanted = list(zip(words[1::2], words[2::2], strict=False))
        channels = [
            ch for ch in self.switch.calls.channels.values()
            if not ch.down and all(ch.variables.get(k) == v for k, v in wanted)
        ]  # fmt: skip
        self.switch.calls.hangup_all(channels, cause)
        return f"+OK hangup all channels with cause {cause}\n"

    # -- moving calls -----------------------------------------------------------------------------

    def _transfer(self, argument: str) -> str:
        words = split_quoted(argument, " ")
        if len(words) < 2:
            return "-USAGE: <uuid> [-bleg|-both] <dest-exten> [<dialplan>] [<context>]\n"
        ch = self._channel(words[0])
        if ch is None:
            return NO_CHANNEL
        which = words.pop(1) if words[1] in ("-both", "-bleg") else ""
        if len(words) < 2:
            return "-ERR\n"
        extension = words[1]
        dialplan = words[2] if len(words) > 2 else "XML"
        peer = ch.bridge.peer(ch) if ch.bridge is not None else None
        if which == "-bleg":
            if peer is None:
                return "-ERR\n"
            legs = [peer]
        elif which == "-both" and ch.bridge is not None:
            legs = [ch.bridge.a, ch.bridge.b]
        else:
            legs = [ch]
        self.switch.calls.transfer(legs, extension, dialplan=dialplan)
        return "+OK\n"

    def _bridge(self, argument: str) -> str:
        words = argument.split()
        legs = [self._channel(uuid) for uuid in words[:2]]
        a, b = [*legs, None, None][:2]
        if a is None or b is None or a is b:
            return "-ERR Invalid uuid\n"
        self.switch.bridges.uuid_bridge(a, b)
        return f"+OK {b.uuid}\n"

    def _hold(self, argument: str) -> str:
        words = argument.split()
        mode = words.pop(0) if words and words[0] in ("off", "toggle") else "on"
        ch = self._channel(words[0]) if words else None
        if ch is None:
            # The real command presets its status and says this for an unknown uuid too.
            return "+OK Success\n"
        calls = self.switch.calls
        off = mode == "off" or (mode == "toggle" and ch.callstate == "HELD")
        return "+OK Success\n" if (calls.unhold(ch) if off else calls.hold(ch)) else "-ERR Operation failed\n"

    def _broadcast(self, argument: str) -> str:
        words = argument.split(" ")
        ch = self._channel(words[0])
        if ch is None or len(words) < 2:
            return "-ERR invalid uuid\n"
        name, separator, data = words[1].partition("::")
        if separator and name == "att_xfer" and ch.bridge is not None and ch.consult is None:
            bridge = ch.bridge

            def start() -> None:
                if not ch.down and ch.bridge is bridge and ch.consult is None:
                    AttendedTransfer(self.switch, ch, bridge, data)

            self.switch.clock.call_later(0.18, start)
        return "+OK Message sent\n"

    def _park(self, argument: str) -> str:
        ch = self._channel(argument)
        if ch is None:
            return NO_CHANNEL
        self.switch.calls.transfer([ch], "park:", dialplan="inline")
        return "+OK\n"

    def _answer(self, argument: str) -> str:
        ch = self._channel(argument)
        if ch is None:
            return NO_CHANNEL
        self.switch.calls.answer(ch)
        return "+OK\n"

    def _dtmf(self, argument: str, done: str) -> str:
        uuid, _, digits = argument.partition(" ")
        ch = self._channel(uuid)
        if ch is None or not digits:
            return NO_CHANNEL if digits else "-USAGE: <uuid> <dtmf_data>\n"
        for digit in digits.partition("@")[0].strip():
            tail = {"DTMF-Digit": digit, "DTMF-Duration": "2000", "DTMF-Source": "APP"}
            self.switch.calls.emit("DTMF", ch, tail=tail, variables=False)
        return f"+OK {uuid} {done} DTMF {digits}.\n"

    def _break(self, argument: str) -> str:
        return "+OK\n" if self._channel(argument.partition(" ")[0]) else NO_CHANNEL

    def _callcenter_break(self, argument: str) -> str:
        words = argument.split()
        if len(words) < 2:
            return "-ERR Usage: callcenter_break agent <uuid>\n"
        ch = self._channel(words[1])
        if ch is None:
            return f"-ERR Session not found for uuid {words[1]}\n"
        ch.variables["cc_break"] = "true"
        return ""

    # -- recording and variables ------------------------------------------------------------------

    def _record(self, argument: str) -> str:
        words = argument.split()
        if len(words) < 3:
            return "-USAGE: <uuid> [start|stop|mask|unmask|pause|resume] <path> [<limit>]\n"
        ch = self._channel(words[0])
        if ch is None:
            return "-ERR Cannot locate session!\n"
        verb, path = words[1], words[2]
        if verb == "start":
            started = self.switch.recordings.start(ch, path)
            return "+OK Success\n" if started else "-ERR Cannot record session!\n"
        if verb == "stop":
            stopped = self.switch.recordings.stop(ch, path)
            return "+OK Success\n" if stopped else "-ERR Cannot stop record session!\n"
        return "+OK Success\n" if verb in ("mask", "unmask", "pause", "resume") else "-ERR Invalid action\n"

    def _setvar(self, argument: str) -> str:
        words = argument.split(" ", 2)
        ch = self._channel(words[0])
        if ch is None or len(words) < 2:
            return NO_CHANNEL
        if len(words) > 2 and words[2]:
            ch.variables[words[1]] = words[2]
        else:
            ch.variables.pop(words[1], None)
        return "+OK\n"

    def _getvar(self, argument: str) -> str:
        uuid, _, name = argument.partition(" ")
        ch = self.switch.calls.channels.get(uuid)
        return NO_CHANNEL if ch is None else ch.variables.get(name.strip(), "_undef_")

    def _exists(self, argument: str) -> str:
        return "true" if argument in self.switch.calls.channels else "false"

    def _dump(self, argument: str) -> str:
        uuid, _, kind = argument.partition(" ")
        ch = self.switch.calls.channels.get(uuid)
        if ch is None:
            return NO_CHANNEL
        event = self.switch.bus.create("CHANNEL_DATA", origin=("mod_commands.c", "uuid_dump_function", 6511))
        headers = event.headers | channel_block(ch, variables=True)
        if kind.strip() == "json":
            return json.dumps(headers, separators=(",", ":"), ensure_ascii=False)
        if kind.strip() == "plain":
            return "".join(f"{k}: [{v}]\n" for k, v in headers.items())
        return "".join(f"{k}: {percent_encode(v)}\n" for k, v in headers.items())

    # -- looking ----------------------------------------------------------------------------------

    def _show(self, argument: str) -> str:
        words = argument.split()
        if not words or words[0] not in ("channels", "calls", "registrations"):
            return "-USAGE: channels|calls|registrations [as json]\n"
        live = [ch for ch in self.switch.calls.channels.values() if not ch.torn_down]
        if words[0] == "registrations":
            rows = []
        elif words[0] == "calls":
            rows = [channel_row(self.switch, ch) for ch in live if ch.bridge is None or ch.bridge.a is ch]
        else:
            rows = [channel_row(self.switch, ch) for ch in live]
        if "json" in words:
            if not rows:
                return '{"row_count": 0}\n'
            return json.dumps(
                {"row_count": len(rows), "rows": rows}, separators=(",", ":"), ensure_ascii=False
            )
        if "count" in words or not rows:
            return f"\n{len(rows)} total.\n"
        lines = [",".join(rows[0]), *(",".join(row.values()) for row in rows)]
        return "\n".join(lines) + f"\n\n{len(rows)} total.\n"

    def _json(self, argument: str) -> str:
        try:
            request = json.loads(argument)
        except ValueError:
            return "-ERR Invalid JSON\n"
        if not isinstance(request, dict) or request.get("command") != "callcenter_config":
            return json.dumps({"status": "error", "message": "Invalid command"})
        answer = json_lists(self.switch.callcenter, request)
        return json.dumps(answer, separators=(",", ":"), ensure_ascii=False)

    def _status(self, _: str) -> str:
        from .switch import uptime

        up = uptime(self.switch.clock.now() - self.switch.bus.started)
        sessions = len(self.switch.calls.channels)
        return (
            f"UP {up}\nFreeSWITCH (Version {VERSION_TEXT}) is ready\n"
            f"{self.switch.calls.sessions} session(s) since startup\n{sessions} session(s)\n3000 session(s) max\n"
        )

    def _global(self, name: str) -> str:
        return {"hostname": self.switch.bus.hostname, "core_uuid": self.switch.bus.core_uuid}.get(name, "")

    def _fsctl(self, argument: str) -> str:
        words = argument.split()
        if words[:1] == ["shutdown"]:
            self.switch.shutdown(restart="restart" in words)
            return "+OK\n"
        return "+OK\n" if words else "-USAGE: fsctl shutdown [restart]\n"

    def _sim_queue(self, argument: str) -> str:
        """Simulator only: `sim_queue NAME {"strategy": "ring-all", ...}` defines a queue for load/reload."""
        name, _, text = argument.partition(" ")
        if not name:
            return "-USAGE: sim_queue <name> [<json params>]\n"
        try:
            params = json.loads(text or "{}")
            if not isinstance(params, dict):
                raise ValueError("the parameters must be a JSON object")
            config = QueueConfig.from_params(name, params)
        except ValueError as error:
            return f"-ERR {error}\n".replace("\r", " ")
        self.switch.queue_configs[name] = config
        return "+OK\n"


VERSION_TEXT = "1.11.3-dev simulator 64bit"


def _originate_words(argument: str) -> list[str]:
    """Split at blanks, but not inside the braces of variables nor the brackets of an application."""
    words: list[str] = []
    depth, current = 0, ""
    for char in argument:
        if char in "{[(":
            depth += 1
        elif char in "}])":
            depth = max(depth - 1, 0)
        if char == " " and depth == 0:
            if current:
                words.append(current)
            current = ""
        else:
            current += char
    return [re.sub(r"^'(.*)'$", r"\1", word) for word in ([*words, current] if current else words)]


def channel_row(switch: Switch, ch: Channel) -> dict[str, str]:
    """One row of `show channels as json`, columns in order."""
    p, first = ch.profile, ch.initial or ch.profile
    media = {"codec": "PCMU", "rate": "8000", "bit_rate": "64000"} if ch.answered else {}
    row = {
        "uuid": ch.uuid, "direction": ch.direction, "created": local_stamp(ch.times["Created"] / 1e6),
        "created_epoch": str(ch.times["Created"] // 1_000_000), "name": ch.name, "state": ch.state,
        "cid_name": p.caller_id_name, "cid_num": p.caller_id_number, "ip_addr": p.network_addr,
        "dest": p.destination, "application": ch.application[0], "application_data": ch.application[1],
        "dialplan": p.dialplan, "context": p.context,
    }  # fmt: skip
    for way in ("read", "write"):
        row |= {f"{way}_{key}": media.get(key, "") for key in ("codec", "rate", "bit_rate")}
    return row | {
        "secure": "", "hostname": switch.bus.hostname, "presence_id": "", "presence_data": "", "accountcode": "",
        "callstate": ch.callstate, "callee_name": p.callee_id_name, "callee_num": p.callee_id_number,
        "callee_direction": "SEND" if ch.sent_callee[1] else "", "call_uuid": ch.call_uuid,
        "sent_callee_name": ch.sent_callee[0], "sent_callee_num": ch.sent_callee[1],
        "initial_cid_name": first.caller_id_name,
        "initial_cid_num": first.caller_id_number,
        "initial_ip_addr": first.network_addr,
        "initial_dest": first.destination,
        "initial_dialplan": first.dialplan,
        "initial_context": first.context,
    }  # fmt: skip
