"""What a store promises, whichever engine keeps it."""

from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

from cavra_evidence.draft import Draft
from cavra_evidence.log import Entry
from cavra_verify.signatures import Signer


class Conflict(Exception):
    """What a command decided on has changed meanwhile, or a unique row exists already: nothing of the command was written."""


class StoreClosed(Exception):
    """The store is closing or closed; nothing of the command was written."""


class StoreFailed(Exception):
    """The engine can't write now (disk full, locked for too long); nothing of the command was written."""


class Row(Protocol):
    """A row whose columns are read by name."""

    def __getitem__(self, name: str, /) -> Any: ...


@dataclass(frozen=True, slots=True)
class Statement:
    """One change of state, by the name of its SQL block."""

    query: str
    params: Mapping[str, Any] = field(default_factory=dict)
    expect: int | None = None
    """Rows that it must change; another number is a Conflict. None: any number."""


@dataclass(frozen=True, slots=True)
class Commit:
    """All that one command writes: both or neither."""

    drafts: Sequence[Draft] = ()
    """Records to append, in order. A draft may name earlier ones, and any record of the same log, as a cause without a hash."""
    statements: Sequence[Statement] = ()
    """Changes of state, in order. A version that the command read is re-checked by a statement with `expect`."""
    gauges: Mapping[str, int] = field(default_factory=dict)
    """By how much each gauge of open state moves, e.g. {"open_failures": 1}; read back as counter "gauge:open_failures"."""


Companion = Callable[[Sequence[Draft]], Statement]
"""(a commit's drafts) -> the statement that goes with it."""

companion: ContextVar[Companion | None] = ContextVar("companion", default=None)
"""While set, every commit of this context, and of the tasks started in it, carries one statement more: all of it or none."""


class Store(Protocol):
    """One service's store.

    Commits are durable (fsync) when `commit` returns, atomic, and in log order; each is applied on its own: one that conflicts leaves the
    others of its group untouched. Reads see every commit that has returned. Safe for several processes on one store.
    """

    @property
    def origin(self) -> str:
        """The log's origin."""

    @property
    def signer(self) -> Signer:
        """The service's key."""

    async def commit(self, commit: Commit) -> list[Entry]:
        """Write it all, with the context's `companion`, and return the entries of `commit.drafts`.

        Raises Conflict, StoreClosed, StoreFailed, RecordTooLarge, UnknownCause.
        """

    async def rows(self, query: str, /, **params: Any) -> Sequence[Row]:
        """All rows of a named read."""

    async def row(self, query: str, /, **params: Any) -> Row | None:
        """The first row of a named read, or None."""

    async def each(self, query: str, params: Sequence[Mapping[str, Any]], /) -> list[Sequence[Row]]:
        """The rows of one named read for each of `params`, in their order: one trip to the engine for all of them.

        For reads that find a few rows by key; what passes over many is for `rows`.
        """

    async def wait_beyond(self, size: int, timeout: float) -> bool:
        """True once the log has grown beyond `size`; False when it may have, at the latest after `timeout` seconds."""

    async def close(self) -> None:
        """Finish what was begun, refuse what comes later, release the engine."""
