"""A small call centre on virtual time, for tests that read as sentences."""

from __future__ import annotations

from typing import Any

from esl_bridge.simulator import PhoneRule, Phones, QueueConfig, Switch, VirtualClock
from esl_bridge.simulator.events import Event

START = 1_800_000_000.0
RULES = (
    PhoneRule("silent.*|13[0-9]+9", chances={"no_answer": 1}),
    PhoneRule("busy.*", chances={"busy": 1}),
    PhoneRule("slow.*", ring=(3, 3)),
    PhoneRule("late.*", ring=(1.0, 1.0)),
    PhoneRule("short.*", ring=(1, 1), talk=(2, 2)),
    PhoneRule(ring=(1, 1)),
)


class Desk:
    """One switch with the queues given as ``support={...}``; commands answer at once or fail the test."""

    def __init__(self, **queues: dict[str, Any]) -> None:
        self.clock = VirtualClock(START)
        configs = {name: QueueConfig.from_params(name, params) for name, params in queues.items()}
        self.switch = Switch(self.clock, phones=Phones(RULES), queues=configs)
        self.events: list[dict[str, str]] = []
        self.switch.bus.subscribe(self._note)

    def _note(self, event: Event) -> None:
        self.events.append(dict(event.headers) | {"at": str(self.clock.now() - START)})

    def api(self, line: str) -> str:
        """The reply; simulated time passes while the command runs."""
        replies: list[str] = []
        self.switch.api(line, replies.append)
        self.clock.run_until(lambda: bool(replies), limit=120)
        return replies[0]

    def cc(self, line: str) -> str:
        return self.api(f"callcenter_config {line}")

    def agent(
        self, name: str, *queues: str, phone: str = "", status: str = "Available", level: int = 1, position: int = 1,
        **settings: int,
    ) -> None:  # fmt: skip
        """An agent with a phone of the same name, a member of the queues."""
        assert self.cc(f"agent add {name} callback") == "+OK\n"
        self.cc(f"agent set contact {name} sofia/internal/{phone or name}@127.0.0.1")
        for key, value in settings.items():
            assert self.cc(f"agent set {key} {name} {value}") == "+OK\n"
        self.cc(f"agent set status {name} '{status}'")
        for queue in queues:
            assert self.cc(f"tier add {queue} {name} {level} {position}") == "+OK\n"

    def caller(self, queue: str, number: str = "13800000001", variables: str = "x=1") -> str:
        """A caller who joins the queue now and waits for ever; the uuid of the channel."""
        line = f"originate {{{variables}}}sofia/internal/{number}@127.0.0.1 queue-{queue} XML default"
        return self.api(line).split()[1]

    def actions(self, *names: str) -> list[dict[str, str]]:
        return [event for event in self.events if event.get("CC-Action") in names]

    def named(self, *names: str, uuid: str = "") -> list[dict[str, str]]:
        return [
            e for e in self.events if e["Event-Name"] in names and (not uuid or e.get("Unique-ID") == uuid)
        ]

    def offered(self) -> list[str]:
        """The agents offered a call, in order."""
        return [event["CC-Agent"] for event in self.actions("agent-offering")]

    def row(self, name: str) -> dict[str, str]:
        """The agent's row of `agent list`."""
        head, row, _ = self.cc(f"agent list {name}").splitlines()
        return dict(zip(head.split("|"), row.split("|"), strict=True))

    def tier_state(self, queue: str, agent: str) -> str:
        for line in self.cc("tier list").splitlines():
            if line.startswith(f"{queue}|{agent}|"):
                return line.split("|")[2]
        raise AssertionError(f"no tier {queue}/{agent}")
