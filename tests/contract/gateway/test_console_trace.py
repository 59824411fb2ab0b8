"""What a chain says of itself: who acted, what was refused, and what is not there any more."""

import re
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing

import aiohttp
import pytest
from cavra_evidence.draft import Actor
from cavra_evidence.ids import new_id
from cavra_gateway.console import trace_chain

from tests.support.console import page, visiting, words
from tests.support.fake_services import FakeServices
from tests.support.samples import draft, sample


@pytest.fixture
async def axel(fakes: FakeServices) -> AsyncIterator[aiohttp.ClientSession]:
    async with visiting(fakes.url, fakes.installation, "axel", "auditor") as http:
        yield http


def boxes(text: str) -> dict[str, tuple[str, str]]:
    """Of each record of the picture: its look, and its words."""
    found = re.findall(
        r'class="node([^"]*)" id="n-([^"]+)"[^>]*>(.*?)</(?:a|span)>\s*</foreignObject>', text, re.DOTALL
    )
    return {name: (look.strip(), words(shown)) for look, name, shown in found}


def complaints(text: str) -> list[str]:
    """What is said to be wrong with a chain."""
    return [words(one) for one in re.findall(r'<div class="notice bad".*?</div></div>', text, re.DOTALL)]


def lose(fakes: FakeServices, service: str, record_id: str) -> None:
    """Take a record from those by which its log lists a trace, as somebody with the database may."""
    with closing(sqlite3.connect(fakes.installation.settings.store_path(service))) as store:
        gone = store.execute(
            "DELETE FROM terms WHERE name = 'trace' AND idx = (SELECT idx FROM records WHERE id = ?)",
            (record_id,),
        )
        store.commit()
        assert gone.rowcount == 1


async def test_a_number_that_a_log_skips_in_a_trace_is_said_to_be_missing(
    fakes: FakeServices, axel: aiohttp.ClientSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    trace = new_id("gordackdelivery")
    acks = await fakes.write("retry", *(draft(sample("retry_ack"), trace_ids=(trace,)) for _ in range(5)))
    await fakes.write("recovery", draft(sample("closure"), trace_ids=(trace,)))
    assert complaints(await page(axel, f"/trace?id={trace}")) == []
    lose(fakes, "retry", acks[1].id)
    lose(fakes, "retry", acks[3].id)
    text = await page(axel, f"/trace?id={trace}")
    assert complaints(text) == [
        f"A record is missing. The retry log lacks numbers 2, 4 of its records of {trace}."
    ]
    assert len(boxes(text)) == 4
    # Of a chain that is shown in part nobody knows it.
    monkeypatch.setattr(trace_chain, "MOST", 3)
    assert complaints(await page(axel, f"/trace?id={trace}")) == []


async def test_a_refusal_stands_in_the_chain_with_its_reason_and_who_was_refused(
    fakes: FakeServices, axel: aiohttp.ClientSession
) -> None:
    trace, bea = new_id("gordackdelivery"), Actor("cavra-local", "bea", "Bea")
    refusal, decision = await fakes.write(
        "retry",
        draft(sample("retry_refusal", reason="self_approval"), actor=bea, trace_ids=(trace,)),
        draft(sample("approval_decision", approval_state="denied"), trace_ids=(trace,)),
    )
    shown = boxes(await page(axel, f"/trace?id={trace}"))
    assert shown[refusal.id][0] == "bad"
    assert "refused: self approval Bea ·" in shown[refusal.id][1]
    assert "denied alice ·" in shown[decision.id][1]
    listed = await page(axel, f"/history?metadata_kind={refusal.kind}")
    assert "refused: self approval" in words(listed.partition(f'data-id="{refusal.id}"')[2])
