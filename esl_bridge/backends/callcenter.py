"""mod_callcenter: its events as facts, orders as conversations with `callcenter_config`, its tables.

Facts about the module come from its source as told in the reference and from the recordings in
`tests/recordings/`.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping

from callcenter import switch as sw
from esl_bridge.protocol import Event

from .base import Outcome, Pause, Plan, SnapshotUnreadable
from .channels import CHANNEL_EVENTS, CONFERENCE, SHOW_CHANNELS, decode_channel, read_channels
from .words import argument, words

INFO = "callcenter::info"
AGENT_LIST = "callcenter_config agent list"
TIER_LIST = "callcenter_config tier list"
QUEUE_LIST = "callcenter_config queue list"
MEMBER_LIST = "callcenter_config queue list members"

ON_DEMAND = "Available (On Demand)"
STATUS_OF = {sw.Presence.OPEN: ON_DEMAND, sw.Presence.BREAK: "On Break", sw.Presence.OUT: "Logged Out"}
PRESENCE_OF = {
    "Available": sw.Presence.OPEN,
    ON_DEMAND: sw.Presence.OPEN,
    "On Break": sw.Presence.BREAK,
    "Logged Out": sw.Presence.OUT,
}
ENGINE_OF = {
    "Waiting": "free",
    "Idle": "parked",
    "Receiving": "offered",
    "Reserved": "reserved",
    "In a queue call": "in_call",
}
MEMBER_OF = {"Waiting": "waiting", "Trying": "offered", "Answered": "answered", "Abandoned": "gone"}
LEAVING_OF = {
    "TIMEOUT": sw.Leaving.TIMEOUT,
    "NO_AGENT_TIMEOUT": sw.Leaving.NO_AGENTS,
    "EXIT_WITH_KEY": sw.Leaving.KEY,
    "BREAK_OUT": sw.Leaving.REMOVED,
    "NONE": sw.Leaving.REMOVED,
}

# The engine sets Idle a little after the agent's leg is down; opening waits for that, so long.
IDLE_POLLS = 40
IDLE_POLL = Pause(0.1)


class CallcenterBackend:
    """The engine `mod_callcenter`."""

    subscription = f"{CHANNEL_EVENTS} CUSTOM {INFO} {CONFERENCE}"

    def decode(self, event: Event) -> list[sw.Fact]:
        if event.subclass == INFO:
            decoder = _ACTIONS.get(event.get("CC-Action"))
            return decoder(event) if decoder is not None else []
        if event.name == "API":
            return _configured(event)
        return decode_channel(event)

    def plan(self, order: sw.Order) -> Plan:
        match order:
            case sw.SetPresence():
                return _set_presence(order)
            case sw.SuspendAgent():
                # A compare-and-set: an agent who is being offered a call in this instant is left alone.
                return _say(f"callcenter_config agent set state_if_waiting {argument(order.agent)} Idle")
            case sw.ConfigureAgent():
                return _configure_agent(order)
            case sw.RemoveAgent():
                return _say(f"callcenter_config agent del {argument(order.agent)}")
            case sw.ConfigureTier():
                return _configure_tier(order)
            case sw.RemoveTier():
                return _say(f"callcenter_config tier del {argument(order.queue)} {argument(order.agent)}")
            case sw.ConfigureQueue():
                return _configure_queue(order)
            case sw.RemoveQueue():
                return _say(f"callcenter_config queue unload {argument(order.queue)}")
            case sw.HangUp():
                return _say(
                    f"uuid_kill {argument(order.channel)} {argument(order.cause)}", gone="No such channel"
                )
            case _:
                raise TypeError(f"no such order: {type(order).__name__}")

    def snapshot_requests(self) -> Iterable[str]:
        return (AGENT_LIST, TIER_LIST, QUEUE_LIST, MEMBER_LIST, SHOW_CHANNELS)

    def read_snapshot(self, replies: Mapping[str, str], at: int) -> sw.Snapshot:
        try:
            agents = read_table(replies[AGENT_LIST], free_text="contact")
            members = read_table(replies[MEMBER_LIST], free_text="cid_name")
            return sw.Snapshot(
                at=at,
                agents={row["name"]: _seen_agent(row) for row in agents},
                tiers={(t.queue, t.agent): t for t in map(_seen_tier, read_table(replies[TIER_LIST]))},
                members={m.member: m for m in map(_seen_member, members)},
                channels=read_channels(replies[SHOW_CHANNELS]),
                queues=frozenset(row["name"] for row in read_table(replies[QUEUE_LIST])),
            )
        except KeyError as missing:
            raise SnapshotUnreadable(f"no {missing.args[0]!r} in what the switch told") from missing


# --- events ------------------------------------------------------------------------------------------


def _member(event: Event) -> dict[str, str]:
    return {
        "member": event.get("CC-Member-UUID"),
        "channel": event.get("CC-Member-Session-UUID"),
        "queue": event.get("CC-Queue"),
        "number": event.get("CC-Member-CID-Number"),
        "name": event.get("CC-Member-CID-Name"),
    }


def _agent_seen(event: Event) -> list[sw.Fact]:
    return [sw.AgentSeen(at=event.at_us, agent=event.get("CC-Agent"))]


def _contact(event: Event) -> list[sw.Fact]:
    contact = event.get("CC-Agent-Contact")
    return [sw.AgentContactSeen(at=event.at_us, agent=event.get("CC-Agent"), contact=contact)]


def _status(event: Event) -> list[sw.Fact]:
    presence = PRESENCE_OF.get(event.get("CC-Agent-Status"))
    if presence is None:
        return []
    return [sw.AgentPresence(at=event.at_us, agent=event.get("CC-Agent"), presence=presence)]


def _engine_state(event: Event) -> list[sw.Fact]:
    match ENGINE_OF.get(event.get("CC-Agent-State")):
        case "free":
            return [sw.AgentOpened(at=event.at_us, agent=event.get("CC-Agent"))]
        case "parked":
            return [sw.AgentParked(at=event.at_us, agent=event.get("CC-Agent"))]
        case _:
            return []


def _offering(event: Event) -> list[sw.Fact]:
    return [sw.OfferMade(at=event.at_us, agent=event.get("CC-Agent"), **_member(event))]


def _bridge_start(event: Event) -> list[sw.Fact]:
    leg = event.get("CC-Agent-UUID")
    return [sw.OfferAnswered(at=event.at_us, agent=event.get("CC-Agent"), leg=leg, **_member(event))]


def _bridge_end(event: Event) -> list[sw.Fact]:
    return [
        sw.AgentReleased(
            at=event.at_us,
            agent=event.get("CC-Agent"),
            leg=event.get("CC-Agent-UUID"),
            bridged=event.get("CC-Agent-Bridged") == "true",
            **_member(event),
        )
    ]


def _bridge_fail(event: Event) -> list[sw.Fact]:
    cause = event.get("CC-Hangup-Cause")
    return [sw.OfferFailed(at=event.at_us, agent=event.get("CC-Agent"), cause=cause, **_member(event))]


def _max_no_answer(event: Event) -> list[sw.Fact]:
    return [sw.AgentMissedLimit(at=event.at_us, agent=event.get("CC-Agent"))]


def _queue_start(event: Event) -> list[sw.Fact]:
    return [sw.MemberQueued(at=event.at_us, **_member(event))]


def _queue_end(event: Event) -> list[sw.Fact]:
    """The end of a queue entry. BREAK_OUT is a hang-up as well as being moved away: the channel tells."""
    up = event.get("Answer-State") != "hangup"
    if event.get("CC-Cause") == "Terminated":
        return [sw.MemberServed(at=event.at_us, channel_up=up, **_member(event))]
    reason = LEAVING_OF.get(event.get("CC-Cancel-Reason"), sw.Leaving.REMOVED)
    if reason is sw.Leaving.REMOVED and not up:
        shut_down = event.get("Hangup-Cause") == "SYSTEM_SHUTDOWN"
        reason = sw.Leaving.SWITCH if shut_down else sw.Leaving.HUNG_UP
    return [sw.MemberLeft(at=event.at_us, reason=reason, channel_up=up, **_member(event))]


_ACTIONS: dict[str, Callable[[Event], list[sw.Fact]]] = {
    "agent-add": _agent_seen,
    "agent-contact-change": _contact,
    "agent-status-change": _status,
    "agent-state-change": _engine_state,
    "agent-offering": _offering,
    "bridge-agent-start": _bridge_start,
    "bridge-agent-end": _bridge_end,
    "bridge-agent-fail": _bridge_fail,
    "agent-max-no-answer": _max_no_answer,
    "member-queue-start": _queue_start,
    "member-queue-resume": _queue_start,
    "member-queue-end": _queue_end,
}


def _configured(event: Event) -> list[sw.Fact]:
    """What somebody asked of the module. There is no event for tiers and settings, only this echo, which
    tells the question and not the answer."""
    if event.get("API-Command") != "callcenter_config":
        return []
    text = event.get("API-Command-Argument")
    asked = words(text)
    match asked:
        case ["agent", "set", "wrap_up_time", agent, seconds] if seconds.isdigit():
            return [sw.AgentWrapUpSeen(at=event.at_us, agent=agent, seconds=min(int(seconds), 86400))]
        case ["tier", "add", queue, agent, *place]:
            level, position = (int(p) if p.isdigit() else 1 for p in (*place, "1", "1")[:2])
            return [sw.TierSeen(at=event.at_us, queue=queue, agent=agent, level=level, position=position)]
        case [_, "list" | "get" | "count", *_]:
            return []
        case _:
            return [sw.ConfigTouched(at=event.at_us, words=text[:200])]


# --- orders ------------------------------------------------------------------------------------------


def _ok(reply: str) -> bool:
    return reply.startswith("+OK")


def _say(line: str, *, gone: str = "") -> Plan:
    """One line; `gone` is an error that means it is as wanted already."""
    reply = yield line
    return Outcome(_ok(reply) or bool(gone and gone in reply), reply.strip())


def _set_presence(order: sw.SetPresence) -> Plan:
    """READY is one act: status and state together, read back.

    `agent set state` is taken by the module at any time, even in a call, and the agent would then be
    offered a second one. So Waiting is only sent to an agent seen Idle, and before the status that opens
    the agent, while no call can be offered.
    """
    name = argument(order.agent)
    status = STATUS_OF[sw.Presence(order.presence)]
    set_status = f"callcenter_config agent set status {name} {argument(status)}"
    if order.presence != sw.Presence.OPEN:
        reply = yield set_status
        return Outcome(_ok(reply), reply.strip())
    shown = ""
    for _ in range(IDLE_POLLS):
        seen = yield from _look(name)
        if seen is None:
            return Outcome(False, "-ERR Agent not found!")
        shown = f"{seen['status']}, {seen['state']}"
        if seen["state"] == "Idle":
            reply = yield f"callcenter_config agent set state {name} Waiting"
            if not _ok(reply):
                return Outcome(False, reply.strip())
        elif seen["status"] == status and seen["state"] != "In a queue call":
            return Outcome(True, shown)
        if seen["status"] != status:
            reply = yield set_status
            if not _ok(reply):
                return Outcome(False, reply.strip())
        elif seen["state"] == "In a queue call":
            yield IDLE_POLL
    return Outcome(False, f"the switch still shows {shown}")


def _look(name: str) -> Generator[str, str, dict[str, str] | None]:
    reply = yield f"{AGENT_LIST} {name}"
    rows = read_table(reply, free_text="contact")
    return rows[0] if rows else None


def _configure_agent(order: sw.ConfigureAgent) -> Plan:
    """Make the agent exist and set every setting; our wrap-up is not the module's."""
    name = argument(order.agent)
    reply = yield f"callcenter_config agent add {name} {argument(order.kind)}"
    if not _ok(reply) and "already exist" not in reply:
        return Outcome(False, reply.strip())
    settings = {
        "contact": order.contact,
        "max_no_answer": str(order.max_missed),
        "reject_delay_time": str(order.reject_delay),
        "busy_delay_time": str(order.busy_delay),
        "no_answer_delay_time": str(order.no_answer_delay),
        "wrap_up_time": "0",
    }
    for key, value in settings.items():
        if value:
            reply = yield f"callcenter_config agent set {key} {name} {argument(value)}"
            if not _ok(reply):
                return Outcome(False, f"{key}: {reply.strip()}")
    return Outcome(True, "+OK")


