"""A process that commits until it is killed: prints the id of each acknowledged record. `python -m tests.support.store_writer FILE`."""

import asyncio
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from cavra_evidence.ids import new_id
from cavra_service.runtime import utc_now
from cavra_service.store.listing import listing_blocks
from cavra_service.store.protocol import Commit, Statement
from cavra_service.store.sql import blocks, migrations
from cavra_service.store.sqlite import SqliteStore

from tests.support.log import SIGNER
from tests.support.records import draft

CALLERS = 8


async def open_file(path: Path) -> SqliteStore:
    """The store that the writer writes, with the items of `tests.support.schema`."""
    return await SqliteStore.open(
        path,
        queries={**blocks("cavra_service.store"), **listing_blocks(), **blocks("tests.support.schema")},
        migrations=[*migrations("cavra_service.store"), *migrations("tests.support.schema")],
        origin="cavra.test/retry",
        signer=SIGNER,
        clock=utc_now,
    )


async def _caller(store: SqliteStore, numbers: Iterator[int], trace: str) -> None:
    while True:
        item = f"{trace}-{next(numbers)}"
        command = Commit(
            [draft(traces=(trace,)), draft("closure", traces=(trace,))],
            [Statement("insert_item", {"id": item})],
            {"open_items": 1},
        )
        entries = await store.commit(command)
        # One write of one line: a reader sees it whole or not at all.
        sys.stdout.write(" ".join([item, *(entry.id for entry in entries)]) + "\n")
        sys.stdout.flush()


async def main(path: Path) -> None:
    """Commit from several callers for ever."""
    store = await open_file(path)
    numbers = count()
    await asyncio.gather(*(_caller(store, numbers, new_id("gordackdelivery")) for _ in range(CALLERS)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
