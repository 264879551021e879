"""What a client keeps, by the rules of docs/websocket.md and nothing else."""

from __future__ import annotations

from typing import Any

KINDS = ("agents", "queues", "tiers", "calls", "switch")
KIND_OF = {"agent": "agents", "queue": "queues", "tier": "tiers", "call": "calls", "switch": "switch"}
NOTICES = {"agent.logged_in", "command.done", "command.failed"}


class Store:
    """The picture of one client. `wants_snapshot` is set when an event speaks of something unknown."""

    def __init__(self, *, own_only: bool = False) -> None:
        self.own_only = own_only
        self.wants_snapshot = False
        self.kept: dict[str, dict[Any, dict[str, Any]]] = {}
        self.stats: dict[str, dict[str, Any]] = {}

    def begin(self, data: dict[str, Any]) -> None:
        """Take a snapshot: it replaces everything."""
        self.wants_snapshot = False
        self.kept = {kind: {_key(kind, row): row for row in data[kind]} for kind in KINDS}
        self.stats = {row["queue"]: row for row in data["stats"]}

    def apply(self, event: dict[str, Any]) -> None:
        """Take one event; told twice, it changes nothing."""
        if event["type"] in NOTICES:
            return
        entity, _, what = event["type"].partition(".")
        data = event["data"]
        if event["type"] == "queue.stats_changed":
            self.stats[data["queue"]] = data
            return
        kind = KIND_OF[entity]
        key = _key(kind, data)
        known = self.kept[kind].get(key)
        if known is not None and event["revision"] <= known["revision"]:
            return
        if what == "deleted" or (kind == "calls" and data["state"] == "ended"):
            self._forget(kind, key)
        else:
            self.kept[kind][key] = data
            if kind == "tiers" and data["queue"] not in self.kept["queues"]:
                self.wants_snapshot = self.own_only

    def _forget(self, kind: str, key: Any) -> None:
        row = self.kept[kind].pop(key, None)
        if kind in ("agents", "queues"):
            reference = kind.removesuffix("s")
            self.kept["tiers"] = {k: t for k, t in self.kept["tiers"].items() if t[reference] != key}
            if kind == "queues":
                self.stats.pop(key, None)
        if kind == "tiers" and self.own_only and row is not None:
            self.kept["queues"].pop(row["queue"], None)

    def picture(self) -> dict[str, Any]:
        """What a user would see: references to what is not known read as none, queues without figures as idle."""
        calls = {key: self._as_known(call) for key, call in self.kept["calls"].items()}
        stats = {queue: self.stats.get(queue, idle(queue)) for queue in self.kept["queues"]}
        return {**self.kept, "calls": calls, "stats": {} if self.own_only else stats}

    def _as_known(self, call: dict[str, Any]) -> dict[str, Any]:
        return call | {
            "agent": call["agent"] if call["agent"] in self.kept["agents"] else None,
            "queue": call["queue"] if call["queue"] in self.kept["queues"] else None,
            "offered_to": [agent for agent in call["offered_to"] if agent in self.kept["agents"]],
        }


def idle(queue: str) -> dict[str, Any]:
    """The figures of a queue that nobody has called today."""
    return {
        "queue": queue,
        "waiting": 0,
        "oldest_waiting_since": None,
        "in_progress": 0,
        "today": {"offered": 0, "answered": 0, "abandoned": 0},
    }


def picture_of(data: dict[str, Any], *, own_only: bool = False) -> dict[str, Any]:
    """A fresh snapshot as a client would see it."""
    store = Store(own_only=own_only)
    store.begin(data)
    return store.picture()


def _key(kind: str, row: dict[str, Any]) -> Any:
    return row["node"] if kind == "switch" else row["id"]
