"""A log signs checkpoints soon, keeps them outside its store, and signs none that does not extend the last."""

import asyncio
import shutil
import sqlite3
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path

import pytest
from cavra_service import checkpoints as module
from cavra_service.checkpoints import Checkpoints, LogRefused, Signed
from cavra_service.files import write_private
from cavra_service.store.protocol import Commit
from cavra_service.store.sqlite import SqliteStore
from cavra_verify.merkle import Frontier
from cavra_verify.signatures import Checkpoint, Signer, open_checkpoint, sign_checkpoint
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support import naive_merkle
from tests.support.ledger import all_records
from tests.support.log import SIGNER
from tests.support.records import draft
from tests.support.store_writer import open_file

ORIGIN = "cavra.test/retry"


class Log:
    """A store in a folder, and the file of its checkpoints beside it."""

    def __init__(self, folder: Path) -> None:
        self.store_path = folder / "store.sqlite3"
        self.file = folder / "identity" / "checkpoint"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[SqliteStore]:
        store = await open_file(self.store_path)
        try:
            yield store
        finally:
            await store.close()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[tuple[SqliteStore, Checkpoints]]:
        async with self.opened() as store:
            checkpoints = Checkpoints(store, self.file, [SIGNER.public])
            await checkpoints.resume()
            yield store, checkpoints

    async def grow(self, count: int) -> Signed:
        async with self.running() as (store, checkpoints):
            await append(store, count)
            return await checkpoints.fresh()

    def change(self, statement: str) -> None:
        with closing(sqlite3.connect(self.store_path, isolation_level=None)) as connection:
            assert connection.execute(statement).rowcount == 1

    def outside(self) -> Checkpoint:
        return open_checkpoint(self.file.read_text(), ORIGIN, SIGNER.public)


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


async def append(store: SqliteStore, count: int) -> None:
    for _ in range(count):
        await store.commit(Commit([draft()]))


async def refused(log: Log) -> str:
    """Why a log does not resume. Nothing of it changes by that."""
    before = log.file.read_bytes() if log.file.exists() else b""
    async with log.opened() as store:
        records = len(await all_records(store))
        with pytest.raises(LogRefused) as error:
            await Checkpoints(store, log.file, [SIGNER.public]).resume()
        assert len(await all_records(store)) == records
    assert (log.file.read_bytes() if log.file.exists() else b"") == before
    assert "cavra log accept-loss retry" in str(error.value), "it does not say what to do"
    return str(error.value)


@pytest.mark.parametrize("size", [0, 1, 5, 255, 256, 257, 600])
async def test_a_checkpoint_states_the_log_and_stands_in_the_store_and_outside(log: Log, size: int) -> None:
    async with log.running() as (store, checkpoints):
        await store.commit(Commit([draft() for _ in range(size)]))
        signed = await checkpoints.fresh()
        row = await store.row("checkpoint")
        leaves = [record["record_hash"] for record in await all_records(store)]
    assert log.outside() == Checkpoint(ORIGIN, size, naive_merkle.root(leaves))
    assert row is not None
    assert (row["size"], row["note"]) == (size, log.file.read_text())
    assert signed.note == row["note"]
    async with log.running() as (_, checkpoints):
        assert checkpoints.published.frontier == signed.frontier


