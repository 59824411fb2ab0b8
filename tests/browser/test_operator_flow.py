"""The eight actions, by clicks, by three people."""

import asyncio
import re

from playwright.async_api import Page, expect

from tests.browser.evidence import api
from tests.browser.house import (
    House,
    acknowledged,
    approval_planned,
    approved,
    executed,
    failed_delivery,
    heading,
    planned,
    press,
)


async def waits(house: House, page: Page) -> list[str]:
    """What the inbox says waits for whoever looks."""
    await house.open(page, "/")
    titles = await page.locator("section[id^=mine] h2").all_inner_texts()
    return [re.sub(r"^Step\s+\d+|\d+\+?$", "", title.strip()).strip() for title in titles]


async def test_a_failed_delivery_becomes_a_closed_recovery_by_the_clicks_of_three_people(
    house: House,
) -> None:
    olga, oscar, anna = [await house.person(name) for name in ("olga", "oscar", "anna")]
    assert await waits(house, olga) == []
    await failed_delivery(house, olga)
    await failed_delivery(house, olga)
    assert await waits(house, olga) == ["Failures to plan", "Connectors that keep failing"]

    await planned(house, olga)
    assert await waits(house, anna) == []
    await oscar.get_by_role("link", name="Inbox").click()
    await oscar.get_by_role("link", name="Ack Retry webhook").first.click()
    await oscar.get_by_label("Choose all").check()
    await oscar.get_by_role("textbox", name="Ticket reference").fill("OPS-1")
    await oscar.get_by_label("Notes").fill("The collector was being patched.")
    await press(oscar, "Ack Retry")
    assert await heading(oscar) == "2 acknowledged"
    await approval_planned(house, olga)

    assert await waits(house, anna) == ["Approvals to decide"]
    await house.open(anna, "/approve-retry")
    digests = await anna.locator("[data-digest]").all_inner_texts()
    for where in await anna.locator("[data-address]").all_inner_texts():
        assert f"webhook, {house.receiver.url}, destination" in where
    places = await anna.locator("[data-place]").all_inner_texts()
    assert [place.split()[0] for place in places] == [house.receiver.url] * 2
    package = anna.locator("dd", has=anna.get_by_role("link", name="Open the package")).first
    package_hash = await package.locator(".hash").inner_text()
    await package.get_by_role("link", name="Open the package").click()
    await expect(anna.locator("#record")).to_contain_text(package_hash)
    await anna.go_back()
    await anna.get_by_label("Choose all that you may approve").check()
    await press(anna, "Approve Retry")
    assert await heading(anna) == "2 approved"
    for digest in digests:
        await expect(anna.get_by_text(digest)).to_be_visible()

    assert await waits(house, olga) == ["Approved, to execute", "Connectors that keep failing"]
    await executed(house, olga)
    assert await heading(olga) == "2 of 2 delivered"
    assert len(house.receiver.received) == 4

    await olga.get_by_role("link", name="Write a recovery playbook").click()
    await expect(olga.get_by_text("A playbook for 1 connector")).to_be_visible()
    await press(olga, "Recovery Playbook")
    await olga.get_by_role("link", name="Close Recovery of webhook").click()
    await olga.get_by_role("checkbox", name="Execution record").first.check()
    await press(olga, "Close Recovery")
    assert await heading(olga) == "webhook is resolved"
    assert await waits(house, olga) == []


async def taken(page: Page) -> list[str]:
    """The connectors of what would be sent now, as the page before the run says."""
    await page.get_by_role("heading", name="Would be sent now").wait_for()
    return await page.eval_on_selector_all("[data-taken]", "all => all.map(one => one.dataset.taken)")  # type: ignore[no-any-return]


