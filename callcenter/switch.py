"""The port to the switch: what a switch may tell (facts) and what it can be told (orders).

Nothing here names FreeSWITCH's words; a backend translates. Times are integers, microseconds since
the epoch, as the switch stamped them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Presence(StrEnum):
    """How an agent stands at the switch."""

    OPEN = "open"
    BREAK = "break"
    OUT = "out"


class Leaving(StrEnum):
    """Why a queue entry ended without an answer."""

    TIMEOUT = "timeout"
    NO_AGENTS = "no_agents"
    KEY = "key"
    REMOVED = "removed"
    HUNG_UP = "hung_up"
    SWITCH = "switch"


# --- facts -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSeen(Fact):
    """The switch knows an agent of this name."""

    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentWrapUpSeen(Fact):
    """Somebody set the agent's wrap-up time at the switch, in seconds."""

    agent: str
    seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentContactSeen(Fact):
    """The agent's dial string at the switch."""

    agent: str
    contact: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentPresence(Fact):
    """The agent's presence at the switch was set, possibly to what it was."""

    agent: str
    presence: Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentParked(Fact):
    """After a call the switch gives this agent no other one until it is told to."""

    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentOpened(Fact):
    """The switch's engine takes this agent for free."""

    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentMissedLimit(Fact):
    """The agent let as many offers ring out as the switch allows."""

    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TierSeen(Fact):
    queue: str
    agent: str
    level: int = 1
    position: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberFact(Fact):
    """Something about one queue entry (`member`) of the caller on `channel`."""

    member: str
    channel: str
    queue: str
    number: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberQueued(MemberFact):
    """A caller joined a queue."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLeft(MemberFact):
    """A queue entry ended unanswered; `channel_up` tells whether the caller is still there."""

    reason: Leaving
    channel_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberServed(MemberFact):
    """A queue entry that an agent had answered has ended."""

    channel_up: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferMade(MemberFact):
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAnswered(MemberFact):
    """The agent picked up; `leg` is the agent's channel."""

    agent: str
    leg: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferFailed(MemberFact):
    agent: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentReleased(MemberFact):
    """The engine is done with the agent's part of this call."""

    agent: str
    leg: str
    bridged: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelFact(Fact):
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelCreated(ChannelFact):
    """A leg. `agent` and `member_channel` are set on a leg that the queue engine dials to an agent.

    `inbound` is true for a leg that a phone or a trunk opened; `other` is the leg that caused this one.
    """

    inbound: bool
    destination: str = ""
    number: str = ""
    name: str = ""
    other: str = ""
    agent: str = ""
    member_channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAnswered(ChannelFact):
    agent: str = ""
    member_channel: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelBridged(ChannelFact):
    """`channel` and `other` hear each other from now on."""

    other: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHeld(ChannelFact):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelUnheld(ChannelFact):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelConferenced(ChannelFact):
    """The leg is in a conference."""

    room: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelHungUp(ChannelFact):
    """`by_switch`: the switch itself ended it (shutdown, operator, time-out), not one of the parties.

    `by_far_end` is known when all is over: the phone or the trunk at the other end hung up (True), or
    was hung up on (False).
    """

    cause: str
    by_switch: bool = False
    by_far_end: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchStopping(Fact):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigTouched(Fact):
    """Somebody sent a configuration command to the switch; what came of it is not told."""

    words: str


# --- what the switch holds now -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SeenAgent:
    name: str
    presence: Presence
    engine: str
    """`free`, `parked`, `offered`, `reserved` or `in_call`."""
    leg: str = ""
    contact: str = ""
    wrap_up: int = 0
    on_demand: bool = False
    """The engine parks this agent after each call by itself."""


@dataclass(frozen=True, slots=True)
class SeenTier:
    queue: str
    agent: str
    level: int
    position: int


@dataclass(frozen=True, slots=True)
class SeenMember:
    member: str
    channel: str
    queue: str
    number: str
    name: str
    joined_at: int
    state: str
    """`waiting`, `offered`, `answered` or `gone`."""
    agent: str = ""


@dataclass(frozen=True, slots=True)
class SeenChannel:
    channel: str
    created_at: int
    inbound: bool
    destination: str
    number: str
    name: str
    bridged_to: str = ""
    call: str = ""
    """The channel whose call this leg belongs to; its own for a leg that began a call."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All that the switch holds at one moment; `at` is when the reading began."""

    at: int
    agents: dict[str, SeenAgent] = field(default_factory=dict)
    tiers: dict[tuple[str, str], SeenTier] = field(default_factory=dict)
    members: dict[str, SeenMember] = field(default_factory=dict)
    channels: dict[str, SeenChannel] = field(default_factory=dict)
    queues: frozenset[str] = frozenset()


# --- orders --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """Something the switch is told to do; `key` names the object, so that a newer order replaces one unsent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPresence(Order):
    """Open the agent for calls, or close it. The result is read back before it counts as done."""

    agent: str
    presence: Presence


@dataclass(frozen=True, slots=True, kw_only=True)
class SuspendAgent(Order):
    """No queue call while the agent is on a call outside queues."""

    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureAgent(Order):
    """Make the agent exist with these settings. Delays in seconds."""

    agent: str
    contact: str
    kind: str = "callback"
    max_missed: int = 0
    reject_delay: int = 0
    busy_delay: int = 0
    no_answer_delay: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveAgent(Order):
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureTier(Order):
    queue: str
    agent: str
    level: int
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveTier(Order):
    queue: str
    agent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigureQueue(Order):
    """Take the queue's settings anew from where the switch reads its configuration."""

    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoveQueue(Order):
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp(Order):
    channel: str
    cause: str = "NORMAL_CLEARING"


ORDERS: dict[str, type[Order]] = {
    "set_presence": SetPresence,
    "suspend_agent": SuspendAgent,
    "configure_agent": ConfigureAgent,
    "remove_agent": RemoveAgent,
    "configure_tier": ConfigureTier,
    "remove_tier": RemoveTier,
    "configure_queue": ConfigureQueue,
    "remove_queue": RemoveQueue,
    "hang_up": HangUp,
}
KIND_OF_ORDER: dict[type[Order], str] = {cls: kind for kind, cls in ORDERS.items()}
