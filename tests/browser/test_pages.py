"""Every page, light and dark, wide and narrow: sound to axe, in one piece at 360 px, and harmless whatever it shows."""

import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.evidence import api
from tests.browser.house import (
    SHOTS,
    House,
    approval_planned,
    approved,
    executed,
    failed_delivery,
    heading,
    planned,
    press,
    sound,
)

PAGES = [
    "/", "/deliver-audit", "/plan-audit-retry", "/ack-retry", "/plan-retry-approval", "/approve-retry", "/execute-retry",
    "/recovery-playbook", "/close-recovery", "/resolve-unknown", "/nowhere",
]  # fmt: skip


async def looked_at(house: House, page: Page, name: str, theme: str, width: int) -> list[str]:
    """What is wrong with a page as it stands; a picture of it is kept."""
    SHOTS.mkdir(exist_ok=True)
    await page.screenshot(path=SHOTS / f"{name}-{theme}-{width}.png", full_page=True)
    wide = await page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return [f"{name} {theme} {width}: {one}" for one in await sound(page)] + (
        [f"{name} {theme} {width}: wider than the window"] if wide else []
    )


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
async def test_every_page_is_sound(house: House, theme: str, width: int) -> None:
    look: dict[str, Any] = {"theme": theme, "width": width}
    faults = []
    door = await house.window(**look)
    await house.open(door, "/sign-in")
    faults += await looked_at(house, door, "sign-in", theme, width)
    olga, oscar = await house.person("olga", **look), await house.person("oscar")
    anna = await house.person("anna", **look)
    await failed_delivery(house, olga)
    faults += await looked_at(house, olga, "result", theme, width)
    await failed_delivery(house, olga)
    await planned(house, olga)
    faults += await looked_at(house, olga, "retry-plan", theme, width)
    await house.open(oscar, "/ack-retry")
    await oscar.get_by_role("checkbox", name="webhook").first.check()
    await press(oscar, "Ack Retry")
    await approval_planned(house, olga)
    faults += await looked_at(house, olga, "approval-plan", theme, width)
    for path in PAGES:
        for who, page in (("operator", olga), ("approver", anna)):
            await house.open(page, path)
            faults += await looked_at(house, page, f"{path.strip('/') or 'inbox'}-{who}", theme, width)
    await approved(house, anna)
    await house.open(olga, "/execute-retry")
    faults += await looked_at(house, olga, "execute-retry-approved", theme, width)
    await press(olga, "See what it takes")
    await olga.get_by_role("heading", name="Would be sent now").wait_for()
    faults += await looked_at(house, olga, "execute-retry-look", theme, width)
    await executed(house, olga)
    faults += await looked_at(house, olga, "worker-run", theme, width)
    await house.open(olga, "/recovery-playbook")
    await press(olga, "Recovery Playbook")
    faults += await looked_at(house, olga, "playbook", theme, width)
    await olga.get_by_role("link", name="Close Recovery of webhook").click()
    await press(olga, "Close Recovery")
    await expect(olga.locator("#problem")).to_be_visible()
    faults += await looked_at(house, olga, "close-recovery-refused", theme, width)
    assert faults == []


async def tops(page: Page, fields: str) -> list[set[int]]:
    """For each row of a grid of fields, where its inputs begin."""
    boxes = await page.eval_on_selector_all(
        f"{fields} > .field",
        """fields => fields.map(one => [one, one.querySelector("input, select")])
            .map(all => all.map(one => Math.round(one.getBoundingClientRect().top)))""",
    )
    rows: dict[int, set[int]] = {}
    for field, box in boxes:
        rows.setdefault(field, set()).add(box)
    return list(rows.values())


async def test_fields_beside_each_other_stand_on_one_line(house: House) -> None:
    olga = await house.person("olga")
    for path, fold in (
        ("/history", "More filters"),
        ("/recovery-playbook", ""),
        ("/execute-retry", "Timing and limits"),
    ):
        await house.open(olga, path)
        if fold:
            await olga.get_by_text(fold).click()
        rows = await tops(olga, ".filters" if path == "/history" else ".grid-2")
        assert rows, path
        assert [row for row in rows if len(row) > 1] == [], path


