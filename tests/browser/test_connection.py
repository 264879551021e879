"""The page says when what it shows is not the present, and comes back by itself."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Caller, Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

NETWORK_ERRORS = re.compile("ERR_CONNECTION_REFUSED|WebSocket connection")


def test_a_page_outlives_a_restart_of_the_server(dashboard: Page, site: Site, complaints: list[str]) -> None:
    badge = dashboard.locator("[data-connection]")
    before, after = Caller(site, "100", "support"), Caller(site, "200", "support")
    before.calls()
    rows = dashboard.locator("[data-panel=waiting-callers] tbody tr")
    expect(rows).to_have_count(1)

    site.product.stop()
    expect(badge).to_have_text("Reconnecting")
    expect(rows).to_have_count(1)

    site.product.start()
    # Said before the page is back: it has to ask for it.
    before.hangs_up()
    after.calls()
    expect(badge).to_have_text("Live", timeout=30_000)
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("200")
    assert all(NETWORK_ERRORS.search(text) for text in complaints)
    complaints.clear()
    after.hangs_up()


def test_a_silent_server_makes_the_page_stale_until_it_speaks_again(
    dashboard: Page, site: Site, complaints: list[str]
) -> None:
    badge = dashboard.locator("[data-connection]")
    site.pause()
    try:
        expect(badge).to_have_attribute("data-connection", "stale", timeout=40_000)
        expect(badge).to_have_text(re.compile(r"Stale since \d\d:\d\d:\d\d"))
        expect(dashboard.locator(".warning")).to_contain_text("No word from the server")
    finally:
        site.go_on()
    expect(badge).to_have_text("Live", timeout=30_000)
    expect(dashboard.locator(".warning")).to_have_count(0)
    assert all(NETWORK_ERRORS.search(text) for text in complaints)
    complaints.clear()


def test_a_session_that_has_ended_leads_to_the_sign_in(
    dashboard: Page, site: Site, complaints: list[str]
) -> None:
    site.do("end_sessions")
    site.product.stop()
    site.product.start()
    expect(dashboard.get_by_text("Your session has ended.")).to_be_visible(timeout=30_000)
    complaints.clear()
    dashboard.get_by_role("link", name="Sign in again").click()
    expect(dashboard.get_by_role("heading", name="Sign in")).to_be_visible()
