"""The documentation of the agent's states, made from the table itself."""

from __future__ import annotations

from .state import COMMANDS, POSITIONS, TABLE, Act, Input, Rule, State

HEAD = """# Agent states

This page is made from the table in `agents/state.py` by `manage.py agent_states_doc`; a test keeps it fresh.

An agent is in one of six states; UNREADY and BUSY have sub-states. Commands may be refused with a code,
facts from the switch never are. What is asked for during a call or its after-call work is kept as
`next_state` and applied when that is over.

"""


def document() -> str:
    """The whole page in Markdown."""
    return HEAD + "```mermaid\n" + diagram() + "```\n\n" + _tables()


def diagram() -> str:
    """The changes of state as a Mermaid state diagram; sub-states of BUSY are drawn as one."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for given, row in TABLE.items():
        for position, rule in row.items():
            for to in _leads_to(rule):
                old = _state_of(position)
                if old != to:
                    names = arrows.setdefault((old, to), [])
                    names.extend([given.value] if given.value not in names else [])
    lines = ["stateDiagram-v2", "    [*] --> LOGOUT"]
    lines += [f"    {old} --> {to}: {', '.join(names)}" for (old, to), names in sorted(arrows.items())]
    return "\n".join(lines) + "\n"


def _state_of(position: str) -> str:
    return position if position in set(State) else State.BUSY.value


def _leads_to(rule: Rule) -> tuple[str, ...]:
    match rule.act:
        case Act.GO:
            assert rule.state is not None
            return (rule.state.value,)
        case Act.SIGN_IN:
            return (State.UNREADY.value,)
        case Act.ASKED:
            return (State.UNREADY.value,)
        case Act.WRAP_UP:
            return (State.ACW.value,)
        case Act.RELEASE:
            return (State.READY.value, State.UNREADY.value, State.LOGOUT.value)
        case _:
            return ()


def _tables() -> str:
    commands = _table("Commands", [i for i in Input if i in COMMANDS])
    facts = _table("Facts", [i for i in Input if i not in COMMANDS])
    return f"{commands}\n{facts}"


def _table(title: str, inputs: list[Input]) -> str:
    lines = [f"## {title}", "", "| | " + " | ".join(POSITIONS) + " |", "|---" * (len(POSITIONS) + 1) + "|"]
    for given in inputs:
        cells = " | ".join(_cell(TABLE[given][position]) for position in POSITIONS)
        lines.append(f"| **{given.value}** | {cells} |")
    return "\n".join(lines) + "\n"


def _cell(rule: Rule) -> str:
    mark = " (reconciled)" if rule.reconciled else ""
    match rule.act:
        case Act.SAME:
            return "–"
        case Act.REFUSE:
            return f"refused: `{rule.code}`"
        case Act.SIGN_IN:
            return "LOGIN, then UNREADY/WAIT"
        case Act.GO | Act.DUE:
            target = "/".join(filter(None, (str(rule.state), str(rule.sub))))
            reason = f" ({rule.reason})" if rule.reason else ""
            return f"{'next: ' if rule.act is Act.DUE else ''}{target}{reason}{mark}"
        case Act.WITHDRAW:
            return "withdraw next" + (f" if {rule.reason}" if rule.reason else "")
        case _:
            return f"{rule.act.value}{mark}"
