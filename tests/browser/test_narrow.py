"""The operator flow on a phone: 360 px wide, by clicks, with nothing cut off and every button within reach."""

from playwright.async_api import Page, expect

from tests.browser.house import (
    House,
    acknowledged,
    approval_planned,
    approved,
    executed,
    failed_delivery,
    planned,
)

_OUT_OF_REACH = """() => {
    const wide = document.documentElement.clientWidth;
    const shown = (one) => one.checkVisibility() && !one.closest(".canvas, .visually-hidden, .skip");
    const found = [...document.querySelectorAll("main :is(a, button, input, select, textarea), main p, main code, main td, header *")]
        .filter((one) => shown(one) && !one.matches(".skip"))
        .filter((one) => { const box = one.getBoundingClientRect(); return box.width && (box.left < 0 || box.right > wide + 0.5); });
    const scrolls = [...document.querySelectorAll("main .scroll")].filter((one) => one.scrollWidth > one.clientWidth);
    return [
        ...(document.documentElement.scrollWidth > wide ? ["the page is wider than the window"] : []),
        ...[...found, ...scrolls].map((one) => one.outerHTML.slice(0, 120)),
    ];
}"""


async def out_of_reach(page: Page) -> list[str]:
    """What stands outside of the window, or has to be scrolled sideways to be seen."""
    found: list[str] = await page.evaluate(_OUT_OF_REACH)
    return [f"{page.url}: {one}" for one in found]


async def test_the_flow_is_walked_at_360_px_without_scrolling_sideways(house: House) -> None:
    olga, oscar, anna = [await house.person(name, width=360) for name in ("olga", "oscar", "anna")]
    faults = []
    for page, step in (
        (olga, failed_delivery),
        (olga, planned),
        (oscar, acknowledged),
        (olga, approval_planned),
        (anna, approved),
        (olga, executed),
    ):
        await step(house, page)
        faults += await out_of_reach(page)
        await house.open(page, "/")
        faults += await out_of_reach(page)
    await olga.get_by_text("Menu", exact=True).click()
    await olga.get_by_role("navigation", name="Console").get_by_role("link", name="Trace").click()
    await olga.locator("#begun a").click()
    await expect(olga.locator(".canvas")).to_be_visible()
    faults += await out_of_reach(olga)
    for path in ("/plan-audit-retry", "/approve-retry", "/execute-retry", "/history", "/dashboard"):
        await house.open(olga, path)
        faults += await out_of_reach(olga)
    assert faults == []
