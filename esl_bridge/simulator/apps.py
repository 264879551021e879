"""Dialplan: extensions and the applications they run."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from .bridging import Bridge
from .calls import Program
from .channels import Channel

if TYPE_CHECKING:
    from .switch import Switch


class Blocking:
    """An application that keeps the channel until it ends by itself or the channel is taken away."""

    def enter(self) -> None:
        """The channel is in."""

    def leave(self) -> None:
        """The channel is taken out: hung up, transferred, bridged, or the application finished."""


class Park(Blocking):
    """The channel waits in silence."""

    def __init__(self, switch: Switch, ch: Channel) -> None:
        self.switch, self.ch = switch, ch

    def enter(self) -> None:
        self.ch.state = "CS_EXECUTE"
        self.switch.calls.emit("CHANNEL_PARK", self.ch)

    def leave(self) -> None:
        self.switch.calls.emit("CHANNEL_UNPARK", self.ch)


class DialBridge(Blocking):
    """`bridge(DIALSTRING)`: ring another leg and connect it."""

    def __init__(self, switch: Switch, ch: Channel, dial: str) -> None:
        self.switch, self.ch, self.dial = switch, ch, dial

    def enter(self) -> None:
        from .originate import Originate

        p = self.ch.profile
        self._attempt = Originate(
            self.switch, self.dial, self._done, originator=self.ch,
            caller_id=(p.caller_id_name, p.caller_id_number),
        )  # fmt: skip

    def _done(self, leg: Channel | None, cause: str) -> None:
        ch, calls = self.ch, self.switch.calls
        if leg is None:
            if ch.app is self:
                ch.variables["originate_disposition"] = ch.variables["last_bridge_hangup_cause"] = cause
                if ch.program:
                    calls.finished(ch, self)
                else:
                    calls.hangup(ch, cause)
            return
        if ch.app is not self or ch.down:
            calls.hangup(leg, "ORIGINATOR_CANCEL")
            return
        calls.answer(ch)
        ch.next_profile(
            ch.profile.created_us,
            callee_id_name=leg.profile.callee_id_name, callee_id_number=leg.profile.callee_id_number,
        )  # fmt: skip
        self.switch.bridges.pair(ch, leg)
        self.switch.bridges.join(Bridge(ch, leg, resume=lambda: calls.finished(ch, self)))

    def leave(self) -> None:
        self._attempt.cancel()


class Apps:
    """Looks extensions up and starts applications."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self._handlers: dict[str, Callable[[Channel, str], Blocking | None]] = {
            "answer": self._answer, "set": self._set, "export": self._set, "hangup": self._hangup,
            "park": lambda ch, _: Park(switch, ch), "echo": lambda ch, _: Blocking(),
            "playback": lambda ch, _: Blocking(), "endless_playback": lambda ch, _: Blocking(),
            "bridge": lambda ch, data: DialBridge(switch, ch, data),
            "transfer": self._transfer, "intercept": self._intercept, "eavesdrop": self._eavesdrop,
            "three_way": self._eavesdrop, "callcenter": self._callcenter,
            "callcenter_track": self._callcenter_track, "conference": self._conference,
        }  # fmt: skip

    def start(self, ch: Channel, name: str, data: str) -> Blocking | None:
        """Run an application. None: it is over already (an unknown one does nothing)."""
        handler = self._handlers.get(name)
        return handler(ch, data) if handler else None

    def extension(self, destination: str) -> Program:
        """The dialplan of the simulator, context `default`. An unknown extension is an empty program."""
        if match := re.fullmatch(r"queue-(.+)", destination):
            return [("answer", ""), ("set", "cc_export_vars=customer_ref"), ("callcenter", match[1])]
        if match := re.fullmatch(r"conference-(.+)", destination):
            return [("answer", ""), ("conference", match[1])]
        if destination in ("park", "echo"):
            return [(destination, "")]
        if re.fullmatch(r"\+?\d{2,20}", destination):
            did = self.switch.dids.get(destination)
            if did is not None:
                return [("transfer", f"{did} XML default")]
            return [("bridge", f"sofia/internal/{destination}@127.0.0.1")]
        return []

    def program(self, extension: str, dialplan: str) -> Program:
        """An extension of the dialplan, `&app(data)`, or `app:data,app:data` of dialplan `inline`."""
        if extension.startswith("&"):
            name, _, data = extension[1:].partition("(")
            return [(name, data.removesuffix(")"))]
        if dialplan == "inline":
            pieces = [piece.partition(":") for piece in extension.split(",")]
            return [(name, data) for name, _, data in pieces]
        return self.extension(extension)

    def on_answer(self, ch: Channel) -> None:
        """`execute_on_answer`: one application, started at the moment of the answer."""
        wanted = ch.variables.get("execute_on_answer", "")
        if wanted:
            name, _, data = wanted.replace("::", " ", 1).partition(" ")
            self.start(ch, name, data)

    def _answer(self, ch: Channel, _: str) -> None:
        self.switch.calls.answer(ch)

    def _set(self, ch: Channel, data: str) -> None:
        key, _, value = data.partition("=")
        if value:
            ch.variables[key] = value
        else:
            ch.variables.pop(key, None)

    def _hangup(self, ch: Channel, data: str) -> None:
        self.switch.calls.hangup(ch, data or "NORMAL_CLEARING")

    def _transfer(self, ch: Channel, data: str) -> None:
        extension, dialplan = [*data.split(), "XML"][:2]
        # The rest of this program is given up; the transfer starts when this application is over.
        ch.program.clear()
        ch.running = False
        calls = self.switch.calls
        self.switch.clock.call_later(
            0.0, lambda: None if ch.down else calls.transfer([ch], extension, dialplan=dialplan)
        )

    def _intercept(self, ch: Channel, data: str) -> Blocking | None:
        target = self.switch.calls.channels.get(data.rsplit(maxsplit=1)[-1] if data.split() else "")
        if target is None or target.down or target is ch:
            return None
        self.switch.bridges.uuid_bridge(ch, target, cause="PICKED_OFF")
        return None

    def _eavesdrop(self, ch: Channel, data: str) -> Blocking | None:
        from .media import Eavesdrop

        target = self.switch.calls.channels.get(data)
        if target is None or target.down:
            return None
        return Eavesdrop(self.switch, ch, target)

    def _callcenter(self, ch: Channel, data: str) -> Blocking | None:
        return self.switch.callcenter.join(ch, data)

    def _callcenter_track(self, ch: Channel, data: str) -> None:
        self.switch.callcenter.track(ch, data)

    def _conference(self, ch: Channel, data: str) -> Blocking | None:
        return self.switch.conferences.join(ch, data)
