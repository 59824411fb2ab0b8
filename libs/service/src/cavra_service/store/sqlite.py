"""The embedded engine: one SQLite file, one writer that commits groups, a few readers."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite
import structlog
from cavra_evidence.log import Entry
from cavra_verify.signatures import Signer

from cavra_service.store.protocol import Commit, Row, StoreClosed, StoreFailed, companion
from cavra_service.store.sql import Migration
from cavra_service.store.sqlite_group import Apart, Groups, Result
from cavra_service.store.sqlite_schema import migrate

T = TypeVar("T")
log = structlog.get_logger()

GROUP_LIMIT = 128
"""Most commands that share one fsync."""

_LOOKUPS_HERE = 64
"""Most look-ups by key that are made on the loop, at some 15 us each; a trip to a thread takes 100 us of it, and waits for its turn."""

_BUSY_SECONDS = 5.0
"""How long to wait for another process's lock."""

_FIRST_PAUSE_SECONDS = 0.001
_LONGEST_PAUSE_SECONDS = 0.025
"""Between looks whether another process still writes."""

_WAL_PAUSE_SECONDS = 0.05
"""Between tries to switch a file over that another process is opening."""

_PRAGMAS = (
    "synchronous = FULL",
    "foreign_keys = ON",
    "cache_size = -16384",
    "wal_autocheckpoint = 8000",
    "mmap_size = 268435456",
)
"""Every commit durable. A commit touches pages all over the indexes: 16 MiB of them are kept, the first 256 MiB of the file are read in
place, and pages are copied back from the log each 32 MiB."""


@dataclass(slots=True)
class _Pending:
    """A command that waits for its group."""

    commit: Commit
    done: asyncio.Future[list[Entry]]


class _Connection(aiosqlite.Connection):
    """A connection whose thread also runs a whole function of ours: one trip to it, not one for each statement."""

    @property
    def here(self) -> sqlite3.Connection:
        """The connection itself, for who alone uses it and does not wait: its statements run in the loop's thread."""
        return self._conn

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        result: T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]
        return result


