"""Attended transfer (`att_xfer`): the agent consults a third party while the caller waits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .apps import Park
from .bridging import Bridge
from .channels import Channel
from .originate import Originate

if TYPE_CHECKING:
    from .switch import Switch


class AttendedTransfer:
    """A consultation on one leg of a bridge. It ends in one of these ways:

    the leg hangs up while consulting: the caller and the third party are connected; the third party
    does not answer or hangs up: the leg is back with the caller; the caller hangs up meanwhile: the
    consultation goes on, and its end is the end.
    """

    def __init__(self, switch: Switch, leg: Channel, outer: Bridge, dial: str) -> None:
        self.switch = switch
        self.leg = leg
        self.outer: Bridge | None = outer
        self.third: Channel | None = None
        self._saved = (leg.other_type, leg.other)
        leg.consult = self
        calls = switch.calls
        calls.begin_app(leg, "att_xfer", dial)
        calls.set_callstate(leg, "RING_WAIT")
        p = leg.profile
        self._attempt = Originate(
            switch, dial, self._answered, originator=leg,
            caller_id=(p.caller_id_name, p.caller_id_number),
        )  # fmt: skip

    def _answered(self, third: Channel | None, cause: str) -> None:
        leg, calls = self.leg, self.switch.calls
        if leg.consult is not self or leg.down:
            if third is not None:
                calls.hangup(third, "ORIGINATOR_CANCEL")
            return
        if third is None:
            calls.set_callstate(leg, "ACTIVE")
            leg.variables["originate_disposition"] = cause
            self._back()
            return
        self.third = third
        third.consult = self
        self.switch.bridges.pair(leg, third)
        leg.state = third.state = "CS_EXCHANGE_MEDIA"
        leg.times["Bridged"] = third.times["Bridged"] = calls.now_us()
        calls.set_callstate(leg, "ACTIVE")
        leg.profile = replace(leg.profile, callee_id_number=third.profile.callee_id_number)
        head = {"Bridge-A-Unique-ID": leg.uuid, "Bridge-B-Unique-ID": third.uuid}
        calls.emit("CHANNEL_BRIDGE", leg, head)
        for ch in (third, leg):
            calls.emit("CALL_UPDATE", ch, {"Direction": "SEND"})

    def agent_left(self) -> None:
        """Called for the leg or the third party when it hangs up."""
        if self.third is not None and self.third.down and not self.leg.down:
            self._third_left(self.third)
        else:
            self._leg_left()

    def _leg_left(self) -> None:
        leg, third, outer, calls = self.leg, self.third, self.outer, self.switch.calls
        leg.consult = None
        if third is not None:
            third.consult = None
            if not third.down:
                third.app = Park(self.switch, third)
                third.app.enter()
            self._report(leg, third)
        if outer is None:
            if third is not None:
                calls.hangup(third, "NORMAL_CLEARING")
            return
        outer.a.bridge = outer.b.bridge = None
        self.switch.bridges.report_unbridge(outer.a, outer.b)
        peer = outer.peer(leg)
        if third is None or third.down:
            self._attempt.cancel()
            calls.hangup(peer, "NORMAL_CLEARING")
            return
        number = third.profile.callee_id_number
        third.profile = replace(
            third.profile, caller_id_number=number, callee_id_name="", callee_id_number=""
        )
        calls.emit("CALL_UPDATE", third, {"Direction": "SEND"})
        if not peer.down:
            self.switch.bridges.uuid_bridge(third, peer)

    def _third_left(self, third: Channel) -> None:
        third.consult = self.third = None
        self._report(self.leg, third)
        self._back()

    def caller_left(self) -> None:
        """The waiting caller hung up: the consultation goes on without him."""
        self.outer = None

    def cancel(self) -> None:
        """The leg is sent elsewhere by an operator: the third party is dropped."""
        third = self.third
        self.leg.consult = self.third = None
        self._attempt.cancel()
        if third is not None:
            third.consult = None
            self.switch.calls.hangup(third, "NORMAL_CLEARING")

    def _back(self) -> None:
        """The leg is with the caller again, or, when he is gone, hung up."""
        leg = self.leg
        leg.consult = None
        if self.outer is None:
            self.switch.calls.hangup(leg, "NORMAL_CLEARING")
        else:
            leg.other_type, leg.other = self._saved

    def _report(self, leg: Channel, third: Channel) -> None:
        head = {"Bridge-A-Unique-ID": leg.uuid, "Bridge-B-Unique-ID": third.uuid}
        self.switch.calls.emit("CHANNEL_UNBRIDGE", leg, head)
