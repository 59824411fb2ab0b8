"""Looking at what a run takes, and running it, as a form that may be sent again when nobody knows whether it ran."""

import re
from collections.abc import AsyncIterator

import aiohttp
import pytest
from cavra_service.errors import Refused

from tests.support.fake_services import FakeServices

PATH = "/console/execute-retry"


@pytest.fixture
async def olga(fakes: FakeServices) -> AsyncIterator[aiohttp.ClientSession]:
    """An operator who is signed in."""
    headers, jar = {"origin": fakes.url}, aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(fakes.url, cookie_jar=jar, headers=headers) as http:
        form = {"token": fakes.installation.token("olga", "operator")}
        async with http.post("/console/sign-in", data=form) as answer:
            assert answer.status == 200
        yield http


def hidden(text: str) -> list[tuple[str, str]]:
    """The hidden fields of a page's form."""
    return re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', text[text.index("<main") :])


async def sent(http: aiohttp.ClientSession, form: list[tuple[str, str]]) -> tuple[int, str]:
    async with http.post(PATH, data=form) as answer:
        return answer.status, await answer.text()


async def test_looking_asks_for_a_dry_run_and_carries_what_was_filled_in_to_the_live_one(
    fakes: FakeServices, olga: aiohttp.ClientSession
) -> None:
    async with olga.get(PATH) as answer:
        form = [
            *hidden(await answer.text()),
            ("provider", "splunk"),
            ("provider", "webhook"),
            ("max_retry_deliveries", "7"),
        ]
    status, text = await sent(olga, form)
    asked = fakes.script.requests["RunWorker"]
    assert (status, asked.execute, asked.max_retry_deliveries, list(asked.providers)) == (
        200,
        False,
        7,
        ["splunk", "webhook"],
    )
    assert dict(hidden(text))["idempotency_key"] != dict(form)["idempotency_key"]
    assert (await sent(olga, hidden(text)))[0] == 200
    asked = fakes.script.requests["RunWorker"]
    assert (asked.execute, asked.max_retry_deliveries, list(asked.providers)) == (
        True,
        7,
        ["splunk", "webhook"],
    )


async def test_a_run_of_which_nobody_knows_can_be_sent_again_under_its_key(
    fakes: FakeServices, olga: aiohttp.ClientSession
) -> None:
    async with olga.get(PATH) as answer:
        _, text = await sent(olga, hidden(await answer.text()))
    form = [*hidden(text), ("taken", "some delivery")]
    fakes.script.refusals["RunWorker"] = Refused("service_unavailable", "delivery is down")
    status, text = await sent(olga, form)
    assert (status, "it is not run twice" in text, "Send it again" in text) == (503, True, True)
    assert hidden(text) == form
    fakes.script.refusals.clear()
    status, text = await sent(olga, hidden(text))
    assert (status, fakes.script.requests["RunWorker"].execute) == (200, True)


async def test_a_refused_run_is_told_at_its_field_and_has_to_be_looked_at_anew(
    fakes: FakeServices, olga: aiohttp.ClientSession
) -> None:
    async with olga.get(PATH) as answer:
        form = hidden(await answer.text())
    for mode in ("dry", "live"):
        bad = [(name, mode if name == "mode" else text) for name, text in form]
        status, text = await sent(olga, [*bad, ("max_retry_deliveries", "26")])
        assert (status, 'name="max_retry_deliveries" value="26"' in text) == (400, True)
        assert dict(hidden(text))["mode"] == "dry"
    assert "RunWorker" not in fakes.script.requests
