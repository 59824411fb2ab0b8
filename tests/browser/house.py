"""A whole installation with people in front of it: each has a browser window of their own, and none of them may see an error."""

import json
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from cavra_retry.bootstrap import start as start_retry
from playwright.async_api import Browser, ConsoleMessage, Page, Request, Response, async_playwright

from tests.support.installation import Installation
from tests.support.receiver import Receiver

CHROMIUM: Final = Path("/usr/bin/chromium")
SHOTS: Final = Path(os.environ.get("CAVRA_SCREENSHOTS", ".screenshots"))
"""Where pictures of pages go; not committed."""
ROLES: Final = {"olga": "operator", "oscar": "operator", "anna": "approver", "axel": "auditor"}
AXE: Final = Path(__file__).with_name("vendor").joinpath("axe.min.js").read_text()
_ARGS: Final = (
    "--no-sandbox --disable-gpu --disable-background-networking --no-first-run --disable-component-update --disable-sync"
).split()
_VIOLATIONS: Final = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`))"""


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Debian's Chromium, without a window."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=_ARGS)
        try:
            yield browser
        finally:
            await browser.close()


class House:
    """The four services, a receiver, and a browser."""

    def __init__(self, folder: Path, receiver: Receiver, browser: Browser, **settings: Any) -> None:
        self.installation = Installation(folder / "data", **settings)
        self.receiver = receiver
        self.url = ""
        self.ahead = timedelta(0)
        """How far retry's clock is ahead of everybody's."""
        self.errors: list[str] = []
        """What any page complained of, in any window."""
        self.refusing: list[str] = []
        """Parts of addresses whose refusal or silence is what a test is about."""
        self._connectors = folder / "connectors.json"
        self._browser = browser

    def connect(self, path: str = "/hook") -> None:
        """Write the connector file: one webhook."""
        webhook = {"url": self.receiver.url + path, "allow_private_networks": True}
        self._connectors.write_text(json.dumps({"connectors": {"webhook": webhook}}))

    @asynccontextmanager
    async def running(self) -> AsyncIterator["House"]:
        """All of it, while this context is open."""
        self.connect()
        os.environ["CAVRA_CONNECTOR_CONFIG"] = str(self._connectors)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self.installation.running("delivery"))
            settings = self.installation.settings
            address = await stack.enter_async_context(
                start_retry(settings, lambda: datetime.now(UTC) + self.ahead)
            )
            self.installation.settings = settings.model_copy(update={"retry_address": address})
            await stack.enter_async_context(self.installation.running("recovery"))
            self.url = await stack.enter_async_context(self.installation.running("gateway"))
            yield self

    async def window(self, *, theme: Any = "light", width: int = 1280, **more: Any) -> Page:
        """A window in which nobody is signed in."""
        context = await self._browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme=theme, **more
        )
        context.set_default_timeout(15_000)
        await context.add_init_script(_VIOLATIONS)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self.errors.append(str(error.error)))
        context.on("response", self._answered)
        context.on("requestfailed", self._failed)
        return await context.new_page()

    async def person(self, name: str, *roles: str, **window: Any) -> Page:
        """A window in which `name` is signed in, at the inbox."""
        page = await self.window(**window)
        await page.goto(f"{self.url}/console/")
        await page.get_by_label("Access token").fill(self.token(name, *roles))
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_role("heading", name="Inbox", level=1).wait_for()
        return page

    def token(self, name: str, *roles: str) -> str:
        """A token of `name`."""
        return self.installation.token(name, *(roles or (ROLES[name],)))

    async def open(self, page: Page, path: str) -> Page:
        """Go to a page of the console."""
        await page.goto(f"{self.url}/console{path}")
        return page

    def _heard(self, message: ConsoleMessage) -> None:
        # What was not answered well is told by its request, with its address.
        if message.type in ("error", "warning") and not message.text.startswith("Failed to load resource: "):
            self.errors.append(message.text)

    def _answered(self, response: Response) -> None:
        # A refusal is a page with a status of its own; what a page asks for beside itself has to be there.
        if response.status >= 400 and not response.request.is_navigation_request():
            self._complain(response.url, str(response.status))

    def _failed(self, request: Request) -> None:
        # Who leaves a page ends what it was still asking for.
        if request.failure != "net::ERR_ABORTED":
            self._complain(request.url, str(request.failure))

    def _complain(self, url: str, what: str) -> None:
        if not any(path in url for path in self.refusing):
            self.errors.append(f"{url}: {what}")


async def press(page: Page, button: str) -> None:
    """Send a form."""
    await page.get_by_role("main").get_by_role("button", name=button, exact=True).click()


async def heading(page: Page) -> str:
    """The page's first heading."""
    return await page.locator("h1").inner_text()


async def failed_delivery(house: House, page: Page) -> None:
    """An audit delivery that the receiver does not take, by clicks."""
    house.receiver.status = 503
    await house.open(page, "/deliver-audit")
    await page.get_by_text("More", exact=True).click()
    await page.get_by_label("Further tries within this send").fill("0")
    await press(page, "Deliver Audit")
    await page.get_by_role("heading", name="Delivery failed").wait_for()


async def planned(house: House, page: Page) -> None:
    """A retry plan that does not wait, by clicks."""
    await house.open(page, "/plan-audit-retry")
    await page.get_by_label("Retry without waiting").check()
    await press(page, "Plan Audit Retry")
    await page.get_by_role("heading", name="Retry planned").wait_for()


async def acknowledged(house: House, page: Page, reference: str = "OPS-1") -> None:
    """The one planned retry acknowledged, by clicks."""
    await house.open(page, "/ack-retry")
    await page.get_by_role("textbox", name="Ticket reference").fill(reference)
    await press(page, "Ack Retry")
    await page.get_by_role("heading", name="1 acknowledged").wait_for()


async def approval_planned(house: House, page: Page, minutes: int = 240) -> None:
    """An approval plan, by clicks."""
    await house.open(page, "/plan-retry-approval")
    await page.get_by_label("Usable for, in minutes").fill(str(minutes))
    await press(page, "Plan Retry Approval")
    await page.get_by_role("heading", name="Approval planned").wait_for()


async def approved(house: House, page: Page) -> None:
    """The one open item approved, by clicks."""
    await house.open(page, "/approve-retry")
    await press(page, "Approve Retry")
    await page.get_by_role("heading", name="1 approved").wait_for()


async def executed(house: House, page: Page, status: int = 200) -> None:
    """A live run that does not wait, by clicks, in front of a receiver that answers `status`."""
    house.receiver.status = status
    await house.open(page, "/execute-retry")
    await page.get_by_label("Retry now, without waiting for the delay").check()
    await press(page, "See what it takes")
    await press(page, "Execute Retry")
    await page.locator("#result").wait_for()


async def sound(page: Page) -> list[str]:
    """What axe finds wrong with the page as it is: rule and place of each."""
    await page.evaluate(AXE)
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = await page.evaluate(
        "async (tags) => (await axe.run(document, {runOnly: {type: 'tag', values: tags}})).violations", rules
    )
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in found
        for node in one["nodes"]
    ]


def chromium_or_skip() -> None:
    """Skips where there is no browser; fails where one is required."""
    if not CHROMIUM.exists():
        if os.environ.get("CAVRA_BROWSER_REQUIRED"):
            pytest.fail("Chromium is required here, and there is none")
        pytest.skip("there is no Chromium")
