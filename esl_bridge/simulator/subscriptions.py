"""What one event-socket connection wants to hear: `event`, `nixevent`, `noevents`, `filter`."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .events import Event

FORMATS = ("plain", "json")
# Native event names the simulator knows; an unknown word is ignored silently, as by the real socket.
NATIVE = frozenset(
    """CHANNEL_CREATE CHANNEL_DESTROY CHANNEL_STATE CHANNEL_CALLSTATE CHANNEL_ANSWER CHANNEL_HANGUP
    CHANNEL_HANGUP_COMPLETE CHANNEL_EXECUTE CHANNEL_EXECUTE_COMPLETE CHANNEL_HOLD CHANNEL_UNHOLD CHANNEL_BRIDGE
    CHANNEL_UNBRIDGE CHANNEL_PROGRESS CHANNEL_PROGRESS_MEDIA CHANNEL_OUTGOING CHANNEL_PARK CHANNEL_UNPARK
    CHANNEL_APPLICATION CHANNEL_ORIGINATE CHANNEL_UUID API LOG INBOUND_CHAN OUTBOUND_CHAN STARTUP SHUTDOWN
    SHUTDOWN_REQUESTED PUBLISH UNPUBLISH TALK NOTALK SESSION_CRASH MODULE_LOAD MODULE_UNLOAD DTMF MESSAGE
    PRESENCE_IN PRESENCE_OUT PRESENCE_PROBE MESSAGE_WAITING MESSAGE_QUERY ROSTER CODEC BACKGROUND_JOB
    DETECTED_SPEECH DETECTED_TONE PRIVATE_COMMAND HEARTBEAT TRAP ADD_SCHEDULE DEL_SCHEDULE EXE_SCHEDULE
    RE_SCHEDULE RELOADXML NOTIFY SEND_MESSAGE RECV_MESSAGE REQUEST_PARAMS CHANNEL_DATA GENERAL COMMAND
    SESSION_HEARTBEAT CLIENT_DISCONNECTED SERVER_DISCONNECTED SEND_INFO RECV_INFO CALL_SECURE NAT RECORD_START
    RECORD_STOP PLAYBACK_START PLAYBACK_STOP CALL_UPDATE FAILURE SOCKET_DATA MEDIA_BUG_START MEDIA_BUG_STOP
    CONFERENCE_DATA_QUERY CONFERENCE_DATA CALL_SETUP_REQ CALL_SETUP_RESULT CALL_DETAIL DEVICE_STATE""".split()  # noqa: SIM905
)


class Subscription:
    """Pure: no socket, no clock."""

    def __init__(self) -> None:
        self.format = "plain"
        self._all = False
        self._native: set[str] = set()
        self._custom: set[str] = set()
        self._nixed: set[str] = set()
        self._filters: list[tuple[bool, str, str]] = []

    # -- commands ---------------------------------------------------------------------------------

    def event(self, words: Iterable[str]) -> str:
        """`event [plain|json] NAMES... [CUSTOM subclasses...]`; adds to what is there."""
        names = list(words)
        if names and names[0].lower() in (*FORMATS, "xml"):
            chosen = names.pop(0).lower()
            if chosen == "xml":
                return "-ERR xml events are not simulated"
            self.format = chosen
        found = False
        custom = False
        for word in names:
            self._nixed.discard(word if custom else word.upper())
            if custom:
                self._custom.add(word)
                found = True
            elif word.upper() == "ALL":
                self._all = found = True
                self._nixed.clear()
            elif word.upper() == "CUSTOM":
                custom = True
                self._native.add("CUSTOM")
                found = True
            elif word.upper() in NATIVE:
                self._native.add(word.upper())
                found = True
        return f"+OK event listener enabled {self.format}" if found else "-ERR no keywords supplied"

    def nixevent(self, words: Iterable[str]) -> str:
        """Take names (or custom subclasses, after CUSTOM) out again."""
        names = list(words)
        if not names:
            return "-ERR no keywords supplied"
        custom = False
        for word in names:
            if custom:
                self._custom.discard(word)
                self._nixed.add(word)
            elif word.upper() == "ALL":
                self.clear()
            elif word.upper() == "CUSTOM":
                custom = True
            else:
                self._native.discard(word.upper())
                self._nixed.add(word.upper())
        return "+OK events nixed"

    def noevents(self) -> str:
        self.clear()
        return "+OK no longer listening for events"

    def clear(self) -> None:
        self._all = False
        self._native.clear()
        self._custom.clear()
        self._nixed.clear()

    def filter(self, argument: str) -> str:
        """`filter [-]HEADER VALUE`, `filter delete HEADER [VALUE]`, `filter delete all`."""
        header, _, value = argument.strip().partition(" ")
        if not header:
            return "-ERR invalid syntax"
        if header.lower() == "delete":
            return self._unfilter(value.strip())
        value = value.strip()
        if not value:
            return "-ERR invalid syntax"
        exclude = header.startswith("-")
        self._filters.append((exclude, header.lstrip("+-").lower(), value))
        return f"+OK filter added. [{header.lstrip('+-')}]=[{value}]"

    def _unfilter(self, argument: str) -> str:
        header, _, value = argument.partition(" ")
        if header.lower() == "all":
            self._filters.clear()
            return "+OK filter deleted. [all]"
        self._filters = [
            f for f in self._filters
            if f[1] != header.lower() or (value.strip() and f[2] != value.strip())
        ]  # fmt: skip
        return f"+OK filter deleted. [{header}]=[{value.strip()}]" if header else "-ERR invalid syntax"

    # -- deciding ---------------------------------------------------------------------------------

    def wants(self, event: Event) -> bool:
        """Whether this connection is to be sent the event."""
        if event.name in self._nixed or (event.subclass and event.subclass in self._nixed):
            return False
        # CUSTOM in the list alone delivers no event that has a subclass.
        by_subclass = event.subclass in self._custom if event.subclass else event.name in self._native
        if not (self._all or by_subclass):
            return False
        return self._passes(event) if self._filters else True

    def _passes(self, event: Event) -> bool:
        """Some including filter must match and no excluding one may; only excluding ones pass nothing."""
        headers = {name.lower(): value for name, value in event.headers.items()}
        passes = False
        for exclude, header, value in self._filters:
            if header in headers and _matches(headers[header], value):
                if exclude:
                    return False
                passes = True
        return passes


def _matches(actual: str, wanted: str) -> bool:
    if len(wanted) > 1 and wanted.startswith("/") and wanted.endswith("/"):
        try:
            return re.search(wanted[1:-1], actual) is not None
        except re.error:
            return False
    return actual.lower() == wanted.lower()
