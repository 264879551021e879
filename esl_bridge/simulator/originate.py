"""Ringing a phone and waiting for what it does: the switch's originate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from .channels import Channel, Profile, other_leg
from .dialstring import DialString, parse_dial_string, whole_number

if TYPE_CHECKING:
    from .switch import Switch

DEFAULT_TIMEOUT = 60
_LONGEST = 86_400
# The thread that waits for the answer wakes up every 20 ms.
_WAKE = 0.02
# A desk phone that is told to answer by itself takes this long.
_AUTO_ANSWER = 0.5

Result = Callable[["Channel | None", str], None]


class Originate:
    """One call attempt. ``done`` is called exactly once, with the answered channel and ``SUCCESS``,
    or with None and the hang-up cause."""

    def __init__(
        self,
        switch: Switch,
        dial: str,
        done: Result,
        *,
        variables: Mapping[str, str] | None = None,
        caller_id: tuple[str, str] = ("", "0000000000"),
        timeout: int = DEFAULT_TIMEOUT,
        originator: Channel | None = None,
    ) -> None:
        self.switch = switch
        self.channel: Channel | None = None
        self._done: Result | None = done
        self._originator = originator
        self._woken = False
        target = parse_dial_string(dial)
        merged = {**(variables or {}), **target.variables}
        if target.error:
            switch.clock.call_later(0.0, lambda: self._finish(None, target.error))
            return
        wanted = merged.pop("origination_uuid", "")
        if wanted and wanted in switch.calls.channels:
            switch.clock.call_later(0.0, lambda: self._finish(None, "NORMAL_TEMPORARY_FAILURE"))
            return
        limit = merged.get("originate_timeout") or merged.get("call_timeout") or merged.get("leg_timeout", "")
        given = whole_number(limit)
        self._timeout = given if 0 < given <= _LONGEST else timeout
        self.channel = self._channel(target, merged, caller_id, wanted)
        switch.calls.create(self.channel, outgoing=True)
        self._dial(self.channel)

    def cancel(self, cause: str = "ORIGINATOR_CANCEL") -> None:
        """Stop ringing. A leg answered a moment ago is left to whoever waits for it."""
        if self.channel is not None and self._done is not None and not self.channel.answered:
            self.switch.calls.hangup(self.channel, cause, "send_cancel")

    def _channel(
        self, target: DialString, variables: dict[str, str], caller_id: tuple[str, str], uuid: str
    ) -> Channel:
        switch = self.switch
        name = variables.get("origination_caller_id_name", caller_id[0])
        number = variables.get("origination_caller_id_number", caller_id[1])
        profile = Profile(
            destination=target.number,
            caller_id_name=name, caller_id_number=number, orig_name=name, orig_number=number,
            callee_id_name="Outbound Call", callee_id_number=target.number, ani=number,
            created_us=switch.calls.now_us(),
            network_addr=self._originator.profile.network_addr if self._originator else "",
        )  # fmt: skip
        variables = {
            "sip_destination_url": f"sip:{target.url.rpartition('/')[2]}",
            **({"origination_uuid": uuid} if uuid else {}),
            **variables,
            "originate_early_media": "false" if variables.get("ignore_early_media") == "true" else "true",
            "originate_endpoint": target.endpoint,
        }
        ch = Channel(
            uuid=uuid or switch.bus.uuid(), name=target.url, direction="outbound", profile=profile,
            number=target.number, port=target.port, session_id=switch.calls.sessions + 1, variables=variables,
        )  # fmt: skip
        if self._originator is not None:
            ch.other_type, ch.other = "originator", other_leg(self._originator, blank_times=True)
        ch.call_uuid = ch.uuid
        return ch

    def _dial(self, ch: Channel) -> None:
        clock, calls = self.switch.clock, self.switch.calls
        ring = self.switch.phones.ring(ch.number, ch.port)
        calls.hold_session(ch)
        self._watch(ch)
        if ring.outcome == "busy":
            clock.call_later(0.0, lambda: self._refuse(ch, "USER_BUSY"))
            return
        clock.call_later(0.0, lambda: None if ch.down else calls.ring(ch))
        # Like the switch, the time-out is counted in whole seconds of the clock on the wall.
        deadline = int(clock.now()) + self._timeout - clock.now()
        clock.call_later(deadline, lambda: self._expire(ch))
        if ring.outcome == "reject":
            clock.call_later(ring.after, lambda: self._refuse(ch, "CALL_REJECTED"))
        elif ring.outcome == "answer":
            auto = ch.variables.get("sip_auto_answer") == "true"
            clock.call_later(
                min(ring.after, _AUTO_ANSWER) if auto else ring.after,
                lambda: self._answer(ch, ring.hangs_up_after),
            )

    def _refuse(self, ch: Channel, cause: str) -> None:
        ch.profile = replace(ch.profile, network_addr="127.0.0.1")
        self.switch.calls.hangup(ch, cause, "recv_refuse")

    def _expire(self, ch: Channel) -> None:
        if self._done is not None and not ch.answered:
            self.switch.calls.hangup(ch, "NO_ANSWER", "send_cancel")

    def _answer(self, ch: Channel, hangs_up_after: float | None) -> None:
        if ch.down or self._done is None:
            return
        calls, clock = self.switch.calls, self.switch.clock
        calls.answer(ch)
        if hangs_up_after is not None:
            ch.talk_timer = clock.call_later(
                hangs_up_after, lambda: calls.hangup(ch, "NORMAL_CLEARING", "recv_bye")
            )
        self.switch.apps.on_answer(ch)

    def _watch(self, ch: Channel) -> None:
        """The waiting thread: it sees the answer, or the end, one wake-up late."""

        def look() -> None:
            if self._done is None:
                return
            ch.watcher = None
            self.switch.calls.release(ch)
            if ch.answered and not ch.down:
                self._finish(ch, "SUCCESS")
            else:
                self._finish(None, ch.hangup_cause)

        ch.watcher = lambda: None if self._woken else self._wake(look)

    def _wake(self, look: Callable[[], None]) -> None:
        self._woken = True
        self.switch.clock.call_later(_WAKE, look)

    def _finish(self, ch: Channel | None, cause: str) -> None:
        done, self._done = self._done, None
        if done is not None:
            done(ch, cause)
