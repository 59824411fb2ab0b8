"""Evidence append on SQLite with synchronous=FULL, against what the bare engine group-commits on the same disk."""

import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import uvloop
from cavra_evidence.draft import Draft
from cavra_evidence.ids import new_id
from cavra_service.checkpoints import Checkpoints
from cavra_service.store.protocol import Commit, Statement

from bench.row import Row, latencies, median, millis
from tests.support.log import SIGNER
from tests.support.records import actor, draft
from tests.support.store_writer import open_file

CALLERS = 64
RECORDS = 6_000
GROUP = 64
RUNS = 3


def rows() -> Iterator[Row]:
    """Records and rows a second, and the bare engine beside them."""
    runs = [uvloop.run(appended()) for _ in range(RUNS)]
    bare = median([_bare_engine() for _ in range(RUNS)])
    row_rate = median([run[1] for run in runs])
    yield Row(f"append, {CALLERS} callers", median([run[0] for run in runs]), "records/s", "at least 2,500")
    yield Row("index terms of each record", runs[0][4], "rows", "a dozen")
    yield Row("append, all rows", row_rate, "rows/s")
    yield Row("append, p50", median([run[2] for run in runs]), "ms")
    yield Row("append, p99", median([run[3] for run in runs]), "ms")
    yield Row(f"bare engine, groups of {GROUP}", bare, "rows/s", "stack: 18,500")
    yield Row("rows beside the bare engine's", row_rate / bare, "x")
    yield Row("command with state, one caller", median([uvloop.run(_alone()) for _ in range(RUNS)]), "/s")


_RECORD = draft("execution_record").record
_FIELDS = dict(_RECORD)
_ACTOR = actor()


def _a_dozen_terms(trace: str) -> Draft:
    record = type(_RECORD)(**{**_FIELDS, "execution_id": new_id("gordackretryexec")})
    return Draft(record, _ACTOR, trace_ids=(trace,))


async def appended(signing: bool = False) -> tuple[float, float, float, float, float]:
    """(records/s, rows/s, p50 ms, p99 ms, terms of a record): one record and one change of state a command, drafts made on the way.

    `signing`: while checkpoints are signed and kept, as in a running service.
    """
    with tempfile.TemporaryDirectory() as folder:
        store = await open_file(Path(folder) / "store.sqlite3")
        checkpoints = Checkpoints(store, Path(folder) / "checkpoint", [SIGNER.public])
        await checkpoints.resume()
        keeping = asyncio.create_task(checkpoints.keep()) if signing else None
        traces = [new_id("gordackdelivery") for _ in range(50)]
        numbers = iter(range(RECORDS * 2))
        terms = 0

        async def command() -> None:
            nonlocal terms
            number = next(numbers)
            statement = Statement("insert_item", {"id": f"{number:07}"})
            (entry,) = await store.commit(Commit([_a_dozen_terms(traces[number % 50])], [statement]))
            terms = len(entry.terms)

        await latencies(command, CALLERS, RECORDS // 10)
        seconds, taken = await latencies(command, CALLERS, RECORDS)
        if keeping is not None:
            keeping.cancel()
            await asyncio.gather(keeping, return_exceptions=True)
            await checkpoints.fresh()
        await store.close()
    # A record, its terms, one node above the leaves, one row of state: counters, heads and the log's head are shared by a group.
    written = RECORDS * (1 + terms + 1 + 1)
    return RECORDS / seconds, written / seconds, millis(taken, 0.5), millis(taken, 0.99), terms


async def _alone() -> float:
    with tempfile.TemporaryDirectory() as folder:
        store = await open_file(Path(folder) / "store.sqlite3")
        numbers = iter(range(1_000))

        async def command() -> None:
            statement = Statement("insert_item", {"id": f"{next(numbers):07}"})
            await store.commit(Commit([_a_dozen_terms(new_id("gordackdelivery"))], [statement]))

        seconds, _ = await latencies(command, 1, 1_000)
        await store.close()
        return 1_000 / seconds


def _bare_engine() -> float:
    """Rows a second that sqlite3 alone inserts, one fsync for each group."""
    with tempfile.TemporaryDirectory() as folder:
        connection = sqlite3.connect(Path(folder) / "bare.sqlite3", isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(
            "CREATE TABLE rows (name TEXT, value TEXT, idx INTEGER, PRIMARY KEY (name, value, idx)) WITHOUT ROWID"
        )
        start, count = time.perf_counter(), 0
        while count < 20_000:
            connection.execute("BEGIN IMMEDIATE")
            for number in range(count, count + GROUP):
                connection.execute(
                    "INSERT INTO rows VALUES (?, ?, ?)", ("delivery_id", f"{number % 50}", number)
                )
            connection.execute("COMMIT")
            count += GROUP
        rate = count / (time.perf_counter() - start)
        connection.close()
    return rate
