"""The simulated switch: everything but the network."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping

from .apps import Apps
from .bridging import Bridges
from .callcenter import CallCenter, QueueConfig
from .calls import Calls
from .channels import Channel, Profile
from .clock import Clock
from .commands import Commands, Reply
from .conference import Conferences
from .events import EventBus
from .media import Eavesdrops, Recordings
from .phones import Phones

_HEARTBEAT = 20.0
_SHUTDOWN_LINGER = 1.2
VERSION = "1.11.3-dev+simulator~64bit"


class Switch:
    """A FreeSWITCH with mod_callcenter, without media and without a network.

    Everything happens on ``clock``; with a ``VirtualClock`` a whole day passes in a moment and twice the
    same way for one ``seed``. ``queue_source`` answers for the queue configuration (the real switch asks
    XML files or a web server); by default it looks into ``queue_configs``. ``run`` makes the uuids those of
    this run alone: whoever keeps a record over several runs must never see one twice.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        phones: Phones | None = None,
        queues: Mapping[str, QueueConfig] | None = None,
        dids: Mapping[str, str] | None = None,
        seed: int = 0,
        hostname: str = "simulator",
        run: str = "",
    ) -> None:
        self.clock = clock
        self.seed = seed
        self.phones = phones or Phones(seed=seed)
        self.queue_configs: dict[str, QueueConfig] = dict(queues or {})
        self.queue_source: Callable[[str], QueueConfig | None] = self.queue_configs.get
        self.dids = dict(dids or {})
        self.rng = random.Random(f"{seed}/calls")  # noqa: S311
        self.bus = EventBus(clock, seed=seed, hostname=hostname, run=run)
        self.calls = Calls(self)
        self.bridges = Bridges(self)
        self.apps = Apps(self)
        self.recordings = Recordings(self)
        self.eavesdrops = Eavesdrops(self)
        self.conferences = Conferences(self)
        self.callcenter = CallCenter(self)
        self.commands = Commands(self)
        self.on_shutdown: list[Callable[[bool], None]] = []
        self.shutting_down = False
        for name in self.queue_configs:
            self.callcenter.load_queue(name)
        clock.call_later(_HEARTBEAT, self._heartbeat)

    def api(self, line: str, reply: Reply) -> None:
        """Run one API command; ``reply`` is called once with its output, now or later (originate)."""
        self.commands.run(line, reply)

    def bgapi(self, line: str, job_uuid: str) -> None:
        """Run a command whose output comes as a BACKGROUND_JOB event."""

        def done(output: str) -> None:
            command, _, argument = line.strip().partition(" ")
            headers = {"Job-UUID": job_uuid, "Job-Command": command}
            if argument:
                headers["Job-Command-Arg"] = argument
            self.bus.emit("BACKGROUND_JOB", headers, body=output)

        self.clock.call_later(0.0, lambda: self.commands.run(line, done))

    def incoming(self, number: str, name: str, destination: str) -> Channel:
        """A call arrives from outside for ``destination`` (a DID or an extension)."""
        profile = Profile(
            destination=destination, caller_id_name=name, caller_id_number=number, orig_name=name,
            orig_number=number, ani=number, source="mod_sofia", dialplan="XML", network_addr="127.0.0.1",
            logical_direction="inbound", created_us=self.calls.now_us(),
        )  # fmt: skip
        uuid = self.bus.uuid()
        ch = Channel(
            uuid=uuid, name=f"sofia/internal/{number}@127.0.0.1", direction="inbound", profile=profile,
            number=number, session_id=self.calls.sessions + 1, hit_dialplan=True, call_uuid=uuid,
            variables={"sip_from_user": number, "sip_req_user": destination, "sip_call_id": self.bus.uuid()},
        )  # fmt: skip
        self.calls.create(ch, outgoing=False)
        self.calls.set_callstate(ch, "RINGING")
        ch.program, ch.running = self.apps.extension(destination), True
        self.clock.call_later(0.0, lambda: self.calls.run(ch))
        return ch

    def shutdown(self, *, restart: bool = False) -> None:
        """`fsctl shutdown`: every call ends with SYSTEM_SHUTDOWN, then the listeners are told to close."""
        if self.shutting_down:
            return
        self.shutting_down = True

        def now() -> None:
            self.bus.emit("SHUTDOWN", {"Event-Info": "System Shutting Down"})
            self.calls.hangup_all(list(self.calls.channels.values()), "SYSTEM_SHUTDOWN")
            self.clock.call_later(_SHUTDOWN_LINGER, closed)

        def closed() -> None:
            for callback in tuple(self.on_shutdown):
                callback(restart)

        self.clock.call_later(0.08, now)

    def restart(self) -> None:
        """Come up again after a shutdown: new Core-UUID, agents and tiers kept, states reset."""
        self.shutting_down = False
        self.bus.restart()
        self.callcenter.restart()

    def _heartbeat(self) -> None:
        self.clock.call_later(_HEARTBEAT, self._heartbeat)
        up = self.clock.now() - self.bus.started
        self.bus.emit(
            "HEARTBEAT",
            {
                "Event-Info": "System Ready",
                "Up-Time": uptime(up),
                "FreeSWITCH-Version": VERSION,
                "Uptime-msec": str(int(up * 1000)),
                "Session-Count": str(len(self.calls.channels)),
                "Max-Sessions": "3000",
                "Session-Per-Sec": "300",
                "Session-Since-Startup": str(self.calls.sessions),
                "Idle-CPU": "97.500000",
            },
        )


def uptime(seconds: float) -> str:
    """`0 years, 0 days, 0 hours, 0 minutes, 40 seconds, 25 milliseconds, 211 microseconds`."""
    whole = int(seconds)
    micro = int((seconds - whole) * 1_000_000)
    minutes, sec = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    parts = (
        (days // 365, "year"), (days % 365, "day"), (hour, "hour"), (minute, "minute"), (sec, "second"),
        (micro // 1000, "millisecond"), (micro % 1000, "microsecond"),
    )  # fmt: skip
    return ", ".join(f"{n} {unit}{'' if n == 1 else 's'}" for n, unit in parts)
