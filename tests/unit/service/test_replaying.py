"""A service replays its own log on a timer, and says in it what it found."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cavra_evidence.records.log import LogAudit
from cavra_service.checkpoints import Checkpoints
from cavra_service.keeping import log_kept, resumed, service_actor
from cavra_service.replaying import OwnAudit
from cavra_service.runtime import open_store, utc_now
from cavra_service.settings import Settings
from cavra_service.store.protocol import Commit, Store
from structlog.testing import capture_logs

from tests.support.forger import Forger
from tests.support.installation import Installation
from tests.support.ledger import all_records
from tests.support.records import draft

RECOVERY = "recovery"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Store, OwnAudit]]:
    store = await open_store(settings, RECOVERY)
    try:
        checkpoints: Checkpoints = await resumed(store, settings.checkpoint_path(RECOVERY))
        yield store, OwnAudit(store, checkpoints, settings, service_actor(settings, RECOVERY), utc_now)
    finally:
        await store.close()


@pytest.fixture
async def log(tmp_path: Path) -> AsyncIterator[tuple[Store, OwnAudit, Forger]]:
    """A log of four records, who audits it, and somebody with its database."""
    settings = Installation(tmp_path).settings
    async with opened(settings) as (store, audit):
        traces = ("gordackdelivery-01a20000000000000000000000a1",)
        await store.commit(Commit([draft("playbook", traces=traces), draft("closure", traces=traces)]))
        await store.commit(Commit([draft("playbook"), draft("closure")]))
        yield store, audit, Forger(settings, RECOVERY)


async def kept(store: Store) -> list[LogAudit]:
    """The audits that a log tells of."""
    rows = await all_records(store)
    return [LogAudit.read(row["canonical"]) for row in rows if row["kind"] == LogAudit.KIND.kind]


async def test_an_honest_log_is_found_to_be_one_again_and_again(log: Any) -> None:
    store, audit, _ = log
    first, second = await audit.audit(), await audit.audit()
    assert (first.status, first.tree_size, first.record_count, first.trace_count) == ("verified", 4, 4, 1)
    assert (second.status, second.tree_size) == ("verified", 5)
    assert await kept(store) == [first, second]


async def test_a_record_that_the_service_did_not_sign_is_counted_and_its_words_are_not_logged(
    log: Any,
) -> None:
    store, audit, forger = log
    await forger.append(draft("closure", by="mallory"), "stranger")
    with capture_logs() as said:
        found = await audit.audit()
    assert (found.status, found.violation_count, found.gap_count) == ("refuted", 1, 0)
    assert await kept(store) == [found]
    [line] = [one for one in said if one["event"] == "log_audit_refuted"]
    assert line["at"] == ["cavra.local/recovery 4"]
    assert "mallory" not in str(said)


@pytest.mark.parametrize("value", ["no bytes", "{}", b"\xff"])
async def test_whatever_stands_in_the_place_of_a_record_is_a_violation(log: Any, value: Any) -> None:
    _, audit, forger = log
    assert (await audit.audit()).status == "verified"
    forger.sql("UPDATE records SET canonical = ? WHERE idx = 1", value)
    assert (await audit.audit()).status == "refuted"


async def test_a_record_that_is_gone_is_a_gap(log: Any) -> None:
    _, audit, forger = log
    assert (await audit.audit()).status == "verified"
    forger.sql("DELETE FROM records WHERE idx = 1")
    found = await audit.audit()
    assert (found.status, found.gap_count, found.record_count) == ("refuted", 1, 1)


async def test_a_service_audits_itself_at_its_interval_if_it_is_told_to(tmp_path: Path) -> None:
    settings = Installation(tmp_path, audit_interval_minutes=0.0005).settings
    store = await open_store(settings, RECOVERY, ["cavra_recovery.store"])
    try:
        async with log_kept(store, settings, RECOVERY):
            while len(await kept(store)) < 2:
                await store.wait_beyond(len(await all_records(store)), 1)
    finally:
        await store.close()
    assert {one.status for one in await kept_again(settings)} == {"verified"}


async def kept_again(settings: Settings) -> list[LogAudit]:
    """The audits that a stopped service's log tells of."""
    store = await open_store(settings, RECOVERY)
    try:
        return await kept(store)
    finally:
        await store.close()
