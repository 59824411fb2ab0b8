"""A log of a million leaves: how long the service takes for a proof, a tile and its start; and appends with checkpoints signed."""

import asyncio
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import uvloop
from cavra_service.checkpoints import Checkpoints
from cavra_service.store import tree
from cavra_verify.merkle import (
    Frontier,
    Node,
    consistency_path,
    inclusion_path,
    verify_consistency,
    verify_inclusion,
)

from bench.bench_store import appended
from bench.row import Row, median
from tests.support.log import SIGNER
from tests.support.store_writer import open_file

LEAVES = 1_000_000
PROOFS = 500
RUNS = 3
_PAGE = 50_000


def rows() -> Iterator[Row]:
    """Times of one caller on a quiet service."""
    for name in ("", ", checkpoints signed"):
        rates = [uvloop.run(appended(signing=bool(name)))[0] for _ in range(RUNS)]
        yield Row(f"append, 64 callers{name}", median(rates), "records/s", "at least 2,500")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "store.sqlite3"
        uvloop.run(_filled(path))
        found = uvloop.run(_asked(path))
    for name, values in found.items():
        values.sort()
        target = "at most 5" if "proof" in name else ""
        yield Row(f"{name}, a million leaves, p50", statistics.median(values), "ms", target)
        yield Row(f"{name}, a million leaves, p99", values[len(values) * 99 // 100], "ms", target)


async def _filled(path: Path) -> None:
    """A store whose tree is whole, and whose records are stand-ins of their real hashes."""
    store = await open_file(path)
    await store.close()
    frontier = Frontier()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for first in range(0, LEAVES, _PAGE):
            records, nodes = [], list[Node]()
            for index in range(first, first + _PAGE):
                data = b"%d" % index
                leaf = sha256(b"\x00" + data).digest()
                frontier, completed = frontier.append(leaf)
                nodes += completed[1:]
                records.append((index, f"gordn-{index:028}", "stand-in", "", data, leaf, b"", ""))
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", records)
            connection.executemany(
                "INSERT INTO nodes VALUES (?, ?, ?)", [(node.level, node.index, node.hash) for node in nodes]
            )
            connection.execute("COMMIT")
        connection.execute(
            "UPDATE log_state SET size = ?, frontier = ?", (frontier.size, b"".join(frontier.roots))
        )


async def _asked(path: Path) -> dict[str, list[float]]:
    store = await open_file(path)
    checkpoints = Checkpoints(store, path.parent / "checkpoint", [SIGNER.public])
    await checkpoints.resume()
    root = checkpoints.published.frontier.root()
    values = random.Random(20261123)
    found: dict[str, list[float]] = {"inclusion proof": [], "consistency proof": [], "full tile": []}
    for _ in range(PROOFS):
        index = values.randrange(LEAVES)
        start = time.perf_counter()
        *proof, leaf = await tree.hashes(store, [*inclusion_path(index, LEAVES), (index, index + 1)])
        found["inclusion proof"].append(1000 * (time.perf_counter() - start))
        verify_inclusion(leaf, index, LEAVES, proof, root)
        start = time.perf_counter()
        *proof, old = await tree.hashes(store, [*consistency_path(index + 1, LEAVES), (0, index + 1)])
        found["consistency proof"].append(1000 * (time.perf_counter() - start))
        verify_consistency(index + 1, LEAVES, proof, old, root)
        start = time.perf_counter()
        await tree.tile(store, 0, index // 256 * 256 - 256, index // 256 * 256)
        found["full tile"].append(1000 * (time.perf_counter() - start))
    found["start with its check"] = []
    for _ in range(20):
        start = time.perf_counter()
        await Checkpoints(store, path.parent / "checkpoint", [SIGNER.public]).resume()
        found["start with its check"].append(1000 * (time.perf_counter() - start))
        await asyncio.sleep(0)
    await store.close()
    return found
