"""The one door for changes to agents: REST, WebSocket, timers and the bridge all come in here.

Each function takes the row lock, asks `state.py`, saves, writes the log row, writes the order to the
switch into the same transaction and has the event told after the commit.
"""

from .commands import (
    MAX_ACW_SECONDS,
    agent_extend_acw,
    agent_finish_acw,
    agent_login,
    agent_logout,
    agent_ready,
    agent_unready,
    agent_withdraw_next,
)
from .record import (
    EDITABLE,
    agent_adopt,
    agent_configure,
    agent_contact_adopt,
    agent_create,
    agent_delete,
    agent_update,
    agent_wrap_up_adopt,
)
from .reports import (
    acw_sweep,
    agent_acw_unlimited,
    agent_missed_call,
    agent_open_refused,
    agent_parked,
    agent_report,
)
from .standing import (
    PRESENCE_OF,
    agent_presence_order,
)

__all__ = [
    "EDITABLE",
    "MAX_ACW_SECONDS",
    "PRESENCE_OF",
    "acw_sweep",
    "agent_acw_unlimited",
    "agent_adopt",
    "agent_configure",
    "agent_contact_adopt",
    "agent_create",
    "agent_delete",
    "agent_extend_acw",
    "agent_finish_acw",
    "agent_login",
    "agent_logout",
    "agent_missed_call",
    "agent_open_refused",
    "agent_parked",
    "agent_presence_order",
    "agent_ready",
    "agent_report",
    "agent_unready",
    "agent_update",
    "agent_withdraw_next",
    "agent_wrap_up_adopt",
]
