"""Channels and the block of headers that every channel event carries (switch_channel.c 2658-2800)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from .dialstring import whole_number
from .events import local_stamp

if TYPE_CHECKING:
    from .apps import Blocking
    from .bridging import Bridge
    from .clock import Timer
    from .transfer import AttendedTransfer

CALL_STATES = ("DOWN", "DIALING", "RINGING", "EARLY", "ACTIVE", "HELD", "RING_WAIT", "HANGUP", "UNHELD")
_STATE_NUMBERS = {
    "CS_NEW": 0, "CS_INIT": 2, "CS_ROUTING": 2, "CS_SOFT_EXECUTE": 3, "CS_EXECUTE": 4, "CS_EXCHANGE_MEDIA": 5,
    "CS_PARK": 6, "CS_CONSUME_MEDIA": 7, "CS_HIBERNATE": 8, "CS_RESET": 9, "CS_HANGUP": 10, "CS_REPORTING": 11,
    "CS_DESTROY": 12, "CS_NONE": 1,
}  # fmt: skip
_CODEC = {
    f"Channel-{way}-Codec-{key}": value
    for way in ("Read", "Write")
    for key, value in (("Name", "PCMU"), ("Rate", "8000"), ("Bit-Rate", "64000"))
}
_TIMES = (
    "Created", "Answered", "Progress", "Progress-Media", "Hangup", "Transfer", "Resurrect", "Bridged", "Last-Hold",
)  # fmt: skip
Q850 = {
    "NONE": 0, "NORMAL_CLEARING": 16, "USER_BUSY": 17, "NO_USER_RESPONSE": 18, "NO_ANSWER": 19,
    "CALL_REJECTED": 21, "DESTINATION_OUT_OF_ORDER": 27, "NORMAL_CIRCUIT_CONGESTION": 34, "NO_ROUTE_DESTINATION": 3,
    "USER_NOT_REGISTERED": 606, "ORIGINATOR_CANCEL": 487, "LOSE_RACE": 502, "MANAGER_REQUEST": 503,
    "PICKED_OFF": 507, "SYSTEM_SHUTDOWN": 509, "ALLOTTED_TIMEOUT": 602, "UNALLOCATED_NUMBER": 1,
    "NORMAL_UNSPECIFIED": 31, "NORMAL_TEMPORARY_FAILURE": 41, "INVALID_NUMBER_FORMAT": 28, "CHAN_NOT_IMPLEMENTED": 66,
    "BLIND_TRANSFER": 600, "ATTENDED_TRANSFER": 601, "MEDIA_TIMEOUT": 604, "RECOVERY_ON_TIMER_EXPIRE": 102,
}  # fmt: skip


@dataclass(frozen=True)
class Profile:
    """Who calls whom, as one stage of the call sees it; a transfer or a bridge makes the next one."""

    destination: str
    caller_id_name: str = ""
    caller_id_number: str = "0000000000"
    orig_name: str = ""
    orig_number: str = "0000000000"
    callee_id_name: str = ""
    callee_id_number: str = ""
    ani: str = "0000000000"
    source: str = "src/switch_ivr_originate.c"
    context: str = "default"
    dialplan: str = ""
    network_addr: str = ""
    rdnis: str = ""
    transfer_source: str = ""
    logical_direction: str = "outbound"
    index: int = 1
    created_us: int = 0


@dataclass(eq=False)
class Channel:
    """One leg of a call. Times are microseconds since the epoch, 0 for "not yet"."""

    uuid: str
    name: str
    direction: str
    profile: Profile
    number: str
    session_id: int
    initial: Profile | None = None
    port: int | None = None
    variables: dict[str, str] = field(default_factory=dict)
    state: str = "CS_INIT"
    callstate: str = "DOWN"
    answer_state: str = "ringing"
    hangup_cause: str = ""
    call_uuid: str = ""
    hit_dialplan: bool = False
    times: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_TIMES, 0))
    hold_accum_us: int = 0
    other_type: str = ""
    other: dict[str, str] = field(default_factory=dict)
    program: list[tuple[str, str]] = field(default_factory=list)
    running: bool = False
    application: tuple[str, str] = ("", "")
    application_uuid: str = ""
    app: Blocking | None = None
    bridge: Bridge | None = None
    consult: AttendedTransfer | None = None
    disposition: str = ""
    settled: bool = False
    torn_down: bool = False
    locks: int = 0
    # Told when the channel is answered and when it is over.
    watcher: Callable[[], None] | None = None
    recordings: list[str] = field(default_factory=list)
    talk_timer: Timer | None = None
    sent_callee: tuple[str, str] = ("", "")

    @property
    def down(self) -> bool:
        """True from CHANNEL_HANGUP on."""
        return bool(self.hangup_cause)

    @property
    def answered(self) -> bool:
        return self.times["Answered"] > 0

    def add_transfer(self, source: str) -> None:
        """Note in the variables where the channel was sent; several make an array."""
        history = self.variables.get("transfer_history", "")
        if history:
            history = history if history.startswith("ARRAY::") else f"ARRAY::{history}"
        self.variables["transfer_history"] = f"{history}|:{source}" if history else source
        self.variables["transfer_source"] = source
        if ":bl_xfer:" in source:
            self.variables["max_forwards"] = str(
                whole_number(self.variables.get("max_forwards", "71"), 71) - 1
            )

    def next_profile(self, now_us: int, **changes: str) -> None:
        """Start the next stage of the call; the times of the call go on."""
        self.profile = replace(
            self.profile,
            index=self.profile.index + 1,
            created_us=now_us,
            **changes,  # type: ignore[arg-type]
        )


def identity_headers(ch: Channel) -> dict[str, str]:
    """The Channel-* part."""
    block = {
        "Channel-State": ch.state,
        "Channel-Call-State": ch.callstate,
        "Channel-State-Number": str(_STATE_NUMBERS[ch.state]),
        "Channel-Name": ch.name,
        "Unique-ID": ch.uuid,
        "Call-Direction": ch.direction,
        "Presence-Call-Direction": ch.direction,
        "Channel-HIT-Dialplan": "true" if ch.hit_dialplan else "false",
        "Channel-Call-UUID": ch.call_uuid or ch.uuid,
        "Answer-State": ch.answer_state,
    }
    if ch.hangup_cause:
        block["Hangup-Cause"] = ch.hangup_cause
    if ch.answered:
        block.update(_CODEC)
    return block


def profile_headers(ch: Channel) -> dict[str, str]:
    """The Caller-* part."""
    p = ch.profile
    fields: dict[str, str] = {"Direction": ch.direction, "Logical-Direction": p.logical_direction}
    _some(fields, "Dialplan", p.dialplan)
    _some(fields, "Caller-ID-Name", p.caller_id_name)
    _some(fields, "Caller-ID-Number", p.caller_id_number)
    _some(fields, "Orig-Caller-ID-Name", p.orig_name)
    _some(fields, "Orig-Caller-ID-Number", p.orig_number)
    _some(fields, "Callee-ID-Name", p.callee_id_name)
    _some(fields, "Callee-ID-Number", p.callee_id_number)
    _some(fields, "Network-Addr", p.network_addr)
    fields |= {"ANI": p.ani, "Destination-Number": p.destination, "Unique-ID": ch.uuid, "Source": p.source}
    _some(fields, "Transfer-Source", p.transfer_source)
    fields["Context"] = p.context
    _some(fields, "RDNIS", p.rdnis)
    fields |= {
        "Channel-Name": ch.name,
        "Profile-Index": str(p.index),
        "Profile-Created-Time": str(p.created_us),
    }
    fields |= {f"Channel-{name}-Time": str(ch.times[name]) for name in _TIMES[:-1]}
    fields["Channel-Last-Hold"] = str(ch.times["Last-Hold"])
    fields["Channel-Hold-Accum"] = str(ch.hold_accum_us)
    fields |= {"Screen-Bit": "true", "Privacy-Hide-Name": "false", "Privacy-Hide-Number": "false"}
    return {f"Caller-{key}": value for key, value in fields.items()}


def other_leg(ch: Channel, *, blank_times: bool) -> dict[str, str]:
    """``ch`` as the other side keeps it: a copy taken when they meet, not a live view.

    The copy that the originatee keeps of the originator has all times 0 (seen in every recording).
    """
    taken: dict[str, str] = {}
    for key, value in profile_headers(ch).items():
        short = key.removeprefix("Caller-")
        if short in ("Transfer-Source", "Profile-Index"):
            continue
        timed = short.startswith("Channel-") and short != "Channel-Name"
        zero = blank_times and (timed or short == "Profile-Created-Time")
        taken[f"Other-Leg-{short}"] = "0" if zero else value
    taken["Other-Leg-Logical-Direction"] = "inbound"
    return taken


def channel_block(ch: Channel, *, variables: bool) -> dict[str, str]:
    """Channel-*, Caller-*, Other-* and, where the event carries them, variable_*."""
    block = identity_headers(ch) | profile_headers(ch)
    if ch.other:
        block["Other-Type"] = ch.other_type
        block |= ch.other
    if variables:
        block |= {f"variable_{key}": value for key, value in ch.variables.items()}
    return block


def _some(fields: dict[str, str], key: str, value: str) -> None:
    if value:
        fields[key] = value


def final_variables(ch: Channel) -> dict[str, str]:
    """What a channel knows of its own life once it is over (switch_channel_set_timestamps)."""
    created, end = ch.times["Created"], ch.times["Hangup"]
    marks = {
        "start": created, "profile_start": ch.profile.created_us, "answer": ch.times["Answered"],
        "bridge": ch.times["Bridged"], "progress": ch.times["Progress"], "end": end,
    }  # fmt: skip
    code = Q850.get(ch.hangup_cause, 16)
    name = ch.profile.caller_id_name
    result = {
        "sip_hangup_disposition": ch.disposition,
        "hangup_cause": ch.hangup_cause,
        "hangup_cause_q850": str(code if code < 128 else 16),
        "digits_dialed": "none",
    }
    result |= {f"{name}_stamp": local_stamp(us / 1e6) for name, us in marks.items() if us}
    marks |= {"last_hold": ch.times["Last-Hold"], "resurrect": 0, "progress_media": 0}
    for mark, us in marks.items():
        result[f"{mark}_epoch"] = str(us // 1_000_000)
        result[f"{mark}_uepoch"] = str(us)
    result |= {
        "hold_accum_seconds": str(ch.hold_accum_us // 1_000_000),
        "hold_accum_usec": str(ch.hold_accum_us),
        "hold_accum_ms": str(ch.hold_accum_us // 1000),
        "caller_id": f'"{name}" <{ch.profile.caller_id_number}>' if name else ch.profile.caller_id_number,
    }
    spans = {
        "duration": (created, end), "billsec": (ch.times["Answered"], end),
        "progresssec": (created, ch.times["Progress"]), "answersec": (created, ch.times["Answered"]),
        "waitsec": (created, ch.times["Bridged"]), "flow_billsec": (created if ch.answered else 0, end),
    }  # fmt: skip
    for key, (start, stop) in spans.items():
        span = stop - start if start and stop else 0
        base = key.removesuffix("sec")
        result[key] = str(stop // 1_000_000 - start // 1_000_000 if span else 0)
        result["mduration" if key == "duration" else f"{base}msec"] = str(span // 1000)
        result["uduration" if key == "duration" else f"{base}usec"] = str(span)
    return result
