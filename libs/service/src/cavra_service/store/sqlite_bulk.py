"""Many rows by few statements."""

import re
import sqlite3
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

_AT_ONCE = (64, 16, 4, 1)
"""Rows of one statement: few makes of each, so that all stay prepared."""

_VALUES = re.compile(r"VALUES (\((?::\w+, )*:\w+\))")


def insert(connection: sqlite3.Connection, sql: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Run an insertion of one row for many rows, with many to a statement.

    The engine gives the interpreter up at every statement, and a busy loop takes it: forty statements were forty waits to get it back.
    """
    at = 0
    for count in _AT_ONCE:
        text, names = _widened(sql, count)
        while len(rows) - at >= count:
            part = rows[at : at + count]
            connection.execute(text, [row[name] for row in part for name in names])
            at += count


@cache
def _widened(sql: str, count: int) -> tuple[str, list[str]]:
    """(`INSERT ... VALUES (:a, :b) ...` for so many rows by place, its names in their order)."""
    match = _VALUES.search(sql)
    if match is None:
        raise ValueError(f"no one row of named values in {sql!r}")
    names = re.findall(r":(\w+)", match[1])
    one = f"({', '.join('?' * len(names))})"
    return f"{sql[: match.start(1)]}{', '.join([one] * count)}{sql[match.end(1) :]}", names
