"""What one database shrugs off and another fails at is refused before it gets there."""

from __future__ import annotations

import json

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from callcenter.filters import LONGEST_SEARCH
from callcenter.services import api_token_create

pytestmark = [pytest.mark.both_stacks, pytest.mark.django_db]


@pytest.fixture
def client() -> APIClient:
    _, secret = api_token_create(user=User.objects.create_superuser("root"), name="tests")
    client = APIClient(raise_request_exception=False)
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
    return client


def problem_of(response, status: int) -> dict:
    assert response.status_code == status, response.content
    assert response.headers["Content-Type"] == "application/problem+json"
    return json.loads(response.content)


@pytest.mark.parametrize(
    "kind", ["agents", "queues", "tiers", "calls", "switch", "switch-commands", "tokens"]
)
def test_a_nul_in_an_address_is_nothing_that_exists(client: APIClient, kind: str) -> None:
    assert problem_of(client.get(f"/api/v1/{kind}/%00"), 404)["code"].endswith("not_found")


@pytest.mark.parametrize("user", ["no\x00body", "u" * 151])
def test_a_user_name_that_no_user_can_have_is_invalid(client: APIClient, user: str) -> None:
    response = client.post("/api/v1/agents", {"name": "anna", "user": user}, format="json")
    problem = problem_of(response, 400)
    assert problem["code"] == "invalid_input"
    assert list(problem["errors"]) == ["user"]


@pytest.mark.parametrize("kind", ["agents", "queues", "calls"])
def test_a_search_of_more_words_than_a_database_takes_is_refused(client: APIClient, kind: str) -> None:
    problem = problem_of(client.get(f"/api/v1/{kind}", {"search": "a " * LONGEST_SEARCH}), 400)
    assert list(problem["errors"]) == ["search"]


@pytest.mark.parametrize("kind", ["agents", "queues", "calls"])
def test_the_longest_search_is_answered(client: APIClient, kind: str) -> None:
    words = ("a " * LONGEST_SEARCH)[:LONGEST_SEARCH]
    assert client.get(f"/api/v1/{kind}", {"search": words}).json()["results"] == []


@pytest.mark.parametrize("headers", [{}, {"accept": "text/html"}])
def test_the_schema_tells_its_problems_in_json_too(client: APIClient, headers: dict[str, str]) -> None:
    problem_of(APIClient().get("/api/schema/", headers=headers), 401 if not headers else 406)


def test_the_root_of_the_api_is_no_page_and_leads_to_none(client: APIClient) -> None:
    problem_of(client.get("/api"), 404)
    problem_of(client.get("/api/"), 404)
