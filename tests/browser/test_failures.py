"""More open failures than the inbox sorts: it says so, and leads to all of them."""

import pytest
from cavra_gateway.console import failures, reads
from playwright.async_api import expect

from tests.browser.evidence import live, pictured
from tests.browser.house import House, failed_delivery, sound


async def test_the_inbox_says_how_many_are_open_and_leads_to_those_it_does_not_sort(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await house.person("olga")
    for _ in range(4):
        await failed_delivery(house, olga)
    await house.open(olga, "/")
    await expect(olga.get_by_role("link", name="4 open failures")).to_be_visible()
    await expect(olga.locator("#omitted")).to_have_count(0)

    monkeypatch.setattr(reads, "_MOST_WORK", 3)
    monkeypatch.setattr(failures, "_PAGE", 2)
    await olga.reload()
    await expect(olga.locator("#omitted")).to_contain_text(
        "4 failures are open. Sorted here are the 3 oldest."
    )
    await expect(olga.get_by_role("heading", name="Failures to plan 3+")).to_be_visible()
    await olga.get_by_role("link", name="All 4 open failures").click()
    await expect(olga.locator("#total")).to_have_text("4 open failures")
    seen = await olga.locator("[data-failure]").count()
    await olga.get_by_role("link", name="Next page").click()
    await olga.wait_for_url("**page_token=*")
    rows = olga.locator("[data-failure]")
    assert (seen, await rows.count()) == (2, 2)
    await expect(rows.nth(0)).to_contain_text("a retry plan")
    await expect(rows.nth(1)).to_contain_text("older ones first")
    await expect(olga.get_by_role("link", name="Next page")).to_have_count(0)
    delivery = (await rows.nth(1).get_attribute("data-failure") or "").split(" ")[0]
    await rows.nth(1).get_by_role("link").click()
    await expect(olga.locator("h1")).to_contain_text(delivery)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_open_failures_are_sound_follow_what_happens_and_ask_by_connector(
    house: House, theme: str
) -> None:
    olga = await house.person("olga", theme=theme)
    window = await house.person("olga", theme=theme)
    await house.open(window, "/failures")
    await expect(window.get_by_text("No failure is open.")).to_be_visible()
    await live(window)
    await failed_delivery(house, olga)
    await expect(window.locator("[data-failure]")).to_have_count(1)
    await pictured(window, "failures", theme, 1280)
    assert await sound(window) == []
    await window.get_by_label("Connector").fill("splunk")
    await window.get_by_role("button", name="Show").click()
    await expect(window.get_by_text("No failure is open of this connector.")).to_be_visible()
    await window.set_viewport_size({"width": 360, "height": 800})
    await pictured(window, "failures-none", theme, 360)
    assert await window.evaluate("document.documentElement.scrollWidth <= innerWidth")
