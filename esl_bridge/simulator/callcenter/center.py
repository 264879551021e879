"""The call centre's state and the changes that raise events."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..channels import Channel, channel_block
from ..dialstring import whole_number
from .dispatch import Dispatcher
from .member import MemberSession
from .model import STATES, STATUSES, TIER_STATES, Agent, Member, Queue, QueueConfig, Tier

if TYPE_CHECKING:
    from ..switch import Switch
    from .offer import Offer

log = logging.getLogger(__name__)

_ORIGINS = {
    "agent-add": ("cc_agent_add", 915), "agent-status-change": ("cc_agent_update", 1043),
    "agent-state-change": ("cc_agent_update", 1067), "agent-contact-change": ("cc_agent_update", 1091),
    "agent-offering": ("outbound_agent_thread_run", 1717),
    "bridge-agent-start": ("outbound_agent_thread_run", 1934),
    "bridge-agent-end": ("outbound_agent_thread_run", 2062),
    "bridge-agent-fail": ("outbound_agent_thread_run", 2200),
    "agent-max-no-answer": ("outbound_agent_thread_run", 2176),
    "member-queue-start": ("callcenter_function", 3113), "member-queue-resume": ("callcenter_function", 3113),
    "member-queue-end": ("callcenter_function", 3274), "members-count": ("cc_queue_count", 878),
}  # fmt: skip
_INTEGER_KEYS = (
    "max_no_answer", "wrap_up_time", "reject_delay_time", "busy_delay_time", "no_answer_delay_time", "ready_time",
)  # fmt: skip


def canonical(value: str, known: tuple[str, ...]) -> bool:
    """Whether ``value`` is one of ``known``, compared without case as the module does."""
    return value.lower() in (name.lower() for name in known)


class CallCenter:
    """Agents, tiers, members and loaded queues, in the order the database would list them."""

    def __init__(self, switch: Switch) -> None:
        self.switch = switch
        self.agents: dict[str, Agent] = {}
        self.tiers: list[Tier] = []
        self.members: list[Member] = []
        self.queues: dict[str, Queue] = {}
        self.sessions: dict[str, MemberSession] = {}
        self.offers: list[Offer] = []
        self.dispatcher = Dispatcher(self)

    # -- events -----------------------------------------------------------------------------------

    def fire(self, action: str, headers: Mapping[str, str], channel: Channel | None = None) -> None:
        """One `callcenter::info` event; with a channel its block and variables come first."""
        function, line = _ORIGINS.get(action, ("cc_agent_get", 970))
        event = self.switch.bus.create(
            "CUSTOM", subclass="callcenter::info", origin=("mod_callcenter.c", function, line)
        )
        if channel is not None:
            event.headers.update(channel_block(channel, variables=True))
        event.headers.update(headers)
        self.switch.bus.fire(event)

    def fire_count(self, queue: str) -> None:
        """`members-count` and the queue's presence, as after every join and leave."""
        waiting = self.waiting(queue)
        self.fire(
            "members-count",
            {
                "CC-Queue": queue, "CC-Action": "members-count", "CC-Count": str(waiting),
                "CC-Selection": "Single-Queue",
            },
        )  # fmt: skip
        self.switch.bus.emit(
            "PRESENCE_IN",
            {
                "proto": "callcenter", "login": queue, "from": queue,
                "force-status": f"Active ({waiting} waiting)" if waiting else "Idle",
                "rpid": "unknown", "event_type": "presence", "alt_event_type": "dialog", "event_count": "0",
                "channel-state": "CS_ROUTING" if waiting else "CS_HANGUP", "unique-id": queue,
                "answer-state": "confirmed" if waiting else "terminated", "presence-call-direction": "inbound",
            },
        )  # fmt: skip

    # -- reading ----------------------------------------------------------------------------------

    def now(self) -> int:
        return int(self.switch.clock.now())

    def waiting(self, queue: str) -> int:
        """Rows in state Waiting or Trying."""
        return sum(m.queue == queue and m.state in ("Waiting", "Trying") for m in self.members)

    def queue(self, name: str) -> Queue | None:
        """A queue, loaded from the configuration source when it is not loaded yet (CC:814-830)."""
        return self.queues.get(name) or self.load_queue(name)

    def load_queue(self, name: str) -> Queue | None:
        """Read the queue's definition afresh; its counters start at 0. None when there is none."""
        try:
            config: QueueConfig | None = self.switch.queue_source(name)
        except Exception:
            # Whoever embeds the switch supplies this; the real one treats unreadable XML as no queue.
            log.exception("the configuration of queue %s cannot be read", name)
            return None
        if config is None:
            return None
        queue = Queue(config)
        queue.last_agent_exist = queue.last_agent_exist_check = self.switch.clock.now()
        self.queues[name] = queue
        return queue

    def tier(self, queue: str, agent: str) -> Tier | None:
        return next((t for t in self.tiers if t.queue == queue and t.agent == agent), None)

    def offers_to(self, member: Member) -> list[Offer]:
        """Offers of this member that still ring or have been answered."""
        return [offer for offer in self.offers if offer.member is member]

    # -- changing ---------------------------------------------------------------------------------

    def add_agent(self, name: str, kind: str) -> str:
        """ "" when done, else the error text."""
        if name in self.agents:
            return "Agent already exist!"
        if not canonical(kind, ("callback", "uuid-standby")):
            return "Agent type invalid!"
        self.agents[name] = Agent(name, type=kind)
        self.fire("agent-add", {"CC-Agent": name, "CC-Agent-Type": kind, "CC-Action": "agent-add"})
        return ""

    def delete_agent(self, name: str) -> None:
        """Remove the agent and its tiers; no event, and a call it is in goes on."""
        self.agents.pop(name, None)
        self.tiers = [t for t in self.tiers if t.agent != name]

    def set_agent(self, key: str, name: str, value: str) -> str:
        """ "" when done, else the error text (cc_agent_update, CC:997-1184)."""
        agent = self.agents.get(name)
        if agent is None:
            return "Agent not found!"
        if key == "status":
            return self._set_status(agent, value)
        if key == "state":
            return self._set_state(agent, value)
        if key == "state_if_waiting":
            if not canonical(value, STATES):
                return "Invalid Agent State!"
            if agent.state != "Waiting" or agent.status not in ("Available", "Available (On Demand)"):
                return "Agent not found!"
            return self._set_state(agent, value)
        if key == "contact":
            agent.contact = value
            self.fire(
                "agent-contact-change",
                {"CC-Agent": name, "CC-Action": "agent-contact-change", "CC-Agent-Contact": value},
            )
        elif key == "uuid":
            agent.uuid = value
        elif key == "type":
            if not canonical(value, ("callback", "uuid-standby")):
                return "Invalid Agent Type!"
            agent.type = value
        elif key in _INTEGER_KEYS:
            setattr(agent, key, whole_number(value))
        else:
            return "Invalid Agent Update KEY!"
        return ""

    def _set_status(self, agent: Agent, value: str) -> str:
        if not canonical(value, STATUSES):
            return "Invalid Agent Status!"
        if value == "Available":
            if agent.status != "Available":
                agent.talk_time = agent.calls_answered = agent.no_answer_count = 0
                agent.last_status_change = self.now()
        else:
            agent.last_status_change = self.now()
        agent.status = value
        headers = {"CC-Agent": agent.name, "CC-Action": "agent-status-change", "CC-Agent-Status": value}
        self.fire("agent-status-change", headers)
        if value != "Available":
            for offer in [o for o in self.offers if o.agent_name == agent.name]:
                if offer.member.serving_agent == agent.name:
                    offer.cancel_ringing("ORIGINATOR_CANCEL")
        return ""

    def _set_state(self, agent: Agent, value: str) -> str:
        if not canonical(value, STATES):
            return "Invalid Agent State!"
        if value == "Receiving":
            agent.last_offered_call = self.now()
        agent.state = value
        self.fire(
            "agent-state-change",
            {"CC-Agent": agent.name, "CC-Action": "agent-state-change", "CC-Agent-State": value},
        )
        return ""

    def add_tier(self, queue: str, agent: str, level: int, position: int) -> str:
        """ "" when done, else the error text."""
        if self.queue(queue) is None:
            return "Queue not found!"
        if agent not in self.agents:
            return "Agent not found!"
        if self.tier(queue, agent) is not None:
            return "Tier already exist!"
        self.tiers.append(Tier(queue, agent, level=level, position=position))
        return ""

    def set_tier(self, key: str, queue: str, agent: str, value: str) -> str:
        """ "" when done, else the error text. An unknown tier or queue is "Unknown Error!" (as recorded)."""
        if agent not in self.agents:
            return "Agent not found!"
        tier = self.tier(queue, agent)
        if tier is None:
            return "Unknown Error!"
        if key == "state":
            if not canonical(value, TIER_STATES):
                return "Invalid Tier State!"
            tier.state = value
        elif key in ("level", "position"):
            setattr(tier, key, max(whole_number(value), 1))
        else:
            return "Invalid Tier Update KEY!"
        return ""

    def delete_tier(self, queue: str, agent: str) -> None:
        self.tiers = [t for t in self.tiers if not (t.queue == queue and t.agent == agent)]

    # -- calls ------------------------------------------------------------------------------------

    def join(self, ch: Channel, data: str) -> MemberSession | None:
        """The `callcenter` application. None for an unknown queue: the dialplan goes on, no event."""
        queue = self.queue(data.strip())
        return MemberSession(self, ch, queue) if queue is not None else None

    def track(self, ch: Channel, name: str) -> None:
        """`callcenter_track`: the agent counts as busy until this channel hangs up (CC:3326-3379)."""
        agent = self.agents.get(name)
        if agent is None or "cc_tracked_agent" in ch.variables:
            return
        ch.variables["cc_tracked_agent"] = name
        agent.external_calls_count += 1
        headers = {
            "CC-Agent": name, "CC-Action": "agent-status-get", "CC-Agent-Status": agent.status,
        }  # fmt: skip
        self.fire("agent-status-get", headers)

    def untrack(self, ch: Channel) -> None:
        """The tracked channel is gone."""
        agent = self.agents.get(ch.variables.get("cc_tracked_agent", ""))
        if agent is not None:
            agent.external_calls_count = max(agent.external_calls_count - 1, 0)

    def restart(self) -> None:
        """What the module does when it is loaded again (CC:1599-1605): no event tells of it."""
        for agent in self.agents.values():
            agent.state, agent.uuid, agent.external_calls_count = "Waiting", "", 0
        for tier in self.tiers:
            tier.state = "Ready"
        for member in self.members:
            member.state, member.session_uuid = "Abandoned", ""
        loaded = [*self.switch.queue_configs, *self.queues]
        self.queues.clear()
        for name in dict.fromkeys(loaded):
            self.load_queue(name)
        self.dispatcher.wake()
