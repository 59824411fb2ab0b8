"""The pages of history, forth and back: no record lost, none listed twice, wherever one begins."""

import base64
import html
import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from cavra_evidence.draft import Actor
from cavra_evidence.ids import new_id
from cavra_gateway.console import history_back, history_export
from cavra_gateway.records import full
from cavra_verify.kinds import BY_NOUN

from tests.support.fake_services import FakeServices
from tests.support.samples import draft, sample

R = "/runtime/go-pilot/rollback-drill-notifications"
NOUNS = {"notification_ack": "delivery", "retry_ack": "retry", "closure": "recovery"}


class Reader:
    """Somebody who reads history page by page."""

    def __init__(self, http: aiohttp.ClientSession) -> None:
        self.http = http

    async def read(self, address: str) -> tuple[list[str], dict[str, str]]:
        """The ids on a page, and where its links lead by their name."""
        async with self.http.get(address) as answer:
            text = await answer.text()
            assert answer.status == 200, text
        links = dict(
            re.findall(r'<a class="button" href="([^"]+)"(?: rel="[a-z]+")?>([A-Z][a-z]+ page)</a>', text)
        )
        return re.findall(r'data-id="([^"]+)"', text), {name: html.unescape(to) for to, name in links.items()}

    async def walk(self, address: str) -> list[tuple[str, list[str]]]:
        """Address and ids of this page and of all that follow."""
        found = []
        while address:
            ids, links = await self.read(address)
            found.append((address, ids))
            address = links.get("Next page", "")
        return found

    async def back(self, address: str) -> list[list[str]]:
        """The ids of all pages before this one, the nearest first."""
        found = []
        _, links = await self.read(address)
        while "Previous page" in links:
            ids, links = await self.read(links["Previous page"])
            found.append(ids)
        return found


