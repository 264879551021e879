"""The `callcenter_config` API: every command with the reply of the real module, byte by byte.

An empty answer stands for "no output", which the event socket renders as `-ERR no reply`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from ..dialstring import split_quoted, whole_number
from .model import AGENT_COLUMNS, MEMBER_COLUMNS, QUEUE_COLUMNS, TIER_COLUMNS, Agent, Member, Queue, Tier

if TYPE_CHECKING:
    from .center import CallCenter

OK = "+OK\n"
INVALID = "-ERR Invalid!\n"
USAGE = (
    "-USAGE: \n"
    "callcenter_config <target> <args>,\n"
    "callcenter_config agent add [name] [type] | \n"
    "callcenter_config agent del [name] | \n"
    "callcenter_config agent reload [name] | \n"
    "callcenter_config agent set status [agent_name] [status] | \n"
    "callcenter_config agent set state [agent_name] [state] | \n"
    "callcenter_config agent set contact [agent_name] [contact] | \n"
    "callcenter_config agent get status [agent_name] | \n"
    "callcenter_config agent list [[agent_name]] | \n"
    "callcenter_config tier add [queue_name] [agent_name] [[level]] [[position]] | \n"
    "callcenter_config tier set [state|level|position] [queue_name] [agent_name] [value] | \n"
    "callcenter_config tier del [queue_name] [agent_name] | \n"
    "callcenter_config tier reload [queue_name] [agent_name] | \n"
    "callcenter_config tier list | \n"
    "callcenter_config queue load [queue_name] | \n"
    "callcenter_config queue unload [queue_name] | \n"
    "callcenter_config queue reload [queue_name] | \n"
    "callcenter_config queue list | \n"
    "callcenter_config queue list agents [queue_name] [status] [state] | \n"
    "callcenter_config queue list members [queue_name] | \n"
    "callcenter_config queue list tiers [queue_name] | \n"
    "callcenter_config queue count | \n"
    "callcenter_config queue count agents [queue_name] [status] [state] | \n"
    "callcenter_config queue count members [queue_name] | \n"
    "callcenter_config queue count tiers [queue_name]\n"
)
_SLOTS = 8
_GET_KEYS = ("status", "state", "uuid")


def _answer(error: str) -> str:
    return f"-ERR {error}\n" if error else OK


def _table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, always: bool = False) -> str:
    lines = ["|".join(row) + "\n" for row in rows]
    header = ["|".join(columns) + "\n"] if lines or always else []
    return "".join(header + lines) + OK


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def agent_row(agent: Agent) -> list[str]:
    return [_text(getattr(agent, column)) for column in AGENT_COLUMNS]


def tier_row(tier: Tier) -> list[str]:
    return [_text(getattr(tier, column)) for column in TIER_COLUMNS]


def member_row(member: Member, now: int) -> list[str]:
    return [_text(getattr(member, column)) for column in MEMBER_COLUMNS] + [str(member.score(now))]


def queue_row(queue: Queue) -> list[str]:
    values = asdict(queue.config) | {
        "calls_answered": queue.calls_answered, "calls_abandoned": queue.calls_abandoned,
    }  # fmt: skip
    return [_text(values[column]) for column in QUEUE_COLUMNS]


class ConfigApi:
    """Parses and executes one `callcenter_config` line."""

    def __init__(self, center: CallCenter) -> None:
        self.center = center
        self._actions: dict[tuple[str, str], Callable[[list[str]], str]] = {
            ("agent", "add"): self._agent_add, ("agent", "del"): self._agent_del,
            ("agent", "reload"): lambda a: OK if a else INVALID,
            ("agent", "set"): self._agent_set, ("agent", "get"): self._agent_get,
            ("agent", "list"): self._agent_list,
            ("tier", "add"): self._tier_add, ("tier", "set"): self._tier_set, ("tier", "del"): self._tier_del,
            ("tier", "reload"): lambda a: _answer("Unknown Error!") if a else INVALID,
            ("tier", "list"): lambda a: self._tiers(),
            ("queue", "load"): self._queue_load, ("queue", "unload"): self._queue_unload,
            ("queue", "reload"): self._queue_reload, ("queue", "list"): self._queue_list,
            ("queue", "count"): self._queue_count,
        }  # fmt: skip

    def run(self, line: str) -> str:
        """The reply, "" where the module writes nothing (unknown section or action)."""
        if not line.strip():
            return USAGE
        words = split_quoted(line, " ", _SLOTS)
        if len(words) < 2:
            return INVALID
        action = self._actions.get((words[0].lower(), words[1].lower()))
        return action(words[2:]) if action else ""

    # -- agents -----------------------------------------------------------------------------------

    def _agent_add(self, args: list[str]) -> str:
        return _answer(self.center.add_agent(args[0], args[1])) if len(args) >= 2 else INVALID

    def _agent_del(self, args: list[str]) -> str:
        if not args:
            return INVALID
        self.center.delete_agent(args[0])
        return OK

    def _agent_set(self, args: list[str]) -> str:
        if len(args) < 3:
            return INVALID
        return _answer(self.center.set_agent(args[0].lower(), args[1], args[2]))

    def _agent_get(self, args: list[str]) -> str:
        if len(args) < 2:
            return INVALID
        key, name = args[0], args[1]
        agent = self.center.agents.get(name)
        if agent is None:
            return _answer("Agent not found!")
        if key.lower() not in _GET_KEYS:
            return _answer("Invalid Agent Update KEY!")
        value = str(getattr(agent, key.lower()))
        headers = {"CC-Agent": name, "CC-Action": f"agent-{key}-get"}
        if value:
            header = "UUID" if key.lower() == "uuid" else key.capitalize()
            headers[f"CC-Agent-{header}"] = value
        self.center.fire(f"agent-{key}-get", headers)
        return value[:63]

    def _agent_list(self, args: list[str]) -> str:
        if len(args) > 1:
            return INVALID
        agents = [a for a in self.center.agents.values() if not args or a.name == args[0]]
        return _table(AGENT_COLUMNS, map(agent_row, agents))

    # -- tiers ------------------------------------------------------------------------------------

    def _tier_add(self, args: list[str]) -> str:
        if len(args) < 2:
            return INVALID
        level = whole_number(args[2], 1) if len(args) > 2 else 1
        position = whole_number(args[3], 1) if len(args) > 3 else 1
        return _answer(self.center.add_tier(args[0], args[1], level, position))

    def _tier_set(self, args: list[str]) -> str:
        if len(args) < 4:
            return INVALID
        return _answer(self.center.set_tier(args[0].lower(), args[1], args[2], args[3]))

    def _tier_del(self, args: list[str]) -> str:
        if len(args) < 2:
            return INVALID
        self.center.delete_tier(args[0], args[1])
        return OK

    def _tiers(self, queue: str | None = None) -> str:
        tiers = [t for t in self.center.tiers if queue is None or t.queue == queue]
        return _table(TIER_COLUMNS, map(tier_row, sorted(tiers, key=lambda t: (t.level, t.position))))

    # -- queues -----------------------------------------------------------------------------------

    def _queue_load(self, args: list[str]) -> str:
        if not args:
            return INVALID
        return OK if self.center.load_queue(args[0]) else _answer("Invalid Queue not found!")

    def _queue_unload(self, args: list[str]) -> str:
        if not args:
            return INVALID
        self.center.queues.pop(args[0], None)
        return OK

    def _queue_reload(self, args: list[str]) -> str:
        if not args:
            return INVALID
        self.center.queues.pop(args[0], None)
        return self._queue_load(args)

    def agents_of(self, queue: str, filters: list[str]) -> list[Agent]:
        names = [t.agent for t in self.center.tiers if t.queue == queue]
        agents = [a for a in self.center.agents.values() if a.name in names]
        if filters:
            agents = [a for a in agents if a.status == filters[0]]
        if len(filters) > 1:
            agents = [a for a in agents if a.state == filters[1]]
        return agents

    def members_of(self, queue: str | None) -> list[Member]:
        now = self.center.now()
        members = [m for m in self.center.members if queue is None or m.queue == queue]
        return sorted(members, key=lambda m: (m.queue if queue is None else "", -m.score(now)))

    def _queue_list(self, args: list[str]) -> str:
        if not args:
            return _table(QUEUE_COLUMNS, map(queue_row, self.center.queues.values()), always=True)
        what, rest = args[0].lower(), args[1:]
        if what == "members":
            now = self.center.now()
            rows = [member_row(m, now) for m in self.members_of(rest[0] if rest else None)]
            return _table((*MEMBER_COLUMNS, "score"), rows)
        if what == "agents" and rest:
            return _table(AGENT_COLUMNS, map(agent_row, self.agents_of(rest[0], rest[1:])))
        if what == "tiers" and rest:
            return self._tiers(rest[0])
        return INVALID

    def _queue_count(self, args: list[str]) -> str:
        if not args:
            return f"{len(self.center.queues)}\n"
        what, rest = args[0].lower(), args[1:]
        if what == "agents" and rest:
            return f"{len(self.agents_of(rest[0], rest[1:]))}\n"
        if what == "members":
            return f"{len(self.members_of(rest[0] if rest else None))}\n"
        if what == "tiers" and rest:
            return f"{sum(t.queue == rest[0] for t in self.center.tiers)}\n"
        return INVALID


def json_lists(center: CallCenter, request: dict[str, object]) -> dict[str, object]:
    """`json {"command":"callcenter_config","data":{"arguments":"agent list"}}` (CC:4057-4215)."""
    api = ConfigApi(center)
    data = request.get("data")
    data = data if isinstance(data, dict) else {}
    wanted = " ".join(str(data.get("arguments", "")).lower().split())
    queue = str(data.get("queue_name", ""))
    now = center.now()
    if wanted == "agent list":
        rows, columns = [agent_row(a) for a in center.agents.values()], AGENT_COLUMNS
    elif wanted == "tier list":
        rows, columns = [tier_row(t) for t in center.tiers], TIER_COLUMNS
    elif wanted == "queue list":
        rows, columns = [queue_row(q) for q in center.queues.values()], QUEUE_COLUMNS
    elif wanted == "member list":
        rows, columns = [member_row(m, now) for m in api.members_of(None)], (*MEMBER_COLUMNS, "score")
    elif wanted in ("queue list agents", "queue list members", "queue list tiers"):
        if not queue:
            error = {"error": "Missing data attribute: queue_name"}
            return request | {"status": "error", "message": "The command failed", "response": error}
        if wanted.endswith("agents"):
            rows, columns = [agent_row(a) for a in api.agents_of(queue, [])], AGENT_COLUMNS
        elif wanted.endswith("tiers"):
            rows, columns = [tier_row(t) for t in center.tiers if t.queue == queue], TIER_COLUMNS
        else:
            rows, columns = [member_row(m, now) for m in api.members_of(queue)], (*MEMBER_COLUMNS, "score")
    else:
        return request | {
            "status": "error",
            "message": "The command failed",
            "response": {"error": "Invalid!"},
        }
    return request | {"status": "success", "response": [dict(zip(columns, row, strict=True)) for row in rows]}
