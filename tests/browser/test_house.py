"""The tests' own ears: what a window complains of is heard, whoever opened it."""

from pathlib import Path

from tests.browser.house import House, chromium, chromium_or_skip
from tests.support.receiver import Receiver


async def test_what_goes_wrong_in_a_window_that_a_page_opened_is_heard(tmp_path: Path) -> None:
    chromium_or_skip()
    async with Receiver() as receiver, chromium() as browser:
        receiver.status = 404
        house = House(tmp_path, receiver, browser)
        page = await (await house.window()).context.new_page()
        async with page.expect_event("response"):
            await page.evaluate(f"fetch('{receiver.url}/lost.js', {{method: 'POST', mode: 'no-cors'}})")
        async with page.expect_event("requestfailed"):
            await page.evaluate("fetch('http://127.0.0.1:9/silent', {mode: 'no-cors'}).catch(() => null)")
        async with page.expect_event("console"):
            await page.evaluate("console.error('broken')")
        assert house.errors == [
            f"{receiver.url}/lost.js: 404",
            "http://127.0.0.1:9/silent: net::ERR_UNSAFE_PORT",
            "broken",
        ]