async def test_what_a_run_takes_is_shown_before_it_runs_and_is_what_it_then_takes(house: House) -> None:
    olga, oscar, anna = [await house.person(name) for name in ("olga", "oscar", "anna")]
    both = await house.person("bea", "operator", "approver")
    for _ in range(3):
        await failed_delivery(house, olga)
    await planned(house, olga)
    await house.open(oscar, "/ack-retry")
    await oscar.get_by_label("Choose all").check()
    await press(oscar, "Ack Retry")
    await approval_planned(house, olga)
    await house.open(olga, "/execute-retry")
    await olga.get_by_label("Retry now").check()
    await press(olga, "See what it takes")
    assert await taken(olga) == [], "nothing is approved"
    await expect(olga.get_by_text("3 other open failures are not approved")).to_be_visible()

    # The oldest stays unapproved, the next is approved by who may not execute it as well, the third by somebody else.
    for page, at in ((both, 1), (anna, 1)):
        await house.open(page, "/approve-retry")
        await page.get_by_role("checkbox", name="webhook").nth(at).check()
        await press(page, "Approve Retry")
        await page.get_by_role("heading", name="1 approved").wait_for()
    await house.open(both, "/execute-retry")
    await both.get_by_label("Retry now").check()
    await both.get_by_text("Timing and limits").click()
    await both.get_by_label("At most so many retries").fill("1")
    await press(both, "See what it takes")
    (one,) = await taken(both)
    left = both.locator("[data-left]")
    await expect(left).to_have_count(1)
    await expect(left).to_contain_text("somebody else has to execute")
    await expect(both.get_by_text("1 other open failure is not approved")).to_be_visible()
    assert len(house.receiver.received) == 3, "nothing is sent by looking"

    house.receiver.status = 200
    await press(both, "Execute Retry")
    assert await heading(both) == "1 of 1 delivered"
    (sent,) = (await api(house, "", execution_status="delivered"))["items"]
    assert f"{sent['delivery_id']} {sent['provider']}" == one


async def test_what_waits_for_its_delay_is_not_shown_as_taken_and_can_be_taken_at_once(house: House) -> None:
    olga, oscar, anna = [await house.person(name) for name in ("olga", "oscar", "anna")]
    await failed_delivery(house, olga)
    await planned(house, olga)
    await acknowledged(house, oscar)
    await approval_planned(house, olga)
    await approved(house, anna)
    await house.open(olga, "/execute-retry")
    await press(olga, "See what it takes")
    assert await taken(olga) == []
    await expect(olga.locator("[data-left]")).to_contain_text("Its delay is not over.")
    await olga.get_by_role("link", name="Change it").click()
    await olga.get_by_label("Retry now").check()
    await press(olga, "See what it takes")
    assert len(await taken(olga)) == 1
    assert len(house.receiver.received) == 1


async def test_an_unknown_outcome_is_resolved_by_somebody_else(house: House) -> None:
    olga, oscar, anna = [await house.person(name) for name in ("olga", "oscar", "anna")]
    await failed_delivery(house, olga)
    await planned(house, olga)
    await acknowledged(house, oscar)
    await approval_planned(house, olga)
    await approved(house, anna)
    house.receiver.hold = asyncio.Event()
    await house.open(olga, "/execute-retry")
    await olga.get_by_label("Retry now").check()
    await olga.get_by_text("Timing and limits").click()
    await olga.get_by_label("Seconds per try").fill("1")
    await olga.get_by_label("Further tries within one send").fill("0")
    await press(olga, "See what it takes")
    await press(olga, "Execute Retry")
    await expect(olga.get_by_text("webhook: unknown")).to_be_visible(timeout=30_000)
    house.receiver.hold.set()
    await house.open(olga, "/")
    await olga.get_by_role("link", name="Look webhook").click()
    await expect(olga.get_by_role("button", name="Resolve")).to_be_disabled()
    assert "Unknown outcomes to resolve" in await waits(house, oscar)
    await oscar.get_by_role("link", name="Resolve webhook").click()
    await oscar.get_by_label("It has the message").check()
    await oscar.get_by_role("textbox", name="Ticket reference").fill("OPS-9")
    await press(oscar, "Resolve")
    assert await heading(oscar) == "The receiver has it"
