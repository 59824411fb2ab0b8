"""What the evidence pages are held against: the API's own answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
from cavra_evidence.draft import Draft
from playwright.async_api import Browser, Page

from tests.browser.house import (
    SHOTS,
    House,
    acknowledged,
    approval_planned,
    approved,
    executed,
    failed_delivery,
    planned,
)
from tests.support.fake_services import FakeServices
from tests.support.receiver import Receiver
from tests.support.samples import draft, sample

NOTIFICATIONS: Final = "/runtime/go-pilot/rollback-drill-notifications"


async def api(house: House, path: str, **query: str) -> dict[str, Any]:
    """An answer of the API, as an auditor gets it."""
    headers = {"authorization": f"Bearer {house.token('axel')}"}
    async with (
        aiohttp.ClientSession() as http,
        http.get(house.url + NOTIFICATIONS + path, params=query, headers=headers) as response,
    ):
        assert response.status == 200, await response.text()
        document: dict[str, Any] = await response.json()
        return document


async def retried(house: House) -> str:
    """A failed delivery, retried by three people and delivered; its id."""
    olga, oscar, anna = [await house.person(name) for name in ("olga", "oscar", "anna")]
    await failed_delivery(house, olga)
    await planned(house, olga)
    await acknowledged(house, oscar)
    await approval_planned(house, olga)
    await approved(house, anna)
    await executed(house, olga)
    return (await api(house, "", execution_status="delivered"))["items"][0]["delivery_id"]  # type: ignore[no-any-return]


async def pictured(page: Page, name: str, theme: str, width: int) -> None:
    """Keep a picture of the page, to be looked at."""
    SHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SHOTS / f"{name}-{theme}-{width}.png", full_page=True)


async def live(page: Page) -> None:
    """Wait until the page follows what changes."""
    await page.locator("#live-state[data-state=live]").wait_for()


async def signed_in(house: House, name: str, path: str, **window: Any) -> Page:
    """A window in which `name` is signed in, at a page of the console."""
    page = await house.window(**window)
    await page.goto(f"{house.url}/console{path}")
    await page.get_by_label("Access token").fill(house.token(name))
    await page.get_by_role("button", name="Sign in").click()
    await page.wait_for_url(f"{house.url}/console{path}")
    return page


class Archive(House):
    """The gateway over logs that hold whatever a test writes, in front of services that answer little."""

    def __init__(self, folder: Path, browser: Browser) -> None:
        super().__init__(folder, Receiver(), browser)
        self.fakes = FakeServices(folder / "fakes")

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Archive"]:
        """All of it, while this context is open."""
        async with self.fakes.running():
            self.installation, self.url = self.fakes.installation, self.fakes.url
            yield self

    async def write(self, service: str, *drafts: Draft) -> None:
        """Commit records."""
        await self.fakes.write(service, *drafts)

    async def acknowledged(self, count: int, notes: str = "") -> None:
        """So many acknowledgements of one drill, in delivery's log."""
        for first in range(0, count, 50):
            records = [
                draft(sample("notification_ack", schedule_id="drill-1", notes=notes))
                for _ in range(min(50, count - first))
            ]
            await self.write("delivery", *records)
