"""What an action's page says when what it is about has changed elsewhere: nothing that was filled in is lost by it."""

from playwright.async_api import Page, expect

from tests.browser.evidence import live
from tests.browser.house import (
    House,
    acknowledged,
    approval_planned,
    failed_delivery,
    heading,
    planned,
    press,
    sound,
)

NEWS = "Something here has changed."


async def opened(house: House, page: Page, path: str) -> None:
    """An action's page that follows what changes."""
    await house.open(page, path)
    await live(page)
    await page.wait_for_load_state("networkidle")
    await expect(page.get_by_text(NEWS)).to_be_hidden()


async def test_a_page_says_that_what_it_is_about_changed_and_shows_it_when_asked_with_all_that_was_filled_in(
    house: House,
) -> None:
    olga, oscar, anna = [await house.person(name) for name in ("olga", "oscar", "anna")]
    for _ in range(2):
        await failed_delivery(house, olga)
    await planned(house, olga)
    await house.open(oscar, "/ack-retry")
    await oscar.get_by_role("checkbox", name="webhook").first.check()
    await press(oscar, "Ack Retry")
    await approval_planned(house, olga)

    await opened(house, anna, "/approve-retry")
    await anna.get_by_label("Notes").fill("I looked at it.")
    await anna.get_by_role("radio", name="Defer").check()
    key = await anna.locator("main [name=idempotency_key]").input_value()
    await acknowledged(house, oscar)
    await approval_planned(house, olga)
    await expect(anna.get_by_text(NEWS)).to_be_visible()
    await expect(anna.locator("[aria-live=polite]", has=anna.get_by_text(NEWS))).to_have_count(1)
    assert await sound(anna) == []
    await expect(anna.locator("[data-digest]")).to_have_count(1)
    await expect(anna.get_by_label("Notes")).to_have_value("I looked at it.")

    await anna.get_by_role("link", name="Show it").click()
    await expect(anna.locator("[data-digest]")).to_have_count(2)
    await expect(anna.get_by_text(NEWS)).to_be_hidden()
    await expect(anna.get_by_label("Notes")).to_have_value("I looked at it.")
    await expect(anna.get_by_role("radio", name="Defer")).to_be_checked()
    boxes = anna.get_by_role("checkbox", name="webhook")
    assert [await boxes.nth(at).is_checked() for at in range(2)] == [True, False]
    assert await anna.locator("main [name=idempotency_key]").input_value() == key
    await press(anna, "Approve Retry")
    assert await heading(anna) == "1 deferred"
