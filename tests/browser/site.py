"""The product's web server with a small call centre in it and no switch: the test says what the switch would.

``python -m tests.browser.site PORT`` migrates and fills an empty database, serves, and applies the facts
that tests send to the control socket in VAR_DIR. Started again, it goes on with the database it finds.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import uuid
from multiprocessing.connection import Listener
from pathlib import Path

PASSWORD = "correct horse battery"
CONTROL = "control.socket"
QUEUES = {"support": "Customer support", "sales": "Sales", "billing": "Billing"}
AGENTS = {
    "anna": ("Anna Kowalska", "1001", ("support", "sales")),
    "ben": ("Ben Ohlsson", "1002", ("support",)),
    "chen": ("陈小红", "1003", ("support", "billing")),
    "dora": ("Dóra Szabó", "1004", ("sales",)),
    "emil": ("Emil", "1005", ("billing",)),
}
SIGNED_IN = ("anna", "ben", "chen", "dora")


def fill() -> None:
    """Users of every role, three queues, five agents: four signed in, of whom Ben is ready."""
    from django.contrib.auth.models import Group, User

    from agents.models import Agent
    from agents.services import agent_create, agent_ready
    from callcenter.events import By, Cause
    from callcenter.services import switch_node_report
    from queues.services import agent_sign_in, queue_create, tier_create

    by = By(Cause.API, "setup")
    supervisor = User.objects.create_user("sam", password=PASSWORD, first_name="Sam", last_name="Visor")
    supervisor.groups.add(Group.objects.get_or_create(name="supervisor")[0])
    User.objects.create_user("nobody", password=PASSWORD)
    queues = {name: queue_create(name=name, display_name=text, by=by) for name, text in QUEUES.items()}
    agents: dict[str, Agent] = {}
    for name, (text, extension, places) in AGENTS.items():
        agents[name] = agent_create(name=name, display_name=text, extension=extension, by=by)
        for queue in places:
            tier_create(queue_id=queues[queue].pk, agent_id=agents[name].pk, by=by)
    for name in SIGNED_IN:
        agent_sign_in(agent_id=agents[name].pk, queues=AGENTS[name][2], by=by)
    agent_ready(agent_id=agents["ben"].pk, by=by)
    Agent.objects.filter(pk=agents["anna"].pk).update(
        user=User.objects.create_user("anna", password=PASSWORD, first_name="Anna")
    )
    switch_node_report(name="default", connected=True, core_uuid=str(uuid.uuid4()))


def obey(listener: Listener) -> None:
    """Do what the test sends, a function's name and its arguments, and answer when it is committed."""
    from django.db import connection

    while True:
        with listener.accept() as caller:
            name, arguments = caller.recv()
            try:
                caller.send(("done", COMMANDS[name](**arguments)))
            except Exception as error:
                caller.send(("failed", repr(error)))
            finally:
                connection.close()


def tell_facts(facts: list[object]) -> None:
    from queues.services import facts_apply, queue_stats_publish

    book = facts_apply(facts=facts, node="default")
    queue_stats_publish(queue_ids=book.touched_queues)


def report_switch(connected: bool, detail: str) -> None:
    from callcenter.services import switch_node_report

    switch_node_report(name="default", connected=connected, detail=detail)


def fail_order(key: str, answer: str) -> None:
    """The switch refuses the newest order about `key`."""
    from callcenter.models import SwitchCommand
    from callcenter.services import switch_command_finish

    order = SwitchCommand.objects.filter(key=key).latest("pk")
    switch_command_finish(command=order, ok=False, answer=answer)


def end_sessions() -> None:
    from django.contrib.sessions.models import Session

    Session.objects.all().delete()


COMMANDS = {
    "facts": tell_facts,
    "switch": report_switch,
    "fail_order": fail_order,
    "end_sessions": end_sessions,
}


def main(port: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "callcenter.settings")
    from callcenter.asgi import application  # isort: skip
    from daphne.endpoints import build_endpoint_description_strings
    from daphne.server import Server
    from django.conf import settings
    from django.core.management import call_command

    from agents.models import Agent

    call_command("migrate", verbosity=0)
    if not Agent.objects.exists():
        fill()
    control = Path(settings.VAR_DIR) / CONTROL
    control.unlink(missing_ok=True)
    threading.Thread(target=obey, args=(Listener(str(control)),), daemon=True).start()
    print("READY", json.dumps({"url": f"http://127.0.0.1:{port}"}), flush=True)
    Server(application, build_endpoint_description_strings(host="127.0.0.1", port=port)).run()


if __name__ == "__main__":
    main(int(sys.argv[1]))
