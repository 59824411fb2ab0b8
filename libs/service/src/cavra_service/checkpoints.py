"""Signed checkpoints of a log: one soon after each append, kept in the store and outside it, and none that does not extend the last."""

import asyncio
import fcntl
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import Context
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import structlog
from cavra_verify.merkle import Frontier
from cavra_verify.signatures import Checkpoint, SignatureError, open_checkpoint, sign_checkpoint
from cavra_verify.tiles import WIDTH

from cavra_service.files import write_private
from cavra_service.store import tree
from cavra_service.store.protocol import Commit, Statement, Store, StoreClosed, StoreFailed

log = structlog.get_logger()

EVERY_SECONDS: Final = 1.0
"""How long at most a record waits for its checkpoint,"""
EVERY_RECORDS: Final = 64
"""unless so many wait already."""


Finding = Literal["", "older", "rewritten", "checkpoint_missing"]


class LogRefused(Exception):
    """The log is not what it signed: nothing is signed or served. The message says what was found and what to do."""

    def __init__(self, message: str, finding: Finding = "", signed: Checkpoint | None = None) -> None:
        super().__init__(message)
        self.finding: Finding = finding
        """Of a log that may go on after `cavra log accept-loss`; else empty."""
        self.signed = signed
        """The checkpoint that it does not extend, where there is one."""


@dataclass(frozen=True, slots=True)
class Signed:
    """A checkpoint that was made."""

    frontier: Frontier
    note: str
    """The signed note; empty for what another run of the service signed."""


