"""A scenario file: what callers, phones and queues the simulated switch has."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .callcenter import QueueConfig
from .phones import OUTCOMES, PhoneRule, Range

SCENARIOS = Path(__file__).parent / "scenarios"


class ScenarioError(ValueError):
    """The scenario file cannot be used; the text says where and why."""


@dataclass(frozen=True)
class Arrivals:
    """Callers who arrive by themselves. Seconds are simulated.

    ``every`` is the mean of the exponential gap between two callers (a Poisson process; 0: nobody
    comes). ``patience`` is how long one waits before hanging up, ``talk`` how long the call lasts once
    the agent is connected, ``caller_ends`` the share of calls that the caller ends. ``queues`` weighs
    where callers want to go; each goes through the DID of ``dids`` that leads there when there is one.
    """

    every: float = 0.0
    patience: Range = (30.0, 90.0)
    talk: Range = (20.0, 60.0)
    caller_ends: float = 0.6
    queues: Mapping[str, float] = field(default_factory=dict)
    at_most: int = 0


@dataclass(frozen=True)
class Scenario:
    """Everything a simulation starts from."""

    seed: int = 1
    speed: float = 1.0
    queues: Mapping[str, QueueConfig] = field(default_factory=dict)
    phones: tuple[PhoneRule, ...] = ()
    arrivals: Arrivals = field(default_factory=Arrivals)
    dids: Mapping[str, str] = field(default_factory=dict)


def load_scenario(path: str | Path) -> Scenario:
    """Read a TOML scenario; a bare name such as ``demo`` means the one shipped with the simulator.

    ScenarioError tells what is wrong: not found, not TOML, an unknown key, a wrong type.
    """
    file = Path(path)
    if not file.suffix and not file.exists():
        file = SCENARIOS / f"{path}.toml"
    try:
        data = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScenarioError(f"{file}: {error.strerror or error}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{file}: {error}") from error
    try:
        return _scenario(data)
    except (ValueError, TypeError) as error:
        raise ScenarioError(f"{file}: {error}") from error


def _scenario(data: dict[str, Any]) -> Scenario:
    _only(data, "the scenario", ("seed", "speed", "queues", "phones", "arrivals", "dids"))
    speed = _number(data.get("speed", 1.0), "speed")
    if not speed > 0:
        raise ValueError("speed must be above 0")
    seed = data.get("seed", 1)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ValueError("seed must be a whole number")
    queues = {}
    for entry in _tables(data.get("queues", []), "queues"):
        name = entry.pop("name", None)
        if not isinstance(name, str) or not name:
            raise ValueError("every queue needs a name")
        queues[name] = QueueConfig.from_params(name, entry)
    phones = tuple(_phone(entry) for entry in _tables(data.get("phones", []), "phones"))
    arrivals = _arrivals(data.get("arrivals", {}), queues)
    dids = data.get("dids", {})
    if not isinstance(dids, dict) or not all(isinstance(v, str) for v in dids.values()):
        raise ValueError("dids must map numbers to extensions")
    return Scenario(seed, speed, queues, phones, arrivals, dids)


def _phone(entry: dict[str, Any]) -> PhoneRule:
    _only(entry, "a phone", ("number", "port", "ring", "talk", *OUTCOMES))
    chances = {name: _number(entry[name], name) for name in OUTCOMES if name in entry}
    port = entry.get("port")
    if port is not None and not isinstance(port, int):
        raise ValueError("a phone's port must be a whole number")
    return PhoneRule(
        number=str(entry.get("number", ".*")), port=port, chances=chances or {"answer": 1.0},
        ring=_range(entry.get("ring", [1.0, 1.0]), "ring"),
        talk=_range(entry["talk"], "talk") if "talk" in entry else None,
    )  # fmt: skip


def _arrivals(data: object, queues: Mapping[str, QueueConfig]) -> Arrivals:
    if not isinstance(data, dict):
        raise ValueError("arrivals must be a table")
    _only(data, "arrivals", ("every", "patience", "talk", "caller_ends", "queues", "at_most"))
    weights = data.get("queues", dict.fromkeys(queues, 1.0))
    if not isinstance(weights, dict):
        raise ValueError("arrivals.queues must map queue names to weights")
    unknown = set(weights) - set(queues)
    if unknown:
        raise ValueError(f"arrivals name unknown queues: {', '.join(sorted(unknown))}")
    base = Arrivals()
    at_most = data.get("at_most", 0)
    if not isinstance(at_most, int) or at_most < 0:
        raise ValueError("arrivals.at_most must be a whole number, 0 for no limit")
    return Arrivals(
        every=max(_number(data.get("every", 0.0), "every"), 0.0),
        patience=_range(data.get("patience", base.patience), "patience"),
        talk=_range(data.get("talk", base.talk), "talk"),
        caller_ends=min(max(_number(data.get("caller_ends", base.caller_ends), "caller_ends"), 0.0), 1.0),
        queues={name: _number(weight, name) for name, weight in weights.items()},
        at_most=at_most,
    )


def _only(data: Mapping[str, object], where: str, known: tuple[str, ...]) -> None:
    unknown = sorted(set(data) - set(known))
    if unknown:
        raise ValueError(f"{where} has unknown keys: {', '.join(unknown)}")


def _tables(value: object, where: str) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise ValueError(f"{where} must be an array of tables ([[{where}]])")
    return [dict(entry) for entry in value]


def _number(value: object, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"{where} must be a number, not {value!r}")
    return float(value)


def _range(value: object, where: str) -> Range:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return (float(value), float(value))
    if isinstance(value, list | tuple) and len(value) == 2:
        low, high = (_number(item, where) for item in value)
        if 0 <= low <= high:
            return (low, high)
    raise ValueError(f"{where} must be seconds or a range [low, high], not {value!r}")
