"""Which failures have changed since somebody last looked."""

from dataclasses import dataclass

from cavra_service.store.protocol import Store

from cavra_delivery.store.failures import StoredFailure, failure_of


@dataclass(frozen=True, slots=True)
class Cursor:
    """How far a reader has seen, and of which history."""

    since: int = 0
    """The number of the newest change seen."""
    until: int = 0
    """Up to this number closed failures are left out: the reader began when it was the newest."""
    index: int = -1
    """The log's last record at that time, -1 in an empty log: a store that lacks it has another history."""
    record_hash: str = ""


@dataclass(frozen=True, slots=True)
class Changes:
    """A page of changes."""

    failures: list[StoredFailure]
    cursor: Cursor
    more: bool
    begins: bool
    """The reader forgets what it knew."""


async def changes(store: Store, seen: Cursor | None, limit: int) -> Changes:
    """At most `limit` failures that changed after what was `seen`; from the start for None, and for a cursor of another history."""
    place = await store.row("history", idx=-1 if seen is None else seen.index)
    if place is None:
        raise LookupError("the log's state is gone")
    newest: int = place["newest"]
    known = "" if place["known"] is None else bytes(place["known"]).hex()
    begins = seen is None or known != seen.record_hash or seen.since > newest
    at = Cursor(0, newest) if begins or seen is None else seen
    bounds = {"since": at.since, "limit": limit + 1}
    if at.since < at.until:
        rows = list(await store.rows("open_failures_changed", **bounds, until=at.until))
        passed = at.until
    else:
        rows = list(await store.rows("changed_failures", **bounds))
        passed = rows[-1]["change_number"] if rows else at.since
    more = len(rows) > limit
    since = rows[limit - 1]["change_number"] if more else passed
    last = "" if place["record_hash"] is None else bytes(place["record_hash"]).hex()
    cursor = Cursor(since, at.until, place["idx"], last)
    return Changes([failure_of(row) for row in rows[:limit]], cursor, more or since < newest, begins)
