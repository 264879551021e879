"""Rows of the call centre's tables, with the columns as a fresh database has them (CC:186-260)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

STATUSES = ("Logged Out", "Available", "Available (On Demand)", "On Break")
STATES = ("Waiting", "Receiving", "In a queue call", "Idle", "Reserved")
TIER_STATES = ("No Answer", "Ready", "Offering", "Active Inbound", "Standby")
AGENT_TYPES = ("callback", "uuid-standby")
STRATEGIES = (
    "longest-idle-agent", "agent-with-least-talk-time", "agent-with-fewest-calls",
    "sequentially-by-agent-order", "random", "round-robin", "top-down", "ring-all", "ring-progressively",
)  # fmt: skip
INSTANCE = "single_box"
_MAX_SECONDS = 86_400


@dataclass(eq=False)
class Agent:
    """The agents table, columns in order. Times are epoch seconds."""

    name: str
    instance_id: str = INSTANCE
    uuid: str = ""
    type: str = "callback"
    contact: str = ""
    status: str = "Logged Out"
    state: str = "Waiting"
    max_no_answer: int = 0
    wrap_up_time: int = 0
    reject_delay_time: int = 0
    busy_delay_time: int = 0
    no_answer_delay_time: int = 0
    last_bridge_start: int = 0
    last_bridge_end: int = 0
    last_offered_call: int = 0
    last_status_change: int = 0
    no_answer_count: int = 0
    calls_answered: int = 0
    talk_time: int = 0
    ready_time: int = 0
    external_calls_count: int = 0

    @property
    def standby(self) -> bool:
        return self.type.lower() == "uuid-standby"


@dataclass(eq=False)
class Tier:
    """The tiers table."""

    queue: str
    agent: str
    state: str = "Ready"
    level: int = 1
    position: int = 1


@dataclass(eq=False)
class Member:
    """The members table: one caller's stay in one queue."""

    queue: str
    instance_id: str
    uuid: str
    session_uuid: str
    cid_number: str
    cid_name: str
    system_epoch: int
    joined_epoch: int
    rejoined_epoch: int = 0
    bridge_epoch: int = 0
    abandoned_epoch: int = 0
    base_score: int = 0
    skill_score: int = 0
    serving_agent: str = ""
    serving_system: str = ""
    state: str = "Waiting"

    def score(self, now: int) -> int:
        """The order of service over all queues (CC:2779-2789)."""
        return now - self.joined_epoch + self.base_score + self.skill_score


@dataclass(frozen=True)
class QueueConfig:
    """A queue's parameters, named as `queue list` names them; defaults of CC:553-590."""

    name: str
    strategy: str = "longest-idle-agent"
    moh_sound: str = ""
    time_base_score: str = "queue"
    tier_rules_apply: bool = False
    tier_rule_wait_second: int = 0
    tier_rule_wait_multiply_level: bool = False
    tier_rule_no_agent_no_wait: bool = True
    discard_abandoned_after: int = 60
    abandoned_resume_allowed: bool = False
    max_wait_time: int = 0
    max_wait_time_with_no_agent: int = 0
    max_wait_time_with_no_agent_time_reached: int = 5
    record_template: str = ""
    ring_progressively_delay: int = 0
    skip_agents_with_external_calls: bool = True
    agent_no_answer_status: str = "On Break"
    announce_sound: str = ""
    announce_frequency: int = 0

    @classmethod
    def from_params(cls, name: str, params: Mapping[str, object]) -> QueueConfig:
        """Read parameters written as in callcenter.conf (`max-wait-time`) or as above.

        Integers are limited to 0..86400 and an unknown no-answer status becomes On Break, as the module
        does. ValueError names an unknown parameter or one of the wrong type.
        """
        known = {f.name: f for f in fields(cls)}
        values: dict[str, object] = {}
        for key, value in params.items():
            field_name = key.replace("-", "_")
            if field_name not in known or field_name == "name":
                raise ValueError(f"queue {name}: unknown parameter {key!r}")
            values[field_name] = _convert(name, key, value, known[field_name].default)
        if values.get("agent_no_answer_status", "On Break") not in STATUSES:
            values["agent_no_answer_status"] = "On Break"
        return cls(name=name, **values)  # type: ignore[arg-type]


def _convert(queue: str, key: str, value: object, default: object) -> object:
    if isinstance(default, bool):
        if isinstance(value, bool):
            return value
        return str(value).lower() in ("true", "yes", "on", "enable", "enabled", "active", "allow", "1")
    if isinstance(default, int):
        try:
            return min(max(int(str(value)), 0), _MAX_SECONDS)
        except ValueError:
            raise ValueError(f"queue {queue}: {key!r} must be a whole number, not {value!r}") from None
    if not isinstance(value, str):
        raise ValueError(f"queue {queue}: {key!r} must be text, not {value!r}")
    return value


@dataclass(eq=False)
class Queue:
    """A loaded queue: its parameters and the counters that live only in memory."""

    config: QueueConfig
    calls_answered: int = 0
    calls_abandoned: int = 0
    last_agent_exist: float = 0.0
    last_agent_exist_check: float = 0.0
    last_offered: str = ""

    @property
    def name(self) -> str:
        return self.config.name


QUEUE_COLUMNS = (
    "name", "strategy", "moh_sound", "time_base_score", "tier_rules_apply", "tier_rule_wait_second",
    "tier_rule_wait_multiply_level", "tier_rule_no_agent_no_wait", "discard_abandoned_after",
    "abandoned_resume_allowed", "max_wait_time", "max_wait_time_with_no_agent",
    "max_wait_time_with_no_agent_time_reached", "record_template", "calls_answered", "calls_abandoned",
    "ring_progressively_delay", "skip_agents_with_external_calls", "agent_no_answer_status",
)  # fmt: skip
AGENT_COLUMNS = tuple(f.name for f in fields(Agent))
TIER_COLUMNS = tuple(f.name for f in fields(Tier))
MEMBER_COLUMNS = tuple(f.name for f in fields(Member))
