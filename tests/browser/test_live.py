"""What changes appears by itself."""

from contextlib import AsyncExitStack

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.evidence import Archive, live, signed_in
from tests.browser.house import House, failed_delivery


async def test_a_change_appears_in_another_persons_window(house: House) -> None:
    olga, axel = await house.person("olga"), await house.person("axel")
    await house.open(axel, "/trace")
    await live(axel)
    await axel.get_by_label("Any record's id").fill("half an i")
    await failed_delivery(house, olga)
    await axel.get_by_text("failed: 503").wait_for()
    await expect(axel.get_by_label("Any record's id")).to_have_value("half an i")


async def test_the_inbox_says_by_itself_what_waits_now(house: House) -> None:
    olga, oscar = await house.person("olga"), await house.person("oscar")
    await live(oscar)
    await failed_delivery(house, olga)
    await oscar.get_by_role("heading", name="Failures to plan").wait_for()


async def refusing(house: House, page: Page, *statuses: int) -> None:
    """Answer the page's next readings of itself with these."""
    left = iter(statuses)

    async def answer(route: Route) -> None:
        await route.fulfill(status=next(left), content_type="text/html", body="<h1>Not now</h1>")

    house.refusing.append(page.url)
    await page.route(page.url, answer, times=len(statuses))


@pytest.mark.parametrize(
    ("path", "stays", "news", "statuses"),
    [
        ("/", "Nothing waits for you.", "The retry service does not answer.", (503, 500)),
        ("/trace", "Newest deliveries", "The retry service is down.", (429,)),
    ],
)
async def test_a_reading_that_is_refused_takes_nothing_away_and_is_said_and_made_up_for(
    archive: Archive, path: str, stays: str, news: str, statuses: tuple[int, ...]
) -> None:
    axel = await signed_in(archive, "axel", path)
    await live(axel)
    await axel.wait_for_load_state("networkidle")
    await refusing(archive, axel, *statuses)
    await archive.fakes.stop("retry")
    await axel.get_by_text("not up to date").wait_for()
    await expect(axel.get_by_text(stays)).to_be_visible()
    await axel.get_by_text(news).wait_for()
    await live(axel)


async def test_of_a_browsers_windows_one_listens_and_when_it_closes_the_next_one_does(house: House) -> None:
    olga, first = await house.person("olga"), await house.person("axel")
    await house.open(first, "/trace")
    await live(first)
    asked: list[str] = []
    second = await first.context.new_page()
    second.on("request", lambda request: asked.append(request.url))
    await house.open(second, "/trace")
    await live(second)
    await failed_delivery(house, olga)
    await second.get_by_text("failed: 503").wait_for()
    assert not any("/live/events" in url for url in asked)
    async with second.expect_request("**/live/events**"):
        await first.close()
    await live(second)
    await failed_delivery(house, olga)
    await expect(second.locator("#begun tbody tr")).to_have_count(2)


async def test_a_console_comes_back_by_itself_after_its_gateway_restarted_and_shows_what_it_missed(
    house: House,
) -> None:
    olga = await house.person("olga")
    async with AsyncExitStack() as restarted:
        url = await restarted.enter_async_context(house.installation.running("gateway"))
        port = int(url.rpartition(":")[2])
        house.installation.settings = house.installation.settings.model_copy(update={"gateway_port": port})
        meanwhile, house.url = house.url, url
        axel = await house.person("axel")
        await house.open(axel, "/trace")
        await live(axel)
        await restarted.aclose()
        await axel.get_by_text("offline").wait_for()
        house.url = meanwhile
        await failed_delivery(house, olga)
        async with house.installation.running("gateway"):
            await axel.get_by_text("failed: 503").wait_for()
            await live(axel)
            await axel.close()
    # Browsers write down each time that nobody was there.
    assert all("ERR_" in error for error in house.errors), house.errors
    house.errors.clear()


async def test_a_session_that_ended_is_said_so_in_place_and_takes_nothing_away(house: House) -> None:
    olga, axel = await house.person("olga"), await house.person("axel")
    await house.open(axel, "/trace")
    await live(axel)
    await axel.get_by_label("Any record's id").fill("half an i")
    other = await axel.context.new_page()
    await house.open(other, "/trace")
    await other.get_by_role("button", name="Sign out").click()
    await other.get_by_role("heading", name="Sign in").wait_for()
    await failed_delivery(house, olga)
    again = axel.get_by_role("status").get_by_role("link", name="Session ended: sign in")
    await expect(again).to_be_visible()
    await expect(axel.get_by_label("Any record's id")).to_have_value("half an i")
    await again.click()
    await axel.get_by_role("heading", name="Sign in").wait_for()
    await axel.get_by_label("Access token").fill(house.token("axel"))
    await axel.get_by_role("button", name="Sign in").click()
    await axel.wait_for_url(f"{house.url}/console/trace")
