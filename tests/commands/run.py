"""The product's commands as an operator runs them: processes of their own, with an environment of their own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.product import PROJECT, product_environment


def manage(env: Mapping[str, str], *arguments: str, seconds: float = 40) -> subprocess.CompletedProcess[str]:
    """`manage.py` to its end. Raises TimeoutExpired when it hangs."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=PROJECT,
        env=product_environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


def ask(env: Mapping[str, str], expression: str) -> Any:
    """A value out of the product's database, from a process of its own."""
    code = f"import json; from queues.models import *; from agents.models import *; print(json.dumps({expression}))"
    done = manage(env, "shell", "--no-imports", "--command", code)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])
