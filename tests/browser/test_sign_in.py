"""Who gets to see what."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenPage, sign_in

pytestmark = [pytest.mark.browser, pytest.mark.timeout(90)]


def test_a_wrong_password_is_refused_without_saying_which_half_was_wrong(open_page: OpenPage) -> None:
    page = open_page()
    sign_in(page, "sam", "wrong")
    expect(page.get_by_role("alert")).to_contain_text("correct username and password")
    expect(page.get_by_label("User name")).to_have_value("sam")
    expect(page.get_by_label("Password")).to_be_focused()
    sign_in(page, "sam")
    expect(page.get_by_role("table", name="Queues")).to_be_visible()


def test_a_supervisor_signs_out(open_page: OpenPage) -> None:
    page = open_page("sam")
    page.locator("header").get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    page.goto("/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_an_agent_sees_his_own_state(open_page: OpenPage) -> None:
    page = open_page("anna")
    expect(page.get_by_role("heading", name="Anna Kowalska")).to_be_visible()
    expect(page.locator("[data-state=UNREADY]")).to_have_text("Not ready · After sign-in")
    expect(page.get_by_text("1001")).to_be_visible()


def test_a_user_without_a_role_is_told_so_and_can_leave(open_page: OpenPage, complaints: list[str]) -> None:
    page = open_page("nobody")
    expect(page.get_by_role("heading", name="Not allowed")).to_be_visible()
    complaints.clear()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()


def test_the_sign_in_is_found_by_keyboard_and_fits_a_phone(open_page: OpenPage) -> None:
    page = open_page(viewport={"width": 375, "height": 700})
    expect(page.get_by_label("User name")).to_be_focused()
    assert page.evaluate("document.documentElement.scrollWidth") == 375
