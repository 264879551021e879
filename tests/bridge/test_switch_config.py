"""The configuration that a switch reads from us."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

import pytest
from django.test import Client

from callcenter.events import By, Cause
from esl_bridge.simulator import QueueConfig
from queues.services import queue_create

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]
URL = "/switch/config"
ASKS = {
    "section": "configuration",
    "tag_name": "configuration",
    "key_name": "name",
    "key_value": "callcenter.conf",
}


@pytest.fixture(autouse=True)
def password(settings) -> None:  # type: ignore[no-untyped-def]
    settings.SWITCH_CONFIG_PASSWORD = "s3cret"


def ask(password: str = "s3cret", **fields: str) -> tuple[int, str]:
    basic = base64.b64encode(f"freeswitch:{password}".encode()).decode()
    answer = Client().post(URL, ASKS | fields, headers={"Authorization": f"Basic {basic}"})
    return answer.status_code, answer.content.decode()


def queues_in(document: str) -> dict[str, dict[str, str]]:
    root = ElementTree.fromstring(document)
    return {
        q.attrib["name"]: {p.attrib["name"]: p.attrib["value"] for p in q.findall("param")}
        for q in root.findall("section/configuration/queues/queue")
    }


def two_queues() -> None:
    by = By(Cause.API)
    queue_create(name="support@default", by=by, max_wait_time=90, moh_sound='tone_stream://%(1000,0,400)<&">')
    queue_create(name="sales@default", by=by, strategy="ring-all")


def test_all_queues_are_told_where_none_is_named() -> None:
    two_queues()
    told = queues_in(ask()[1])
    assert told.keys() == {"support@default", "sales@default"}
    assert told["support@default"]["max-wait-time"] == "90"
    assert told["support@default"]["moh-sound"] == 'tone_stream://%(1000,0,400)<&">'
    assert told["sales@default"]["strategy"] == "ring-all"


def test_the_named_queue_is_told_alone() -> None:
    two_queues()
    assert queues_in(ask(**{"CC-Queue": "sales@default"})[1]).keys() == {"sales@default"}


def test_the_parameters_are_ones_that_the_module_knows() -> None:
    two_queues()
    for name, params in queues_in(ask()[1]).items():
        assert QueueConfig.from_params(name, params).name == name


def test_a_queue_that_we_do_not_have_is_in_no_list() -> None:
    two_queues()
    assert queues_in(ask(**{"CC-Queue": "nosuch"})[1]) == {}


def test_another_configuration_is_left_to_the_switch() -> None:
    assert 'status="not found"' in ask(key_value="sofia.conf")[1]


@pytest.mark.parametrize("wrong", ["", "S3cret", "s3cret "])
def test_a_wrong_password_gets_nothing(wrong: str) -> None:
    two_queues()
    status, body = ask(password=wrong)
    assert status == 401 and "queue" not in body


@pytest.mark.parametrize("header", ["", "Basic", "Basic ???", "Bearer abc", "Basic " + "A" * 5])
def test_a_header_that_is_none_gets_nothing(header: str) -> None:
    assert Client().post(URL, ASKS, headers={"Authorization": header}).status_code == 401


def test_without_a_password_of_ours_there_is_no_such_page(settings) -> None:  # type: ignore[no-untyped-def]
    settings.SWITCH_CONFIG_PASSWORD = ""
    assert ask("")[0] == 404
