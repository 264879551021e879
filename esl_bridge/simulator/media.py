"""Media bugs on a channel: recordings and supervisors who listen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .apps import Blocking
from .channels import Channel

if TYPE_CHECKING:
    from .switch import Switch

_SOUNDS = "/usr/local/share/freeswitch/sounds/"


class Recordings:
    """`uuid_record` and the `record-template` of queues. Nothing is written to disk."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch

    def start(self, ch: Channel, path: str) -> bool:
        """False when this path is being recorded already."""
        path = path if path.startswith("/") else _SOUNDS + path
        if ch.down or path in ch.recordings:
            return False
        ch.recordings.append(path)
        calls = self.switch.calls
        calls.emit("RECORD_START", ch, tail={"Record-File-Path": path})
        calls.emit("MEDIA_BUG_START", ch, _bug("session_record", path))
        return True

    def stop(self, ch: Channel, path: str) -> bool:
        """False when it is not being recorded; ``all`` stops everything.

        Only ``start`` puts a directory before a relative path: stopping by the same relative path fails,
        as it does on the real switch (seen in a recording).
        """
        if path == "all":
            found = bool(ch.recordings)
            self.stop_all(ch)
            return found
        if path not in ch.recordings:
            return False
        ch.recordings.remove(path)
        tail = {"Record-File-Path": path, "Record-Completion-Cause": "success-silence"}
        self.switch.calls.emit("RECORD_STOP", ch, tail=tail)
        self.switch.calls.emit("MEDIA_BUG_STOP", ch, _bug("session_record", path))
        return True

    def stop_all(self, ch: Channel) -> None:
        """End every recording of a channel."""
        for path in tuple(ch.recordings):
            self.stop(ch, path)


class Eavesdrops:
    """Supervisors and the channels they listen to."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.active: list[Eavesdrop] = []

    def target_gone(self, ch: Channel) -> None:
        """Listening ends with the channel listened to."""
        for eavesdrop in [e for e in self.active if e.target is ch]:
            self.switch.calls.finished(eavesdrop.ch, eavesdrop)


class Eavesdrop(Blocking):
    """A supervisor's leg in the `eavesdrop` application. No CHANNEL_BRIDGE is made by it."""

    def __init__(self, switch: Switch, ch: Channel, target: Channel) -> None:
        self.switch, self.ch, self.target = switch, ch, target

    def enter(self) -> None:
        self.switch.eavesdrops.active.append(self)
        self.switch.calls.emit("MEDIA_BUG_START", self.target, _bug("eavesdrop", self.ch.uuid))
        self.switch.calls.emit("CALL_UPDATE", self.ch, {"Direction": "SEND"})

    def leave(self) -> None:
        if self in self.switch.eavesdrops.active:
            self.switch.eavesdrops.active.remove(self)
            self.switch.calls.emit("MEDIA_BUG_STOP", self.target, _bug("eavesdrop", self.ch.uuid))


def _bug(function: str, target: str) -> dict[str, str]:
    return {"Media-Bug-Function": function, "Media-Bug-Target": target}
