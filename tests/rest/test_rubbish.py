"""Whatever is sent, the answer is a problem with a code, and nothing has changed."""

from __future__ import annotations

import base64
import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.models import Agent
from agents.serializers import AgentBody
from callcenter.models import Event, SwitchCommand
from callcenter.parsers import MAX_BODY
from queues.models import Queue, Tier
from queues.serializers import QueueBody

from .conftest import Api, place, refusal

pytestmark = [pytest.mark.django_db, pytest.mark.both_stacks]


@pytest.fixture
def unchanged(api: Api, alice: Api, support: Queue) -> Any:
    """Fails where anything was written that others see."""
    place(alice.agent, support)

    def written() -> tuple[int, ...]:
        return tuple(m.objects.count() for m in (Agent, Queue, Tier, Event, SwitchCommand))

    before = written()
    yield
    assert written() == before


def send(api: Api, body: bytes, content_type: str = "application/json", path: str = "agents") -> Any:
    return api.client.generic("POST", f"/api/v1/{path}", body, content_type=content_type)


DEEP = 100_000


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b"name=anna", 400, "malformed_json"),
        (b"\x00", 400, "malformed_json"),
        (b"null", 400, "malformed_json"),
        (b"[]", 400, "malformed_json"),
        (b'[{"name": "anna"}]', 400, "malformed_json"),
        (b'"anna"', 400, "malformed_json"),
        (b"1", 400, "malformed_json"),
        (b"{} {}", 400, "malformed_json"),
        (b"\xef\xbb\xbf{}", 400, "malformed_json"),
        (b'{"name": "ann\xff"}', 400, "malformed_json"),
        (b'{"nam\xff": "anna"}', 400, "malformed_json"),
        (b'{"name": "\xed\xa0\x80"}', 400, "malformed_json"),
        (b'{"name": "\\ud800"}', 400, "malformed_json"),
        (b'{"name": "anna", "acw_seconds": NaN}', 400, "malformed_json"),
        (b'{"name": "anna", "acw_seconds": 1e999}', 400, "malformed_json"),
        ('{"name": "anna"}'.encode("utf-16"), 400, "malformed_json"),
        (b"[" * DEEP, 400, "malformed_json"),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, 400, "malformed_json"),
        (b'{"a":' * 21 + b"{}" + b"}" * 21, 400, "malformed_json"),
        (b'{"name": "' + b"a" * MAX_BODY + b'"}', 413, "payload_too_large"),
        (b" " * (MAX_BODY + 1), 413, "payload_too_large"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else "",
)
def test_a_body_that_is_no_json_object_is_refused(api: Api, body: bytes, status: int, code: str) -> None:
    assert refusal(send(api, body)) == (status, code)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "nonsense",
        "a/b/c",
    ],
)
def test_a_body_of_another_kind_is_refused(api: Api, content_type: str) -> None:
    assert refusal(send(api, b'{"name": "anna"}', content_type)) == (415, "unsupported_media_type")


@pytest.mark.usefixtures("unchanged")
def test_a_body_of_unknown_length_is_refused(api: Api) -> None:
    answer = api.client.post("/api/v1/agents", HTTP_TRANSFER_ENCODING="chunked", CONTENT_LENGTH="")
    assert refusal(answer) == (411, "length_required")


