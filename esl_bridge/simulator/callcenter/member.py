"""A caller in a queue: the `callcenter` application and its watching thread."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..apps import Blocking
from ..channels import Channel
from ..clock import Timer
from ..dialstring import whole_number
from .model import INSTANCE, Member, Queue

if TYPE_CHECKING:
    from .center import CallCenter

# The member thread looks after its member twice a second.
_WATCH = 0.5


class MemberSession(Blocking):
    """One stay of one channel in one queue (callcenter_function, CC:2980-3320)."""

    def __init__(self, center: CallCenter, ch: Channel, queue: Queue) -> None:
        self.center, self.ch, self.queue = center, ch, queue
        self.reason = ""
        self.bridging = False
        self.over = False
        # Where top-down and ring-progressively are with this member.
        self.last_tried = (0, 0)
        self.last_rung: float | None = None
        self._timer: Timer | None = None

    def enter(self) -> None:
        center, ch, clock = self.center, self.ch, self.center.switch.clock
        center.switch.calls.answer(ch)
        self.joined = center.now()
        resumed = self._abandoned_before()
        base = ch.variables.get("cc_base_score", "")
        self.row = resumed or self._new_row(whole_number(base))
        ch.variables |= {
            "cc_side": "member", "cc_member_uuid": self.row.uuid,
            "cc_queue_joined_epoch": str(self.row.joined_epoch), "cc_queue": self.queue.name,
        }  # fmt: skip
        for stale in ("cc_agent", "cc_agent_bridged", "cc_cause", "cc_cancel_reason", "cc_agent_found"):
            ch.variables.pop(stale, None)
        action = "member-queue-resume" if resumed else "member-queue-start"
        center.fire(action, {"CC-Queue": self.queue.name, "CC-Action": action} | self.identity(), ch)
        if resumed:
            resumed.state, resumed.abandoned_epoch, resumed.session_uuid = "Waiting", 0, ch.uuid
            resumed.rejoined_epoch = self.joined
        else:
            center.members.append(self.row)
        center.sessions[self.row.uuid] = self
        center.switch.calls.hold_session(ch)
        center.fire_count(self.queue.name)
        moh = ch.variables.get("cc_moh_override") or self.queue.config.moh_sound
        self._sound = moh
        if moh:
            center.switch.calls.emit("PLAYBACK_START", ch, tail=_playback(moh))
        self._timer = clock.call_later(_WATCH, self._watch)
        center.dispatcher.wake()

    def identity(self) -> dict[str, str]:
        """CC-Member-UUID, -Session-UUID, -CID-Name, -CID-Number."""
        return {
            "CC-Member-UUID": self.row.uuid,
            "CC-Member-Session-UUID": self.ch.uuid,
            "CC-Member-CID-Name": self.row.cid_name,
            "CC-Member-CID-Number": self.row.cid_number,
        }

    @property
    def dnis(self) -> str:
        return self.ch.profile.rdnis or self.ch.profile.destination

    def leave(self) -> None:
        """Hung up, sent elsewhere, timed out, or taken to an agent."""
        if self.over:
            return
        self.over = True
        center, ch, queue = self.center, self.ch, self.queue
        if self._sound and not ch.down:
            tail = _playback(self._sound) | {"Playback-Status": "done"}
            center.switch.calls.emit("PLAYBACK_STOP", ch, tail=tail)
        if self.bridging and not ch.down:
            queue.calls_answered += 1
            ch.variables["cc_cause"] = "answered"
            ch.variables.pop("cc_agent_found", None)
            self._stop_watching()
        else:
            self._cancelled()
        center.fire_count(queue.name)

    def _cancelled(self) -> None:
        center, ch, queue = self.center, self.ch, self.queue
        for offer in center.offers_to(self.row):
            offer.cancel_ringing("ORIGINATOR_CANCEL")
        self.row.state, self.row.session_uuid = "Abandoned", ""
        self.row.abandoned_epoch = center.now()
        queue.calls_abandoned += 1
        reason = self.reason or ("NONE" if "cc_agent_found" in ch.variables else "BREAK_OUT")
        headers = {
            "CC-Queue": queue.name, "CC-Action": "member-queue-end",
            "CC-Member-Leaving-Time": str(center.now()), "CC-Member-Joined-Time": str(self.joined),
            "CC-Cause": "Cancel", "CC-Cancel-Reason": reason,
        }  # fmt: skip
        center.fire("member-queue-end", headers | self.identity(), ch)
        ch.variables |= {
            "cc_queue_canceled_epoch": str(center.now()), "cc_cause": "cancel", "cc_cancel_reason": reason,
        }  # fmt: skip
        center.dispatcher.wake()

    def time_out(self, reason: str) -> None:
        """End the stay with TIMEOUT or NO_AGENT_TIMEOUT; the dialplan goes on."""
        if self.over:
            return
        self.reason = reason
        self.leave()
        self.center.switch.calls.finished(self.ch, self)

    def _watch(self) -> None:
        """Every half second; it also is what keeps the session of a caller who is gone."""
        if self.over:
            self._stop_watching()
            return
        self._timer = self.center.switch.clock.call_later(_WATCH, self._watch)
        now, config = self.center.now(), self.queue.config
        if config.max_wait_time and now - self.joined >= config.max_wait_time:
            if not self.center.offers_to(self.row):
                self.time_out("TIMEOUT")
            return
        checked, seen = self.queue.last_agent_exist_check, self.queue.last_agent_exist
        if (
            config.max_wait_time_with_no_agent
            and checked > self.joined
            and checked - seen >= config.max_wait_time_with_no_agent
            and now - self.joined >= config.max_wait_time_with_no_agent_time_reached
        ):
            self.time_out("NO_AGENT_TIMEOUT")

    def _stop_watching(self) -> None:
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        self.center.sessions.pop(self.row.uuid, None)
        self.center.switch.calls.release(self.ch)

    def _abandoned_before(self) -> Member | None:
        """The row of an earlier stay whose place this caller gets back (CC:3040-3062)."""
        if not self.queue.config.abandoned_resume_allowed:
            return None
        number = self.ch.profile.caller_id_number
        return next(
            (
                m for m in self.center.members
                if m.state == "Abandoned" and m.queue == self.queue.name and m.cid_number == number
                and m.abandoned_epoch > 0
            ),
            None,
        )  # fmt: skip

    def _new_row(self, base: int) -> Member:
        ch, now = self.ch, self.joined
        if self.queue.config.time_base_score == "system":
            base += now - ch.times["Answered"] // 1_000_000
        return Member(
            queue=self.queue.name, instance_id=INSTANCE, uuid=self.center.switch.bus.uuid(),
            session_uuid=ch.uuid, cid_number=ch.profile.caller_id_number, cid_name=ch.profile.caller_id_name,
            system_epoch=now, joined_epoch=now, base_score=base,
        )  # fmt: skip


def _playback(path: str) -> dict[str, str]:
    kind = path.partition("://")[0] if "://" in path else path.rpartition(".")[2]
    return {"Playback-File-Type": kind, "Playback-File-Path": path}
