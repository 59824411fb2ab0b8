"""What one transaction of the embedded engine holds: a group of commands, each whole or not at all, and the log's rows in bulk."""

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cavra_evidence.log import Appended, Entry, Head, LogState, append
from cavra_verify.merkle import HASH_SIZE, Frontier
from cavra_verify.signatures import Signer

from cavra_service.store.protocol import Commit, Conflict
from cavra_service.store.sqlite_bulk import insert

_REMEMBERED = 16_384
"""Hashes that are kept at hand: some 3 MB."""

Result = list[Entry] | Exception
"""Of one command: its entries, or why nothing of it was written."""


class Apart(Exception):
    """A command of the group failed: all are to be applied again, each apart from the others."""


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


class Groups:
    """Applies groups of commands, each inside a transaction that its caller has begun and commits."""

    def __init__(self, queries: Mapping[str, str], signer: Signer, clock: Callable[[], datetime]) -> None:
        self._queries = queries
        self._signer = signer
        self._clock = clock
        self._hashes: dict[str, str] = {}
        """Of durable records that were written or named not long ago, by id."""
        self._made: dict[str, str] = {}
        """Of the records of the group applied last."""

    def apply(
        self, connection: sqlite3.Connection, commits: Sequence[Commit], *, each_apart: bool
    ) -> list[Result]:
        """The changes and drafts of each command, then the log's rows in bulk. What it raises leaves nothing to commit.

        With `each_apart` a command stands under a savepoint of its own, and one that fails leaves the others as they are; without, which
        takes two statements less for each, it raises Apart.
        """
        group = _Group(self._read_state(connection))
        if each_apart:
            results = [self._apply_apart(connection, group, commit) for commit in commits]
        else:
            try:
                results = [self._apply_one(connection, group, commit) for commit in commits]
            except (Conflict, ValueError) as error:
                raise Apart from error
        self._write_log(connection, group)
        self._made = group.hashes
        return results

    def committed(self) -> None:
        """What was applied last is durable: its hashes may be named by the groups that follow."""
        # No record changes, and most name what was written a moment ago.
        self._hashes |= self._made
        while len(self._hashes) > _REMEMBERED:
            del self._hashes[next(iter(self._hashes))]

    def _apply_apart(self, connection: sqlite3.Connection, group: _Group, commit: Commit) -> Result:
        result: Result
        connection.execute("SAVEPOINT command")
        try:
            result = self._apply_one(connection, group, commit)
        except (Conflict, ValueError) as error:
            connection.execute("ROLLBACK TO command")
            result = error
        connection.execute("RELEASE command")
        return result

    def _apply_one(self, connection: sqlite3.Connection, group: _Group, commit: Commit) -> list[Entry]:
        self._change_state(connection, commit)
        appended = self._append(connection, group, commit)
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
