"""The pages in the states that they come to: sound to axe in light and dark, and in one piece at 360 px."""

from cavra_evidence.draft import Draft
from cavra_gateway.console.app import ROUTERS
from playwright.async_api import Page, expect

from tests.browser.evidence import Archive
from tests.browser.house import press, sound
from tests.browser.test_pages import PAGES
from tests.support.deliveries import delivery
from tests.support.fake_services import NOW
from tests.support.samples import draft, sample
from tests.support.waiting import EXECUTION, item, waiting

_OF_THEIR_OWN = {"/sign-in", "/failures", "/trace", "/history", "/dashboard"}
"""Pages that other tests here look at."""
_PARTS = {
    "/deliver-audit/effect", "/execute-retry/effect", "/recovery-playbook/effect", "/trace/record/{record_id}",
    "/trace/verdict/{trace_id}",
}  # fmt: skip
"""What is shown within a page, and looked at there."""
_NO_PAGES = {
    "/oidc/start", "/oidc/callback", "/live/events", "/live/session", "/data/series", "/history/previous", "/history.csv",
    "/history.json", "/trace/bundle/{trace_id}",
}  # fmt: skip


def test_no_page_of_the_console_is_forgotten_by_those_who_look_at_them() -> None:
    served = {route.path for router in ROUTERS for route in router.routes if "GET" in route.methods}
    assert served == {*PAGES, *_OF_THEIR_OWN, *_PARTS, *_NO_PAGES} - {"/nowhere"}


async def looked_at(page: Page) -> list[str]:
    """What is wrong with a page as it stands."""
    faults = []
    for theme, width in (("light", 1280), ("dark", 360)):
        await page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 900})
        wide = await page.evaluate("document.documentElement.scrollWidth > innerWidth")
        found = [*await sound(page), *(["wider than the window"] if wide else [])]
        faults += [f"{page.url} {theme} {width}: {one}" for one in found]
    return faults


def known() -> Draft:
    """A playbook that names the webhook."""
    (named,) = sample("playbook").model_dump()["provider_playbooks"]
    return draft(sample("playbook", provider_playbooks=[{**named, "provider": "webhook"}]))


async def test_every_state_of_an_actions_page_is_sound(archive: Archive) -> None:
    (book,) = await archive.fakes.write("recovery", known())
    await archive.write("delivery", delivery(NOW, webhook="delivered"))
    answers = archive.fakes.script.answers = waiting(book.id)
    barred = item("decide", refusal="self_approval")
    answers["ListWork"].items.append(barred)
    bea = await archive.person("bea", "operator", "approver")
    one = f"/approve-retry?delivery_id={answers['ListWork'].items[4].delivery_id}&provider=webhook"
    recovery = f"/close-recovery?playbook_id={book.id}&provider=webhook"
    faults = []
    for path in ("/", "/approve-retry", one, f"/resolve-unknown?execution_id={EXECUTION}", "/close-recovery"):
        await archive.open(bea, path)
        faults += await looked_at(bea)
    for path, button in (("/ack-retry", "Ack Retry"), (one, "Decide"), (recovery, "Close Recovery")):
        await archive.open(bea, path)
        faults += await looked_at(bea)
        await press(bea, button)
        await expect(bea.locator("#result")).to_be_visible()
        faults += await looked_at(bea)
    axel = await archive.person("axel")
    for path in (f"/resolve-unknown?execution_id={EXECUTION}", recovery):
        await archive.open(axel, path)
        await expect(axel.get_by_text("Needs the role operator").last).to_be_visible()
        faults += await looked_at(axel)
    assert faults == []
