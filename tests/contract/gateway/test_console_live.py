"""The stream of what changes, as a browser gets it."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from cavra_evidence.ids import new_id
from cavra_gateway.bootstrap import SERVICE
from cavra_gateway.console import live_feed

from tests.support.fake_services import FakeServices
from tests.support.samples import draft, sample

EVENTS = "/console/live/events"


@asynccontextmanager
async def browser(fakes: FakeServices, *roles: str, url: str = "") -> AsyncIterator[aiohttp.ClientSession]:
    """Somebody who is signed in to the console."""
    where = url or fakes.url
    async with aiohttp.ClientSession(where, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        token = {"token": fakes.installation.token("axel", *(roles or ("auditor",)))}
        async with http.post(
            "/console/sign-in", data=token, headers={"origin": where}, allow_redirects=False
        ) as response:
            assert response.status == 303
        yield http


async def event(response: aiohttp.ClientResponse) -> tuple[str, dict[str, Any]]:
    """The next event: (id, data)."""
    found: dict[str, str] = {}
    async for line in response.content:
        name, _, value = line.decode().strip().partition(": ")
        if name:
            found[name] = value
        elif "data" in found:
            return found["id"], json.loads(found["data"])
    raise AssertionError("the stream ended")


async def test_a_commit_is_told_with_its_kinds_and_traces_and_nothing_of_what_it_says(
    fakes: FakeServices,
) -> None:
    async with browser(fakes) as http, http.get(EVENTS) as stream:
        assert stream.content_type == "text/event-stream"
        where, first = await event(stream)
        assert where == "delivery:0,recovery:0,retry:0"
        assert first["sources"] == {"delivery": "ok", "recovery": "ok", "retry": "ok"}
        written = sample("retry_ack", notes="nobody's business")
        trace = new_id("gordackdelivery")
        await fakes.write("retry", draft(written, trace_ids=(trace,)))
        where, told = await event(stream)
        assert where == "delivery:0,recovery:0,retry:1"
        assert (told["nouns"], told["traces"], told["reset"]) == (["retry_ack"], [trace], False)
        assert "business" not in json.dumps(told)


async def test_who_comes_back_is_told_what_was_missed_and_who_was_away_too_long_to_read_all_anew(
    fakes: FakeServices,
) -> None:
    async with browser(fakes) as http, http.get(EVENTS) as staying:
        where, _ = await event(staying)
        await fakes.write("delivery", draft(sample("connector_delivery")))
        await event(staying)
        async with http.get(EVENTS, headers={"last-event-id": where}) as back:
            _, told = await event(back)
            assert (told["nouns"], told["reset"]) == (["connector_delivery"], False)
        async with http.get(EVENTS, params={"after": "delivery:1,recovery:0,retry:0"}) as back:
            _, told = await event(back)
            assert (told["nouns"], told["reset"]) == ([], False)
    async with browser(fakes) as http, http.get(EVENTS, params={"after": where}) as back:
        _, told = await event(back)
        assert told["reset"]


async def test_a_service_that_goes_down_and_comes_back_is_told_and_nothing_it_wrote_meanwhile_is_lost(
    fakes: FakeServices,
) -> None:
    async with browser(fakes) as http, http.get(EVENTS) as stream:
        await event(stream)
        address = fakes.installation.settings.retry_address
        await fakes.stop("retry")
        _, told = await event(stream)
        assert told["sources"]["retry"] == "unavailable"
        await fakes.start("retry", address)
        await fakes.write("retry", draft(sample("retry_plan")))
        seen: dict[str, Any] = {"nouns": [], "sources": {}}
        while not seen["nouns"]:
            _, seen = await event(stream)
        assert (seen["nouns"], seen["sources"]["retry"]) == (["retry_plan"], "ok")


async def test_only_who_is_signed_in_and_may_read_follows(fakes: FakeServices) -> None:
    async with (
        aiohttp.ClientSession(fakes.url) as http,
        http.get(EVENTS, allow_redirects=False) as response,
    ):
        assert response.status == 303
        assert response.headers["location"].startswith("/console/sign-in")
    async with browser(fakes, "nobody") as http, http.get(EVENTS) as response:
        assert response.status == 403


async def test_a_gateway_serves_so_many_streams_and_no_more(
    fakes: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_feed, "MOST_READERS", 1)
    async with browser(fakes) as http, http.get(EVENTS) as stream:
        await event(stream)
        async with http.get(EVENTS) as second:
            assert second.status == 429
            assert second.headers["retry-after"]


async def test_a_gateway_that_stops_ends_its_streams_however_long_it_may_drain(tmp_path: Path) -> None:
    async with FakeServices(tmp_path, drain_seconds=3600.0).running() as fakes, AsyncExitStack() as stack:
        gateway = await stack.enter_async_context(AsyncExitStack())
        url = await gateway.enter_async_context(SERVICE.start(fakes.installation.settings))
        http = await stack.enter_async_context(browser(fakes, url=url))
        stream = await stack.enter_async_context(http.get(EVENTS))
        await event(stream)
        await gateway.aclose()
        assert b"event" not in await stream.content.read()
