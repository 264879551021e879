"""The servers that the tests start are real, keep their address, and say what is wrong with them."""

import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import redis

from tests.product import PROJECT, start_product
from tests.servers import PostgresServer, RedisServer, ServerFailed, main

pytestmark = pytest.mark.servers

STAND_IN = """
import http.server, json, os, sys
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/healthz" else 404)
        self.end_headers()
        self.wfile.write(os.environ["GREETING"].encode())
server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
print("starting", flush=True)
print("READY " + json.dumps({"url": "http://127.0.0.1:%d" % server.server_port}), flush=True)
server.serve_forever()
"""


def test_a_redis_that_was_stopped_comes_back_empty_on_the_same_address(redis_server: RedisServer) -> None:
    client = redis.Redis.from_url(redis_server.url)
    client.set("greeting", "hello")

    redis_server.stop()
    with pytest.raises(redis.ConnectionError):
        client.ping()
    redis_server.start()

    assert client.get("greeting") is None
    client.close()


def test_a_postgres_that_was_stopped_comes_back_with_its_rows(postgres_server: PostgresServer) -> None:
    url = postgres_server.create_database("restart")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE greeting AS SELECT 'hello' AS text")

    postgres_server.stop()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url)
    postgres_server.start()

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT text FROM greeting").fetchall() == [("hello",)]


def test_a_database_is_created_empty_in_place_of_one_of_the_same_name(
    postgres_server: PostgresServer,
) -> None:
    url = postgres_server.create_database("twice")
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE greeting (text text)")

    postgres_server.create_database("twice")

    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT to_regclass('greeting')").fetchone() == (None,)


def test_a_product_is_found_where_it_announces_itself_again_after_a_restart() -> None:
    product = start_product({"GREETING": "hello"}, [sys.executable, "-c", STAND_IN])
    try:
        assert product.url.startswith("http://127.0.0.1:")
        assert product.ws_url == product.url.replace("http", "ws", 1)
        product.stop()
        product.start()
        assert product.output().count("READY") == 1
        assert product.answers()
    finally:
        product.close()
    assert not product.directory.exists()


def test_a_product_that_ends_at_its_start_shows_its_log() -> None:
    with pytest.raises(ServerFailed, match=r"ended with status 3(.|\n)*no such switch"):
        start_product({}, [sys.executable, "-c", "import sys; print('no such switch'); sys.exit(3)"])


def test_a_command_beside_the_servers_sees_both_and_its_status_is_kept(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    finished = subprocess.run(
        [
            sys.executable,
            "-m",
            "tests.servers",
            "sh",
            "-c",
            f"echo $DATABASE_URL $REDIS_URL > {seen}; exit 7",
        ],
        cwd=PROJECT,
        check=False,
    )

    assert finished.returncode == 7
    database, layer = seen.read_text().split()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(database, connect_timeout=2)
    with pytest.raises(redis.ConnectionError):
        redis.Redis.from_url(layer).ping()


def test_no_command_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage" in capsys.readouterr().err
