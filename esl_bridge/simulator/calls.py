"""Call control: the life of channels, bridges between them, the dialplan programs they run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from .channels import CALL_STATES, Channel, channel_block, final_variables
from .events import Event, Origin

if TYPE_CHECKING:
    from .apps import Blocking
    from .switch import Switch

Program = list[tuple[str, str]]
_UUID_BRIDGE: Origin = ("switch_ivr_bridge.c", "uuid_bridge_on_soft_execute", 1236)


class Calls:
    """The registry of channels and everything that can happen to one."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.channels: dict[str, Channel] = {}
        self.sessions = 0

    # -- events -----------------------------------------------------------------------------------

    def emit(
        self,
        name: str,
        ch: Channel,
        head: Mapping[str, str] | None = None,
        tail: Mapping[str, str] | None = None,
        *,
        variables: bool = True,
        subclass: str = "",
        origin: Origin | None = None,
    ) -> None:
        """Fire a channel event: ``head`` before the channel's block, ``tail`` after its variables."""
        event = self.make(name, ch, head, tail, variables=variables, subclass=subclass, origin=origin)
        self.switch.bus.fire(event)

    def make(
        self,
        name: str,
        ch: Channel,
        head: Mapping[str, str] | None = None,
        tail: Mapping[str, str] | None = None,
        *,
        variables: bool = True,
        subclass: str = "",
        origin: Origin | None = None,
    ) -> Event:
        event = self.switch.bus.create(name, subclass=subclass, origin=origin)
        event.headers.update(head or {})
        event.headers.update(channel_block(ch, variables=variables))
        event.headers.update(tail or {})
        return event

    def now_us(self) -> int:
        return int(self.switch.clock.now() * 1_000_000)

    # -- from nothing to answered -----------------------------------------------------------------

    def create(self, ch: Channel, *, outgoing: bool) -> None:
        """Announce a new channel: CREATE, and for a leg that the switch calls OUTGOING and ORIGINATE."""
        self.sessions += 1
        self.channels[ch.uuid] = ch
        ch.times["Created"] = self.now_us()
        ch.initial = ch.profile
        ch.variables = {
            "direction": ch.direction,
            **({"is_outbound": "true"} if outgoing else {}),
            "uuid": ch.uuid,
            "call_uuid": ch.uuid,
            "session_id": str(ch.session_id),
            "sip_profile_name": "internal",
            "channel_name": ch.name,
            **ch.variables,
        }
        if outgoing:
            ch.state = "CS_NONE"
            self.emit("CHANNEL_OUTGOING", ch, variables=False)
            ch.state = "CS_INIT"
        self.emit("CHANNEL_CREATE", ch)
        if outgoing:
            self.emit("CHANNEL_ORIGINATE", ch)
        ch.state = "CS_CONSUME_MEDIA"

    def ring(self, ch: Channel) -> None:
        """The phone rings: CHANNEL_PROGRESS and call state RINGING."""
        ch.times["Progress"] = self.now_us()
        ch.profile = replace(ch.profile, network_addr="127.0.0.1")
        self.emit("CHANNEL_PROGRESS", ch)
        self.set_callstate(ch, "RINGING")

    def answer(self, ch: Channel) -> None:
        """The leg is answered; nothing happens when it already is."""
        if ch.answered or ch.down:
            return
        ch.times["Answered"] = self.now_us()
        ch.answer_state = "answered"
        ch.variables |= { "read_codec": "PCMU", "read_rate": "8000",
            "write_codec": "PCMU", "write_rate": "8000",
        }  # fmt: skip
        self.emit("CHANNEL_ANSWER", ch)
        ch.variables["endpoint_disposition"] = "ANSWER"
        self.set_callstate(ch, "ACTIVE")
        if ch.watcher is not None:
            ch.watcher()

    def set_callstate(self, ch: Channel, state: str) -> None:
        """Change the call state and report it (CHANNEL_CALLSTATE carries no variables)."""
        if ch.callstate == state:
            return
        before, ch.callstate = ch.callstate, state
        head = {
            "Original-Channel-Call-State": before,
            "Channel-Call-State-Number": str(CALL_STATES.index(state)),
        }
        self.emit("CHANNEL_CALLSTATE", ch, head, variables=False)

    # -- hanging up -------------------------------------------------------------------------------

    def hangup(self, ch: Channel, cause: str, disposition: str = "send_bye") -> None:
        """Hang a channel up: CHANNEL_HANGUP now, the rest of its end after the current step."""
        self.hangup_all([ch], cause, disposition)

    def hangup_all(self, channels: Iterable[Channel], cause: str, disposition: str = "send_bye") -> None:
        """Hang up several at once: all are marked before any takes its partner down with it."""
        marked = [ch for ch in channels if self.mark(ch, cause, disposition)]

        def settle() -> None:
            for ch in marked:
                self.settle(ch)

        if marked:
            self.switch.clock.call_later(0.0, settle)

    def mark(self, ch: Channel, cause: str, disposition: str) -> bool:
        if ch.down:
            return False
        if ch.callstate == "HELD":
            self.unhold(ch)
        if ch.talk_timer is not None:
            ch.talk_timer.cancel()
        ch.hangup_cause = cause
        ch.answer_state = "hangup"
        ch.disposition = disposition if ch.answered or disposition != "send_bye" else "send_cancel"
        ch.program.clear()
        self.emit("CHANNEL_HANGUP", ch)
        ch.state = "CS_HANGUP"
        return True

    def settle(self, ch: Channel) -> None:
        """Undo what the channel was part of, then end it. Safe to call twice."""
        if ch.settled:
            return
        ch.settled = True
        if ch.consult is not None:
            ch.consult.agent_left()
        elif ch.bridge is not None:
            self.switch.bridges.leave(ch, ch.bridge)
        self.detach(ch)
        self._tear_down(ch)

    def _tear_down(self, ch: Channel) -> None:
        if ch.torn_down:
            return
        ch.torn_down = True
        self.switch.recordings.stop_all(ch)
        ch.times["Hangup"] = self.now_us()
        self.set_callstate(ch, "HANGUP")
        ch.state = "CS_REPORTING"
        ch.variables |= final_variables(ch)
        event = self.make("CHANNEL_HANGUP_COMPLETE", ch, {"Hangup-Cause": ch.hangup_cause})
        event.repeated = ("Hangup-Cause", "Answer-State")
        self.switch.bus.fire(event)
        ch.call_uuid = ch.variables["call_uuid"] = ch.uuid
        self.switch.eavesdrops.target_gone(ch)
        self.switch.callcenter.untrack(ch)
        if ch.watcher is not None:
            ch.watcher()
        self.release(ch, 0)

    def hold_session(self, ch: Channel) -> None:
        """Keep a channel from being destroyed while someone still works with it."""
        ch.locks += 1

    def release(self, ch: Channel, count: int = 1) -> None:
        """Let go; the last one to let go of a dead channel destroys it."""
        ch.locks -= count
        if ch.torn_down and ch.locks <= 0 and self.channels.pop(ch.uuid, None) is not None:
            self.emit("CHANNEL_DESTROY", ch)

    # -- hold -------------------------------------------------------------------------------------

    def hold(self, ch: Channel) -> bool:
        """False when it is held already."""
        if ch.down or ch.callstate == "HELD":
            return False
        self.set_callstate(ch, "HELD")
        ch.times["Last-Hold"] = self.now_us()
        self.emit("CHANNEL_HOLD", ch)
        return True

    def unhold(self, ch: Channel) -> bool:
        """False when it is not held. The phone's answer makes it ACTIVE again 20 ms later."""
        if ch.callstate != "HELD":
            return False
        self.set_callstate(ch, "UNHELD")
        ch.hold_accum_us += self.now_us() - ch.times["Last-Hold"]
        self.emit("CHANNEL_UNHOLD", ch)

        def active() -> None:
            if not ch.down and ch.callstate == "UNHELD":
                self.set_callstate(ch, "ACTIVE")

        self.switch.clock.call_later(0.02, active)
        return True

    # -- programs ---------------------------------------------------------------------------------

    def run(self, ch: Channel) -> None:
        """Execute the channel's program until an application keeps the channel, or it is over."""
        while ch.running and ch.program and ch.app is None and not ch.down:
            name, data = ch.program.pop(0)
            self.begin_app(ch, name, data)
            blocking = self.switch.apps.start(ch, name, data)
            if blocking is not None and not ch.down:
                ch.app = blocking
                blocking.enter()
                return
            if ch.running:
                self._complete(ch)
        if ch.running and not ch.program and ch.app is None and ch.bridge is None and not ch.down:
            self.hangup(ch, "NORMAL_CLEARING")

    def begin_app(self, ch: Channel, name: str, data: str, origin: Origin | None = None) -> None:
        """Report CHANNEL_EXECUTE and remember the application."""
        ch.state = "CS_EXECUTE"
        ch.application, ch.application_uuid = (name, data), self.switch.bus.uuid()
        ch.variables.pop("current_application_data", None)
        if data:
            ch.variables["current_application_data"] = data
        ch.variables["current_application"] = name
        self.emit("CHANNEL_EXECUTE", ch, tail=self._app_headers(ch, None), origin=origin)

    def finished(self, ch: Channel, app: Blocking) -> None:
        """A blocking application ended by itself: go on in the program."""
        if ch.app is app and not ch.down:
            ch.app = None
            self._complete(ch)
            self.run(ch)

    def _complete(self, ch: Channel) -> None:
        self.emit("CHANNEL_EXECUTE_COMPLETE", ch, tail=self._app_headers(ch, "_none_"))

    def _app_headers(self, ch: Channel, response: str | None) -> dict[str, str]:
        name, data = ch.application
        headers = {"Application": name}
        if data:
            headers["Application-Data"] = data
        if response is not None:
            headers["Application-Response"] = response
        headers["Application-UUID"] = ch.application_uuid
        return headers

    def detach(self, ch: Channel) -> None:
        """Take the channel out of the application it is in, if any."""
        app, ch.app = ch.app, None
        if app is not None:
            app.leave()

    def transfer(
        self,
        legs: Sequence[Channel],
        extension: str,
        *,
        dialplan: str = "XML",
        program: Program | None = None,
    ) -> None:
        """Send legs into the dialplan (or a given program); a partner left alone is hung up."""
        before = {ch: ch.profile.destination for ch in legs}
        bridges = dict.fromkeys(ch.bridge for ch in legs if ch.bridge is not None)
        for ch in legs:
            if ch.consult is not None:
                ch.consult.cancel()
            stamp = f"{int(self.switch.clock.now())}:{self.switch.bus.uuid()}"
            source = f"{stamp}:bl_xfer:{extension}/default/{dialplan}"
            ch.next_profile(
                self.now_us(),
                transfer_source=source,
                destination=extension,
                dialplan=dialplan,
                rdnis=before[ch],
            )
            ch.times["Bridged"] = 0
            ch.add_transfer(source)
        for bridge in bridges:
            self.switch.bridges.part(bridge, keep=legs)
        for ch in legs:
            self.detach(ch)
            ch.other, ch.other_type = {}, ""
            ch.variables.pop("signal_bond", None)
            if dialplan == "inline":
                ch.profile = replace(ch.profile, destination=before[ch], rdnis="")
            if not ch.down:
                self.execute(
                    ch, self.switch.apps.program(extension, dialplan) if program is None else program
                )

    def execute(self, ch: Channel, program: Program) -> None:
        """Let a called party run a program: it is the caller from here on (once)."""
        if ch.direction == "outbound" and "channel_cid_flipped" not in ch.variables:
            self._flip_caller_id(ch)
        ch.hit_dialplan = True
        ch.program, ch.running = list(program), True
        self.run(ch)

    def _flip_caller_id(self, ch: Channel) -> None:
        p = ch.profile
        ch.variables |= {
            **({"pre_transfer_caller_id_name": p.caller_id_name} if p.caller_id_name else {}),
            "pre_transfer_caller_id_number": p.caller_id_number,
            "channel_cid_flipped": "yes",
        }
        ch.profile = replace(
            p,
            caller_id_name=p.callee_id_name, caller_id_number=p.callee_id_number,
            callee_id_name=p.caller_id_name, callee_id_number=p.caller_id_number,
        )  # fmt: skip
        self.emit("CALL_UPDATE", ch, {"Direction": "RECV"})
