"""The embedded engine: one SQLite file, one writer that commits groups, a few readers."""

import asyncio
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self, TypeVar

import aiosqlite
import structlog
from cavra_evidence.log import Appended, Entry, Head, LogState, append
from cavra_verify.merkle import HASH_SIZE, Frontier
from cavra_verify.signatures import Signer

from cavra_service.store.protocol import Commit, Conflict, Row, StoreClosed, StoreFailed, companion
from cavra_service.store.sql import Migration
from cavra_service.store.sqlite_bulk import insert
from cavra_service.store.sqlite_schema import migrate

T = TypeVar("T")
log = structlog.get_logger()

GROUP_LIMIT = 128
"""Most commands that share one fsync."""

_REMEMBERED = 16_384
"""Hashes that are kept at hand: some 3 MB."""

_BUSY_MILLIS = 5_000
"""How long to wait for another process's lock."""

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


@dataclass(slots=True)
class _Group:
    """What the commands of one group add up to, written in bulk before the one COMMIT."""

    state: LogState
    entries: list[Entry] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)
    heads: dict[str, Head] = field(default_factory=dict)
    hashes: dict[str, str] = field(default_factory=dict)
    counters: Counter[str] = field(default_factory=Counter)

    def take(self, appended: Appended, gauges: Mapping[str, int]) -> None:
        self.state = appended.state
        self.entries += appended.entries
        self.nodes += ({"level": node.level, "idx": node.index, "hash": node.hash} for node in appended.nodes)
        self.heads |= appended.heads
        for entry in appended.entries:
            self.hashes[entry.id] = entry.record_hash.hex()
            self.counters.update(f"{name}={value}" for name, value in entry.counted)
        for name, delta in gauges.items():
            self.counters[f"gauge:{name}"] += delta


class _Connection(aiosqlite.Connection):
    """A connection whose thread also runs a whole function of ours: a group is one trip to it, not one for each statement."""

    async def run(self, function: Callable[[sqlite3.Connection], T]) -> T:
        result: T = await self._execute(function, self._conn)  # type: ignore[no-untyped-call]
        return result


