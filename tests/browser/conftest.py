"""A web server with a small call centre in it, and people in front of Chromium."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from callcenter import switch as sw
from tests.browser.site import CONTROL, PASSWORD
from tests.conftest import product_launcher
from tests.product import PROJECT, Product
from tests.servers import free_port

CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SCREENSHOTS = PROJECT / "var" / "screenshots"
PATIENCE_MS = 15_000

OpenPage = Callable[..., Page]


class Site:
    """The server, and the switch that the test plays."""

    def __init__(self, product: Product) -> None:
        self.product = product
        self.url = product.url

    def do(self, command: str, **arguments: Any) -> None:
        """Have the server's process do one of ``site.COMMANDS``; returns when it is committed."""
        with Client(str(Path(self.product.env["VAR_DIR"]) / CONTROL)) as caller:
            caller.send((command, arguments))
            outcome, detail = caller.recv()
        assert outcome == "done", detail

    def pause(self) -> None:
        """Let the server fall silent with all its connections open."""
        self._signal(signal.SIGSTOP)

    def go_on(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        assert self.product.process is not None
        self.product.process.send_signal(number)

    def tell(self, *facts: sw.Fact) -> None:
        """The switch says this."""
        self.do("facts", facts=list(facts))


class Caller:
    """A caller and what the switch says of the call, stamped with the time at which it is said."""

    def __init__(self, site: Site, number: str, queue: str, name: str = "") -> None:
        self.site = site
        self.channel = f"channel-{number}"
        self.entry = {
            "member": f"member-{number}",
            "channel": self.channel,
            "queue": queue,
            "number": number,
            "name": name,
        }
        self.number, self.name = number, name

    def calls(self, *, seconds_ago: float = 0) -> None:
        at = now_us(seconds_ago)
        channel = sw.ChannelCreated(
            at=at,
            channel=self.channel,
            inbound=True,
            destination="5000",
            number=self.number,
            name=self.name,
        )
        self.site.tell(channel, sw.MemberQueued(at=at, **self.entry))

    def is_offered_to(self, agent: str) -> None:
        self.site.tell(sw.OfferMade(at=now_us(), agent=agent, **self.entry))

    def is_not_answered_by(self, agent: str) -> None:
        self.site.tell(sw.OfferFailed(at=now_us(), agent=agent, cause="USER_BUSY", **self.entry))

    def is_answered_by(self, agent: str) -> None:
        leg = f"leg-{self.number}-{agent}"
        self.site.tell(
            sw.OfferAnswered(at=now_us(), agent=agent, leg=leg, **self.entry),
            sw.ChannelBridged(at=now_us(), channel=self.channel, other=leg),
        )

    def hangs_up(self, *, after: str = "") -> None:
        """``after``: the agent whom the caller has talked to."""
        at = now_us()
        down = sw.ChannelHungUp(at=at, channel=self.channel, cause="NORMAL_CLEARING")
        if after:
            leg = f"leg-{self.number}-{after}"
            self.site.tell(
                down,
                sw.AgentReleased(at=at, agent=after, leg=leg, bridged=True, **self.entry),
                sw.MemberServed(at=at, channel_up=False, **self.entry),
            )
        else:
            self.site.tell(
                down, sw.MemberLeft(at=at, reason=sw.Leaving.HUNG_UP, channel_up=False, **self.entry)
            )


def now_us(seconds_ago: float = 0) -> int:
    return round((time.time() - seconds_ago) * 1_000_000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    command = (sys.executable, "-m", "tests.browser.site", str(free_port()))
    with product_launcher(tmp_path_factory) as launch:
        yield Site(launch(command=command))


@pytest.fixture(scope="module")
def chromium(chromium_path: str) -> Iterator[Browser]:
    # Of a module, not of the session: while it runs, this thread has an event loop that others trip over.
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path, args=CHROMIUM_ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser found wrong; a test that provokes something takes it out again."""
    return []


@pytest.fixture
def open_page(
    site: Site, chromium: Browser, complaints: list[str], request: pytest.FixtureRequest
) -> Iterator[OpenPage]:
    """``open_page(user, **context) -> Page``: a browser of one's own, signed in as ``user`` if one is given.

    At the end the browser must have complained about nothing, and each page is kept as a picture.
    """
    with ExitStack() as stack:
        pages: list[Page] = []

        def open_(user: str = "", **options: Any) -> Page:
            context: BrowserContext = chromium.new_context(base_url=site.url, **options)
            stack.callback(context.close)
            page = context.new_page()
            page.set_default_timeout(PATIENCE_MS)
            page.on("console", lambda message: note(message, complaints))
            page.on("pageerror", lambda error: complaints.append(str(error)))
            pages.append(page)
            page.goto("/")
            if user:
                sign_in(page, user)
                page.wait_for_url(f"{site.url}/")
            return page

        yield open_
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        for number, page in enumerate(pages):
            name = request.node.name.replace("/", "-")
            page.screenshot(path=SCREENSHOTS / f"{name}-{number}.png", full_page=True)
    assert complaints == []


def note(message: ConsoleMessage, complaints: list[str]) -> None:
    if message.type in ("error", "warning"):
        complaints.append(message.text)


def sign_in(page: Page, user: str, password: str = PASSWORD) -> None:
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


@pytest.fixture
def dashboard(open_page: OpenPage) -> Page:
    """The supervisor's dashboard, live."""
    page = open_page("sam")
    page.locator("[data-connection=live]").wait_for()
    return page
