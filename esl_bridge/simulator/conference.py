"""Conferences: enough of mod_conference to move a call into one and add a third party."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from .apps import Blocking
from .channels import Channel, channel_block
from .originate import Originate

if TYPE_CHECKING:
    from .switch import Switch

_ORIGINS = {
    "conference-create": ("mod_conference.c", "conference_new", 3848),
    "conference-destroy": ("mod_conference.c", "conference_thread_run", 863),
    "add-member": ("conference_member.c", "conference_member_add", 962),
    "del-member": ("conference_member.c", "conference_member_del", 1355),
    "floor-change": ("conference_member.c", "conference_member_set_floor_holder", 1158),
    "bgdial-result": ("mod_conference.c", "conference_outcall_run", 1708),
}
_FLAGS = (
    "can_hear", "can_see", "can_speak", "hold", "mute_detect", "talking", "has_video", "video_bridge", "has_floor",
    "is_moderator", "end_conference", "mandatory_member_end_conference", "pass_digits",
)  # fmt: skip


@dataclass(eq=False)
class Conference:
    """A room that exists while somebody is in it."""

    name: str
    profile: str
    uuid: str
    started: float
    members: list[Seat] = field(default_factory=list)
    floor: Seat | None = None
    last_id: int = 0


class Seat(Blocking):
    """A channel in a conference."""

    def __init__(self, rooms: Conferences, ch: Channel, name: str, profile: str) -> None:
        self.rooms, self.ch, self.name, self.profile = rooms, ch, name, profile
        self.id = 0
        self.joined = 0.0
        self.muted = False

    def enter(self) -> None:
        room = self.rooms.open(self.name, self.profile)
        self.room = room
        room.last_id += 1
        self.id, self.joined = room.last_id, self.rooms.switch.clock.now()
        room.members.append(self)
        self.rooms.fire(room, "add-member", self)
        if room.floor is None and len(room.members) == 2:
            self.rooms.move_floor(room, self)

    def leave(self) -> None:
        room = self.room
        heir = next((s for s in reversed(room.members) if s is not self), None)
        held_floor = room.floor is self
        if held_floor:
            self.rooms.move_floor(room, None)
        room.members.remove(self)
        self.rooms.fire(room, "del-member", self)
        if held_floor and heir is not None and len(room.members) > 1:
            self.rooms.move_floor(room, heir)
        if not room.members:
            del self.rooms.rooms[room.name]
            self.rooms.fire(room, "conference-destroy")


class Conferences:
    """All rooms and the `conference` API."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.rooms: dict[str, Conference] = {}

    def join(self, ch: Channel, data: str) -> Blocking:
        """The `conference NAME[@PROFILE]` application."""
        name, _, profile = data.partition("@")
        self.switch.calls.answer(ch)
        return Seat(self, ch, name.partition("+")[0], profile or "default")

    def open(self, name: str, profile: str) -> Conference:
        """The room, made when it does not exist."""
        room = self.rooms.get(name)
        if room is None:
            room = Conference(name, profile, self.switch.bus.uuid(), self.switch.clock.now())
            self.rooms[name] = room
            self.fire(room, "conference-create")
        return room

    def move_floor(self, room: Conference, seat: Seat | None) -> None:
        """Give the floor to a member, or to nobody."""
        old, room.floor = room.floor, seat
        extra = {"Old-ID": str(old.id) if old else "none", "New-ID": str(seat.id) if seat else "none"}
        self.fire(room, "floor-change", seat, extra)

    def fire(
        self, room: Conference, action: str, seat: Seat | None = None, extra: Mapping[str, str] | None = None
    ) -> None:
        """One `conference::maintenance` event; Action comes last where a member is told of."""
        event = self.switch.bus.create("CUSTOM", subclass="conference::maintenance", origin=_ORIGINS[action])
        headers = event.headers
        headers |= {
            "Conference-Name": room.name, "Conference-Domain": "127.0.0.1",
            "Conference-Size": str(len(room.members)), "Conference-Ghosts": "0",
            "Conference-Profile-Name": room.profile, "Conference-Unique-ID": room.uuid,
        }  # fmt: skip
        extra = dict(extra or {})
        new = extra.pop("New-ID", "")
        late = action in ("add-member", "del-member")
        if not late:
            headers["Action"] = action
        headers |= extra
        if seat is not None:
            headers["Floor"] = "true" if room.floor is seat else "false"
            headers |= channel_block(seat.ch, variables=False)
            headers |= {
                "Video": "false", "Hear": "true", "See": "true", "Speak": "false" if seat.muted else "true",
                "Talking": "false", "Mute-Detect": "false", "Hold": "false", "Member-ID": str(seat.id),
                "Member-Type": "member", "Member-Ghost": "false", "Energy-Level": "0", "Current-Energy": "0",
            }  # fmt: skip
        if late:
            headers["Action"] = action
        if new:
            headers["New-ID"] = new
        self.switch.bus.fire(event)

    # -- API --------------------------------------------------------------------------------------

    def command(self, line: str) -> str:
        """`conference NAME list|json_list|count|bgdial|dial|kick|hup|mute|unmute|...`."""
        name, _, rest = line.strip().partition(" ")
        verb, _, args = rest.strip().partition(" ")
        if not name:
            return "-USAGE: conference <conf name> <command> [<args>]\n"
        room = self.rooms.get(name)
        if verb in ("bgdial", "dial"):
            return self._dial(name, args)
        if room is None:
            return f"-ERR Conference {name} not found\n"
        if verb == "json_list":
            return json.dumps([self._describe(room)])
        if verb == "count":
            return str(len(room.members))
        if verb == "list":
            rows = [f"{s.id};{s.ch.name};{s.ch.uuid};{s.ch.profile.caller_id_name}\n" for s in room.members]
            return "".join(rows)
        if verb in ("kick", "hup", "mute", "unmute"):
            return self._act(room, verb, args.strip())
        return f"-ERR Conference command '{verb}' not found.\n"

    def _dial(self, name: str, args: str) -> str:
        dial = args.split(" ", maxsplit=1)[0]
        if not dial:
            return "-ERR Bad Args\n"
        job = self.switch.bus.uuid()

        def done(leg: Channel | None, cause: str) -> None:
            room = self.rooms.get(name)
            if room is not None:
                result = {"Result": cause, "Job-UUID": job}
                self.fire(room, "bgdial-result", None, result | ({"Peer-UUID": leg.uuid} if leg else {}))
            if leg is not None:
                self.switch.calls.execute(leg, [("conference", name)])

        Originate(self.switch, dial, done, caller_id=("conference", "0000000000"))
        return f"+OK Job-UUID: {job}\n"

    def _act(self, room: Conference, verb: str, who: str) -> str:
        seats = [s for s in room.members if who == "all" or str(s.id) == who]
        if who == "last" and room.members:
            seats = [room.members[-1]]
        if not seats:
            return f"-ERR Member: {who} not found.\n"
        for seat in seats:
            if verb in ("kick", "hup"):
                self.switch.calls.hangup(seat.ch, "NORMAL_CLEARING")
            else:
                seat.muted = verb == "mute"
        return f"+OK {verb} {who}\n"

    def _describe(self, room: Conference) -> dict[str, object]:
        now = self.switch.clock.now()
        members = [
            {
                "type": "caller", "id": seat.id,
                "flags": {
                    flag: flag in ("can_hear", "can_see") or (flag == "can_speak" and not seat.muted)
                    or (flag == "has_floor" and room.floor is seat)
                    for flag in _FLAGS
                },
                "uuid": seat.ch.uuid, "caller_id_name": seat.ch.profile.caller_id_name,
                "caller_id_number": seat.ch.profile.caller_id_number, "join_time": int(now - seat.joined),
                "last_talking": 0, "energy": 0, "volume_in": 0, "volume_out": 0,
                "output-volume": 0, "input-volume": 0,
            }
            for seat in reversed(room.members)
        ]  # fmt: skip
        return {
            "conference_name": room.name, "member_count": len(room.members), "ghost_count": 0, "rate": 8000,
            "run_time": int(now - room.started), "conference_uuid": room.uuid, "locked": False, "running": True,
            "answered": True, "enforce_min": True, "dynamic": True, "exit_sound": True, "enter_sound": True,
            "recording": False, "variables": {}, "members": members,
        }  # fmt: skip