class Checkpoints:
    """The checkpoints of one service's log. Nothing may be appended before `resume` has returned."""

    def __init__(self, store: Store, path: Path, keys: Sequence[bytes]) -> None:
        """`path`: the file that keeps the last checkpoint where who restores or rewrites the store does not reach it.

        `keys`: raw public keys by which that one may be signed.
        """
        self._store = store
        self._path = path
        self._keys = keys
        self._one_at_a_time = asyncio.Lock()
        self._last = Signed(Frontier(), "")

    async def resume(self) -> None:
        """Check the store against the last checkpoint, and sign one of what it holds. Raises LogRefused."""
        async with self._alone():
            kept = await asyncio.to_thread(self._kept)
            head = await tree.frontier(self._store)
            if kept is None and await self._store.row("checkpoint") is not None:
                raise LogRefused(self._lost(), "checkpoint_missing")
            self._check_newer(kept, head)
            try:
                self._last = Signed(await self._extended(kept, head), "")
            except tree.TreeBroken as error:
                message = self._rewritten(kept.size if kept else 0, str(error))
                raise LogRefused(message, "rewritten", kept) from None
        await self.fresh()

    async def start_over(self) -> None:
        """Sign what the store holds, whatever the file says: for who has accepted the loss. Raises as `fresh`."""
        async with self._one_at_a_time, self._alone():
            await self._sign(await tree.frontier(self._store), None)

    @property
    def published(self) -> Signed:
        """The newest one, at most a second or 64 records behind the log."""
        return self._last

    async def fresh(self) -> Signed:
        """One of everything that is committed now. Raises LogRefused, StoreFailed, StoreClosed or OSError."""
        # In a context of its own: what accompanies the commits of the call being served is not for this one.
        making = asyncio.create_task(self._make(), context=Context())
        making.add_done_callback(
            lambda task: task.cancelled() or task.exception()
        )  # If nobody waits any more.
        await asyncio.shield(making)
        return self._last

    async def keep(self) -> None:
        """Make one whenever it is due, until the store closes or the task is cancelled."""
        while True:
            try:
                await self._due()
                await self.fresh()
            except StoreClosed:
                return
            except (LogRefused, StoreFailed, OSError) as error:
                log.error("checkpoint_not_signed", error=type(error).__name__, detail=str(error))
                await asyncio.sleep(EVERY_SECONDS)

    async def _due(self) -> None:
        size = self._last.frontier.size
        while not await self._store.wait_beyond(size, EVERY_SECONDS):
            pass
        clock = asyncio.get_running_loop().time
        until = clock() + EVERY_SECONDS
        while (left := until - clock()) > 0 and not await self._store.wait_beyond(
            size + EVERY_RECORDS - 1, left
        ):
            pass

    async def _make(self) -> None:
        async with self._one_at_a_time:
            if await tree.frontier(self._store) == self._last.frontier and self._last.note:
                return
            async with self._alone():
                # Read after the lock is had: what another process signed before, this store held then.
                head, kept = await tree.frontier(self._store), await asyncio.to_thread(self._kept)
                self._check_newer(kept, head)
                await self._sign(head, kept)

    async def _sign(self, head: Frontier, kept: Checkpoint | None) -> None:
        """Sign `head`, which has to extend what was signed last, here and, as the file says, by another process."""
        past = self._last.frontier
        try:
            if kept is not None and kept.size > past.size:
                past = await tree.grown(self._store, past, kept.size)
                if past.root() != kept.root:
                    raise tree.TreeBroken("the root at that size is another")
            if await tree.grown(self._store, past, head.size) != head:
                raise tree.TreeBroken("the head is not that of its records")
        except tree.TreeBroken as error:
            raise LogRefused(self._rewritten(past.size, str(error))) from None
        made = Checkpoint(self._store.origin, head.size, head.root())
        note = sign_checkpoint(made, self._store.signer)
        # Outside first: whatever the store says of checkpoints, this file has seen.
        await asyncio.to_thread(write_private, self._path, note.encode())
        row = {"size": made.size, "root": made.root, "note": note}
        await self._store.commit(Commit(statements=[Statement("set_checkpoint", row)]))
        self._last = Signed(head, note)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """The file is nobody else's meanwhile, in whatever process: who compares it with a log and then writes it, takes it forward."""
        self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(self._path.with_name(f"{self._path.name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            await asyncio.to_thread(fcntl.flock, descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _check_newer(self, kept: Checkpoint | None, head: Frontier) -> None:
        if kept is not None and kept.size > head.size:
            raise LogRefused(self._older(kept, head.size), "older", kept)

    async def _extended(self, kept: Checkpoint | None, head: Frontier) -> Frontier:
        """The frontier at the kept checkpoint, if what the store holds leads to its root and from there to the head.

        The last full tile's worth of records is hashed from their bytes; what is older is taken from the tree's nodes.
        """
        if kept is None:
            frontier = Frontier()
        else:
            frontier = await tree.frontier_at(self._store, max(kept.size - 1, 0) // WIDTH * WIDTH)
            frontier = await tree.regrown(self._store, frontier, kept.size)
            if frontier.root() != kept.root:
                raise tree.TreeBroken("the root at that size is another")
        if await tree.regrown(self._store, frontier, head.size) != head:
            raise tree.TreeBroken("the head is not that of the records since")
        return frontier

    def _kept(self) -> Checkpoint | None:
        try:
            note = self._path.read_text()
        except FileNotFoundError:
            return None
        for key in self._keys:
            with suppress(SignatureError):
                return open_checkpoint(note, self._store.origin, key)
        raise LogRefused(
            f"{self._path} holds no checkpoint that {self._store.origin} signed with a key of its own. Put the file back."
            f" {self._way_out()}",
            "checkpoint_missing",
        )

    def _lost(self) -> str:
        return (
            f"the log {self._store.origin} has signed checkpoints, and the file that keeps the last one, {self._path}, is gone."
            f" Put it back. {self._way_out()}"
        )

    def _older(self, kept: Checkpoint, size: int) -> str:
        return (
            f"the log {self._store.origin} is older than its last checkpoint: it holds {size} records, and {self._path} is of"
            f" {kept.size}. Was a back-up restored? Put the newer store back. {self._way_out()}"
        )

    def _rewritten(self, size: int, what: str) -> str:
        return (
            f"the log {self._store.origin} does not extend its last checkpoint, of {size} records: {what}. Records were changed after"
            f" they were signed. Keep this store for inquiry, and put an unchanged one back. {self._way_out()}"
        )

    def _way_out(self) -> str:
        service = self._store.origin.rpartition("/")[2]
        return (
            "If there is none, `cavra log accept-loss` goes on with what is there, and says so in the log for"
            f" ever: cavra log accept-loss {service} --reason REASON"
        )
