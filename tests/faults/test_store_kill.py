"""SIGKILL at any moment loses no acknowledged record and leaves the log whole."""

import asyncio
import random
import signal
import sys
from pathlib import Path

from tests.support.ledger import audited, gauge
from tests.support.store_writer import open_file

ROOT = Path(__file__).parents[2]
ROUNDS = 6


async def killed_after(lines: int, path: Path) -> list[str]:
    """Run a writer, kill it once it has acknowledged so many commits, and give all that it acknowledged."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.support.store_writer",
        str(path),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert writer.stdout is not None
    acknowledged = [(await writer.stdout.readline()).decode() for _ in range(lines)]
    assert all(acknowledged), "the writer ended by itself"
    writer.send_signal(signal.SIGKILL)
    acknowledged += (await writer.stdout.read()).decode().splitlines(keepends=True)
    assert await writer.wait() == -signal.SIGKILL
    return [line.rstrip("\n") for line in acknowledged if line.endswith("\n")]


async def test_a_killed_writer_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "store.sqlite3"
    moments = random.Random(20261123)
    acknowledged: list[str] = []
    for number in range(ROUNDS):
        acknowledged += await killed_after(moments.randint(1, 120), path)
        store = await open_file(path)
        try:
            ledger = await audited(store)
            items = {row["id"] for row in await store.rows("items")}
            opened = await gauge(store, "open_items")
        finally:
            await store.close()
        records = set(ledger.ids)
        for line in acknowledged:
            item, *ids = line.split(" ")
            assert item in items, f"round {number}: an acknowledged change of state is lost"
            assert records.issuperset(ids), f"round {number}: an acknowledged record is lost"
        # Both or neither, also for what was under way: two records and one item each.
        assert len(ledger.ids) == 2 * len(items)
        assert opened == len(items)
