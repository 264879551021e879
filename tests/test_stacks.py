"""What the product asks of its database and its channel layer holds on both stacks."""

import os
import secrets
from concurrent.futures import ThreadPoolExecutor

import pytest
from channels.layers import get_channel_layer
from django.contrib.auth.models import User
from django.db import connection, transaction

pytestmark = pytest.mark.both_stacks

THREADS = 4
TURNS = 10


def test_the_stack_is_the_one_that_was_asked_for() -> None:
    asked = os.environ["DATABASE_URL"].partition(":")[0]

    assert connection.vendor == {"postgres": "postgresql"}.get(asked, asked)
    assert ("redis" in type(get_channel_layer()).__module__) == bool(os.environ["REDIS_URL"])


@pytest.mark.django_db(transaction=True)
def test_threads_that_change_a_row_under_its_lock_lose_no_change() -> None:
    user = User.objects.create(username="counter", first_name="0")

    def count() -> None:
        for _ in range(TURNS):
            with transaction.atomic():
                row = User.objects.select_for_update().get(pk=user.pk)
                row.first_name = str(int(row.first_name) + 1)
                row.save()
        connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        for running in [pool.submit(count) for _ in range(THREADS)]:
            running.result()

    user.refresh_from_db()
    assert user.first_name == str(THREADS * TURNS)


async def test_a_message_to_a_group_reaches_each_of_its_channels_once_and_in_order() -> None:
    layer = get_channel_layer()
    group = f"group-{secrets.token_hex(4)}"
    channels = [await layer.new_channel() for _ in range(2)]
    for channel in channels:
        await layer.group_add(group, channel)

    for number in range(50):
        await layer.group_send(group, {"type": "event", "number": number})

    for channel in channels:
        received = [(await layer.receive(channel))["number"] for _ in range(50)]
        assert received == list(range(50))