def _configure_tier(order: sw.ConfigureTier) -> Plan:
    pair = f"{argument(order.queue)} {argument(order.agent)}"
    reply = yield f"callcenter_config tier add {pair} {order.level} {order.position}"
    if _ok(reply) or "already exist" not in reply:
        return Outcome(_ok(reply), reply.strip())
    for key, value in (("level", order.level), ("position", order.position)):
        reply = yield f"callcenter_config tier set {key} {pair} {value}"
        if not _ok(reply):
            return Outcome(False, f"{key}: {reply.strip()}")
    return Outcome(True, "+OK")


def _configure_queue(order: sw.ConfigureQueue) -> Plan:
    """`queue load` on a loaded queue leaks it and `reload` of an unloaded one is a load: so reload."""
    yield "reloadxml"
    reply = yield f"callcenter_config queue reload {argument(order.queue)}"
    return Outcome(_ok(reply), reply.strip())


# --- tables ------------------------------------------------------------------------------------------


def read_table(reply: str, *, free_text: str = "") -> list[dict[str, str]]:
    """A `|` separated table by its header. An empty one is just `+OK`. Raises SnapshotUnreadable.

    Columns are found by name because an upgraded database has them in another order. The module does not
    escape a `|` in a value: a row with too many columns has it in `free_text`, the one column that people
    outside fill; without such a column the surplus at the end is dropped.
    """
    lines = reply.rstrip("\n").split("\n")
    if lines[-1] != "+OK":
        raise SnapshotUnreadable(f"no table: {reply[:80]!r}")
    if len(lines) < 2:
        return []
    header = lines[0].split("|")
    return [_row(header, line.split("|"), free_text) for line in lines[1:-1]]


