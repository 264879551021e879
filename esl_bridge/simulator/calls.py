"""Call control: the life of channels, bridges between them, the dialplan programs they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .channels import CALL_STATES, Channel, channel_block, final_variables, other_leg
from .events import Event, Origin

if TYPE_CHECKING:
    from .apps import Blocking
    from .switch import Switch

Program = list[tuple[str, str]]
_UUID_BRIDGE: Origin = ("switch_ivr_bridge.c", "uuid_bridge_on_soft_execute", 1236)


@dataclass(eq=False)
class Bridge:
    """Two legs that hear each other; ``a`` is the originator, on which the switch reports.

    ``resume`` is set for a bridge made by a dialplan application: when the other side leaves, the
    originator goes on in its dialplan. Without it the originator is hung up too.
    """

    a: Channel
    b: Channel
    resume: Callable[[], None] | None = None

    def peer(self, ch: Channel) -> Channel:
        return self.b if ch is self.a else self.a


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
        marked = [ch for ch in channels if self._mark(ch, cause, disposition)]

        def settle() -> None:
            for ch in marked:
                self._settle(ch)

        if marked:
            self.switch.clock.call_later(0.0, settle)

    def _mark(self, ch: Channel, cause: str, disposition: str) -> bool:
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

    def _settle(self, ch: Channel) -> None:
        """Undo what the channel was part of, then end it. Safe to call twice."""
        if ch.settled:
            return
        ch.settled = True
        if ch.consult is not None:
            ch.consult.agent_left()
        elif ch.bridge is not None:
            self._leave_bridge(ch, ch.bridge)
        self.detach(ch)
        self._tear_down(ch)

    def _leave_bridge(self, ch: Channel, bridge: Bridge) -> None:
        """``ch`` is hung up: report the end of the bridge and let the partner go.

        The originator reports UNBRIDGE in its own thread; the originatee is hung up by it first.
        """
        a, b = bridge.a, bridge.b
        a.bridge = b.bridge = None
        if ch is a:
            if b.consult is not None:
                b.consult.caller_left()
            else:
                self._mark(b, "NORMAL_CLEARING", "send_bye")
                self._settle(b)
            self.report_unbridge(a, b)
            return
        self._settle(b)
        self.report_unbridge(a, b)
        if bridge.resume is not None and not a.down:
            bridge.resume()
        else:
            self._mark(a, "NORMAL_CLEARING", "send_bye")
            self._settle(a)

    def report_unbridge(self, a: Channel, b: Channel) -> None:
        for ch in (a, b):
            ch.variables.pop("bridge_to", None)
        a.variables["last_bridge_to"], a.variables["last_bridge_role"] = b.uuid, "originator"
        b.variables["last_bridge_to"], b.variables["last_bridge_role"] = a.uuid, "originatee"
        head = {"Bridge-A-Unique-ID": a.uuid, "Bridge-B-Unique-ID": b.uuid}
        self.emit("CHANNEL_UNBRIDGE", a, head)

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
            self.part(bridge, keep=legs)
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

    # -- bridges ----------------------------------------------------------------------------------

    def pair(self, a: Channel, b: Channel) -> None:
        """Let each leg know the other, as Other-Leg-* headers show from now on."""
        a_copy, b_copy = other_leg(a, blank_times=True), other_leg(b, blank_times=False)
        a.other_type, a.other = "originatee", b_copy
        b.other_type, b.other = "originator", a_copy
        a.call_uuid = b.call_uuid = a.uuid
        for one, two in ((a, b), (b, a)):
            one.variables["call_uuid"] = a.uuid
            one.variables |= {"bridge_channel": two.name, "bridge_uuid": two.uuid, "signal_bond": two.uuid}

    def uuid_bridge(self, a: Channel, b: Channel, *, cause: str = "NORMAL_CLEARING") -> None:
        """Connect two live channels (switch_ivr_uuid_bridge): both leave what they were doing.

        Partners they leave behind are hung up with ``cause``.
        """
        left = [bridge for bridge in dict.fromkeys((a.bridge, b.bridge)) if bridge is not None]
        for bridge in left:
            bridge.a.bridge = bridge.b.bridge = None
            self.hangup_all([ch for ch in (bridge.a, bridge.b) if ch not in (a, b)], cause)
        for ch, peer in ((b, a), (a, b)):
            history = f"{int(self.switch.clock.now())}:{self.switch.bus.uuid()}:uuid_br:{peer.uuid}"
            ch.next_profile(self.now_us(), transfer_source=history, logical_direction=ch.direction)
            ch.times["Bridged"] = 0
            ch.add_transfer(history)
        self.pair(a, b)
        # The copies of each other are older than what either now shows of the other.
        a.profile = replace(
            a.profile,
            callee_id_name=b.profile.callee_id_name, callee_id_number=b.profile.callee_id_number,
            logical_direction="inbound",
        )  # fmt: skip
        a.hit_dialplan, b.hit_dialplan = True, False
        b.profile = replace(
            b.profile,
            caller_id_name=a.profile.caller_id_name, caller_id_number=a.profile.caller_id_number,
        )  # fmt: skip
        for bridge in left:
            self.report_unbridge(bridge.a, bridge.b)
        for ch in (a, b):
            ch.program.clear()
            ch.running = False
            self.detach(ch)
        for ch, peer in ((a, b), (b, a)):
            ch.state = "CS_SOFT_EXECUTE"
            ch.application = ("uuid_bridge", peer.uuid)
            tail = {"Application": "uuid_bridge", "Application-Data": peer.uuid}
            self.emit("CHANNEL_EXECUTE", ch, tail=tail, origin=_UUID_BRIDGE)
        self.join(Bridge(a, b))

    def join(self, bridge: Bridge) -> None:
        """The moment two paired legs hear each other: CHANNEL_BRIDGE on the originator."""
        a, b = bridge.a, bridge.b
        a.bridge = b.bridge = bridge
        a.times["Bridged"] = b.times["Bridged"] = self.now_us()
        b.state = "CS_EXCHANGE_MEDIA"
        self.emit("CHANNEL_BRIDGE", a, {"Bridge-A-Unique-ID": a.uuid, "Bridge-B-Unique-ID": b.uuid})
        a.variables["bridge_to"], b.variables["bridge_to"] = b.uuid, a.uuid
        for ch, peer in ((a, b), (b, a)):
            peer_number = peer.profile.caller_id_number if peer is a else peer.profile.callee_id_number
            ch.sent_callee = ("Outbound Call", peer_number)
            ch.variables["last_sent_callee_id_name"] = "Outbound Call"
            ch.variables["last_sent_callee_id_number"] = peer_number
            self.emit("CALL_UPDATE", ch, {"Direction": "SEND"})

    def part(self, bridge: Bridge, *, keep: Sequence[Channel]) -> None:
        """End a bridge because one or both legs go elsewhere; whoever is not kept is hung up."""
        a, b = bridge.a, bridge.b
        a.bridge = b.bridge = None
        for ch in (a, b):
            if ch not in keep:
                self.hangup(ch, "NORMAL_CLEARING")
        for ch in (a, b):
            ch.call_uuid = ch.uuid
            if ch in keep:
                ch.other, ch.other_type = {}, ""
        self.report_unbridge(a, b)
