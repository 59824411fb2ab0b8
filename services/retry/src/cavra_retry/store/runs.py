"""Worker runs and counters, read from the log and its counters."""

from collections.abc import Sequence

from cavra_evidence.records.retry import WorkerRun
from cavra_service.store import listing
from cavra_service.store.protocol import Row, Store


def terms(dry_run: bool | None) -> listing.Terms:
    """Under which one term the runs are found; None for both sorts."""
    if dry_run is None:
        return [("metadata_kind", WorkerRun.KIND.kind)]
    return [("dry_run", "true" if dry_run else "false")]


async def newest(store: Store, terms: listing.Terms, limit: int, offset: int = 0) -> Sequence[Row]:
    """Records under one term, newest first."""
    before = 2**62
    if offset:
        passed, following = await listing.page(
            store, terms, first=0, before=before, limit=offset, keys_only=True
        )
        if following is None:
            return []
        before = passed[-1]["idx"]
    rows, _ = await listing.page(store, terms, first=0, before=before, limit=limit, keys_only=False)
    return rows


async def count(store: Store, counter: str) -> int:
    """One counter."""
    row = await store.row("counter", name=counter)
    return 0 if row is None else row["value"]
