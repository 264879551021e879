"""Bridges between two legs: how they begin, who reports them, how they end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .channels import Channel, other_leg
from .events import Origin

if TYPE_CHECKING:
    from .switch import Switch

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


class Bridges:
    """Everything that connects legs and parts them."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.calls = switch.calls

    def leave(self, ch: Channel, bridge: Bridge) -> None:
        """``ch`` is hung up: report the end of the bridge and let the partner go.

        The originator reports UNBRIDGE in its own thread; the originatee is hung up by it first.
        """
        a, b = bridge.a, bridge.b
        a.bridge = b.bridge = None
        if ch is a:
            if b.consult is not None:
                b.consult.caller_left()
            else:
                self.calls.mark(b, "NORMAL_CLEARING", "send_bye")
                self.calls.settle(b)
            self.report_unbridge(a, b)
            return
        self.calls.settle(b)
        self.report_unbridge(a, b)
        if bridge.resume is not None and not a.down:
            bridge.resume()
        else:
            self.calls.mark(a, "NORMAL_CLEARING", "send_bye")
            self.calls.settle(a)

    def report_unbridge(self, a: Channel, b: Channel) -> None:
        for ch in (a, b):
            ch.variables.pop("bridge_to", None)
        a.variables["last_bridge_to"], a.variables["last_bridge_role"] = b.uuid, "originator"
        b.variables["last_bridge_to"], b.variables["last_bridge_role"] = a.uuid, "originatee"
        head = {"Bridge-A-Unique-ID": a.uuid, "Bridge-B-Unique-ID": b.uuid}
        self.calls.emit("CHANNEL_UNBRIDGE", a, head)

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
            self.calls.hangup_all([ch for ch in (bridge.a, bridge.b) if ch not in (a, b)], cause)
        for ch, peer in ((b, a), (a, b)):
            history = f"{int(self.switch.clock.now())}:{self.switch.bus.uuid()}:uuid_br:{peer.uuid}"
            ch.next_profile(self.calls.now_us(), transfer_source=history, logical_direction=ch.direction)
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
            self.calls.detach(ch)
        for ch, peer in ((a, b), (b, a)):
            ch.state = "CS_SOFT_EXECUTE"
            ch.application = ("uuid_bridge", peer.uuid)
            tail = {"Application": "uuid_bridge", "Application-Data": peer.uuid}
            self.calls.emit("CHANNEL_EXECUTE", ch, tail=tail, origin=_UUID_BRIDGE)
        self.join(Bridge(a, b))

    def join(self, bridge: Bridge) -> None:
        """The moment two paired legs hear each other: CHANNEL_BRIDGE on the originator."""
        a, b = bridge.a, bridge.b
        a.bridge = b.bridge = bridge
        a.times["Bridged"] = b.times["Bridged"] = self.calls.now_us()
        b.state = "CS_EXCHANGE_MEDIA"
        self.calls.emit("CHANNEL_BRIDGE", a, {"Bridge-A-Unique-ID": a.uuid, "Bridge-B-Unique-ID": b.uuid})
        a.variables["bridge_to"], b.variables["bridge_to"] = b.uuid, a.uuid
        for ch, peer in ((a, b), (b, a)):
            peer_number = peer.profile.caller_id_number if peer is a else peer.profile.callee_id_number
            ch.sent_callee = ("Outbound Call", peer_number)
            ch.variables["last_sent_callee_id_name"] = "Outbound Call"
            ch.variables["last_sent_callee_id_number"] = peer_number
            self.calls.emit("CALL_UPDATE", ch, {"Direction": "SEND"})

    def part(self, bridge: Bridge, *, keep: Sequence[Channel]) -> None:
        """End a bridge because one or both legs go elsewhere; whoever is not kept is hung up."""
        a, b = bridge.a, bridge.b
        a.bridge = b.bridge = None
        for ch in (a, b):
            if ch not in keep:
                self.calls.hangup(ch, "NORMAL_CLEARING")
        for ch in (a, b):
            ch.call_uuid = ch.uuid
            if ch in keep:
                ch.other, ch.other_type = {}, ""
        self.report_unbridge(a, b)