@pytest.fixture
async def reader(fakes: FakeServices) -> AsyncIterator[Reader]:
    async with aiohttp.ClientSession(fakes.url, cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        form = {"token": fakes.installation.token("axel", "auditor")}
        async with http.post("/console/sign-in", data=form, headers={"origin": fakes.url}) as answer:
            assert answer.status == 200
        yield Reader(http)


async def filled(fakes: FakeServices, count: int, at_once: int) -> None:
    """So many records in turn in each log, written so many at once."""
    for first in range(0, count, at_once):
        for noun, service in NOUNS.items():
            records = [
                sample(noun, provider="webhook" if at % 3 else "splunk")
                for at in range(first, first + at_once)
            ]
            await fakes.write(service, *(draft(record) for record in records))


@pytest.fixture(params=[(10_500, 1000), (12, 1)], ids=["a stretch at once", "stretches cut"])
def cut(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stretches may hold more than is read of one."""
    keys, milliseconds = request.param
    monkeypatch.setattr(history_back, "_KEYS", keys)
    monkeypatch.setattr(history_back, "_FIRST", timedelta(milliseconds=milliseconds))


@pytest.mark.parametrize(
    "asked", ["", "&provider=splunk", "&provider=webhook&actor=alice", "&metadata_kind=nothing"]
)
@pytest.mark.parametrize("at_once", [1, 12])
async def test_the_pages_back_are_the_pages_forth(
    fakes: FakeServices, reader: Reader, cut: None, asked: str, at_once: int
) -> None:
    await filled(fakes, 24, at_once)
    forth = await reader.walk(f"/console/history?limit=7{asked}")
    assert await reader.back(forth[-1][0]) == [ids for _, ids in reversed(forth[:-1])]


async def test_pages_of_an_address_stay_as_they_are_while_records_come(
    fakes: FakeServices, reader: Reader
) -> None:
    await filled(fakes, 12, 3)
    forth = await reader.walk("/console/history?limit=5")
    await filled(fakes, 6, 3)
    back = await reader.back(forth[-1][0])
    assert back[: len(forth) - 2] == [ids for _, ids in reversed(forth[1:-1])]
    newest = [one for _, ids in await reader.walk("/console/history?limit=500") for one in ids]
    seen = [one for ids in reversed([forth[-1][1], *back]) for one in ids]
    assert sorted(set(seen)) == sorted(newest)


async def test_offsets_go_back_too(fakes: FakeServices, reader: Reader) -> None:
    await filled(fakes, 6, 3)
    ids = [one for _, page in await reader.walk("/console/history?limit=500") for one in page]
    _, links = await reader.read("/console/history?limit=5&offset=8")
    earlier, links = await reader.read(links["Previous page"])
    assert earlier == ids[3:8]
    assert (await reader.read(links["Previous page"]))[0] == ids[:5]


async def test_a_log_that_does_not_answer_keeps_its_place(fakes: FakeServices, reader: Reader) -> None:
    await filled(fakes, 12, 1)
    forth = await reader.walk("/console/history?limit=6")
    _, links = await reader.read(forth[3][0])
    address = fakes.installation.settings.retry_address
    await fakes.stop("retry")
    ids, _ = await reader.read(links["Previous page"])
    assert len(ids) == 6
    assert not any("retryack" in one for one in ids)
    await fakes.start("retry", address)


def _cursor(*key: Any) -> str:
    positions = dict.fromkeys(NOUNS.values(), "")
    return base64.urlsafe_b64encode(json.dumps([*key, positions]).encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor", ["", "x", _cursor(10**18, 0, "a", 1), _cursor(-(10**12), 0, "a", 1), _cursor(1, 10**30, "a", 1)]
)
async def test_a_cursor_that_is_none_of_ours_is_refused(
    fakes: FakeServices, reader: Reader, cursor: str
) -> None:
    async with reader.http.get("/console/history/previous", params={"cursor": cursor}) as answer:
        assert (answer.status, "invalid_page_token" in await answer.text()) == (400, True)


FILTERS = (
    "schedule_id provider metadata_kind acknowledgement_state connector_delivery_source delivery_success alert_level audit_id"
    " delivery_id cadence trace run_id execution_id execution_status retry_plan_id approval_plan_id playbook_id closure_state actor"
    " since until"
).split()
"""Those of the contract (E20), less what pages through an answer."""


async def test_the_form_has_every_filter_of_the_contract_and_asks_for_what_the_api_answers(
    fakes: FakeServices, reader: Reader
) -> None:
    trace = new_id("gordackdelivery")
    for noun, kind in BY_NOUN.items():
        if kind.log and not kind.internal:
            await fakes.write(kind.log, draft(sample(noun), trace_ids=(trace,) * (noun == "retry_ack")))
    others = [sample("retry_ack", provider="splunk", acknowledgement_state="deferred") for _ in range(2)]
    await fakes.write("retry", *(draft(one, actor=Actor("cavra-local", "bob", "bob")) for one in others))
    _, found, _ = await fakes.request("GET", R, params={"limit": "500"})
    items = found["items"]
    asked = {name: next((full(one)[name] for one in items if full(one).get(name)), "") for name in FILTERS}
    asked |= {
        "schedule_id": "prod-rollback-drill", "metadata_kind": items[5]["metadata_kind"], "provider": "splunk", "actor": "bob",
        "acknowledgement_state": "deferred", "delivery_success": "true", "trace": trace,
        "connector_delivery_source": "go_backend_rollback_drill_acknowledgement_audit",
        "since": items[9]["created_at"], "until": items[9]["created_at"],
    }  # fmt: skip
    for name, value in asked.items():
        status, answer, _ = await fakes.request("GET", R, params={name: value, "limit": "500"})
        expected = [item["session_id"] for item in answer["items"]]
        assert (status, 0 < len(expected) < len(items)) == (200, True), (name, value, len(expected))
        async with reader.http.get("/console/history", params={name: value, "limit": "500"}) as page:
            text = await page.text()
        assert re.findall(r'data-id="([^"]+)"', text) == expected, name
        form = text[text.index('<form class="card" method="get"') :].partition("</form>")[0]
        assert set(re.findall(r'(?:input|select)[^>]* name="([a-z_]+)"', form)) == {*FILTERS, "limit"}
        field = re.findall(
            rf'name="{name}"(?: value="([^"]*)"|.*?<option value="([^"]*)" selected>)', form, re.DOTALL
        )
        assert [html.unescape(typed or chosen) for typed, chosen in field] == [value]


@pytest.mark.parametrize(("most", "cut"), [(5, True), (6, False)])
async def test_an_export_that_holds_no_more_than_its_limit_says_so(
    fakes: FakeServices, reader: Reader, monkeypatch: pytest.MonkeyPatch, most: int, cut: bool
) -> None:
    monkeypatch.setattr(history_export, "MOST", most)
    monkeypatch.setattr(history_export, "_PAGE", 2)
    await filled(fakes, 2, 2)
    ids = [one for _, page in await reader.walk("/console/history?limit=500") for one in page]
    async with reader.http.get("/console/history.json") as answer:
        found = await answer.json()
    assert [item["session_id"] for item in found["items"]] == ids[:most]
    assert (found["truncated"], found["total"]) == (cut, 6)
