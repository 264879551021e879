"""`python -m bench.seed AGENTS`: one queue, so many agents who are signed in and ready, and a token, in the
empty database that the settings name. Prints the token."""

from __future__ import annotations

import os
import sys

import django
from django.core.management import call_command


def seed(agents: int, acw_seconds: int = 1) -> str:
    """Fill the database; the token of somebody who may see everything."""
    from django.contrib.auth.models import User

    from agents.services import agent_create, agent_ready
    from callcenter.events import By, Cause, unit_of_work
    from callcenter.services import api_token_create
    from queues.services import agent_sign_in, queue_create, tier_create

    from .calls import QUEUE

    by = By(Cause.API, "bench")
    with unit_of_work():
        queue = queue_create(name=QUEUE, by=by)
        for number in range(1001, 1001 + agents):
            agent = agent_create(name=str(number), extension=str(number), acw_seconds=acw_seconds, by=by)
            tier_create(queue_id=queue.pk, agent_id=agent.pk, by=by)
            agent_sign_in(agent_id=agent.pk, by=by)
            agent_ready(agent_id=agent.pk, by=by)
        user = User.objects.create_superuser("bench")
        return api_token_create(user=user, name="bench")[1]


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callcenter.settings")
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    sys.stdout.write(seed(int(sys.argv[1])))


if __name__ == "__main__":
    main()
