"""`manage.py run_bridge`: says what it misses, follows a switch, stops in order."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from esl_bridge.simulator import Simulator
from tests.commands.run import ask, manage
from tests.conftest import new_product_environment
from tests.product import PROJECT, product_environment

pytestmark = pytest.mark.both_stacks


def test_without_a_switch_it_asks_which_one() -> None:
    with pytest.raises(CommandError, match="ESL_HOST is not set"):
        call_command("run_bridge")


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT])
async def test_it_follows_a_switch_until_it_is_told_to_stop(sent: signal.Signals, tmp_path: Path) -> None:
    env = new_product_environment(tmp_path)
    migrated = await asyncio.to_thread(manage, env, "migrate", "--verbosity", "0")
    assert migrated.returncode == 0, migrated.stderr
    scenario = tmp_path / "scenario.toml"
    scenario.write_text('seed = 1\n[[queues]]\nname = "support@default"\n')
    simulator = Simulator(scenario)
    port = await simulator.start()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "manage.py",
        "run_bridge",
        cwd=PROJECT,
        env=product_environment(env | {"ESL_HOST": "127.0.0.1", "ESL_PORT": str(port)}),
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        async with asyncio.timeout(30):
            while b"in step with switch" not in (line := await process.stderr.readline()):
                assert line, "it ended by itself"
        process.send_signal(sent)
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
        await simulator.stop()
    node = await asyncio.to_thread(
        ask,
        env,
        "list(__import__('callcenter.models').models.SwitchNode.objects.values('connected', 'detail'))",
    )
    assert node == [{"connected": False, "detail": "stopped"}]
