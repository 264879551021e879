"""The dashboard shows what the switch says, at once, and does what a supervisor clicks."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import Caller, OpenPage, Site

pytestmark = [pytest.mark.browser, pytest.mark.timeout(120)]

MOST_MS = 300
CHANGES = 10

# Notes, for every change of an agent's state that the page shows, how long ago the switch said it.
WATCH = """() => {
    window.lags = [];
    new MutationObserver((changes) => {
        for (const { target } of changes) {
            window.lags.push(Date.now() - Date.parse(target.querySelector("time").dateTime));
        }
    }).observe(document.querySelector(".board"), { subtree: true, attributeFilter: ["data-group"] });
}"""


def card(page: Page, agent: str) -> Locator:
    return page.locator(f"[data-agent={agent}]")


def cell(page: Page, queue: str, figure: str) -> Locator:
    return page.locator(f"[data-queue={queue}] [data-figure={figure}]")


def choose(page: Page, agent: str, *items: str) -> None:
    card(page, agent).get_by_role("button", name=re.compile("^Actions for")).click()
    for item in items:
        card(page, agent).get_by_role("button", name=item).click()


def test_shows_the_queues_with_their_agents_and_no_traffic(dashboard: Page) -> None:
    expect(dashboard.get_by_role("table", name="Queues").get_by_role("rowheader")).to_have_text(
        [re.compile("Billing"), re.compile("Customer support"), re.compile("Sales")]
    )
    expect(cell(dashboard, "support", "waiting")).to_have_text("0")
    expect(cell(dashboard, "support", "ready")).to_have_text("1")
    expect(cell(dashboard, "support", "unready")).to_have_text("2")
    for figure in ("oldest", "offered", "answered", "abandoned"):
        expect(cell(dashboard, "billing", figure)).to_have_text("–")
    expect(dashboard.get_by_text("Nobody is waiting.")).to_be_visible()
    expect(dashboard.get_by_text("Switch default connected")).to_be_visible()


def test_shows_the_agents_with_their_state_in_words(dashboard: Page) -> None:
    expect(card(dashboard, "ben")).to_contain_text("Ready")
    expect(card(dashboard, "anna")).to_contain_text("Not ready")
    expect(card(dashboard, "anna")).to_contain_text("After sign-in")
    expect(card(dashboard, "chen")).to_contain_text("陈小红")
    expect(card(dashboard, "chen")).to_contain_text("1003")
    expect(card(dashboard, "emil")).to_contain_text("Signed out")
    expect(card(dashboard, "emil").get_by_role("button")).to_have_count(0)


def test_a_caller_waits_rings_talks_and_is_gone(dashboard: Page, site: Site) -> None:
    caller = Caller(site, "+441632960001", "support", "Mrs Hughes")
    caller.calls(seconds_ago=7)
    waiting = dashboard.get_by_role("table", name="Waiting callers")
    row = waiting.locator("tbody tr")
    expect(row).to_contain_text("Mrs Hughes +441632960001")
    expect(row).to_contain_text("Customer support")
    expect(cell(dashboard, "support", "waiting")).to_have_text("1")
    expect(cell(dashboard, "support", "offered")).to_have_text("1")

    seconds = row.locator("time").inner_text()
    assert seconds >= "0:07"
    expect(row.locator("time")).not_to_have_text(seconds)
    assert row.locator("time").inner_text() > seconds

    caller.is_offered_to("ben")
    expect(row).to_contain_text("Ringing at Ben Ohlsson")
    expect(card(dashboard, "ben")).to_have_attribute("data-group", "ringing")
    expect(card(dashboard, "ben")).to_contain_text("Mrs Hughes")

    caller.is_answered_by("ben")
    expect(dashboard.get_by_text("Nobody is waiting.")).to_be_visible()
    talking = dashboard.get_by_role("table", name="Calls in progress").locator("tbody tr")
    expect(talking).to_contain_text("Ben Ohlsson")
    expect(card(dashboard, "ben")).to_contain_text("Talking")
    expect(cell(dashboard, "support", "in-progress")).to_have_text("1")

    caller.hangs_up(after="ben")
    expect(dashboard.get_by_text("No calls in progress.")).to_be_visible()
    expect(card(dashboard, "ben")).to_contain_text("After-call work")
    expect(card(dashboard, "ben")).to_contain_text(re.compile(r"0:\d\d left"))
    expect(cell(dashboard, "support", "answered")).to_have_text("1")


def test_callers_have_places_in_their_own_queue(dashboard: Page, site: Site) -> None:
    callers = [Caller(site, f"10{n}", queue) for n, queue in enumerate(("sales", "billing", "sales"))]
    for age, caller in zip((60, 50, 40), callers, strict=True):
        caller.calls(seconds_ago=age)
    rows = dashboard.get_by_role("table", name="Waiting callers").locator("tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.locator(".place")).to_have_text(["1", "1", "2"])
    expect(rows.locator("th")).to_have_text(["100", "101", "102"])
    for caller in callers:
        caller.hangs_up()
    expect(dashboard.get_by_text("Nobody is waiting.")).to_be_visible()
    expect(cell(dashboard, "sales", "abandoned")).to_contain_text("2")


@pytest.mark.alone
def test_a_change_is_seen_within_300_ms_of_the_switchs_event(dashboard: Page, site: Site) -> None:
    caller = Caller(site, "200", "sales")
    caller.calls()
    dashboard.evaluate(WATCH)
    for change in range(CHANGES):
        (caller.is_not_answered_by if change % 2 else caller.is_offered_to)("dora")
        dashboard.wait_for_function("seen => window.lags.length > seen", arg=change)
    caller.hangs_up()
    lags = dashboard.evaluate("lags")
    assert max(lags) < MOST_MS, f"milliseconds from the switch's event to the page: {lags}"


def test_a_supervisor_makes_an_agent_ready_and_not_ready_and_signs_him_out(dashboard: Page) -> None:
    choose(dashboard, "anna", "Make ready")
    expect(card(dashboard, "anna")).to_have_attribute("data-state", "READY")
    choose(dashboard, "anna", "Make not ready")
    expect(card(dashboard, "anna")).to_have_attribute("data-state", "UNREADY")
    choose(dashboard, "anna", "Sign out", "Really sign out Anna Kowalska?")
    expect(card(dashboard, "anna")).to_have_attribute("data-state", "LOGOUT")
    expect(dashboard.locator(".board > li").last).to_have_attribute("data-agent", re.compile("anna|emil"))


def test_what_is_asked_during_a_call_is_shown_as_coming(dashboard: Page, site: Site) -> None:
    caller = Caller(site, "300", "billing")
    caller.calls()
    caller.is_offered_to("chen")
    caller.is_answered_by("chen")
    expect(card(dashboard, "chen")).to_contain_text("Talking")
    choose(dashboard, "chen", "Make not ready")
    expect(card(dashboard, "chen")).to_contain_text("Then: Not ready")
    expect(dashboard.locator(".toast")).to_contain_text("Takes effect after the call")
    caller.hangs_up(after="chen")


def test_a_refused_command_says_why(dashboard: Page, site: Site, complaints: list[str]) -> None:
    site.do("end_sessions")
    choose(dashboard, "dora", "Make ready")
    expect(dashboard.locator(".toast[data-kind=error]")).to_contain_text("Not done:")
    expect(card(dashboard, "dora")).to_have_attribute("data-state", "UNREADY")
    assert [text for text in complaints if "403" in text or "401" in text]
    complaints.clear()


def test_an_order_that_the_switch_refuses_is_told(dashboard: Page, site: Site) -> None:
    site.do("fail_order", key="queue:sales", answer="-ERR no such queue")
    expect(dashboard.locator(".toast")).to_contain_text("-ERR no such queue")
    dashboard.get_by_role("button", name="Dismiss").click()
    expect(dashboard.locator(".toast")).to_have_count(0)


def test_a_lost_switch_is_told_until_it_is_back(dashboard: Page, site: Site) -> None:
    site.do("switch", connected=False, detail="connection refused")
    expect(dashboard.get_by_text("Switch default disconnected")).to_be_visible()
    expect(dashboard.locator(".warning")).to_contain_text("connection refused")
    site.do("switch", connected=True, detail="")
    expect(dashboard.get_by_text("Switch default connected")).to_be_visible()
    expect(dashboard.locator(".warning")).to_have_count(0)


def test_the_board_is_filtered_by_state_queue_and_text(dashboard: Page) -> None:
    board = dashboard.locator(".board > li")
    states = dashboard.get_by_role("group", name="Filter by state")
    states.get_by_role("button", name=re.compile("^Signed out")).click()
    expect(board.and_(dashboard.locator(":not([data-state=LOGOUT])"))).to_have_count(0)
    expect(card(dashboard, "emil")).to_be_visible()
    states.get_by_role("button", name=re.compile("^All")).click()
    expect(board).to_have_count(5)
    dashboard.get_by_label("Filter by queue").select_option("Billing")
    expect(board).to_have_count(2)
    dashboard.get_by_label("Search name or extension").fill("1003")
    expect(board).to_have_text(re.compile("陈小红"))
    dashboard.get_by_label("Search name or extension").fill("nobody like that")
    expect(dashboard.get_by_text("No agent matches the filter.")).to_be_visible()
    dashboard.get_by_role("button", name="Clear the filter").click()
    expect(board).to_have_count(5)


def test_the_menu_is_worked_by_keyboard(dashboard: Page) -> None:
    button = card(dashboard, "dora").get_by_role("button", name=re.compile("^Actions for"))
    button.focus()
    dashboard.keyboard.press("Enter")
    expect(button).to_have_attribute("aria-expanded", "true")
    dashboard.keyboard.press("ArrowDown")
    expect(card(dashboard, "dora").get_by_role("button", name="Make ready")).to_be_focused()
    dashboard.keyboard.press("Escape")
    expect(button).to_have_attribute("aria-expanded", "false")
    expect(button).to_be_focused()


def test_nothing_is_wider_than_a_phone(open_page: OpenPage, site: Site) -> None:
    caller = Caller(site, "+4915112345678901234567890", "support", "A person with a rather long name indeed")
    caller.calls()
    page = open_page("sam", viewport={"width": 375, "height": 812}, has_touch=True)
    page.locator("[data-panel=waiting-callers] tbody tr").wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    caller.hangs_up()


def test_dark_mode_follows_the_system_and_the_button(open_page: OpenPage) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    page = open_page("sam", color_scheme="light")
    light = page.evaluate(ground)
    button = page.get_by_role("button", name="Dark mode")
    expect(button).to_have_attribute("aria-pressed", "false")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    dark = page.evaluate(ground)
    assert dark != light
    page.reload()
    assert page.evaluate(ground) == dark
    button.click()
    assert page.evaluate(ground) == light
    page.emulate_media(color_scheme="dark")
    expect(button).to_have_attribute("aria-pressed", "true")
    assert page.evaluate(ground) == dark


def test_speaks_chinese_when_asked(dashboard: Page, site: Site) -> None:
    dashboard.get_by_role("button", name="简体中文").click()
    dashboard.locator("[data-connection=live]").wait_for()
    expect(dashboard.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(dashboard.locator("[data-connection]")).to_have_text("实时")
    expect(dashboard.get_by_role("table", name="队列")).to_be_visible()
    expect(card(dashboard, "dora")).to_contain_text("未就绪")
    dashboard.get_by_role("button", name="English").click()
    expect(dashboard.get_by_text("Nobody is waiting.")).to_be_visible()
