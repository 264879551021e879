"""Fixtures for all tests, and how the tests share a machine."""

from __future__ import annotations

import fcntl
import os
import secrets
import tempfile
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

from tests.product import SERVE, Product, start_product
from tests.servers import (
    MissingProgram,
    PostgresServer,
    RedisServer,
    ServerFailed,
    create_postgres_database,
    find_program,
)

LaunchProduct = Callable[..., Product]
Report = TypeVar("Report", pytest.TestReport, pytest.CollectReport)

# Two workers, a browser and servers on a small machine: how long an example takes says nothing there.
hypothesis.settings.register_profile("shared machine", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None, print_blob=True)
hypothesis.settings.load_profile("ci" if "CI" in os.environ else "shared machine")


# -- the run ------------------------------------------------------------------------------------------------


def pytest_report_header() -> str:
    database = os.environ.get("DATABASE_URL", "").partition(":")[0]
    layer = "Redis" if os.environ.get("REDIS_URL") else "in-memory"
    return f"stack: {database} database, {layer} channel layer"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    return no_skip_in_ci((yield))


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    return no_skip_in_ci((yield))


def no_skip_in_ci(report: Report) -> Report:
    """What is skipped where everything is installed has been run by nobody: there it is a failure."""
    if report.skipped and not hasattr(report, "wasxfail") and "CI" in os.environ:
        report.outcome = "failed"
        report.longrepr = f"skipped in CI: {report.longrepr}"
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test marked ``alone`` measures time: the other workers hold their next test back until it is over."""
    run = getattr(item.config, "workerinput", {}).get("testrunuid")
    if run is None:
        return (yield)
    with turn(run, alone=item.get_closest_marker("alone") is not None):
        return (yield)


def lock_file(run: str, name: str) -> Path:
    return Path(tempfile.gettempdir()) / f"callcenter-tests-{run}.{name}"


@contextmanager
def turn(run: str, *, alone: bool) -> Iterator[None]:
    """Hold the machine: shared with other tests, or ``alone``.

    All pass the gate one by one, so one who waits there to be alone is not overtaken for ever.
    """
    with lock_file(run, "gate").open("w") as gate, lock_file(run, "machine").open("w") as machine:
        fcntl.flock(gate, fcntl.LOCK_EX)
        fcntl.flock(machine, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


def pytest_sessionfinish(session: pytest.Session) -> None:
    if run := getattr(session.config, "workerinput", {}).get("testrunuid"):
        for name in ("gate", "machine"):
            lock_file(run, name).unlink(missing_ok=True)


# -- the database -------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """SQLite in a file of its own: the threads of a test cannot share a database in memory without lock errors."""
    from django.conf import settings

    for alias, database in settings.DATABASES.items():
        if database["ENGINE"].endswith("sqlite3"):
            name = tmp_path_factory.mktemp("database") / f"{alias}.sqlite3"
            database.setdefault("TEST", {})["NAME"] = str(name)


# -- servers ------------------------------------------------------------------------------------------------


@contextmanager
def must_start() -> Iterator[None]:
    """A server that cannot be started fails the test; it never skips it."""
    try:
        yield
    except (MissingProgram, ServerFailed) as error:
        pytest.fail(str(error), pytrace=False)


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A running Redis: ``.url``, and ``.stop()`` and ``.start()`` for a restart on the same address."""
    with must_start():
        server = RedisServer()
        server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A running PostgreSQL: ``.url``, ``.create_database(name)``, ``.stop()``, ``.start()``."""
    with must_start():
        server = PostgresServer()
        server.start()
    yield server
    server.close()


@pytest.fixture(scope="session")
def chromium_path() -> str:
    """Debian's Chromium, for Playwright's ``executable_path``."""
    with must_start():
        return find_program("chromium", "chromium-browser")


# -- the product --------------------------------------------------------------------------------------------


def new_product_environment(directory: Path) -> dict[str, str]:
    """The environment of a product with an empty database of the same kind as the tests' own."""
    layer = os.environ.get("REDIS_URL", "")
    if (url := os.environ.get("DATABASE_URL", "")).startswith("postgres"):
        database = create_postgres_database(url, f"product_{secrets.token_hex(6)}")
    else:
        database = f"sqlite:///{directory / 'product.sqlite3'}"
    if layer:
        # Apart from the tests' own layers, which count up from 0 (see tests/settings.py).
        server, _, number = layer.rpartition("/")
        layer = f"{server}/{RedisServer.databases // 2 + int(number)}"
    return {"DATABASE_URL": database, "REDIS_URL": layer, "VAR_DIR": str(directory)}


@contextmanager
def product_launcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchProduct]:
    with ExitStack() as stack:

        def launch(env: Mapping[str, str] | None = None, command: Sequence[str] = SERVE) -> Product:
            directory = tmp_path_factory.mktemp("product")
            with must_start():
                product = start_product({**new_product_environment(directory), **(env or {})}, command)
            stack.callback(product.close)
            return product

        yield launch


@pytest.fixture
def launch_product(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LaunchProduct]:
    """``launch_product(env, command) -> Product``: as many as a test wants, each with a database of its own
    unless ``env`` names one; all are stopped with the test."""
    with product_launcher(tmp_path_factory) as launch:
        yield launch


@pytest.fixture(scope="module")
def product_settings() -> dict[str, str]:
    """Environment variables for ``live_server_process``; a module overrides this fixture to set its own."""
    return {}


@pytest.fixture(scope="module")
def live_server_process(
    tmp_path_factory: pytest.TempPathFactory, product_settings: dict[str, str]
) -> Iterator[Product]:
    """The product in a process of its own, migrated and seeded, shared by a module: ``.url``, ``.ws_url``."""
    with product_launcher(tmp_path_factory) as launch:
        yield launch(product_settings)
