"""Named SQL blocks and numbered migrations, read from files: the only form in which SQL enters the code.

A block opens with `-- name: block_name` and a line of purpose, and takes parameters as `:name`. A migration is a file
`NNNN.pre.name.sql` (before the new code serves) or `NNNN.post.name.sql` (after the old code is gone).
SQL is written for PostgreSQL; an adapter may translate the few marks in it (`/*without rowid*/`, `BIGINT PRIMARY KEY`).
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Literal

_NAME = re.compile(r"^-- name: ([a-z][a-z0-9_]*)$", re.MULTILINE)
_MIGRATION = re.compile(r"(\d{4})\.(pre|post)\.([a-z0-9_]+)\.sql")

Phase = Literal["pre", "post"]


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of a schema."""

    package: str
    number: int
    phase: str
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of its text: an applied migration must not change."""
        return sha256(self.sql.encode()).hexdigest()


def blocks(package: str, file: str = "queries.sql") -> dict[str, str]:
    """The named blocks of a package's SQL file."""
    text = files(package).joinpath(file).read_text()
    parts = _NAME.split(text)[1:]
    found: dict[str, str] = {}
    for name, sql in zip(parts[::2], parts[1::2], strict=True):
        if name in found:
            raise ValueError(f"{package}: block {name} stands twice")
        found[name] = sql.strip().rstrip(";")
    return found


def migrations(package: str) -> list[Migration]:
    """The migrations of a package's `migrations` folder, by number."""
    return sorted(_migrations(package, files(package).joinpath("migrations")), key=lambda step: step.number)


def _migrations(package: str, folder: Traversable) -> Iterator[Migration]:
    for file in folder.iterdir():
        match = _MIGRATION.fullmatch(file.name)
        if match:
            yield Migration(package, int(match[1]), match[2], match[3], file.read_text())
