"""Replays of whole logs beside the event loop, and the one that a service makes of its own log on a timer."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing
from datetime import datetime
from typing import Final

import structlog
from cavra_evidence.draft import Actor, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.records.log import LogAudit
from cavra_evidence.times import text
from cavra_verify.audit import Audit, Entry
from cavra_verify.kinds import BY_NOUN
from cavra_verify.policy import read_policy

from cavra_service.checkpoints import Checkpoints, LogRefused
from cavra_service.policies import policy_document
from cavra_service.settings import Settings
from cavra_service.store.protocol import Commit, Store, StoreClosed, StoreFailed

log = structlog.get_logger()

_KIND: Final = BY_NOUN["log_audit"]
_PAGE: Final = 500


class OwnAudit:
    """The audit of one service's log by itself, by the list of its keys that others check it by."""

    def __init__(
        self,
        store: Store,
        checkpoints: Checkpoints,
        settings: Settings,
        actor: Actor,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._checkpoints = checkpoints
        self._settings = settings
        self._actor = actor
        self._clock = clock

    async def keep(self) -> None:
        """Audit at each interval, until the store closes or the task is cancelled."""
        while True:
            try:
                await asyncio.sleep(60 * self._settings.audit_interval_minutes)
                await self.audit()
            except StoreClosed:
                return
            except (StoreFailed, OSError, ValueError) as error:
                log.error("log_not_audited", error=type(error).__name__)

    async def audit(self) -> LogAudit:
        """Replay the log up to its newest checkpoint and record what was found."""
        origin = self._store.origin
        document = policy_document(self._settings, [origin.rpartition("/")[2]])
        audit = Audit(read_policy(json.dumps(document).encode()))
        try:
            head = await self._checkpoints.fresh()
        except LogRefused:
            head = self._checkpoints.published
            audit.found(f"{origin}: the log is not what it signed")
        async with aclosing(self._pages(head.frontier.size)) as pages:
            entries = pulled(asyncio.get_running_loop(), pages)
            await asyncio.to_thread(audit.replay, origin, entries, head.note)
        report = audit.report()
        violations, gaps, (found,) = report.violations, report.gaps, report.logs
        if violations.count or gaps.count:
            # Where, and not what: a forged record may say anything.
            places = [one.partition(": got ")[0] for one in (*violations.listed, *gaps.listed)][:20]
            log.error("log_audit_refuted", violations=violations.count, gaps=gaps.count, at=places)
        record = LogAudit(
            report_id=new_id(_KIND.prefix),
            audited_at=text(self._clock()),
            status="refuted" if violations.count or gaps.count else "verified",
            tree_size=head.frontier.size,
            tree_root=head.frontier.root().hex(),
            record_count=found.records,
            trace_count=found.traces,
            violation_count=violations.count,
            gap_count=gaps.count,
        )
        await self._store.commit(Commit([Draft(record, self._actor)]))
        return record

    async def _pages(self, size: int) -> AsyncGenerator[list[Entry], None]:
        following = 0
        while following < size:
            rows = await self._store.rows("records_page", from_index=following, limit=_PAGE)
            if not rows:
                return
            following = rows[-1]["idx"] + 1
            yield [(row["idx"], _bytes(row["canonical"]), _bytes(row["signature"])) for row in rows]


def _bytes(value: bytes | str) -> bytes:
    # Who writes into an SQLite file may leave a text where bytes were: it is replayed like any other bytes.
    return value.encode("utf-8", "replace") if isinstance(value, str) else value


def pulled(loop: asyncio.AbstractEventLoop, pages: AsyncIterator[list[Entry]]) -> Iterator[Entry]:
    """The entries of pages, for a thread beside the loop that they come from."""

    async def following() -> list[Entry]:
        return await anext(pages, [])

    while page := asyncio.run_coroutine_threadsafe(following(), loop).result():
        yield from page
