"""How everything stands, in figures and charts."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.evidence import Archive, api, live, pictured, retried, signed_in
from tests.browser.house import House, failed_delivery, sound


async def drawn(page: Page) -> None:
    """Wait until the charts are there."""
    await page.locator("#charts[data-drawn]").wait_for()


async def table(page: Page, chart: str) -> list[list[str]]:
    """A chart's numbers, as its table has them."""
    rows: list[list[str]] = await page.eval_on_selector_all(
        f"#{chart}-table tbody tr",
        "rows => rows.map(row => [...row.cells].map(cell => cell.textContent))",
    )
    return rows


async def test_figures_are_the_apis_and_charts_add_up_to_them(house: House) -> None:
    await retried(house)
    axel = await house.person("axel")
    await house.open(axel, "/dashboard?days=1")
    await drawn(axel)
    figures = await api(house, "/dashboard")
    shown = await axel.eval_on_selector_all(
        "[data-figure]",
        "figures => figures.map(one => [one.dataset.figure, one.querySelector('.number').textContent])",
    )
    assert len(shown) > 30
    for name, text in shown:
        value = figures[name]
        assert text == (f"{value:.1%}" if isinstance(value, float) else str(value)), name
    deliveries = await table(axel, "deliveries")
    assert len(deliveries) == 24
    assert [sum(int(row[column]) for row in deliveries) for column in (1, 2)] == [1, 1]
    assert sum(int(row[1]) for row in await table(axel, "executions")) == 1
    assert await table(axel, "failures") == [["webhook", "1", "1", "50%", "503 server error (1)"]]
    await expect(axel.locator("[data-connector=webhook]")).to_contain_text("ready")
    assert await axel.locator("#charts canvas").count() == 6


async def test_figures_and_charts_follow_what_happens(house: House) -> None:
    olga, axel = await house.person("olga"), await house.person("axel")
    await house.open(axel, "/dashboard?days=1")
    await drawn(axel)
    await live(axel)
    await failed_delivery(house, olga)
    failed = axel.locator("[data-figure=failed_acknowledgement_audit_delivery_count] .number")
    await expect(failed).to_have_text("1")
    await expect(axel.locator("#deliveries-sum")).to_have_text("0 delivered, 1 failed")


async def test_a_service_that_is_down_is_shown_as_such_and_so_is_its_coming_back(archive: Archive) -> None:
    axel = await signed_in(archive, "axel", "/dashboard")
    await drawn(axel)
    await live(axel)
    address = archive.installation.settings.retry_address
    await archive.fakes.stop("retry")
    await axel.get_by_text("The retry service is down.").wait_for()
    plans = axel.locator("[data-figure=acknowledgement_audit_delivery_retry_plan_count] .number")
    await expect(plans).to_have_text("not known")
    await expect(axel.locator("#executions")).to_have_text("Not known: a service is down.")
    await expect(axel.locator("[data-figure=delivery_count] .number")).to_have_text("0")
    await archive.fakes.start("retry", address)
    await expect(plans).to_have_text("0", timeout=15_000)
    await expect(axel.locator("#executions canvas")).to_have_count(1)


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_the_dashboard_is_sound(house: House, theme: str) -> None:
    olga = await house.person("olga", theme=theme)
    await failed_delivery(house, olga)
    await house.open(olga, "/dashboard")
    await drawn(olga)
    await pictured(olga, "dashboard", theme, 1280)
    assert await sound(olga) == []
    await olga.set_viewport_size({"width": 360, "height": 800})
    await pictured(olga, "dashboard", theme, 360)
    assert await olga.evaluate("document.documentElement.scrollWidth <= innerWidth")
