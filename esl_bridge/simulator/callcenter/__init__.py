"""mod_callcenter as the simulator imitates it: configuration, queues, dispatch, offers."""

from .center import CallCenter
from .model import QueueConfig

__all__ = ["CallCenter", "QueueConfig"]
