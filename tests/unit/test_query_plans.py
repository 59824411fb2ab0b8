"""How the engine would read: no named block of any service passes over a table that only grows."""

import re
import sqlite3
from pathlib import Path

import pytest
from cavra_service.runtime import utc_now
from cavra_service.store.listing import listing_blocks
from cavra_service.store.sql import blocks, migrations
from cavra_service.store.sqlite import SqliteStore

from tests.support.log import SIGNER

LOG = "cavra_service.store"
SMALL = {"log_state", "route_counts", "circuits"}
"""Tables of one row, and of one for each make of route or connector."""


def names(connection: sqlite3.Connection, condition: str) -> set[str]:
    """Names in the schema."""
    return {row[0] for row in connection.execute(f"SELECT name FROM sqlite_schema WHERE {condition}")}


def scanned(connection: sqlite3.Connection, sql: str) -> set[str]:
    """Tables that a statement reads from end to end. A partial index holds what its name says, and is no table."""
    tables = names(connection, "type = 'table'")
    partial = names(connection, "sql LIKE 'CREATE INDEX%WHERE%'")
    aliases = {alias: table for table, alias in re.findall(r"(?:FROM|JOIN) ([a-z_]+) ([a-z])\b", sql)}
    found: set[str | None] = set()
    for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", _ones(sql)):
        scan = re.match(r"SCAN (\w+)(?: USING (?:COVERING )?INDEX (\w+))?", str(row[3]))
        if scan and scan[2] not in partial:
            found.add(aliases.get(scan[1], scan[1]))
    return {table for table in tables if table in found}


@pytest.mark.parametrize("service", ["delivery", "retry", "recovery"])
async def test_no_read_passes_over_a_table_that_grows(tmp_path: Path, service: str) -> None:
    package = f"cavra_{service}.store"
    queries = {**blocks(LOG), **listing_blocks(), **blocks(package)}
    steps = [*migrations(LOG), *migrations(package)]
    path = tmp_path / "store.sqlite3"
    store = await SqliteStore.open(
        path, queries=queries, migrations=steps, origin="cavra.test/log", signer=SIGNER, clock=utc_now
    )
    await store.close()
    # Nothing gathers statistics in a running store, so an empty one is read by the plans of a full one.
    connection = sqlite3.connect(path)
    reading = {name: scanned(connection, sql) - SMALL for name, sql in queries.items()}
    connection.close()
    assert {name: tables for name, tables in reading.items() if tables} == {}


async def test_a_page_of_records_is_read_in_the_order_of_its_index_and_neither_gathered_nor_sorted(
    tmp_path: Path,
) -> None:
    path, listings = tmp_path / "store.sqlite3", listing_blocks()
    store = await SqliteStore.open(
        path, queries=blocks(LOG), migrations=migrations(LOG), origin="o", signer=SIGNER, clock=utc_now
    )
    await store.close()
    connection = sqlite3.connect(path)
    plans = {
        name: [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", _ones(sql))]
        for name, sql in listings.items()
        if re.fullmatch(r"list_(keys_)?[123]", name)
    }
    connection.close()
    assert len(plans) == 6
    gathered = {
        name: [step for step in plan if "TEMP" in step or "MATERIALIZE" in step]
        for name, plan in plans.items()
    }
    assert {name: steps for name, steps in gathered.items() if steps} == {}


def _ones(sql: str) -> dict[str, str]:
    return dict.fromkeys(re.findall(r":([a-z_0-9]+)", sql), "1")
