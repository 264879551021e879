"""`manage.py serve`: starts, answers, stops in order, goes on from its database, and says what is wrong."""

from __future__ import annotations

import json
import signal
import socket
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.commands.run import ask, manage
from tests.conftest import LaunchProduct, new_product_environment
from tests.product import SERVE, Product
from tests.servers import free_port, wait_until

pytestmark = pytest.mark.both_stacks

NODE = "list(__import__('callcenter.models').models.SwitchNode.objects.values('connected', 'detail'))"
CALLS = "[[str(c.pk), c.state, c.outcome] for c in Call.objects.order_by('started_at', 'id')]"
PEOPLE = (
    "[sorted(__import__('django.contrib.auth.models').contrib.auth.models.User.objects"
    ".values_list('username', flat=True)), sorted(str(a.pk) for a in Agent.objects.all()),"
    " sorted(str(q.pk) for q in Queue.objects.all())]"
)


def health(product: Product) -> dict[str, Any]:
    with urllib.request.urlopen(f"{product.url}/healthz", timeout=5) as answer:
        told: dict[str, Any] = json.load(answer)
    return told


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_it_says_where_it_is_answers_and_stops_in_order(
    launch_product: LaunchProduct, sent: signal.Signals
) -> None:
    product = launch_product()
    assert "supervisor / supervisor-demo" in product.output()
    assert health(product)
    product.stop_signal = sent
    assert product.stop() == 0
    log = product.output()
    assert "Traceback" not in log and "never retrieved" not in log and "was destroyed" not in log
    assert ask(product.env, NODE) == [{"connected": False, "detail": "stopped"}]


@pytest.mark.timeout(150)
def test_started_again_it_goes_on_from_its_database(launch_product: LaunchProduct) -> None:
    product = launch_product(command=(*SERVE, "--speed", "10"))

    def live_calls() -> bool:
        return bool(ask(product.env, "Call.objects.exclude(state='ended').count() >= 2"))

    wait_until(live_calls, seconds=60, what="calls in progress")
    product.kill()
    before, people = ask(product.env, CALLS), ask(product.env, PEOPLE)
    assert any(state != "ended" for _, state, _ in before)
    assert [len(kind) for kind in people] == [10, 8, 2]

    product.arguments = (*SERVE, "--no-agents")
    product.start()
    in_step = "in step with switch"
    wait_until(lambda: in_step in product.output(), seconds=30, what="the bridge to be in step")
    after = {pk: (state, outcome) for pk, state, outcome in ask(product.env, CALLS)}
    for pk, state, outcome in before:
        assert after[pk][0] == "ended" and after[pk][1]
        if state == "ended":
            assert after[pk][1] == outcome
    assert ask(product.env, PEOPLE) == people
    assert product.stop() == 0
    ids = [pk for pk, _, _ in before]
    stuck = f"Agent.objects.filter(state='BUSY', call_id__in={ids!r}).count()"
    assert ask(product.env, stuck) == 0


def test_the_demonstration_with_its_known_passwords_stays_on_loopback(tmp_path: Path) -> None:
    env = new_product_environment(tmp_path)
    for host in ("0.0.0.0", "::", "example.org", ""):
        done = manage(env, "serve", "--host", host, "--port", "0")
        assert done.returncode == 1
        assert (
            done.stderr.strip()
            == "CommandError: The demonstration has known passwords: it listens on loopback only."
        )


def test_a_taken_port_is_told(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = manage(new_product_environment(tmp_path), "serve", "--port", str(port))
    assert done.returncode == 1
    assert f"127.0.0.1:{port}" in done.stderr and "in use" in done.stderr
    assert "Traceback" not in done.stderr and "READY" not in done.stdout


@pytest.mark.parametrize("port", ["-1", "65536", "99999999", "http"])
def test_a_port_that_is_none_is_told(tmp_path: Path, port: str) -> None:
    done = manage(new_product_environment(tmp_path), "serve", f"--port={port}")
    assert done.returncode != 0 and "--port" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("given", ["nosuch", "/nosuch/file.toml"])
def test_a_scenario_that_is_not_there_is_told_before_anything_listens(tmp_path: Path, given: str) -> None:
    done = manage(new_product_environment(tmp_path), "serve", "--port", "0", "--scenario", given)
    assert done.returncode == 1
    assert given in done.stderr and done.stderr.startswith("CommandError: ")
    assert "Traceback" not in done.stderr and "READY" not in done.stdout


@pytest.mark.parametrize("speed", ["0", "-1", "nan"])
def test_a_speed_that_is_none_is_told(tmp_path: Path, speed: str) -> None:
    done = manage(new_product_environment(tmp_path), "serve", "--port", "0", f"--speed={speed}")
    assert done.returncode == 2 and "speed" in done.stderr
    assert "Traceback" not in done.stderr and "READY" not in done.stdout


def test_a_database_that_is_not_there_is_an_error_and_no_hang(tmp_path: Path) -> None:
    nowhere = f"postgres://nobody:s3cret@127.0.0.1:{free_port()}/nothing"
    env = {"DATABASE_URL": nowhere, "VAR_DIR": str(tmp_path), "REDIS_URL": ""}
    done = manage(env, "serve", "--port", "0", seconds=30)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("CommandError: The database")
    assert "s3cret" not in done.stderr + done.stdout and "Traceback" not in done.stderr


def test_a_database_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    env = {"DATABASE_URL": "sqlite:////nosuch/folder/db.sqlite3", "VAR_DIR": str(tmp_path), "REDIS_URL": ""}
    done = manage(env, "serve", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("CommandError: The database")
