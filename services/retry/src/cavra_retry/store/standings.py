"""How the live items stand, kept in memory by what has changed, so that each reading costs what has changed since the last."""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Final

from cavra_evidence.records.retry import ItemState
from cavra_evidence.times import moment
from cavra_service.store.protocol import Row, Store

from cavra_retry.domain.failures import FailureKey
from cavra_retry.domain.items import Person, Standing

_LIVE: Final = frozenset[ItemState]({"open", "approved", "claimed"})
_NOTHING: Final = -1


class Standings:
    """What rows say of items that may still be decided on, claimed or settled: by it a choice is made, and nothing is authorised."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen = _NOTHING
        """Number of the last change that was read."""
        self._live: dict[FailureKey, Standing] = {}
        self._reading = asyncio.Lock()

    async def live(self) -> dict[FailureKey, Standing]:
        """All such items as they are now. A failure has one at most."""
        async with self._reading:
            if self._seen == _NOTHING:
                # What changes between these two is read again.
                last = await self._store.row("last_item_change")
                await self._take(await self._store.rows("live_items"))
                self._seen = last["change"] if last is not None else 0
            await self._take(await self._store.rows("changed_items", since=self._seen))
            return dict(self._live)

    async def _take(self, rows: Sequence[Row]) -> None:
        if not rows:
            return
        # Of what is not approved nobody asks who may execute it.
        asked = [row["item_id"] for row in rows if row["separation_of_duties"] and row["state"] == "approved"]
        approvers = await self._approvers(asked)
        for row in rows:
            key = FailureKey.shared(row["delivery_id"], row["audit_id"], row["provider"])
            if row["state"] in _LIVE:
                self._live[key] = _standing(row, approvers[row["item_id"]])
            elif (known := self._live.get(key)) is not None and known.item_id == row["item_id"]:
                del self._live[key]
        self._seen = max(self._seen, rows[-1]["change"])

    async def _approvers(self, item_ids: Sequence[str]) -> defaultdict[str, frozenset[Person]]:
        """Who has approved each. They are read after the items: one more than there was moves the item's number, too."""
        rows = await self._store.each("item_approvers", [{"item_id": one} for one in item_ids])
        found: defaultdict[str, frozenset[Person]] = defaultdict(frozenset)
        for item_id, made in zip(item_ids, rows, strict=True):
            if made:
                found[item_id] = frozenset((row["iss"], row["sub"]) for row in made)
        return found


def _standing(row: Row, approvers: frozenset[Person]) -> Standing:
    return Standing(
        row["item_id"],
        row["attempt_number"],
        row["state"],
        row["version"],
        row["failed_hash"],
        row["plan_index"],
        moment(row["expires_at"]),
        approvers,
    )