class SqliteStore:
    """`Store` on one SQLite file in WAL mode with synchronous=FULL."""

    def __init__(
        self, queries: Mapping[str, str], origin: str, signer: Signer, clock: Callable[[], datetime]
    ) -> None:
        self._queries = queries
        self._origin = origin
        self._signer = signer
        self._clock = clock
        self._pending: asyncio.Queue[_Pending | None] = asyncio.Queue()
        self._readers: asyncio.Queue[_Connection] = asyncio.Queue()
        self._connections: list[_Connection] = []
        self._grown = asyncio.Event()
        self._closed = False
        self._hashes: dict[str, str] = {}
        """Of records that were written or named not long ago, by id. For the writer's thread alone."""
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
    ) -> Self:
        """Open (and create, and migrate) the store at `path`. Raises ValueError when an applied migration has changed since."""
        store = cls(queries, origin, signer, clock)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Who may read it is for the services to say. The engine gives its other files the mode of this one.
        # One that is there is not opened: closing it would let go of the locks that this process has on it.
        with suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        try:
            writer = await store._connect(path)
            steps = list(migrations)
            await writer.run(lambda connection: migrate(connection, steps, clock()))
            for _ in range(readers):
                store._readers.put_nowait(await store._connect(path, query_only=True))
        except BaseException:
            await store.close()
            raise
        store._task = asyncio.create_task(store._write_groups(writer), name="store-writer")
        return store

    async def _connect(self, path: Path, query_only: bool = False) -> _Connection:
        connection = _Connection(
            lambda: sqlite3.connect(path, isolation_level=None, cached_statements=512), 64
        )
        await connection
        self._connections.append(connection)
        connection.row_factory = sqlite3.Row
        await connection.execute_fetchall(f"PRAGMA busy_timeout = {_BUSY_MILLIS}")
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
        return (await self.each(query, [params]))[0]

    async def row(self, query: str, /, **params: Any) -> Row | None:
        """See `Store.row`."""
        found = await self.rows(query, **params)
        return found[0] if found else None

    async def each(self, query: str, params: Sequence[Mapping[str, Any]], /) -> list[Sequence[Row]]:
        """See `Store.each`."""
        if self._closed:
            raise StoreClosed
        if not params:
            return []
        sql = self._queries[query]
        connection = await self._readers.get()
        try:
            return await connection.run(
                lambda reader: [reader.execute(sql, dict(one)).fetchall() for one in params]
            )
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

    async def _results(self, writer: _Connection, commits: list[Commit]) -> list[list[Entry] | Exception]:
        try:
            return await writer.run(lambda connection: self._apply(connection, commits))
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

    def _apply(self, connection: sqlite3.Connection, commits: list[Commit]) -> list[list[Entry] | Exception]:
        """One transaction: each command under a savepoint of its own, then the log's rows in bulk."""
        connection.execute("BEGIN IMMEDIATE")
        try:
            group = _Group(self._read_state(connection))
            results = [self._apply_one(connection, group, commit) for commit in commits]
            self._write_log(connection, group)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        self._remember(group.hashes)
        return results

    def _apply_one(
        self, connection: sqlite3.Connection, group: _Group, commit: Commit
    ) -> list[Entry] | Exception:
        if commit.statements:
            connection.execute("SAVEPOINT command")
        try:
            self._change_state(connection, commit)
            appended = self._append(connection, group, commit)
        except (Conflict, ValueError) as error:
            if commit.statements:
                connection.execute("ROLLBACK TO command")
                connection.execute("RELEASE command")
            return error
        if commit.statements:
            connection.execute("RELEASE command")
        group.take(appended, commit.gauges)
        return appended.entries

    def _change_state(self, connection: sqlite3.Connection, commit: Commit) -> None:
        for statement in commit.statements:
            try:
                changed = connection.execute(self._queries[statement.query], dict(statement.params)).rowcount
            except sqlite3.IntegrityError as error:
                raise Conflict(f"{statement.query}: {error}") from None
            if statement.expect is not None and changed != statement.expect:
                raise Conflict(f"{statement.query}: changed {changed} rows, expected {statement.expect}")

    def _append(self, connection: sqlite3.Connection, group: _Group, commit: Commit) -> Appended:
        for trace in {trace for draft in commit.drafts for trace in draft.trace_ids} - group.heads.keys():
            row = connection.execute(self._queries["chain_head"], {"trace_id": trace}).fetchone()
            if row is not None:
                group.heads[trace] = Head(row["seq"], row["record_hash"])
        causes = {cause.id for draft in commit.drafts for cause in draft.causes if cause.record_hash is None}
        for cause in causes - group.hashes.keys():
            known = self._hashes.get(cause) or self._stored_hash(connection, cause)
            if known is not None:
                group.hashes[cause] = known
        return append(group.state, commit.drafts, self._clock(), self._signer, group.heads, group.hashes)

    def _stored_hash(self, connection: sqlite3.Connection, record_id: str) -> str | None:
        row = connection.execute(self._queries["record_hash"], {"id": record_id}).fetchone()
        return None if row is None else row["record_hash"].hex()

    def _remember(self, hashes: Mapping[str, str]) -> None:
        """Keep the hashes of records that are durable: no record changes, and most name what was written a moment ago."""
        self._hashes |= hashes
        while len(self._hashes) > _REMEMBERED:
            del self._hashes[next(iter(self._hashes))]

    def _read_state(self, connection: sqlite3.Connection) -> LogState:
        row = connection.execute(self._queries["log_state"]).fetchone()
        frontier = bytes(row["frontier"] or b"")
        roots = tuple(frontier[at : at + HASH_SIZE] for at in range(0, len(frontier), HASH_SIZE))
        return LogState(Frontier(row["size"], roots), row["last_created_at"])

    def _write_log(self, connection: sqlite3.Connection, group: _Group) -> None:
        counted = [{"name": n, "delta": d} for n, d in group.counters.items() if d]
        insert(connection, self._queries["move_counter"], counted)
        if not group.entries:
            return
        try:
            insert(
                connection, self._queries["insert_record"], [_record_row(entry) for entry in group.entries]
            )
        except sqlite3.IntegrityError:
            raise Conflict("a record of this id exists already") from None
        insert(
            connection,
            self._queries["insert_term"],
            [{"name": n, "value": v, "idx": entry.index} for entry in group.entries for n, v in entry.terms],
        )
        insert(connection, self._queries["insert_node"], group.nodes)
        insert(
            connection,
            self._queries["set_chain_head"],
            [
                {"trace_id": t, "seq": head.seq, "record_hash": head.record_hash}
                for t, head in group.heads.items()
            ],
        )
        frontier = group.state.frontier
        connection.execute(
            self._queries["set_log_state"],
            {
                "size": frontier.size,
                "frontier": b"".join(frontier.roots),
                "last_created_at": group.state.last_created_at,
            },
        )


async def _enter_wal(connection: _Connection) -> None:
    # The switch takes the whole file, and SQLite does not wait for that although another process may be opening it too.
    for _ in range(_BUSY_MILLIS // 50):
        with suppress(sqlite3.OperationalError):
            await connection.execute_fetchall("PRAGMA journal_mode = WAL")
            return
        await asyncio.sleep(0.05)
    await connection.execute_fetchall("PRAGMA journal_mode = WAL")


def _record_row(entry: Entry) -> dict[str, Any]:
    return {
        "idx": entry.index,
        "id": entry.id,
        "kind": entry.kind,
        "created_at": entry.created_at,
        "canonical": entry.canonical,
        "record_hash": entry.record_hash,
        "signature": entry.signature,
        "key_id": entry.key_id,
    }
