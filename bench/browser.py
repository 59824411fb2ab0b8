"""What a person in front of the console waits for, in Chromium: until a page can be used, and until a change is seen."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import aiohttp
from playwright.async_api import Browser, Page

from bench.filling import trace_id
from bench.processes import Processes
from bench.row import Row, median
from tests.browser.house import CHROMIUM, chromium

VISITS: Final = 5
CHANGES: Final = 10
PAGES: Final = {
    "inbox": "/",
    "open failures": "/failures",
    "Deliver Audit": "/deliver-audit",
    "Plan Audit Retry": "/plan-audit-retry",
    "Ack Retry": "/ack-retry",
    "Plan Retry Approval": "/plan-retry-approval",
    "Approve Retry": "/approve-retry",
    "Execute Retry": "/execute-retry",
    "Recovery Playbook": "/recovery-playbook",
    "Close Recovery": "/close-recovery",
    "trace, newest": "/trace",
    "trace of one": f"/trace?id={trace_id(7)}",
    "history": "/history",
    "dashboard": "/dashboard",
}
_DELIVER: Final = "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery"

# A page can be used when it is parsed, its scripts have run, and the first frame after that is over: input is then answered at once.
_USABLE: Final = """window.usable = new Promise((resolve) => addEventListener("DOMContentLoaded",
    () => requestAnimationFrame(() => setTimeout(() => resolve(performance.now())))))"""
_SCRIPTS: Final = """() => performance.getEntriesByType("resource")
    .filter((one) => new URL(one.name).pathname.endsWith(".js")).reduce((sum, one) => sum + one.encodedBodySize, 0)"""
# Writes down what a place of the page says, each time that it says something else.
_WATCH: Final = """(place) => {
    const look = () => document.querySelector(place)?.textContent.trim() ?? "";
    window.said = [[Date.now(), look()]];
    new MutationObserver(() => {
        const text = look();
        if (text !== said.at(-1)[1]) said.push([Date.now(), text]);
    }).observe(document.querySelector("main"), { subtree: true, childList: true, characterData: true });
}"""
_SEEN: Final = """async (text) => {
    for (;;) {
        const found = said.find((one) => one[1] === text);
        if (found) return found[0];
        await new Promise((resolve) => setTimeout(resolve, 20));
    }
}"""


async def rows_of_the_browser(processes: Processes) -> list[Row]:
    """Empty without Chromium."""
    if not CHROMIUM.exists():
        return []
    async with chromium() as browser:
        return [
            *await _first_view(browser, processes),
            *await _pages(browser, processes),
            *await _changes(browser, processes),
        ]


async def _first_view(browser: Browser, processes: Processes) -> list[Row]:
    taken, scripts = [], 0.0
    for _ in range(VISITS):
        context = await browser.new_context()
        await context.add_init_script(_USABLE)
        page = await context.new_page()
        taken.append(await _usable(page, f"{processes.addresses['gateway']}/console/"))
        scripts = await page.evaluate(_SCRIPTS)
        await context.close()
    return [
        Row("sign in, by a browser that was never here, usable", median(taken), "ms", "under 1,000"),
        Row("script of it, compressed", scripts / 1000, "kB", "under 150"),
    ]


async def _pages(browser: Browser, processes: Processes) -> list[Row]:
    found, worst = [], 0.0
    page = await _signed_in(browser, processes, "olga", "operator")
    for name, path in PAGES.items():
        taken = [
            await _usable(page, f"{processes.addresses['gateway']}/console{path}") for _ in range(VISITS)
        ]
        found.append(Row(f"{name}, usable", median(taken), "ms", "under 1,000"))
        worst = max(worst, *taken)
    scripts = await page.evaluate(_SCRIPTS)
    await page.context.close()
    return [
        *found,
        Row("worst of all visits", worst, "ms", "under 1,000"),
        Row("script of the dashboard, compressed", scripts / 1000, "kB", "under 150"),
    ]


async def _usable(page: Page, url: str) -> float:
    """Milliseconds from the navigation's start."""
    await page.goto(url, wait_until="commit")
    found: float = await page.evaluate("() => window.usable")
    return found


async def _signed_in(browser: Browser, processes: Processes, name: str, role: str) -> Page:
    context = await browser.new_context()
    await context.add_init_script(_USABLE)
    page = await context.new_page()
    await page.goto(f"{processes.addresses['gateway']}/console/")
    await page.get_by_label("Access token").fill(processes.installation.token(name, role))
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("heading", name="Inbox", level=1).wait_for()
    return page


@dataclass(frozen=True)
class _Window:
    """A page that somebody looks at, and where on it a failed delivery is seen."""

    path: str
    place: str
    says: Callable[[str, dict[str, Any]], str]
    """From what the place said before, and the API's answer to who delivered."""


def _one_more(before: str, _: dict[str, Any]) -> str:
    count = int(before.partition(" ")[0].replace(",", "") or 0) + 1
    return before.replace(before.partition(" ")[0], f"{count:,}") if before else ""


_WINDOWS: Final = {
    "inbox": _Window("/", "#inbox a[href$='/failures']", _one_more),
    "trace": _Window("/trace", "#begun tbody a", lambda _, made: made["metadata"]["delivery_id"]),
    "history": _Window("/history", "#found tbody code", lambda _, made: made["metadata"]["session_id"]),
    "dashboard": _Window("/dashboard", "[data-figure=failed_delivery_count] .number", _one_more),
}


async def _changes(browser: Browser, processes: Processes) -> list[Row]:
    """From a record's time, which is taken just before it is committed, to its being on another person's screen."""
    url, token = processes.addresses["gateway"], processes.installation.token("olga", "operator")
    found = []
    page = await _signed_in(browser, processes, "axel", "auditor")
    async with aiohttp.ClientSession(url, headers={"authorization": f"Bearer {token}"}) as http:
        for _ in range(2):
            await _failed(http)  # From here on, "N failures" says one more each time.
        for name, window in _WINDOWS.items():
            await page.goto(f"{url}/console{window.path}")
            await page.locator("#live-state[data-state=live]").wait_for()
            await page.evaluate(_WATCH, window.place)
            taken = []
            for _ in range(CHANGES):
                await asyncio.sleep(1)
                before = await page.evaluate("said.at(-1)[1]")
                made = await _failed(http)
                text = window.says(before, made)
                seen = await page.evaluate(_SEEN, text)
                at = datetime.fromisoformat(made["metadata"]["created_at"]).timestamp() * 1000
                taken.append(seen - at)
            found.append(Row(f"a change is seen on {name}, p50", median(taken), "ms", "under 1,000"))
            found.append(Row(f"a change is seen on {name}, worst of {CHANGES}", max(taken), "ms"))
    return found


async def _failed(http: aiohttp.ClientSession) -> dict[str, Any]:
    """A delivery that the receiver did not take."""
    async with http.post(_DELIVER, json={"retries": 0}) as response:
        response.raise_for_status()
        document: dict[str, Any] = await response.json()
    return document
