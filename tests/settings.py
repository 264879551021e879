"""The product's settings for the tests: defaults only, whatever ``.env`` or the shell says, and cheap hashes.

The exception are DATABASE_URL and REDIS_URL, so that the same tests run on PostgreSQL and Redis (see
``.ci/with-servers``). A test database is made per process (see ``tests/conftest.py``).
"""

import os

from tests.product import SETTING_NAMES

stack = {name: os.environ.get(name, "") for name in ("DATABASE_URL", "REDIS_URL")}
for name in SETTING_NAMES:
    os.environ.pop(name, None)

# Redis' numbered databases keep the groups and channels of the xdist workers apart.
if stack["REDIS_URL"] and (worker := os.environ.get("PYTEST_XDIST_WORKER")):
    number = worker.removeprefix("gw")
    stack["REDIS_URL"] = f"{stack['REDIS_URL'].rpartition('/')[0]}/{number}"

os.environ |= {
    "ENV_FILE": os.devnull,
    "DATABASE_URL": stack["DATABASE_URL"] or "sqlite://:memory:",
    "REDIS_URL": stack["REDIS_URL"],
    "SECRET_KEY": "for-the-tests-only",
}

from callcenter.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