async def test_what_is_at_no_page_is_told_within_the_menu(house: House) -> None:
    olga = await house.person("olga")
    await house.open(olga, "/nowhere")
    await expect(olga.get_by_text("the console has no page at /console/nowhere")).to_be_visible()
    await olga.get_by_role("navigation", name="Console").get_by_role("link", name="History").click()
    await expect(olga.get_by_role("heading", name="History", level=1)).to_be_visible()


MARKUP = "<img src=x onerror=alert(1)><script>alert(2)</script>"


async def test_markup_in_notes_references_and_names_stays_text(house: House) -> None:
    name = "O'Lga &amp; &lt;b&gt;"
    olga = await house.window()
    await olga.goto(f"{house.url}/console/")
    token = house.installation.issuer.token("olga", ["operator"], name=name)
    await olga.get_by_label("Access token").fill(token)
    await olga.get_by_role("button", name="Sign in").click()
    await expect(olga.get_by_role("group", name="Signed in")).to_contain_text(name)
    oscar = await house.person("oscar")
    await failed_delivery(house, olga)
    await planned(house, olga)
    await house.open(oscar, "/ack-retry")
    await oscar.get_by_role("textbox", name="Ticket reference").fill('"><script>alert(3)</script>')
    await oscar.get_by_label("Notes").fill(MARKUP)
    await press(oscar, "Ack Retry")
    await expect(oscar.locator("#problem")).to_be_visible()
    await expect(oscar.get_by_label("Notes")).to_have_value(MARKUP)
    await oscar.get_by_role("textbox", name="Ticket reference").fill("OPS-1")
    await press(oscar, "Ack Retry")
    assert await heading(oscar) == "1 acknowledged"
    marks = oscar.locator("main img, main script, main b:not(.said b)")
    await expect(marks).to_have_count(0)
    written = (await api(house, "", actor="oscar"))["items"][0]["session_id"]
    for path, shown in (
        (f"/trace?id={written}&record={written}", MARKUP),
        (f"/trace?id={written}", name),
        ("/history", name),
        (f"/close-recovery?playbook_id={MARKUP}&provider={MARKUP}", "No such playbook"),
    ):
        await house.open(oscar, path)
        await expect(oscar.get_by_role("main")).to_contain_text(shown)
        await expect(marks).to_have_count(0)


async def test_times_are_in_the_readers_zone_with_utc_beside_them(house: House) -> None:
    page = await house.person("olga", timezone_id="Asia/Tokyo", locale="en-GB")
    shown = page.get_by_role("group", name="Signed in").locator("time")
    utc = await shown.get_attribute("title")
    assert utc
    hour, minute = re.findall(r"(\d\d):(\d\d):\d\d UTC", utc)[0]
    assert f"{(int(hour) + 9) % 24:02d}:{minute}" in await shown.inner_text()


async def test_the_chosen_theme_is_kept_from_page_to_page(house: House) -> None:
    page = await house.person("olga")
    for theme in ("light", "dark"):
        await page.get_by_role("button", name="Theme").click()
        await house.open(page, "/deliver-audit")
        assert await page.locator("html").get_attribute("data-theme") == theme


async def test_what_will_happen_follows_the_form(house: House) -> None:
    olga = await house.person("olga")
    await failed_delivery(house, olga)
    await house.open(olga, "/recovery-playbook")
    await expect(olga.locator("#effect")).to_contain_text("An empty playbook is recorded")
    await olga.get_by_label("Failures from which one is named").fill("1")
    await expect(olga.locator("#effect")).to_contain_text("A playbook for 1 connector is recorded")


async def test_a_form_that_is_sent_twice_at_once_runs_once(house: House) -> None:
    olga = await house.person("olga")
    await house.open(olga, "/recovery-playbook")
    await olga.get_by_role("main").get_by_role("button", name="Recovery Playbook").dblclick()
    await expect(olga.get_by_role("heading", name="Nothing to recover")).to_be_visible()


async def test_a_form_without_a_choice_says_so(house: House) -> None:
    olga = await house.person("olga")
    await house.open(olga, "/ack-retry")
    await press(olga, "Ack Retry")
    await expect(olga.locator("#problem")).to_contain_text("choose at least one retry")
