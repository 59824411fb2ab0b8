"""The embedded engine passes the suite that every store adapter passes, and keeps its own promises about its file."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cavra_service.store.listing import listing_blocks
from cavra_service.store.protocol import Commit, Conflict, Statement, Store, StoreClosed, StoreFailed
from cavra_service.store.sql import Migration, blocks, migrations
from cavra_service.store.sqlite import SqliteStore

from tests.support.log import SIGNER
from tests.support.records import draft
from tests.unit.service.store_conformance import Clock, Open, StoreConformance

QUERIES = {**blocks("cavra_service.store"), **listing_blocks(), **blocks("tests.support.schema")}
MIGRATIONS = [*migrations("cavra_service.store"), *migrations("tests.support.schema")]

OpenWith = Callable[..., Awaitable[Store]]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def open_with(tmp_path: Path, clock: Clock) -> AsyncIterator[OpenWith]:
    opened: list[Store] = []

    async def open_with(steps: Iterable[Migration], **more: Any) -> Store:
        store = await SqliteStore.open(
            tmp_path / "store.sqlite3",
            queries=QUERIES,
            migrations=steps,
            origin="cavra.test/retry",
            signer=SIGNER,
            clock=clock,
            **more,
        )
        opened.append(store)
        return store

    yield open_with
    for store in opened:
        await store.close()


@pytest.fixture
def open_store(open_with: OpenWith) -> Open:
    return lambda: open_with(MIGRATIONS)


class TestSqliteStore(StoreConformance):
    """The suite on SQLite."""


async def test_commits_are_synced_to_the_disk(open_store: Open) -> None:
    store = await open_store()
    assert isinstance(store, SqliteStore)
    for connection in store._connections:
        (synchronous,) = await connection.execute_fetchall("PRAGMA synchronous")
        (mode,) = await connection.execute_fetchall("PRAGMA journal_mode")
        assert (synchronous["synchronous"], mode["journal_mode"]) == (2, "wal"), "2 is FULL"


def step(number: int, sql: str, name: str = "step") -> Migration:
    return Migration("tests", number, "pre", name, sql)


FIRST = step(1, "CREATE TABLE one (x BIGINT PRIMARY KEY);\nINSERT INTO one VALUES (1);\n")


async def test_a_migration_is_applied_once(open_with: OpenWith) -> None:
    for _ in range(2):
        store = await open_with([*MIGRATIONS, FIRST])
        await store.close()
    await open_with([*MIGRATIONS, FIRST, step(2, "INSERT INTO one VALUES (2);")])


async def test_an_applied_migration_that_has_changed_is_refused(open_with: OpenWith) -> None:
    await (await open_with([*MIGRATIONS, FIRST])).close()
    with pytest.raises(ValueError, match="tests: migration 0001 has changed"):
        await open_with([*MIGRATIONS, step(1, FIRST.sql + "-- a word\n")])


async def test_a_migration_that_fails_leaves_nothing_behind(open_with: OpenWith) -> None:
    half = step(1, "CREATE TABLE one (x BIGINT);\nCREATE TABLE one (x BIGINT);\n")
    with pytest.raises(Exception, match="already exists"):
        await open_with([*MIGRATIONS, half])
    await open_with([*MIGRATIONS, FIRST])


async def test_a_migration_without_its_last_semicolon_is_refused(open_with: OpenWith) -> None:
    with pytest.raises(ValueError, match="semicolon"):
        await open_with([*MIGRATIONS, step(1, "CREATE TABLE one (x BIGINT);\nCREATE TABLE two (x BIGINT)\n")])
    await open_with([*MIGRATIONS, FIRST, step(2, "CREATE TABLE two (x BIGINT);\n-- the end\n")])


async def test_migrations_are_read_in_the_order_of_their_numbers() -> None:
    numbers = [found.number for found in migrations("cavra_service.store")]
    assert numbers == sorted(numbers)
    assert numbers[0] == 1


async def test_an_engine_that_can_not_write_fails_the_command_and_recovers(
    open_with: OpenWith, tmp_path: Path
) -> None:
    store = await open_with(MIGRATIONS)
    assert isinstance(store, SqliteStore)
    await store._connections[0].execute_fetchall("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(tmp_path / "store.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreFailed, match="SQLITE_BUSY"):
            await store.commit(Commit(gauges={"tried": 1}))
        other.execute("ROLLBACK")
    await store.commit(Commit(gauges={"tried": 1}))
    row = await store.row("counter", name="gauge:tried")
    assert row is not None
    assert row["value"] == 1


async def test_a_commit_waits_for_another_writer_and_holds_nobody_else_up(
    open_with: OpenWith, tmp_path: Path
) -> None:
    store = await open_with(MIGRATIONS)
    with closing(sqlite3.connect(tmp_path / "store.sqlite3", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        waiting = asyncio.create_task(store.commit(Commit(gauges={"tried": 1})))
        # The loop is free meanwhile: what it is asked is answered, by key and by page.
        for _ in range(10):
            assert await store.each("counter", [{"name": "gauge:tried"}]) == [[]]
            assert await store.row("counter", name="gauge:tried") is None
        assert not waiting.done()
        other.execute("ROLLBACK")
    await waiting
    (found,) = await store.each("counter", [{"name": "gauge:tried"}])
    assert [row["value"] for row in found] == [1]


async def test_many_look_ups_and_few_find_the_same(open_store: Open) -> None:
    store = await open_store()
    await store.commit(Commit(gauges={f"g{at}": at + 1 for at in range(200)}))
    asked = [{"name": f"gauge:g{at}"} for at in range(200)]
    found = await store.each("counter", asked)
    assert [row["value"] for rows in found for row in rows] == list(range(1, 201))
    assert [(await store.each("counter", [one]))[0][0]["value"] for one in asked] == list(range(1, 201))
    await store.close()
    for params in (asked, asked[:1]):
        with pytest.raises(StoreClosed):
            await store.each("counter", params)


async def test_who_commits_at_once_shares_one_transaction_and_nothing_is_kept_apart_without_need(
    open_store: Open,
) -> None:
    store = await open_store()
    assert isinstance(store, SqliteStore)
    said: list[str] = []
    await store._connections[0].set_trace_callback(said.append)

    def insert(name: str) -> Commit:
        return Commit([draft()], [Statement("insert_item", {"id": name})])

    async def later(name: str) -> object:
        await asyncio.sleep(0)  # About to commit, as one who has just read something is.
        return await store.commit(insert(name))

    await asyncio.gather(*(store.commit(insert(f"a{at}")) for at in range(10)), later("b"))
    assert [one for one in said if one in ("BEGIN IMMEDIATE", "COMMIT")] == ["BEGIN IMMEDIATE", "COMMIT"]
    assert not [one for one in said if "SAVEPOINT" in one]

    said.clear()
    ended = await asyncio.gather(
        *(store.commit(insert(name)) for name in ("c", "a1", "d")), return_exceptions=True
    )
    assert [type(one) for one in ended] == [list, Conflict, list]
    transactions = [one for one in said if one in ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK")]
    assert transactions == ["BEGIN IMMEDIATE", "ROLLBACK", "BEGIN IMMEDIATE", "COMMIT"]
    assert len([one for one in said if one == "SAVEPOINT command"]) == 3


async def test_two_processes_may_open_a_new_file_at_once(open_store: Open) -> None:
    await asyncio.gather(*(open_store() for _ in range(4)))


def test_blocks_have_names_of_their_own() -> None:
    assert not blocks("cavra_service.store").keys() & listing_blocks().keys()
    assert {"insert_record", "counters", "list_1", "count_3"} <= QUERIES.keys()
