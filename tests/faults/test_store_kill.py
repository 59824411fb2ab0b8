"""SIGKILL at any moment loses no acknowledged record and leaves the log whole."""

import asyncio
import random
import signal
import sys
from pathlib import Path

from cavra_service.checkpoints import Checkpoints

from tests.support.ledger import audited, gauge, replayed
from tests.support.log import SIGNER
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


async def test_a_writer_killed_at_any_step_of_append_or_checkpoint_goes_on(tmp_path: Path) -> None:
    dying = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.support.dying_writer", str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert dying.stdout is not None
    steps = int(await dying.stdout.read())
    assert await dying.wait() == 0
    assert steps > 30, "too few steps to be all"
    for number in range(1, steps + 2):
        folder = tmp_path / f"{number:03}"
        acknowledged = (folder / "acknowledged").read_text().splitlines()
        signed = max((int(line[7:]) for line in acknowledged if line.startswith("signed ")), default=0)
        assert signed <= outside(folder / "checkpoint"), f"killed at step {number}: a checkpoint is lost"
        store = await open_file(folder / "store.sqlite3")
        try:
            checkpoints = Checkpoints(store, folder / "checkpoint", [SIGNER.public])
            await checkpoints.resume()
            ledger = await audited(store)
            report = await replayed(store, checkpoints.published.note)
            items = {f"item {row['id']}" for row in await store.rows("items")}
        finally:
            await store.close()
        at = f"killed at step {number}"
        assert (report.exit_code, report.logs[0].records) == (0, len(ledger.ids)), (
            f"{at}: {report.document()}"
        )
        assert len(ledger.ids) == 2 * len(items), f"{at}: log and state disagree"
        assert items.issuperset(line for line in acknowledged if line.startswith("item")), (
            f"{at}: an item is lost"
        )
        assert checkpoints.published.frontier.root() == ledger.root, f"{at}: the checkpoint is of another log"


def outside(path: Path) -> int:
    """Size of the checkpoint that is kept outside of the store; 0 where there is none yet."""
    return int(path.read_text().split("\n")[1]) if path.exists() else 0