def _row(header: list[str], cells: list[str], free_text: str) -> dict[str, str]:
    surplus = len(cells) - len(header)
    if surplus < 0:
        raise SnapshotUnreadable(f"a row of {len(cells)} columns in a table of {len(header)}")
    if surplus and free_text in header:
        at = header.index(free_text)
        cells = [*cells[:at], "|".join(cells[at : at + surplus + 1]), *cells[at + surplus + 1 :]]
    return {k: "" if v == "(null)" else v for k, v in zip(header, cells, strict=False)}


def _seen_agent(row: Mapping[str, str]) -> sw.SeenAgent:
    return sw.SeenAgent(
        name=row["name"],
        presence=PRESENCE_OF.get(row["status"], sw.Presence.OUT),
        engine=ENGINE_OF.get(row["state"], "free"),
        leg=row.get("uuid", ""),
        contact=row.get("contact", ""),
        wrap_up=_number(row.get("wrap_up_time", "")),
        on_demand=row["status"] == ON_DEMAND,
    )


def _seen_tier(row: Mapping[str, str]) -> sw.SeenTier:
    return sw.SeenTier(row["queue"], row["agent"], _number(row["level"]), _number(row["position"]))


def _seen_member(row: Mapping[str, str]) -> sw.SeenMember:
    return sw.SeenMember(
        member=row["uuid"],
        channel=row["session_uuid"],
        queue=row["queue"],
        number=row["cid_number"],
        name=row["cid_name"],
        joined_at=_number(row["joined_epoch"]) * 1_000_000,
        state=MEMBER_OF.get(row["state"], "gone"),
        agent=row.get("serving_agent", ""),
    )


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0
