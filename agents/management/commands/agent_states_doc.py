"""`manage.py agent_states_doc`: write docs/agent-states.md from the table."""

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from agents.diagram import document


class Command(BaseCommand):
    help = "Writes docs/agent-states.md from the agent's state table."

    def handle(self, *args: Any, **options: Any) -> None:
        (settings.BASE_DIR / "docs" / "agent-states.md").write_text(document(), encoding="utf-8")
