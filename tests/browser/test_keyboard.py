"""The actions without a pointer."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.evidence import Archive
from tests.support.deliveries import delivery
from tests.support.fake_services import NOW
from tests.support.samples import draft, sample
from tests.support.waiting import EXECUTION, waiting

_FOCUS = "(one => [one.name ?? '', one.type ?? '', one.required ?? false, one.textContent])(document.activeElement)"


async def pressed(page: Page, button: str) -> None:
    """Skip to the content, go on by Tab, fill in what has to be on the way, and press the button."""
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
    await page.keyboard.press("Enter")
    for _ in range(40):
        await page.keyboard.press("Tab")
        name, kind, required, text = await page.evaluate(_FOCUS)
        if name == "outcome":
            await page.keyboard.press("Space")
        elif kind == "text" and required:
            await page.keyboard.type("OPS-1")
        elif (kind, text) == ("submit", button):
            await page.keyboard.press("Enter")
            return
    pytest.fail(f"no Tab leads to {button}")


async def test_every_action_can_be_taken_by_keyboard_alone(archive: Archive) -> None:
    (book,) = await archive.fakes.write("recovery", draft(sample("playbook")))
    await archive.write("delivery", delivery(NOW, webhook="delivered"))
    archive.fakes.script.answers = waiting(book.id)
    bea = await archive.person("bea", "operator", "approver")
    for path, button in (
        ("/deliver-audit", "Deliver Audit"),
        ("/plan-audit-retry", "Plan Audit Retry"),
        ("/ack-retry", "Ack Retry"),
        ("/plan-retry-approval", "Plan Retry Approval"),
        ("/approve-retry", "Approve Retry"),
        ("/execute-retry", "See what it takes"),
        ("/recovery-playbook", "Recovery Playbook"),
        (f"/close-recovery?playbook_id={book.id}&provider=webhook", "Close Recovery"),
        (f"/resolve-unknown?execution_id={EXECUTION}", "Resolve"),
    ):
        await archive.open(bea, path)
        await pressed(bea, button)
        if button == "See what it takes":
            await bea.get_by_role("heading", name="Would be sent now").wait_for()
            await pressed(bea, "Execute Retry")
        await expect(bea.locator("#result")).to_be_focused()
