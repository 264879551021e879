"""The product as `make run` starts it: the simulated switch, the bridge and the page in one go."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from esl_bridge.demo import SUPERVISOR
from tests.browser.conftest import sign_in
from tests.browser.test_dashboard import MOST_MS, WATCH
from tests.product import Product

CHANGES = 5


@pytest.mark.browser
@pytest.mark.alone
@pytest.mark.timeout(180)
def test_the_dashboard_moves_with_the_switch(chromium: Browser, live_server_process: Product) -> None:
    page = chromium.new_page(base_url=live_server_process.url)
    page.goto("/")
    sign_in(page, *SUPERVISOR)
    expect(page.get_by_text("Switch default connected")).to_be_visible(timeout=30_000)
    page.locator(".board").wait_for()
    page.evaluate(WATCH)
    page.wait_for_function("seen => window.lags.length >= seen", arg=CHANGES, timeout=90_000)
    assert max(page.evaluate("lags")) < MOST_MS
    expect(page.locator(".queues tbody tr")).to_have_count(2)
