from pathlib import Path

from agents.diagram import document

PAGE = Path(__file__).resolve().parents[2] / "docs" / "agent-states.md"


def test_the_page_on_agent_states_is_what_the_table_says() -> None:
    assert PAGE.read_text(encoding="utf-8") == document(), "run manage.py agent_states_doc"
