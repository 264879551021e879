"""Channel events of FreeSWITCH's core as facts: the same for every queue engine."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from callcenter.switch import (
    ChannelAnswered,
    ChannelBridged,
    ChannelConferenced,
    ChannelCreated,
    ChannelHeld,
    ChannelHungUp,
    ChannelUnheld,
    Fact,
    SeenChannel,
    SwitchStopping,
)
from esl_bridge.protocol import Event

from .base import SnapshotUnreadable

CHANNEL_EVENTS = (
    "CHANNEL_CREATE CHANNEL_ANSWER CHANNEL_BRIDGE CHANNEL_HOLD CHANNEL_UNHOLD "
    "CHANNEL_HANGUP CHANNEL_HANGUP_COMPLETE SHUTDOWN HEARTBEAT API"
)
CONFERENCE = "conference::maintenance"

# With these causes nobody at either end hung up: an operator, a time-out or the shutdown did.
SWITCH_CAUSES = frozenset(
    {
        "SYSTEM_SHUTDOWN",
        "MANAGER_REQUEST",
        "NO_ANSWER",
        "ALLOTTED_TIMEOUT",
        "ORIGINATOR_CANCEL",
        "LOSE_RACE",
        "MEDIA_TIMEOUT",
        "RECOVERY_ON_TIMER_EXPIRE",
    }
)
FAR_END_DISPOSITIONS = frozenset({"recv_bye", "recv_cancel", "recv_refuse"})
SHOW_CHANNELS = "show channels as json"


def decode_channel(event: Event) -> list[Fact]:
    """Facts of one core event; none for a kind of event that is not followed."""
    decoder = _DECODERS.get(event.name)
    if decoder is not None:
        return decoder(event)
    if event.subclass == CONFERENCE and event.get("Action") == "add-member" and event.get("Unique-ID"):
        return [
            ChannelConferenced(
                at=event.at_us, channel=event.get("Unique-ID"), room=event.get("Conference-Name")
            )
        ]
    return []


def _created(event: Event) -> list[Fact]:
    agents_leg = event.get("variable_cc_side") == "agent"
    return [
        ChannelCreated(
            at=event.at_us,
            channel=event.get("Unique-ID"),
            inbound=event.get("Call-Direction") == "inbound",
            destination=event.get("Caller-Destination-Number"),
            number=event.get("Caller-Caller-ID-Number"),
            name=event.get("Caller-Caller-ID-Name"),
            other=event.get("Other-Leg-Unique-ID"),
            agent=event.get("variable_cc_agent") if agents_leg else "",
            member_channel=event.get("variable_cc_member_session_uuid") if agents_leg else "",
        )
    ]


def _answered(event: Event) -> list[Fact]:
    return [ChannelAnswered(at=event.at_us, channel=event.get("Unique-ID"))]


def _bridged(event: Event) -> list[Fact]:
    one = event.get("Bridge-A-Unique-ID") or event.get("Unique-ID")
    two = event.get("Bridge-B-Unique-ID") or event.get("Other-Leg-Unique-ID")
    return [ChannelBridged(at=event.at_us, channel=one, other=two)] if one and two else []


def _held(event: Event) -> list[Fact]:
    return [ChannelHeld(at=event.at_us, channel=event.get("Unique-ID"))]


def _unheld(event: Event) -> list[Fact]:
    return [ChannelUnheld(at=event.at_us, channel=event.get("Unique-ID"))]


def _hung_up(event: Event) -> list[Fact]:
    cause = event.get("Hangup-Cause")
    disposition = event.get("variable_sip_hangup_disposition")
    over = event.name == "CHANNEL_HANGUP_COMPLETE"
    return [
        ChannelHungUp(
            at=event.at_us,
            channel=event.get("Unique-ID"),
            cause=cause,
            by_switch=cause in SWITCH_CAUSES,
            by_far_end=disposition in FAR_END_DISPOSITIONS if over and disposition else None,
        )
    ]


def _stopping(event: Event) -> list[Fact]:
    return [SwitchStopping(at=event.at_us)]


_DECODERS: dict[str, Callable[[Event], list[Fact]]] = {
    "CHANNEL_CREATE": _created,
    "CHANNEL_ANSWER": _answered,
    "CHANNEL_BRIDGE": _bridged,
    "CHANNEL_HOLD": _held,
    "CHANNEL_UNHOLD": _unheld,
    "CHANNEL_HANGUP": _hung_up,
    "CHANNEL_HANGUP_COMPLETE": _hung_up,
    "SHUTDOWN": _stopping,
}


def read_channels(reply: str) -> dict[str, SeenChannel]:
    """The reply of `show channels as json`. Raises SnapshotUnreadable."""
    try:
        rows = json.loads(reply).get("rows", [])
        return {channel.channel: channel for channel in map(_seen_channel, rows)}
    except (ValueError, ArithmeticError, KeyError, TypeError, AttributeError, RecursionError) as bad:
        raise SnapshotUnreadable(f"{SHOW_CHANNELS}: {reply[:80]!r}") from bad


def _seen_channel(row: Mapping[str, object]) -> SeenChannel:
    joined = _text(row, "application") == "uuid_bridge"
    channel = _text(row, "uuid")
    if not channel:
        raise KeyError("uuid")
    return SeenChannel(
        channel=channel,
        created_at=int(_text(row, "created_epoch") or 0) * 1_000_000,
        inbound=_text(row, "direction") == "inbound",
        destination=_text(row, "initial_dest") or _text(row, "dest"),
        number=_text(row, "cid_num"),
        name=_text(row, "cid_name"),
        bridged_to=_text(row, "application_data") if joined else "",
        call=_text(row, "call_uuid"),
    )


def _text(row: Mapping[str, object], key: str) -> str:
    value = row.get(key) or ""
    if not isinstance(value, str):
        raise TypeError(key)
    return value
