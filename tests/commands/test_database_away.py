"""The database goes away under the whole product and comes back: the work goes on, and nobody is stuck."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

from tests.product import SERVE, Product
from tests.servers import PostgresServer, wait_until

ENDED = "SELECT count(*) FROM queues_call WHERE state = 'ended'"
STUCK = """
    SELECT count(*) FROM agents_agent a WHERE a.state = 'BUSY'
    AND NOT EXISTS (SELECT 1 FROM queues_call c WHERE c.id = a.call_id AND c.state <> 'ended')
"""


@pytest.mark.servers
@pytest.mark.timeout(120)
def test_the_product_outlives_a_restart_of_its_database(launch_product: Callable[..., Product]) -> None:
    database = PostgresServer()
    database.start()
    try:
        url = database.create_database("away")

        def count(query: str) -> int:
            with psycopg.connect(url) as connection:
                row = connection.execute(query).fetchone()
            assert row is not None
            return int(row[0])

        product = launch_product({"DATABASE_URL": url}, [*SERVE, "--speed", "5"])
        wait_until(lambda: count(ENDED) >= 3, seconds=40, what="calls before the database goes")
        database.stop()
        # The bridge notices by itself: it says so at its next attempt to write.
        wait_until(lambda: "database" in product.output(), seconds=20, what="the loss to be told")
        database.start()
        before = count(ENDED)
        wait_until(lambda: count(ENDED) >= before + 5, seconds=40, what="calls after the database is back")
        wait_until(lambda: count(STUCK) == 0, seconds=10, what="every busy agent to have a live call")
        assert product.stop() == 0
    finally:
        database.close()