LONG = "x" * 300
AGENT_FIELDS: list[tuple[str, object]] = [
    *(("name", value) for value in ("", " ", "a b", "-a", "x" * 65, "a\r\nb", "a\u0000", "ä", "a'b", "a|b")),
    *(("name", value) for value in (None, 5, True, ["anna"], {"a": 1})),
    *(("display_name", value) for value in ("x" * 101, "a\nb", "a\u0000b", "a\x7f", None, 5, [])),
    *(("extension", value) for value in ("10 01", "1001\r\napi", "x" * 33, None, 1001, "1|2")),
    *(("contact", value) for value in ("user/1\nx", "user/'1'", "a|b", "a\\b", LONG, None, 7)),
    *(("user", value) for value in ("nobody-known", "", 1, True, ["alice"], {"username": "alice"}, LONG)),
    *(("acw_seconds", value) for value in (-1, 86401, "30", 1.5, True, None, 10**30, -(10**30), [])),
    *(("max_missed", value) for value in (-1, 1001, "3", 2**31)),
    *(("busy_delay", value) for value in (-1, 86401, False, {})),
    *((name, 1) for name in ("state", "revision", "id", "node", "queues", "Name", "__class__", "", LONG)),
]
QUEUE_FIELDS: list[tuple[str, object]] = [
    *(("name", value) for value in ("", "a b", "x" * 65, "q\r\n", None, 5)),
    *(("strategy", value) for value in ("best", "", None, 1, True, ["ring-all"], "ring-all\n")),
    *(("time_base_score", value) for value in ("clock", None, 0)),
    *(("tier_rules_apply", value) for value in ("true", 1, None, "yes", [])),
    *(("max_wait_time", value) for value in (-1, 86401, "90", None, 0.5)),
    *(("service_level_seconds", value) for value in (-1, 86401, 2**63)),
    *(("moh_sound", value) for value in ("a\nb", "a\u0000", LONG, None, 1)),
    *(("record_template", value) for value in ("${uuid}\r", LONG)),
    *((name, "x") for name in ("node", "revision", "tiers", "waiting")),
]


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize(
    ("kind", "fields"), [("agents", AGENT_FIELDS), ("queues", QUEUE_FIELDS)], ids=["agents", "queues"]
)
def test_a_wrong_field_is_refused_by_name(
    api: Api, alice: Api, support: Queue, kind: str, fields: list[tuple[str, object]], method: str
) -> None:
    one = {"agents": alice.agent.pk, "queues": support.pk}[kind]
    path = kind if method == "POST" else f"{kind}/{one}"
    for field, value in fields:
        answer = api.ask(method, path, {"name": {"agents": "alice", "queues": "support"}[kind], field: value})
        assert refusal(answer) == (400, "invalid_input"), (field, value)
        assert field in answer.json()["errors"], (field, value)


@pytest.mark.usefixtures("unchanged")
def test_a_tier_with_wrong_fields_is_refused_by_name(api: Api, alice: Api, support: Queue) -> None:
    tier = Tier.objects.get()
    good = {"queue": str(support.pk), "agent": str(alice.agent.pk)}
    for field, value in [
        *(("queue", value) for value in ("support", "", None, 1, 10**40, [], {}, "x" * 36)),
        *(("agent", value) for value in ("alice", 5, True)),
        *(("level", value) for value in (-1, 1001, "1", None, 1.5, True, 10**20)),
        *(("position", value) for value in (-1, 1001, [])),
        *((name, 1) for name in ("active", "id", "revision")),
    ]:
        for method, path in (("POST", "tiers"), ("PUT", f"tiers/{tier.pk}"), ("PATCH", f"tiers/{tier.pk}")):
            answer = api.ask(method, path, good | {field: value})
            assert refusal(answer) == (400, "invalid_input"), (method, field, value)
            assert field in answer.json()["errors"], (method, field, value)


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("field", ["name", "queue", "agent"])
def test_what_must_be_there_is_asked_for(api: Api, field: str) -> None:
    answer = api.post("agents" if field == "name" else "tiers", {})
    assert refusal(answer) == (400, "invalid_input")
    assert field in answer.json()["errors"]


# --- addresses and queries ---------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["agents", "queues", "tiers", "calls", "switch-commands", "tokens"])
@pytest.mark.parametrize(
    "key", ["0", "-1", "x", "9" * 40, "%20", "%27", "%F0%9F%98%80", "%FF", "1.5", "None", "{a}", "a%0Ab", "~"]
)
def test_an_address_of_nothing_is_not_found(api: Api, kind: str, key: str) -> None:
    for method in ("GET", "DELETE") if kind in ("agents", "queues", "tiers") else ("GET",):
        answer = api.client.generic(method, f"/api/v1/{kind}/{key}")
        assert refusal(answer)[0] == 404
        assert refusal(answer)[1].endswith("not_found")


def cursor(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("kind", "query"),
    [
        ("agents", {"stat": "READY"}),
        ("agents", {"ordering": "name"}),
        ("agents", {"format": "xml"}),
        ("agents", {"state": "ready"}),
        ("agents", {"state": ""}),
        ("agents", {"state": ["READY", "\u0000"]}),
        ("agents", {"queue": "support"}),
        ("agents", {"queue": "\u0000"}),
        ("agents", {"signed_in": "1"}),
        ("agents", {"signed_in": "True"}),
        ("agents", {"name": "a\u0000"}),
        ("agents", {"name": "x" * 65}),
        ("agents", {"extension": "1\u0000"}),
        ("agents", {"search": "\u0000"}),
        ("agents", {"page_size": "0"}),
        ("agents", {"page_size": "501"}),
        ("agents", {"page_size": "-5"}),
        ("agents", {"page_size": "ten"}),
        ("agents", {"page_size": "9" * 50}),
        ("agents", {"page_size": "٣"}),
        ("queues", {"strategy": "best"}),
        ("queues", {"agent": "1"}),
        ("tiers", {"level": "high"}),
        ("tiers", {"level": "NaN"}),
        ("tiers", {"level": "1e400"}),
        ("tiers", {"level": "9" * 40}),
        ("tiers", {"active": "maybe"}),
        ("calls", {"live": "yes"}),
        ("calls", {"state": "WAITING"}),
        ("calls", {"outcome": "lovely"}),
        ("calls", {"started_from": "yesterday"}),
        ("calls", {"started_from": "2026-02-30T00:00:00Z"}),
        ("calls", {"started_from": "0001-01-01T00:00:00+14:00"}),
        ("calls", {"started_before": "9999-12-31T23:59:59-14:00"}),
        ("calls", {"caller_number": "1\u0000"}),
        ("switch-commands", {"status": "lost"}),
        ("switch-commands", {"kind": "dance"}),
        ("switch-commands", {"key": "x" * 161}),
    ],
)
def test_a_query_that_means_nothing_is_refused_by_name(
    api: Api, kind: str, query: dict[str, str | list[str]]
) -> None:
    answer = api.get(kind, **query)
    assert refusal(answer) == (400, "invalid_input")
    assert list(answer.json()["errors"]) == list(query)