class SqliteStore:
    """`Store` on one SQLite file in WAL mode with synchronous=FULL."""

    _lookups: _Connection
    """Of who looks a few rows up, on the loop."""

    def __init__(
        self,
        queries: Mapping[str, str],
        origin: str,
        signer: Signer,
        clock: Callable[[], datetime],
        busy_seconds: float,
    ) -> None:
        self._queries = queries
        self._origin = origin
        self._signer = signer
        self._busy_seconds = busy_seconds
        self._groups = Groups(queries, signer, clock)
        self._pending: asyncio.Queue[_Pending | None] = asyncio.Queue()
        self._readers: asyncio.Queue[_Connection] = asyncio.Queue()
        self._connections: list[_Connection] = []
        self._grown = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(
        cls,
        path: Path,
        *,
        queries: Mapping[str, str],
        migrations: Iterable[Migration],
        origin: str,
        signer: Signer,
        clock: Callable[[], datetime],
        readers: int = 3,
        busy_seconds: float = _BUSY_SECONDS,
    ) -> Self:
        """Open (and create, and migrate) the store at `path`. Raises ValueError when an applied migration has changed since.

        `busy_seconds`: how long a commit waits while another process writes.
        """
        store = cls(queries, origin, signer, clock, busy_seconds)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Who may read it is for the services to say. The engine gives its other files the mode of this one.
        # One that is there is not opened: closing it would let go of the locks that this process has on it.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            writer = await store._connect(path)
            steps = list(migrations)
            await writer.run(lambda connection: migrate(connection, steps, clock()))
            # From here on it is used on the loop, where nothing may wait.
            await writer.execute_fetchall("PRAGMA busy_timeout = 0")
            store._lookups = await store._connect(path, query_only=True)
            for _ in range(readers):
                store._readers.put_nowait(await store._connect(path, query_only=True))
        except BaseException:
            await store.close()
            raise
        store._task = asyncio.create_task(store._write_groups(writer), name="store-writer")
        return store

    async def _connect(self, path: Path, query_only: bool = False) -> _Connection:
        connection = _Connection(
            lambda: sqlite3.connect(
                path, isolation_level=None, cached_statements=512, check_same_thread=False
            ),
            64,
        )
        await connection
        self._connections.append(connection)
        connection.row_factory = sqlite3.Row
        await connection.execute_fetchall(f"PRAGMA busy_timeout = {_BUSY_SECONDS * 1000:.0f}")
        await _enter_wal(connection)
        for pragma in (*_PRAGMAS, f"query_only = {int(query_only)}"):
            await connection.execute_fetchall(f"PRAGMA {pragma}")
        return connection

    @property
    def origin(self) -> str:
        """The log's origin."""
        return self._origin

    @property
    def signer(self) -> Signer:
        """The service's key."""
        return self._signer

    async def commit(self, commit: Commit) -> list[Entry]:
        """See `Store.commit`."""
        if self._closed:
            raise StoreClosed
        if (accompany := companion.get()) is not None:
            commit = replace(commit, statements=[*commit.statements, accompany(commit.drafts)])
        done = asyncio.get_running_loop().create_future()
        self._pending.put_nowait(_Pending(commit, done))
        # A caller who is cancelled stops waiting; the command is applied all the same.
        return await asyncio.shield(done)

    async def rows(self, query: str, /, **params: Any) -> Sequence[Row]:
        """See `Store.rows`."""
        return (await self._each(query, [params]))[0]

    async def row(self, query: str, /, **params: Any) -> Row | None:
        """See `Store.row`."""
        found = await self.rows(query, **params)
        return found[0] if found else None

    async def each(self, query: str, params: Sequence[Mapping[str, Any]], /) -> list[Sequence[Row]]:
        """See `Store.each`."""
        if len(params) > _LOOKUPS_HERE:
            return await self._each(query, params)
        if self._closed:
            raise StoreClosed
        return _found(self._lookups.here, self._queries[query], params)

    async def _each(self, query: str, params: Sequence[Mapping[str, Any]]) -> list[Sequence[Row]]:
        """In the thread of a connection that nobody else uses meanwhile."""
        if self._closed:
            raise StoreClosed
        sql = self._queries[query]
        connection = await self._readers.get()
        try:
            return await connection.run(lambda reader: _found(reader, sql, params))
        finally:
            self._readers.put_nowait(connection)

    async def wait_beyond(self, size: int, timeout: float) -> bool:
        """See `Store.wait_beyond`. Another process's commits are noticed at the time-out."""
        grown = self._grown
        state = await self.row("log_state")
        if state is not None and state["size"] > size:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await grown.wait()
        return False

    async def close(self) -> None:
        """See `Store.close`."""
        self._closed = True
        if self._task is not None:
            self._pending.put_nowait(None)
            await self._task
            self._task = None
        self._grown.set()
        while self._connections:
            await self._connections.pop().close()

    async def _write_groups(self, writer: _Connection) -> None:
        """Take what waits, commit it as one group, answer, until `close` says stop."""
        stopping = False
        while not stopping:
            group = [await self._pending.get()]
            # Those who are about to commit, and whom they wake, come along: a larger group writes fewer pages for each command.
            for _ in range(2):
                await asyncio.sleep(0)
            while len(group) < GROUP_LIMIT and not self._pending.empty():
                group.append(self._pending.get_nowait())
            stopping = None in group
            commands = [pending for pending in group if pending is not None]
            if commands:
                await self._write_group(writer, commands)

    async def _write_group(self, writer: _Connection, commands: list[_Pending]) -> None:
        results = await self._results(writer, [pending.commit for pending in commands])
        for pending, result in zip(commands, results, strict=True):
            if pending.done.cancelled():
                continue
            if isinstance(result, Exception):
                pending.done.set_exception(result)
            else:
                pending.done.set_result(result)
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    async def _results(self, writer: _Connection, commits: list[Commit]) -> list[Result]:
        try:
            try:
                # Few conflict, so each group is tried without what keeps its commands apart.
                return await self._transaction(writer, commits, each_apart=False)
            except Apart:
                return await self._transaction(writer, commits, each_apart=True)
        except sqlite3.OperationalError as error:
            # The engine failed: nothing of the group is durable, and each caller is told.
            code = getattr(error, "sqlite_errorname", "SQLITE_ERROR")
            log.error("store_failed", code=code, commands=len(commits), exc_info=error)
            return [StoreFailed(code) for _ in commits]
        except Exception as error:
            # One command is at fault, and nothing was written: each has its own transaction then.
            if len(commits) == 1:
                return [error]
            return [(await self._results(writer, [commit]))[0] for commit in commits]

    async def _transaction(
        self, writer: _Connection, commits: list[Commit], *, each_apart: bool
    ) -> list[Result]:
        """The statements run here, where they take microseconds; what waits for the disk runs in the connection's thread.

        Beside a busy loop, a thread would wait for the interpreter after each of some thirty statements, for up to 5 ms.
        """
        await self._begin(writer)
        try:
            results = self._groups.apply(writer.here, commits, each_apart=each_apart)
            await writer.run(lambda connection: connection.execute("COMMIT"))
        except Exception:
            if writer.here.in_transaction:
                writer.here.execute("ROLLBACK")
            raise
        self._groups.committed()
        return results

    async def _begin(self, writer: _Connection) -> None:
        """Take the engine's one write lock, which another process may hold for a moment."""
        loop = asyncio.get_running_loop()
        until, pause = loop.time() + self._busy_seconds, _FIRST_PAUSE_SECONDS
        while True:
            try:
                writer.here.execute("BEGIN IMMEDIATE")
            except sqlite3.OperationalError as error:
                # Extended codes hold the plain one in their low byte.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or loop.time() >= until:
                    raise
            else:
                return
            await asyncio.sleep(pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)


def _found(reader: sqlite3.Connection, sql: str, params: Sequence[Mapping[str, Any]]) -> list[Sequence[Row]]:
    return [reader.execute(sql, dict(one)).fetchall() for one in params]


async def _enter_wal(connection: _Connection) -> None:
    # The switch takes the whole file, and SQLite does not wait for that although another process may be opening it too.
    for _ in range(round(_BUSY_SECONDS / _WAL_PAUSE_SECONDS)):
        with suppress(sqlite3.OperationalError):
            await connection.execute_fetchall("PRAGMA journal_mode = WAL")
            return
        await asyncio.sleep(_WAL_PAUSE_SECONDS)
    await connection.execute_fetchall("PRAGMA journal_mode = WAL")
