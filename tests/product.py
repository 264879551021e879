"""The product itself as the tests start it: the real processes, on a free port, with settings of their own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.servers import Server

PROJECT = Path(__file__).resolve().parent.parent
SETTING_NAMES = frozenset(re.findall(r"^#?([A-Z_]+)=", (PROJECT / ".env.example").read_text(), re.MULTILINE))
SERVE = (sys.executable, "manage.py", "serve", "--port", "0")


class Product(Server):
    """The product as an operator starts it: web server, bridge and simulated switch in a process of its own.

    The command prints ``READY {"url": ...}`` on a line of its own once it listens; ``/healthz`` must answer 200.
    """

    name = "product"
    patience = 45.0

    def __init__(self, env: Mapping[str, str], command: Sequence[str] = SERVE) -> None:
        super().__init__()
        self.env = dict(env)
        self.arguments = command
        self._log_start = 0

    @property
    def url(self) -> str:
        """``http://host:port`` as the process announced it."""
        if (url := self._announced()) is None:
            raise self.failure("the product has not said READY")
        return url

    @property
    def ws_url(self) -> str:
        """``ws://host:port`` of the same listener."""
        return "ws" + self.url.removeprefix("http")

    def command(self) -> Sequence[str]:
        return self.arguments

    def spawn(self) -> subprocess.Popen[bytes]:
        # A READY of an earlier start does not count.
        self._log_start = self.log.stat().st_size if self.log.exists() else 0
        return self.launch(self.command(), cwd=PROJECT, env=product_environment(self.env))

    def output(self) -> str:
        """What it has printed and logged since it was started last."""
        with self.log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def _announced(self) -> str | None:
        for line in self.output().splitlines(keepends=True):
            if line.startswith("READY ") and line.endswith("\n"):
                return str(json.loads(line.removeprefix("READY "))["url"])
        return None

    def answers(self) -> bool:
        if (url := self._announced()) is None:
            return False
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def product_environment(env: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without any setting of the product, no ``.env``, and ``env`` on top."""
    tests_own = {"DJANGO_SETTINGS_MODULE", *SETTING_NAMES}
    inherited = {name: value for name, value in os.environ.items() if name not in tests_own}
    return {**inherited, "ENV_FILE": os.devnull, "PYTHONUNBUFFERED": "1", **env}


def start_product(env: Mapping[str, str], command: Sequence[str] = SERVE) -> Product:
    """Start the product with ``env`` set and return when it answers; the caller closes it.

    Raises ServerFailed, with the end of its log, when it ends or does not answer in time.
    """
    return Product(env, command).__enter__()