@pytest.mark.parametrize(
    "kind", ["agents", "queues", "tiers", "calls", "switch-commands", "switch", "tokens"]
)
def test_a_cursor_that_is_none_of_ours_is_refused(api: Api, kind: str) -> None:
    rubbish = [
        "",
        "x",
        "====",
        "\u0000",
        "ü",
        cursor("p=\u0000"),
        cursor("o=x"),
        cursor("o=-1"),
        cursor("r=y"),
    ]
    numbered = {"tiers": "p=x", "calls": "p=2026-13-01", "switch-commands": "p=1.5", "tokens": "p="}
    naive = {"calls": ["p=2026-01-01 00:00:00", "p=0001-01-01T00:00:00%2B14:00", "p=x"]}
    for text in (*rubbish, *(cursor(p) for p in [numbered.get(kind, "o=y"), *naive.get(kind, [])])):
        answer = api.get(kind, cursor=text)
        if answer.status_code == 200:
            # An empty cursor, and one cut down to nothing, are the first page.
            assert text in ("", "x", "====", "\u0000"), text
        else:
            assert refusal(answer) == (400, "invalid_cursor"), text


def test_a_cursor_far_out_is_an_empty_page(api: Api, support: Queue) -> None:
    for kind, position in (("tiers", "9" * 60), ("queues", "zzz"), ("switch-commands", "0")):
        assert api.get(kind, cursor=cursor(f"p={position}")).json()["results"] == []


# --- anything at all ---------------------------------------------------------------------------------

anything: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


def bodies(fields: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(fields) | st.text(max_size=10), anything, max_size=4)


few = settings(
    max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@few
@given(body=bodies(AgentBody.Meta.fields))
def test_no_body_breaks_the_agents(api: Api, alice: Api, body: dict[str, Any]) -> None:
    for method, path in (("POST", "agents"), ("PATCH", f"agents/{alice.agent.pk}")):
        answer = api.ask(method, path, body)
        assert answer.status_code in (200, 201) or refusal(answer)[0] in (400, 409)


@few
@given(body=bodies(QueueBody.Meta.fields))
def test_no_body_breaks_the_queues(api: Api, support: Queue, body: dict[str, Any]) -> None:
    for method, path in (("POST", "queues"), ("PATCH", f"queues/{support.pk}")):
        answer = api.ask(method, path, body)
        assert answer.status_code in (200, 201) or refusal(answer)[0] in (400, 409)


@few
@given(body=st.binary(max_size=60) | st.text(string.printable, max_size=60).map(str.encode))
def test_no_bytes_break_the_reading(api: Api, body: bytes) -> None:
    answer = send(api, body)
    assert refusal(answer)[0] == 400
    assert json.loads(answer.content)["code"] in ("malformed_json", "invalid_input")


@few
@given(
    name=st.sampled_from(["state", "queue", "search", "page_size", "cursor", "name", "user", "extension"]),
    value=st.text(max_size=30),
)
def test_no_query_breaks_a_list(api: Api, name: str, value: str) -> None:
    answer = api.get("agents", **{name: value})
    assert answer.status_code == 200 or refusal(answer)[0] == 400


@few
@given(
    name=st.sampled_from(["If-Match", "Prefer", "Accept-Language", "Authorization", "Content-Type"]),
    value=st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30),
)
def test_no_header_breaks_a_change(api: Api, alice: Api, name: str, value: str) -> None:
    answer = api.ask("PATCH", f"agents/{alice.agent.pk}", {"display_name": "A"}, headers={name: value})
    assert answer.status_code == 200 or refusal(answer)[0] in (400, 401, 412, 415)
