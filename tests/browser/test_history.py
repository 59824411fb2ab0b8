"""Everything that was recorded, asked for by form and address, and exported."""

import asyncio
import csv
import io
import json
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.evidence import Archive, api, live, pictured, signed_in
from tests.browser.house import House, failed_delivery, press, sound


async def listed(page: Page) -> list[str]:
    """Ids of the records on the page."""
    found: list[str] = await page.eval_on_selector_all("[data-id]", "rows => rows.map(row => row.dataset.id)")
    return found


async def exported(page: Page, form: str) -> str:
    """An export's text."""
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name=f"Export {form}").click()
    return await asyncio.to_thread((await (await downloading.value).path()).read_text, "utf-8")


async def test_history_lists_what_the_api_lists_and_its_form_asks_for_what_its_address_says(
    house: House,
) -> None:
    olga = await house.person("olga")
    await failed_delivery(house, olga)
    await house.open(olga, "/plan-audit-retry")
    await press(olga, "Plan Audit Retry")
    await house.open(olga, "/history")
    assert await listed(olga) == [item["session_id"] for item in (await api(house, ""))["items"]]
    await olga.get_by_label("Kind").select_option(label="connector delivery")
    await olga.get_by_text("More filters").click()
    await olga.get_by_label("Delivery success").select_option("false")
    await olga.get_by_label("Actor").fill("olga")
    await press(olga, "Search")
    await expect(olga.locator("#total")).to_have_text("1 record")
    asked = {"metadata_kind": "release-connector-delivery", "delivery_success": "false", "actor": "olga"}
    found = await api(house, "", **asked)
    assert await listed(olga) == [item["session_id"] for item in found["items"]]
    assert all(f"{name}={value}" in olga.url for name, value in asked.items())
    await olga.reload()
    await expect(olga.get_by_label("Delivery success")).to_have_value("false")
    await olga.locator("[data-id] a").click()
    await expect(olga.locator("#record")).to_contain_text(found["items"][0]["record_hash"])


async def test_pages_follow_each_other_without_a_record_lost_or_listed_twice(archive: Archive) -> None:
    await archive.acknowledged(120)
    axel = await signed_in(archive, "axel", "/history?schedule_id=drill-1")
    await expect(axel.locator("#total")).to_have_text("120 records")
    seen = await listed(axel)
    for _ in range(2):
        await axel.get_by_role("link", name="Next page").click()
        await axel.wait_for_url("**cursor=*")
        seen += await listed(axel)
        await expect(axel.get_by_role("link", name="First page")).to_be_visible()
    assert seen == [
        item["session_id"] for item in (await api(archive, "", schedule_id="drill-1", limit="500"))["items"]
    ]
    last = axel.url
    await axel.get_by_role("link", name="First page").click()
    await expect(axel.get_by_role("link", name="First page")).to_have_count(0)
    assert await listed(axel) == seen[:50]
    # Somebody who was sent the last page's address has never been on those before it.
    other = await signed_in(archive, "olga", "/history")
    await other.goto(last)
    await other.get_by_role("link", name="Previous page").click()
    await expect(other.locator("[data-id]").first).to_have_attribute("data-id", seen[50])
    assert await listed(other) == seen[50:100]
    assert "cursor=" in other.url
    await other.get_by_role("link", name="Previous page").click()
    await expect(other.get_by_role("link", name="Previous page")).to_have_count(0)
    assert await listed(other) == seen[:50]


async def test_exports_hold_what_the_api_has_and_no_formula(archive: Archive) -> None:
    await archive.acknowledged(1, notes='=HYPERLINK(0) "q",\nsecond line')
    await archive.acknowledged(520)
    axel = await signed_in(archive, "axel", "/history?schedule_id=drill-1")
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        found = await api(archive, "", schedule_id="drill-1", limit="500", cursor=cursor)
        items, cursor = items + found["items"], found["next_cursor"]
    assert len(items) == 521
    whole = json.loads(await exported(axel, "JSON"))
    assert whole["items"] == items
    assert (whole["total"], whole["total_relation"], whole["truncated"]) == (521, "exact", False)
    rows = list(csv.DictReader(io.StringIO(await exported(axel, "CSV"), newline="")))
    assert [row["record_hash"] for row in rows] == [item["record_hash"] for item in items]
    assert rows[-1]["notes"] == '\'=HYPERLINK(0) "q",\nsecond line'
    assert {row["log_index"] for row in rows} == {str(item["log"]["index"]) for item in items}


async def test_a_record_appears_in_history_as_it_is_committed_and_a_later_page_stays_as_it_is(
    archive: Archive,
) -> None:
    await archive.acknowledged(60)
    axel = await signed_in(archive, "axel", "/history")
    await live(axel)
    later = await axel.context.new_page()
    await archive.open(later, "/history")
    await later.get_by_role("link", name="Next page").click()
    await later.wait_for_url("**cursor=*")
    await live(later)
    older = await listed(later)
    await archive.acknowledged(1)
    newest = (await api(archive, ""))["items"][0]["session_id"]
    await axel.locator(f"[data-id='{newest}']").wait_for()
    assert await listed(later) == older


async def test_what_is_no_filter_is_told_and_markup_in_a_filter_stays_text(house: House) -> None:
    axel = await house.person("axel")
    await house.open(axel, "/history?actor=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    await expect(axel.get_by_text("No record matches.")).to_be_visible()
    await expect(axel.get_by_label("Actor")).to_have_value('"><script>alert(1)</script>')
    await house.open(axel, "/history?limit=0")
    await expect(axel.get_by_text("limit")).to_be_visible()
    await axel.get_by_role("link", name="Open this page anew").click()
    await expect(axel.get_by_role("heading", name="History", level=1)).to_be_visible()


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_history_is_sound(house: House, theme: str) -> None:
    olga = await house.person("olga", theme=theme)
    await failed_delivery(house, olga)
    await house.open(olga, "/history?actor=olga&cadence=on_demand")
    await pictured(olga, "history", theme, 1280)
    assert await sound(olga) == []
    await olga.set_viewport_size({"width": 360, "height": 800})
    await pictured(olga, "history", theme, 360)
    assert await olga.evaluate("document.documentElement.scrollWidth <= innerWidth")
