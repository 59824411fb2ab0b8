"""A store of an earlier version keeps what it held."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cavra_delivery.domain.deliveries import Send
from cavra_delivery.store.failures import begun_sends, settled_send
from cavra_service.runtime import utc_now
from cavra_service.store.sql import Migration, blocks, migrations
from cavra_service.store.sqlite import SqliteStore

from tests.support.log import SIGNER

LOG, OWN = "cavra_service.store", "cavra_delivery.store"
NOW = "2026-11-23T09:30:00.000000+00:00"
INSERT = "INSERT INTO sends (record_id, own_id, frame, state) VALUES (?, ?, ?, ?)"


async def opened(path: Path, steps: Sequence[Migration]) -> SqliteStore:
    queries = {**blocks(LOG), **blocks(OWN)}
    return await SqliteStore.open(
        path, queries=queries, migrations=steps, origin="cavra.test/delivery", signer=SIGNER, clock=utc_now
    )


def send(number: int) -> Send:
    name = f"gordackdelivery-{number:028x}"
    return Send(
        record_id=f"rcd-{number:028x}",
        own_id=name,
        source="audit",
        delivery_id=name,
        actor=("iss", "sub", "name"),
    )


async def test_sends_move_to_their_new_table_whole(tmp_path: Path) -> None:
    path, log, own = tmp_path / "store.sqlite3", migrations(LOG), migrations(OWN)
    await (await opened(path, [*log, *(step for step in own if step.number < 7)])).close()
    begun, settled = send(1), send(2)
    with closing(sqlite3.connect(path, isolation_level=None)) as before:
        for one, state in ((begun, "begun"), (settled, "settled")):
            before.execute(INSERT, (one.record_id, one.own_id, one.model_dump_json(), state))
        before.execute(
            "INSERT INTO attempts (record_id, provider, delivery_id, audit_id, attempt_number, execution_id, state, outcome, begun_at,"
            " settled_at) VALUES (?, 'webhook', ?, '', 1, NULL, 'begun', '', ?, NULL)",
            (begun.record_id, begun.delivery_id, NOW),
        )
    store = await opened(path, [*log, *own])
    ((found, at),) = await begun_sends(store)
    assert (found, {name: moment.isoformat() for name, moment in at.items()}) == (
        begun,
        {"webhook": "2026-11-23T09:30:00+00:00"},
    )
    assert await settled_send(store, settled.own_id) == settled.record_id
    assert await settled_send(store, begun.own_id) == ""
    await store.close()
    with closing(sqlite3.connect(path)) as after:
        tables = {row[0] for row in after.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert "sends" in tables
        assert "sends_before" not in tables
