"""Real servers for the tests, a Redis and a PostgreSQL, on free loopback ports.

``python -m tests.servers COMMAND...`` runs a command with DATABASE_URL and REDIS_URL naming such servers
(see ``.ci/with-servers``), so nothing here may need pytest or Django.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

LOOPBACK = "127.0.0.1"


class MissingProgram(RuntimeError):
    """A program that the tests start is not installed; the message says how to install it."""

    def __init__(self, program: str) -> None:
        super().__init__(f"{program} is not installed: run .ci/install")


class ServerFailed(RuntimeError):
    """A server ended, or did not answer in time; the message carries the end of its log."""


def find_program(*names: str) -> str:
    """Path of the first of ``names`` found on PATH. Raises MissingProgram."""
    for name in names:
        if path := shutil.which(name):
            return path
    raise MissingProgram(names[0])


def find_postgres() -> Path:
    """Directory of PostgreSQL's server programs, the newest where there are several. Raises MissingProgram."""
    found = [Path(path).resolve().parent] if (path := shutil.which("initdb")) else []
    installed = Path("/usr/lib/postgresql").glob("*/bin")
    found += sorted(installed, key=lambda path: float(path.parent.name), reverse=True)
    for directory in found:
        if (directory / "initdb").exists() and (directory / "postgres").exists():
            return directory
    raise MissingProgram("PostgreSQL (initdb, postgres)")


def free_port() -> int:
    """A loopback port nobody listens on.

    Below Linux's ephemeral range: a client that retries against a stopped server could otherwise be given the
    server's own port as its source, connect to itself, and so keep the server from coming back.
    """
    while True:
        port = random.randrange(15000, 32000)
        with socket.socket() as candidate, contextlib.suppress(OSError):
            candidate.bind((LOOPBACK, port))
            return port


def wait_until(condition: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Return as soon as ``condition()`` is true. Raises TimeoutError, naming ``what``, after ``seconds``."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)


class Server(ABC):
    """One process in a temporary directory of its own, with its output in a log file there."""

    name: str
    patience = 30.0
    stop_signal = signal.SIGTERM

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix=f"callcenter-{self.name}-"))
        self.log = self.directory / "log"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients find it, in the form the product's settings take."""

    @abstractmethod
    def command(self) -> Sequence[str]: ...

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves clients by now."""

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process; ``start`` waits until it answers."""
        return self.launch(self.command())

    def launch(
        self,
        command: Sequence[str],
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        account: pwd.struct_passwd | None = None,
    ) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=cwd or self.directory,
                env=env,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def start(self) -> None:
        """Start it, on the same address as before, and wait until it answers. Raises ServerFailed."""
        self.process = process = self.spawn()
        try:
            wait_until(
                lambda: process.poll() is not None or self.answers(), seconds=self.patience, what=self.name
            )
        except TimeoutError as error:
            self.stop()
            raise self.failure(str(error)) from error
        if process.poll() is not None:
            raise self.failure(f"{self.name} ended with status {process.returncode}")

    def failure(self, message: str) -> ServerFailed:
        tail = self.log.read_text(errors="replace")[-4000:]
        return ServerFailed(f"{message}; the end of its log:\n{tail}")

    def stop(self, *, seconds: float = 10.0) -> int:
        """End it as an operator would, by force after ``seconds``; data and address stay. Returns its status."""
        if (process := self.process) is None:
            return 0
        if process.poll() is None:
            process.send_signal(self.stop_signal)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            return process.wait(seconds)

    def kill(self) -> None:
        """End it and its children at once, as a crash would."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)

    def close(self) -> None:
        """Stop it and remove its directory."""
        self.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class RedisServer(Server):
    """A Redis that keeps nothing on disk: stopped and started again it is empty."""

    name = "redis"
    databases = 64

    def __init__(self) -> None:
        self.program = find_program("redis-server")
        self.port = free_port()
        super().__init__()

    @property
    def url(self) -> str:
        return f"redis://{LOOPBACK}:{self.port}/0"

    def command(self) -> Sequence[str]:
        options = {
            "bind": LOOPBACK,
            "port": self.port,
            "save": "",
            "appendonly": "no",
            "dir": self.directory,
            "databases": self.databases,
        }
        return [
            self.program,
            *(word for name, value in options.items() for word in (f"--{name}", str(value))),
        ]

    def answers(self) -> bool:
        try:
            with socket.create_connection((LOOPBACK, self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


class PostgresServer(Server):
    """A PostgreSQL cluster made for the run: trust on loopback, durable writes off."""

    name = "postgres"
    stop_signal = signal.SIGINT  # "fast": does not wait for clients to leave
    role = "callcenter"

    def __init__(self) -> None:
        self.programs = find_postgres()
        self.port = free_port()
        super().__init__()
        self.account = self._account()
        if self.account:
            os.chown(self.directory, self.account.pw_uid, self.account.pw_gid)

    @staticmethod
    def _account() -> pwd.struct_passwd | None:
        """Whom to run as; None is oneself. PostgreSQL refuses to run as root."""
        if os.geteuid() != 0:
            return None
        for name in ("postgres", "nobody"):
            with contextlib.suppress(KeyError):
                return pwd.getpwnam(name)
        raise ServerFailed("PostgreSQL does not run as root, and there is no user postgres or nobody")

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The URL of one database of the cluster."""
        return f"postgres://{self.role}@{LOOPBACK}:{self.port}/{database}"

    def command(self) -> Sequence[str]:
        options = {
            "listen_addresses": LOOPBACK,
            "port": self.port,
            "unix_socket_directories": "",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "shared_buffers": "32MB",
        }
        settings = [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        return [str(self.programs / "postgres"), "-D", str(self.directory / "data"), *settings]

    def spawn(self) -> subprocess.Popen[bytes]:
        if not (self.directory / "data").exists():
            self._initdb()
        return self._as_account(self.command())

    def _as_account(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        env = {"PATH": os.environ["PATH"], "LC_ALL": "C", "TZ": "UTC"}
        return self.launch(command, env=env, account=self.account)

    def _initdb(self) -> None:
        command = [
            str(self.programs / "initdb"),
            "-D",
            str(self.directory / "data"),
            "-U",
            self.role,
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-sync",
        ]
        status = self._as_account(command).wait(60)
        if status != 0:
            raise self.failure(f"initdb ended with status {status}")

    def answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url, connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def create_database(self, name: str) -> str:
        """Make an empty database (replacing one of that name) and return its URL."""
        return create_postgres_database(self.url, name)


def create_postgres_database(url: str, name: str) -> str:
    """Make an empty database ``name`` on the server of ``url`` (replacing one of that name); return its URL."""
    import psycopg
    from psycopg import sql

    server = url.rpartition("/")[0]
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        database = sql.Identifier(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
    return f"{server}/{name}"


@contextlib.contextmanager
def both_servers() -> Iterator[dict[str, str]]:
    """A PostgreSQL with a database and a Redis; yields the environment that names them."""
    with PostgresServer() as postgres, RedisServer() as redis:
        yield {"DATABASE_URL": postgres.create_database("callcenter"), "REDIS_URL": redis.url}


def main(command: Sequence[str]) -> int:
    """Run ``command`` beside both servers and return its exit status; SIGTERM reaches it, and the servers end."""
    if not command:
        print("usage: .ci/with-servers COMMAND...", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        with both_servers() as env:
            process = subprocess.Popen(command, env={**os.environ, **env})
            signal.signal(signal.SIGTERM, lambda *_: process.terminate())
            # The terminal sends Ctrl-C to the command as well: it decides, and the servers outlive it.
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            return process.wait()
    except (MissingProgram, ServerFailed) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
