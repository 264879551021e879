"""A simulated FreeSWITCH for demonstration, training and tests: real ESL, no media, no Django."""

from .arrivals import CallerCrowd
from .callcenter import QueueConfig
from .clock import Clock, RealClock, VirtualClock
from .phones import PhoneRule, Phones
from .scenario import Arrivals, Scenario, ScenarioError, load_scenario
from .server import EslServer
from .simulator import Simulator
from .switch import Switch

__all__ = [
    "Arrivals",
    "CallerCrowd",
    "Clock",
    "EslServer",
    "PhoneRule",
    "Phones",
    "QueueConfig",
    "RealClock",
    "Scenario",
    "ScenarioError",
    "Simulator",
    "Switch",
    "VirtualClock",
    "load_scenario",
]
