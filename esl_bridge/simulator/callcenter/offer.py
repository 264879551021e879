"""One offer of a member to an agent, from the first ring to the end (outbound_agent_thread_run)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..channels import Channel
from ..originate import Originate
from .model import INSTANCE, Agent, Member, Queue

if TYPE_CHECKING:
    from .center import CallCenter
    from .member import MemberSession

_POLL = 0.1
_BRIDGE_DELAY = 0.02
_REQUEST = ("mod_callcenter.c", "outbound_agent_thread_run", 1755)
# Causes with a meaning of their own; every other one is a no-answer (CC:2140-2165).
_CANCELLED = ("ORIGINATOR_CANCEL", "LOSE_RACE", "PICKED_OFF")
_BUSY = ("USER_BUSY", "NORMAL_CIRCUIT_CONGESTION")
_UNREGISTERED_DELAY = 5


class Offer:
    """What the switch's agent thread does, step by step, on the clock."""

    def __init__(
        self, center: CallCenter, member: Member, session: MemberSession, queue: Queue, agent: Agent
    ) -> None:
        self.center, self.member, self.session, self.queue = center, member, session, queue
        self.agent_name = agent.name
        self.on_demand = agent.status == "Available (On Demand)"
        self.standby = agent.standby
        self.leg: Channel | None = None
        self.called = 0
        self.answered = 0
        self.bridged = False
        self._cause = "NONE"
        self._attempt: Originate | None = None
        center.offers.append(self)
        # The agent thread starts beside the dispatch thread, which goes on to the next agent first.
        center.switch.clock.call_later(0.0, lambda: self._start(agent))

    # -- ringing ----------------------------------------------------------------------------------

    def _start(self, agent: Agent) -> None:
        center, session, member = self.center, self.session, self.member
        headers = {
            "CC-Queue": self.queue.name, "CC-Action": "agent-offering", "CC-Agent": agent.name,
            "CC-Agent-Type": agent.type, "CC-Agent-System": INSTANCE,
        }  # fmt: skip
        center.fire("agent-offering", headers | session.identity() | {"CC-Member-DNIS": session.dnis})
        center.switch.calls.hold_session(session.ch)
        common = {
            "cc_queue": self.queue.name, "cc_member_uuid": member.uuid, "cc_member_session_uuid": session.ch.uuid,
            "cc_agent": agent.name, "cc_agent_type": agent.type, "cc_side": "agent",
        }  # fmt: skip
        if self.standby:
            self._take_standby(agent, common)
            return
        self.called = center.now()
        exported = session.ch.variables.get("cc_export_vars", "")
        variables = {
            "Event-Name": "REQUEST_PARAMS",
            **center.switch.bus.common(_REQUEST),
            "cc_queue": self.queue.name,
            "cc_queue_joined_epoch": str(member.joined_epoch),
            **common,
            "cc_member_pre_answer_uuid": member.uuid,
            "loopback_bowout": "false", "loopback_bowout_on_execute": "false", "ignore_early_media": "true",
            **({"cc_export_vars": exported} if exported else {}),
            **{k: session.ch.variables[k] for k in exported.split(",") if k in session.ch.variables},
            "origination_caller_id_name": member.cid_name, "origination_caller_id_number": member.cid_number,
        }  # fmt: skip
        self._attempt = Originate(center.switch, agent.contact, self._result, variables=variables)

    def _take_standby(self, agent: Agent, variables: dict[str, str]) -> None:
        leg = self.center.switch.calls.channels.get(agent.uuid)
        if leg is None or leg.down:
            agent.uuid = ""
            self.center.set_agent("status", agent.name, "Logged Out")
            self._failed("NONE")
            return
        leg.variables |= variables
        self._cause = "NONE"
        self._answered(leg)

    def cancel_ringing(self, cause: str) -> None:
        """Hang up the leg if it still rings."""
        if self._attempt is not None and self.leg is None:
            self._attempt.cancel(cause)

    def _result(self, leg: Channel | None, cause: str) -> None:
        if leg is None:
            self._failed(cause)
            return
        self._cause = cause
        leg.variables.pop("cc_member_pre_answer_uuid", None)
        rivals = [o for o in self.center.offers_to(self.member) if o is not self]
        if any(o.leg is not None for o in rivals):
            self._lost_after_answer(leg)
            return
        self.leg = leg
        for rival in rivals:
            rival.cancel_ringing("LOSE_RACE")
        self._answered(leg)

    def _lost_after_answer(self, leg: Channel) -> None:
        """Answered after another one had: the thread ends without a word, the leg stays up (CC:1924)."""
        self.leg = leg
        self._finish(idle=self.on_demand, tier_state="Ready")

    # -- answered ---------------------------------------------------------------------------------

    def _answered(self, leg: Channel) -> None:
        center, session, member = self.center, self.session, self.member
        self.leg = leg
        self.answered = center.now()
        center.switch.calls.hold_session(leg)
        headers = {
            "CC-Queue": self.queue.name, "CC-Action": "bridge-agent-start", "CC-Agent": self.agent_name,
            "CC-Agent-System": INSTANCE, "CC-Agent-UUID": leg.uuid,
            "CC-Agent-Called-Time": str(self.called), "CC-Agent-Answered-Time": str(self.answered),
            "CC-Member-Joined-Time": str(member.joined_epoch),
        }  # fmt: skip
        headers |= session.identity() | {"CC-Member-DNIS": session.dnis}
        center.fire("bridge-agent-start", headers, leg)
        if self.queue.config.record_template:
            path = self.queue.config.record_template.replace("${uuid}", session.ch.uuid)
            session.ch.variables["cc_record_filename"] = path
            center.switch.recordings.start(session.ch, path)
        session.ch.variables |= {"cc_agent_found": "true", "cc_agent_uuid": leg.uuid}
        center.switch.clock.call_later(_BRIDGE_DELAY, self._bridge)

    def _bridge(self) -> None:
        center, session, leg = self.center, self.session, self.leg
        assert leg is not None
        if session.over or session.ch.down or leg.down:
            leg.variables["cc_agent_bridged"] = session.ch.variables["cc_agent_bridged"] = "false"
            center.switch.calls.hangup(leg, "ORIGINATOR_CANCEL")
            center.switch.clock.call_later(_BRIDGE_DELAY, self._ended)
            return
        session.bridging = True
        center.switch.bridges.uuid_bridge(session.ch, leg)
        self.bridged = True
        self.member.state, self.member.bridge_epoch = "Answered", center.now()
        self.member.serving_agent, self.member.serving_system = self.agent_name, INSTANCE
        leg.variables["cc_agent_bridged"] = "true"
        session.ch.variables |= {
            "cc_agent_bridged": "true", "cc_agent": self.agent_name,
            "cc_queue_answered_epoch": str(center.now()),
        }  # fmt: skip
        agent = center.agents.get(self.agent_name)
        if agent is not None:
            agent.uuid, agent.last_bridge_start = leg.uuid, center.now()
            agent.calls_answered += 1
            agent.no_answer_count = 0
        tier = center.tier(self.queue.name, self.agent_name)
        if tier is not None:
            tier.state = "Active Inbound"
        center.set_agent("state", self.agent_name, "In a queue call")
        center.switch.clock.call_later(_POLL, self._poll)

    def _poll(self) -> None:
        """The agent is bound as long as its channel is up; one on standby only while it is bridged."""
        leg = self.leg
        assert leg is not None
        gone = leg.torn_down or (self.standby and leg.bridge is None)
        if gone or leg.variables.pop("cc_break", ""):
            self._ended()
        else:
            self.center.switch.clock.call_later(_POLL, self._poll)

    # -- over -------------------------------------------------------------------------------------

    def _ended(self) -> None:
        center, session, member, leg = self.center, self.session, self.member, self.leg
        assert leg is not None
        now = center.now()
        agent = center.agents.get(self.agent_name)
        if agent is not None:
            if not self.standby:
                agent.uuid = ""
            if self.bridged:
                agent.talk_time += now - agent.last_bridge_start
                agent.last_bridge_end = now
        times = {"CC-Agent-Called-Time": str(self.called), "CC-Agent-Answered-Time": str(self.answered)}
        who = {"CC-Agent": self.agent_name, "CC-Agent-System": INSTANCE, "CC-Agent-UUID": leg.uuid}
        joined = {"CC-Member-Joined-Time": str(member.joined_epoch)}
        headers = {
            "CC-Queue": self.queue.name,
            "CC-Action": "bridge-agent-end",
            "CC-Hangup-Cause": self._cause,
        }
        headers |= who | {"CC-Agent-Bridged": "true" if self.bridged else "false"} | times | joined
        headers |= {"CC-Bridge-Terminated-Time": str(now)} | session.identity()
        center.fire("bridge-agent-end", headers, leg)
        if self.bridged:
            session.ch.variables["cc_queue_terminated_epoch"] = str(now)
            headers = {
                "CC-Queue": self.queue.name, "CC-Action": "member-queue-end", "CC-Hangup-Cause": self._cause,
                "CC-Cause": "Terminated",
            }  # fmt: skip
            headers |= who | times | {"CC-Member-Leaving-Time": str(now)} | joined | session.identity()
            if member in center.members:
                center.members.remove(member)
            center.fire("member-queue-end", headers, session.ch)
        self._finish(idle=self.on_demand and self.bridged, tier_state="Ready")
        center.switch.calls.release(leg)

    def _failed(self, cause: str) -> None:
        center, session, member = self.center, self.session, self.member
        agent = center.agents.get(self.agent_name)
        if member.state == "Trying" and member.serving_agent == self.agent_name:
            member.state, member.serving_agent = "Waiting", ""
        tier_state, delay = "Ready", 0
        if agent is not None and cause not in _CANCELLED:
            if cause in _BUSY:
                delay = agent.busy_delay_time
            elif cause == "CALL_REJECTED":
                delay = agent.reject_delay_time
            elif cause == "USER_NOT_REGISTERED":
                delay = _UNREGISTERED_DELAY
            else:
                delay, tier_state = agent.no_answer_delay_time, "No Answer"
                self._count_no_answer(agent)
        headers = {
            "CC-Queue": self.queue.name, "CC-Action": "bridge-agent-fail", "CC-Hangup-Cause": cause,
            "CC-Agent": self.agent_name, "CC-Agent-System": INSTANCE,
            "CC-Agent-Called-Time": str(self.called), "CC-Agent-Aborted-Time": str(center.now()),
        }  # fmt: skip
        headers |= session.identity() | {"CC-Member-Joined-Time": str(member.joined_epoch)}
        center.fire("bridge-agent-fail", headers)
        if agent is not None and delay:
            agent.ready_time = center.now() + delay
        self._finish(idle=False, tier_state=tier_state)

    def _count_no_answer(self, agent: Agent) -> None:
        agent.no_answer_count += 1
        if not agent.max_no_answer or agent.no_answer_count < agent.max_no_answer:
            return
        status = self.queue.config.agent_no_answer_status
        headers = {
            "CC-Agent": agent.name, "CC-Action": "agent-max-no-answer",
            "CC-Agent-No-Answer-Count": str(agent.max_no_answer), "CC-Agent-No-Answer-Status": status,
            "CC-Member-UUID": self.member.uuid, "CC-Member-Session-UUID": self.session.ch.uuid,
        }  # fmt: skip
        self.center.fire("agent-max-no-answer", headers)
        self.center.set_agent("status", agent.name, status)

    def _finish(self, *, idle: bool, tier_state: str) -> None:
        center = self.center
        if self in center.offers:
            center.offers.remove(self)
        for tier in center.tiers:
            if tier.agent == self.agent_name:
                if tier.queue == self.queue.name:
                    tier.state = tier_state
                elif tier.state == "Standby":
                    tier.state = "Ready"
        center.set_agent("state", self.agent_name, "Idle" if idle else "Waiting")
        center.switch.calls.release(self.session.ch)
        center.dispatcher.wake()