async def until(store: SqliteStore, reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not reached():
            await store.wait_beyond(10**9, 0.02)


def test_a_record_waits_a_second_or_sixty_four_others_at_most() -> None:
    assert (module.EVERY_SECONDS, module.EVERY_RECORDS) == (1.0, 64)


@pytest.mark.parametrize(("records", "seconds"), [(64, 3600.0), (1, 0.01)], ids=["sixty-four", "one in time"])
async def test_what_was_appended_is_signed_soon(
    log: Log, records: int, seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", seconds)
    async with log.running() as (store, checkpoints):
        keeping = asyncio.create_task(checkpoints.keep())
        await append(store, records)
        await until(store, lambda: checkpoints.published.frontier.size == records)
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping
    assert log.outside().size == records


async def test_fewer_than_sixty_four_records_wait(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_SECONDS", 3600.0)
    async with log.running() as (store, checkpoints):
        keeping = asyncio.create_task(checkpoints.keep())
        await append(store, 63)
        assert checkpoints.published.frontier.size == 0
        await append(store, 1)
        await until(store, lambda: checkpoints.published.frontier.size == 64)
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping


async def test_a_restored_back_up_is_refused(log: Log) -> None:
    await log.grow(5)
    back_up = log.store_path.with_suffix(".old")
    shutil.copy(log.store_path, back_up)
    await log.grow(3)
    shutil.copy(back_up, log.store_path)
    message = await refused(log)
    assert "it holds 5 records" in message
    assert "of 8" in message


async def test_a_suffix_rewritten_at_equal_length_is_refused(log: Log) -> None:
    await log.grow(300)
    back_up = log.store_path.with_suffix(".old")
    shutil.copy(log.store_path, back_up)
    await log.grow(20)
    kept = log.file.read_bytes()
    shutil.copy(back_up, log.store_path)
    log.file.unlink()
    log.change("DELETE FROM checkpoints")
    await log.grow(20)
    log.file.write_bytes(kept)
    assert "the root at that size is another" in await refused(log)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET canonical = CAST(replace(canonical, 'accepted', 'declined') AS BLOB) WHERE idx = 299",
        "UPDATE records SET canonical = CAST(canonical AS TEXT) WHERE idx = 299",
        "DELETE FROM records WHERE idx = 299",
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 8 AND idx = 0",
        "DELETE FROM nodes WHERE level = 8 AND idx = 0",
        "UPDATE log_state SET frontier = zeroblob(length(frontier))",
    ],
    ids=["bytes", "text", "missing record", "node", "missing node", "head"],
)
async def test_a_store_that_was_written_into_is_refused(log: Log, statement: str) -> None:
    await log.grow(300)
    log.change(statement)
    assert "does not extend its last checkpoint" in await refused(log)


async def test_a_lost_file_is_refused(log: Log) -> None:
    await log.grow(2)
    log.file.unlink()
    assert "is gone" in await refused(log)


async def test_a_file_that_another_key_signed_is_refused(log: Log) -> None:
    await log.grow(2)
    stranger = Signer.of(Ed25519PrivateKey.from_private_bytes(bytes(31) + b"\x01"))
    log.file.write_text(sign_checkpoint(log.outside(), stranger))
    assert "no checkpoint that cavra.test/retry signed" in await refused(log)


async def test_records_after_the_last_checkpoint_are_signed_at_start(log: Log) -> None:
    await log.grow(70)
    async with log.opened() as store:
        await append(store, 9)
    async with log.running() as (_, checkpoints):
        assert checkpoints.published.frontier.size == 79
    assert log.outside().size == 79


async def test_a_file_ahead_of_the_stores_own_checkpoint_is_no_harm(log: Log) -> None:
    earlier = await log.grow(5)
    await log.grow(4)
    note, root = earlier.note, earlier.frontier.root().hex()
    log.change(f"UPDATE checkpoints SET size = 5, root = x'{root}', note = '{note}'")
    assert (await log.grow(1)).frontier.size == 10


async def test_a_log_without_a_checkpoint_yet_gets_its_first(log: Log) -> None:
    async with log.opened() as store:
        await append(store, 3)
    assert (await log.grow(0)).frontier.size == 3


async def test_a_running_log_signs_nothing_once_its_records_were_rewritten(log: Log) -> None:
    async with log.running() as (store, checkpoints):
        await append(store, 10)
        signed = await checkpoints.fresh()
        await append(store, 2)
        log.change("UPDATE records SET record_hash = zeroblob(32) WHERE idx = 10")
        with pytest.raises(LogRefused):
            await checkpoints.fresh()
        assert checkpoints.published == signed
    assert log.outside().size == 10


async def test_callers_at_once_get_a_checkpoint_of_all_that_was_committed(log: Log) -> None:
    async with log.running() as (store, checkpoints):

        async def one() -> tuple[int, Frontier]:
            (entry,) = await store.commit(Commit([draft()]))
            return entry.index, (await checkpoints.fresh()).frontier

        for index, frontier in await asyncio.gather(*(one() for _ in range(20))):
            assert frontier.size > index


async def test_of_two_processes_on_one_store_the_slower_takes_nothing_back(
    log: Log, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One is held right before it writes a checkpoint of 6; the other has 100 to sign by then."""
    entered, go_on = threading.Event(), threading.Event()

    def slow(path: Path, data: bytes) -> None:
        entered.set()
        assert go_on.wait(20)
        write_private(path, data)

    await log.grow(5)
    async with log.running() as (_, slower), log.running() as (store, faster):
        await append(store, 1)
        monkeypatch.setattr(module, "write_private", slow)
        late = asyncio.create_task(slower.fresh())
        assert await asyncio.to_thread(entered.wait, 20)
        monkeypatch.setattr(module, "write_private", write_private)
        await store.commit(Commit([draft() for _ in range(94)]))
        signing = asyncio.create_task(faster.fresh())
        await asyncio.wait([signing], timeout=0.2)
        assert log.outside().size == 5, "it did not wait for the one that compares and writes"
        go_on.set()
        await late
        assert (await signing).frontier.size == log.outside().size == 100
        assert (await slower.fresh()).frontier.size == 100


async def test_a_running_log_signs_nothing_once_the_file_is_ahead_of_its_store_or_beside_it(log: Log) -> None:
    """As it is when two processes that share the file were given stores of their own."""
    await log.grow(5)
    back_up = log.store_path.with_suffix(".old")
    shutil.copy(log.store_path, back_up)
    apart = Log(log.file.parent.parent / "apart")
    apart.file, apart.store_path = log.file, back_up
    async with apart.running() as (other, behind):
        await log.grow(4)
        await append(other, 1)
        with pytest.raises(LogRefused, match="it holds 6 records"):
            await behind.fresh()
        await append(other, 4)
        with pytest.raises(LogRefused, match="the root at that size is another"):
            await behind.fresh()
    assert log.outside().size == 9
