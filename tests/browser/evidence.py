"""What the evidence pages are held against: the API's own answers."""

from typing import Any, Final

import aiohttp
from playwright.async_api import Page

from tests.browser.house import (
    House,
    acknowledged,
    approval_planned,
    approved,
    executed,
    failed_delivery,
    planned,
)

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


async def live(page: Page) -> None:
    """Wait until the page follows what changes."""
    await page.locator("#live-state[data-state=live]").wait_for()
