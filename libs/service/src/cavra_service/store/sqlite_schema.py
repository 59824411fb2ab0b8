"""The schema of an embedded store: numbered migrations, each applied once."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from cavra_service.store.sql import Migration

_DIALECT: Final = {"/*without rowid*/": "WITHOUT ROWID", "BIGINT PRIMARY KEY": "INTEGER PRIMARY KEY"}


def migrate(connection: sqlite3.Connection, steps: list[Migration], now: datetime) -> None:
    """Apply what is new, each in a transaction of its own; refuse a step that has changed since it was applied."""
    connection.execute(
        "CREATE TABLE IF NOT EXISTS migrations (package TEXT, number BIGINT, phase TEXT, name TEXT, checksum TEXT, applied_at TEXT,"
        " PRIMARY KEY (package, number))"
    )
    for step in steps:
        # The lock comes before the look: another process may be migrating the same file.
        connection.execute("BEGIN IMMEDIATE")
        try:
            _apply_migration(connection, step, now)
            connection.execute("COMMIT")
        except BaseException:
            connection.execute("ROLLBACK")
            raise


def _apply_migration(connection: sqlite3.Connection, step: Migration, now: datetime) -> None:
    applied = connection.execute(
        "SELECT checksum FROM migrations WHERE package = ? AND number = ?", (step.package, step.number)
    ).fetchone()
    if applied is not None and applied["checksum"] != step.checksum:
        raise ValueError(f"{step.package}: migration {step.number:04} has changed since it was applied")
    if applied is not None:
        return
    sql = step.sql
    for mark, text in _DIALECT.items():
        sql = sql.replace(mark, text)
    for statement in _statements(sql):
        connection.execute(statement)
    connection.execute(
        "INSERT INTO migrations VALUES (?, ?, ?, ?, ?, ?)",
        (step.package, step.number, step.phase, step.name, step.checksum, now.isoformat()),
    )


def _statements(sql: str) -> Iterable[str]:
    """The statements of a migration, one by one: `executescript` would commit between them."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if any(line.strip() and not line.startswith("--") for line in statement.splitlines()):
        raise ValueError("a migration ends within a statement: its last semicolon is missing")
