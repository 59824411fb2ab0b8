"""A log's heartbeat: how much is open and a root over it, on every change and at latest every hour, so that silence shows."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from cavra_evidence.draft import Actor, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.records.log import LogHeartbeat
from cavra_evidence.times import moment, text
from cavra_verify.kinds import BY_NOUN
from cavra_verify.merkle import Frontier, leaf_hash

from cavra_service.settings import Settings
from cavra_service.store import listing
from cavra_service.store.protocol import Commit, Conflict, Statement, Store, StoreClosed, StoreFailed

log = structlog.get_logger()

_KIND: Final = BY_NOUN["log_heartbeat"]
_ALL: Final = 2**62


def open_root(items: Sequence[str]) -> bytes:
    """RFC 6962 root over the names of open items, sorted by their bytes."""
    frontier = Frontier()
    for item in sorted(item.encode() for item in items):
        frontier, _ = frontier.append(leaf_hash(item))
    return frontier.root()


class Heartbeat:
    """The heartbeat of one service's log. What is open is what its block `open_items` names."""

    def __init__(self, store: Store, settings: Settings, actor: Actor, clock: Callable[[], datetime]) -> None:
        self._store = store
        self._interval = settings.heartbeat_seconds
        self._pause = settings.heartbeat_change_seconds
        self._actor = actor
        self._clock = clock
        self._looked_at = -1
        """Size of the log at the last look: what is open changes with a record."""

    async def keep(self) -> None:
        """Beat whenever it is due, until the store closes or the task is cancelled."""
        while True:
            try:
                await asyncio.sleep(self._pause)
                await self.beat()
            except StoreClosed:
                return
            except StoreFailed as error:
                log.error("heartbeat_not_recorded", code=str(error))

    async def beat(self) -> bool:
        """Record what is open, if that has changed since the last heartbeat or that one is too long ago; whether it did.

        Never twice within the pause, restarts or not, by however many processes.
        """
        at, last = await self._last()
        age = timedelta.max if last is None else self._clock() - moment(last.generated_at)
        late = age >= timedelta(seconds=self._interval)
        state = await self._store.row("log_state")
        unchanged = state is None or state["size"] == self._looked_at
        if age < timedelta(seconds=self._pause) or (unchanged and not late):
            return False
        rows = await self._store.rows("open_items")
        items = [row["item"] for row in rows if row["item"] is not None]
        self._looked_at = rows[0]["size"]
        root = open_root(items).hex()
        changed = last is not None and last.open_root != root
        if not late and not changed:
            return False
        record = LogHeartbeat(
            heartbeat_id=new_id(_KIND.prefix),
            generated_at=text(self._clock()),
            trigger="changed" if changed else "interval",
            interval_seconds=int(self._interval),
            tree_size=self._looked_at,
            open_count=len(items),
            open_root=root,
        )
        newest = Statement("newest_of_kind", {"kind": _KIND.kind, "idx": at}, expect=1)
        try:
            await self._store.commit(Commit([Draft(record, self._actor)], [newest]))
        except Conflict:
            return False  # Another process of the service beat meanwhile.
        return True

    async def _last(self) -> tuple[int, LogHeartbeat | None]:
        """The newest heartbeat and its index; -1 and None where there is none."""
        term = [("metadata_kind", _KIND.kind)]
        rows, _ = await listing.page(self._store, term, first=0, before=_ALL, limit=1, keys_only=False)
        return (rows[0]["idx"], LogHeartbeat.read(bytes(rows[0]["canonical"]))) if rows else (-1, None)
