"""Events as the switch makes them: common headers, sequence numbers, plain and JSON encoding."""

from __future__ import annotations

import json
import random
import time
import uuid as uuid_module
from collections.abc import Callable, Mapping

from .clock import Clock

# switch_utils.h SWITCH_URL_UNSAFE, plus controls and everything above "~".
_UNSAFE = frozenset(b'\r\n #%&+:;<=>?@[\\]^`{|}"') | frozenset(range(0x20)) | frozenset(range(0x7F, 0x100))
_ESCAPED = [f"%{byte:02X}" if byte in _UNSAFE else chr(byte) for byte in range(256)]

# Where FreeSWITCH 1.10/1.11 makes each event (Event-Calling-File, -Function, -Line-Number).
_ORIGINS: dict[str, tuple[str, str, int]] = {
    "API": ("switch_loadable_module.c", "switch_api_execute", 3140),
    "BACKGROUND_JOB": ("mod_event_socket.c", "api_exec", 1580),
    "CALL_UPDATE": ("switch_channel.c", "switch_channel_flip_cid", 3279),
    "CHANNEL_ANSWER": ("switch_channel.c", "switch_channel_perform_mark_answered", 3848),
    "CHANNEL_BRIDGE": ("switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1689),
    "CHANNEL_CALLSTATE": ("switch_channel.c", "switch_channel_perform_set_callstate", 302),
    "CHANNEL_CREATE": ("switch_core_state_machine.c", "switch_core_session_run", 626),
    "CHANNEL_DESTROY": ("switch_core_session.c", "switch_core_session_perform_destroy", 1588),
    "CHANNEL_EXECUTE": ("switch_core_session.c", "switch_core_session_exec", 2949),
    "CHANNEL_EXECUTE_COMPLETE": ("switch_core_session.c", "switch_core_session_exec", 2972),
    "CHANNEL_HANGUP": ("switch_channel.c", "switch_channel_perform_hangup", 3447),
    "CHANNEL_HANGUP_COMPLETE": ("switch_core_state_machine.c", "switch_core_session_reporting_state", 943),
    "CHANNEL_HOLD": ("switch_ivr.c", "switch_ivr_hold", 1558),
    "CHANNEL_ORIGINATE": ("switch_core_state_machine.c", "switch_core_session_run", 632),
    "CHANNEL_OUTGOING": ("switch_core_session.c", "switch_core_session_outgoing_channel", 768),
    "CHANNEL_PARK": ("switch_ivr.c", "switch_ivr_park", 1002),
    "CHANNEL_PROGRESS": ("switch_channel.c", "switch_channel_perform_mark_ring_ready_value", 3507),
    "CHANNEL_UNBRIDGE": ("switch_ivr_bridge.c", "switch_ivr_multi_threaded_bridge", 1879),
    "CHANNEL_UNHOLD": ("switch_ivr.c", "switch_ivr_unhold", 1638),
    "CHANNEL_UNPARK": ("switch_ivr.c", "switch_ivr_park", 1213),
    "DTMF": ("switch_channel.c", "switch_channel_dequeue_dtmf", 678),
    "HEARTBEAT": ("switch_core.c", "send_heartbeat", 95),
    "MEDIA_BUG_START": ("switch_core_media_bug.c", "switch_core_media_bug_add", 1014),
    "MEDIA_BUG_STOP": ("switch_core_media_bug.c", "switch_core_media_bug_destroy", 84),
    "PLAYBACK_START": ("switch_ivr_play_say.c", "switch_ivr_play_file", 1649),
    "PLAYBACK_STOP": ("switch_ivr_play_say.c", "switch_ivr_play_file", 2023),
    "PRESENCE_IN": ("mod_callcenter.c", "cc_send_presence", 3392),
    "RECORD_START": ("switch_ivr_async.c", "record_callback", 1482),
    "RECORD_STOP": ("switch_ivr_async.c", "send_record_stop_event", 1241),
    "SHUTDOWN": ("switch_core.c", "switch_core_destroy", 3033),
}
_CUSTOM_ORIGIN = ("mod_event_socket.c", "parse_command", 2260)

Origin = tuple[str, str, int]
Listener = Callable[["Event"], None]


def percent_encode(value: str) -> str:
    """Encode one header value as `event plain` does (switch_url_encode with its own unsafe set)."""
    return "".join([_ESCAPED[byte] for byte in value.encode("utf-8", "replace")])


class Event:
    """One event: ordered headers (all text) and an optional body. Encodings are made once and kept."""

    __slots__ = ("_json", "_plain", "body", "headers", "repeated")

    def __init__(self, headers: dict[str, str]) -> None:
        self.headers = headers
        self.repeated: tuple[str, str] | None = None
        self.body: str | None = None
        self._plain: bytes | None = None
        self._json: bytes | None = None

    @property
    def name(self) -> str:
        return self.headers["Event-Name"]

    @property
    def subclass(self) -> str:
        return self.headers.get("Event-Subclass", "")

    def plain(self) -> bytes:
        """The message for a connection that asked for `event plain`, framing included."""
        if self._plain is None:
            lines = [f"{k}: {percent_encode(v) if v else '_undef_'}\n" for k, v in self._items()]
            if self.body is None:
                lines.append("\n")
                payload = "".join(lines).encode()
            else:
                body = self.body.encode("utf-8", "replace")
                lines.append(f"Content-Length: {len(body)}\n\n")
                payload = "".join(lines).encode() + body
            self._plain = _frame(payload, b"text/event-plain")
        return self._plain

    def json(self) -> bytes:
        """The message for `event json`; a value ``ARRAY::a|:b`` becomes a JSON array."""
        if self._json is None:
            fields: list[tuple[str, str | list[str]]] = [
                (k, v[7:].split("|:") if v.startswith("ARRAY::") else v) for k, v in self._items()
            ]
            if self.body is not None:
                fields.append(("Content-Length", str(len(self.body.encode("utf-8", "replace")))))
                fields.append(("_body", self.body))
            dump = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode
            text = "{" + ",".join([f"{dump(k)}:{dump(v)}" for k, v in fields]) + "}"
            self._json = _frame(text.encode("utf-8", "replace"), b"text/event-json")
        return self._json

    def _items(self) -> list[tuple[str, str]]:
        """The headers, with the one that the switch writes twice (``repeated``: name, after which)."""
        items = list(self.headers.items())
        if self.repeated is not None:
            name, after = self.repeated
            keys = list(self.headers)
            items.insert(keys.index(after) + 1, (name, self.headers[name]))
        return items


def _frame(payload: bytes, content_type: bytes) -> bytes:
    return b"Content-Length: %d\nContent-Type: %b\n\n%b" % (len(payload), content_type, payload)


class EventBus:
    """Makes events with the switch's common headers and hands them to the listeners, in order."""

    def __init__(self, clock: Clock, *, seed: int, hostname: str, run: str = "") -> None:
        self.clock = clock
        self.hostname = hostname
        self._rng = random.Random(f"{seed}/{run}/uuid" if run else f"{seed}/uuid")  # noqa: S311
        self._sequence = 500
        self._listeners: list[Listener] = []
        self._stamp: tuple[int, str, str] = (-1, "", "")
        self.core_uuid = self.uuid()
        self.started = clock.now()

    def uuid(self) -> str:
        """A new uuid, reproducible for one seed and run."""
        return str(uuid_module.UUID(int=self._rng.getrandbits(128), version=4))

    def restart(self) -> None:
        """A new life of the switch: new Core-UUID, sequence from the beginning."""
        self.core_uuid = self.uuid()
        self.started = self.clock.now()
        self._sequence = 0

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Call ``listener`` with every event; the answer unsubscribes."""
        self._listeners.append(listener)

        def unsubscribe() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return unsubscribe

    def create(self, name: str, *, subclass: str = "", origin: Origin | None = None) -> Event:
        """A new event with its sequence number taken now; it may be fired later (as API events are)."""
        headers = {"Event-Subclass": subclass} if subclass else {}
        headers["Event-Name"] = name
        headers.update(self.common(origin or _ORIGINS.get(name, _CUSTOM_ORIGIN)))
        return Event(headers)

    def common(self, origin: Origin) -> dict[str, str]:
        """The headers every event carries after Event-Name (EV:1986-2002)."""
        self._sequence += 1
        now = self.clock.now()
        second = int(now)
        if self._stamp[0] != second:
            gmt = time.gmtime(second)
            self._stamp = (
                second,
                local_stamp(now),
                time.strftime("%a, %d %b %Y %H:%M:%S GMT", gmt),
            )
        file, function, line = origin
        return {
            "Core-UUID": self.core_uuid,
            "FreeSWITCH-Hostname": self.hostname,
            "FreeSWITCH-Switchname": self.hostname,
            "FreeSWITCH-IPv4": "127.0.0.1",
            "FreeSWITCH-IPv6": "::1",
            "Event-Date-Local": self._stamp[1],
            "Event-Date-GMT": self._stamp[2],
            "Event-Date-Timestamp": str(int(now * 1_000_000)),
            "Event-Calling-File": file,
            "Event-Calling-Function": function,
            "Event-Calling-Line-Number": str(line),
            "Event-Sequence": str(self._sequence),
        }

    def fire(self, event: Event) -> None:
        """Deliver to everyone who listens now."""
        for listener in tuple(self._listeners):
            listener(event)

    def emit(
        self,
        name: str,
        headers: Mapping[str, str] | None = None,
        *,
        subclass: str = "",
        origin: Origin | None = None,
        body: str | None = None,
    ) -> None:
        """Create and fire in one step."""
        event = self.create(name, subclass=subclass, origin=origin)
        if headers:
            event.headers.update(headers)
        event.body = body
        self.fire(event)


def local_stamp(epoch: float) -> str:
    """`2026-11-24 10:12:34`, the switch's local-time stamp (the simulator lives in UTC)."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(int(epoch)))
