"""The machine behind live retries: claims and intents in one commit, then the sends, then each outcome as it comes.

All of it runs in tasks that the service owns: a caller who goes away ends the waiting, never the work.

What is lost on the way (delivery was down, this process died) stays claimed until `reconcile` settles it: delivery says what is recorded,
or fences an execution that never began, which is then recorded as skipped. Nothing is ever sent again to find out.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

import structlog
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra_evidence.draft import Cause
from cavra_evidence.ids import new_id
from cavra_evidence.log import Entry
from cavra_evidence.records.retry import ExecutionRecord, RetryIntent, RetryPlan
from cavra_service.errors import Refused
from cavra_service.faults import fault
from cavra_service.keys import ServiceKeys
from cavra_service.store.protocol import Commit, Conflict, Store
from cavra_service.wire import record_of_entry, record_of_row
from cavra_verify.permits import sign_permit
from cavra_verify.signatures import SignatureError

from cavra_retry import consent
from cavra_retry.domain.executions import Claim, Outcome, intend, permit, record_execution
from cavra_retry.domain.failures import Description, FailureKey
from cavra_retry.domain.items import Item, Standing, advance
from cavra_retry.domain.plans import Planned, judge, plan_retries
from cavra_retry.domain.policy import Judged, RetryPolicy
from cavra_retry.domain.runs import Approvals, RunRequest, Selection, claimable, is_valid, record_run, select
from cavra_retry.peer import Delivery, Permitted, Sending, Sent
from cavra_retry.store import items as item_rows
from cavra_retry.store import plans as plan_rows
from cavra_retry.store.standings import Standings

log = structlog.get_logger()

_ATTEMPTS = 20
"""How often a run chooses anew: each time, another run has claimed something."""
_EXPLAINED = 50
"""Ended items looked up to say why a retry was not taken: what a run's record can list."""


@dataclass(frozen=True, slots=True)
class Executed:
    """One live retry."""

    sent: Sent | None
    """What delivery answered; None while that is not known here."""
    execution: evidence.Record | None
    """The execution record; None while the outcome is not known here."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One run."""

    plan: evidence.Record
    run: evidence.Record
    results: Sequence[Executed]


class NothingDue(Exception):
    """The run would take nothing, and was asked for only if it takes something."""


class Executor:
    """Runs what was approved."""

    def __init__(
        self,
        store: Store,
        standings: Standings,
        delivery: Delivery,
        keys: ServiceKeys,
        clock: Callable[[], datetime],
    ) -> None:
        """`standings`: of the items in `store`. `keys`: this service's own, by which it checks what it signed itself."""
        self._store = store
        self._standings = standings
        self._delivery = delivery
        self._keys = keys
        self._clock = clock
        self._under_way: set[str] = set()
        self._seen: set[str] = set()
        """Claims without an outcome at the last look for them."""
        self._chosen: set[str] = set()
        """Items that a live run of this process has chosen and not yet claimed: runs at the same time choose among the others."""
        self._released = asyncio.Event()
        """Set, and replaced, whenever a run has let go of what it had chosen."""

    async def run(self, request: RunRequest, policy: RetryPolicy, sending: Sending) -> Ran:
        """One run: record its plan, claim, send, record. A dry run only selects.

        A claim that another run has taken meanwhile shows as a follow-up. Raises Refused `service_unavailable`, with nothing written, when
        delivery can't say what has failed or what would be sent; NothingDue, with nothing written, where the request says so.
        """
        judged = judge(await self._delivery.open_failures(), policy, request.now)
        request = replace(request, circuits=self._delivery.circuits)
        mine: set[str] = set()
        try:
            plan, run, permitted = await self._take(request, policy, judged, sending, mine)
        finally:
            self._release(mine)
        results = await self._send(permitted, sending)
        origin = self._store.origin
        return Ran(record_of_entry(plan, origin), record_of_entry(run, origin), results)

    async def _take(
        self,
        request: RunRequest,
        policy: RetryPolicy,
        judged: Sequence[Judged],
        sending: Sending,
        mine: set[str],
    ) -> tuple[Entry, Entry, list[Permitted]]:
        """The run's plan and record, and what it may send."""
        kept: tuple[Planned, Entry] | None = None
        for _ in range(_ATTEMPTS):
            approvals = await self._approvals(request, judged, mine)
            # The peers took their time: what may be claimed is judged by the moment of the claim.
            request = replace(request, now=self._clock())
            selection = select(request, judged, approvals)
            if request.only_if_due and not (selection.items or selection.changed):
                raise NothingDue
            kept = kept or await self._keep_plan(request, policy, judged, approvals)
            claims = [self._claim(request, item) for item in selection.items]
            lasts = sending.deadline(len(claims))
            self._under_way |= {claim.execution_id for claim in claims}
            try:
                await fault("retry.before_claim")
                entries = await self._commit_run(request, *kept, selection, claims, lasts)
                await fault("retry.claimed")
                permitted = [
                    self._permit(claim, lasts, intent)
                    for claim, intent in zip(claims, entries[: len(claims)], strict=True)
                ]
            except BaseException as error:
                # What may have been claimed all the same is for `reconcile` to settle.
                self._under_way -= {claim.execution_id for claim in claims}
                if isinstance(error, Conflict):
                    continue
                raise
            return kept[1], entries[-1], permitted
        raise Conflict("run: others were faster each time")

    async def _keep_plan(
        self,
        request: RunRequest,
        policy: RetryPolicy,
        judged: Sequence[Judged],
        approvals: Approvals | None,
    ) -> tuple[Planned, Entry]:
        live = approvals.standings if approvals else await self._standings.live()
        ack, now = request.require_retry_ack, request.now
        reviewed = await plan_rows.reviewed(self._store, judged, live, ack, now)
        planned = plan_retries(new_id(RetryPlan.KIND.prefix), judged, reviewed, policy, request.actor, now)
        (entry,) = await self._store.commit(Commit([planned.draft], plan_rows.keep_retry_plan(planned)))
        return planned, entry

    async def _commit_run(
        self,
        request: RunRequest,
        planned: Planned,
        plan: Entry,
        selection: Selection,
        claims: Sequence[Claim],
        lasts: timedelta,
    ) -> list[Entry]:
        """Claims, intents (whose permits last so long) and the run's record: all of them or none."""
        run = record_run(request, planned, plan.record_hash.hex(), selection, claims)
        statements = [
            *(item_rows.move(item, advance(item.state, "change")) for item in selection.changed),
            *(item_rows.move(item, advance(item.state, "claim")) for item in selection.items),
            *map(item_rows.keep_claim, claims),
        ]
        gauges = {
            "worker_retryable": planned.record.retryable_count,
            "worker_selected": len(selection.selected),
        }
        intents = [intend(claim, claim.permitted_until(lasts)) for claim in claims]
        return await self._store.commit(Commit([*intents, run], statements, gauges))

    def _permit(self, claim: Claim, lasts: timedelta, intent: Entry) -> Permitted:
        intent_hash = intent.record_hash.hex()
        given = permit(claim, intent_hash, claim.permitted_until(lasts))
        return Permitted(
            claim, Cause(intent.id, intent.kind, intent_hash), sign_permit(given, self._store.signer)
        )

    def _claim(self, request: RunRequest, item: Item) -> Claim:
        taken = replace(item, state=advance(item.state, "claim"), version=item.version + 1)
        return Claim(
            new_id(ExecutionRecord.KIND.prefix),
            new_id(RetryIntent.KIND.prefix),
            request.run_id,
            taken,
            request.actor,
            request.now,
        )

    async def _approvals(
        self, request: RunRequest, judged: Sequence[Judged], mine: set[str]
    ) -> Approvals | None:
        """What a live run has to know of approvals.

        What it may take is added to `mine`, and other runs of this process choose among the rest. Where that is not enough for this one, it
        waits to see what becomes of theirs.
        """
        if not request.live:
            return None
        while True:
            standings = await self._standings.live()
            approvals, theirs = await self._choose(request, judged, standings, mine)
            if not theirs:
                break
            self._release(mine)
            if theirs & self._chosen:
                await self._released.wait()
        missing = (one.failure.key for one in judged if one.failure.key not in standings)
        standings |= await item_rows.ended(self._store, list(islice(missing, _EXPLAINED)))
        return approvals

    async def _choose(
        self,
        request: RunRequest,
        judged: Sequence[Judged],
        standings: Mapping[FailureKey, Standing],
        mine: set[str],
    ) -> tuple[Approvals, set[str]]:
        """Look closely at as many items as the run can take, and no more: describing and verifying cost more than all the rest of a choice.

        Beside it, the items of other runs that were passed over, if this one could take more.
        """
        items: dict[FailureKey, Item] = {}
        descriptions: dict[FailureKey, Description] = {}
        verified: set[str] = set()
        theirs: set[str] = set()
        approvals = Approvals(standings, items, descriptions, verified)
        waiting, valid = claimable(request, judged, standings), 0
        while valid < request.most:
            batch = self._reserve(waiting, request.most, mine, theirs)
            if not batch:
                return approvals, theirs
            item_ids = [standing.item_id for _, standing in batch]
            found = [
                item
                for item in await item_rows.full(self._store, item_ids)
                if item.version == standings[item.key].version
            ]
            descriptions |= await self._delivery.describe([item.key for item in found])
            verified |= await consent.verified(self._store, self._keys, found)
            items |= {item.key: item for item in found}
            valid += sum(one.failure.key in items and is_valid(one, request, approvals) for one, _ in batch)
        return approvals, set()

    def _reserve(
        self, waiting: Iterator[tuple[Judged, Standing]], most: int, mine: set[str], theirs: set[str]
    ) -> list[tuple[Judged, Standing]]:
        """The next items that no other run of this process has chosen; those that one has are added to `theirs`."""
        batch: list[tuple[Judged, Standing]] = []
        for one, standing in waiting:
            if standing.item_id in self._chosen and standing.item_id not in mine:
                theirs.add(standing.item_id)
                continue
            self._chosen.add(standing.item_id)
            mine.add(standing.item_id)
            batch.append((one, standing))
            if len(batch) == most:
                break
        return batch

    def _release(self, mine: set[str]) -> None:
        """Let other runs choose among these again: they are claimed, or free."""
        self._chosen -= mine
        mine.clear()
        released, self._released = self._released, asyncio.Event()
        released.set()

    async def _send(self, permitted: Sequence[Permitted], sending: Sending) -> list[Executed]:
        """Send all claims in one stream and record each outcome as it arrives."""
        claims = {one.claim.execution_id: one.claim for one in permitted}
        recording: dict[str, asyncio.Task[Executed]] = {}
        try:
            if permitted:
                await fault("retry.permitted")
                # Outcomes are recorded beside each other, so that those which arrive together share an fsync.
                async for sent in self._delivery.send(permitted, sending):
                    work = self._executed(claims[sent.execution_id], sent)
                    recording[sent.execution_id] = asyncio.create_task(work)
        except Refused as refused:
            log.warning("outcomes_lost", reason=refused.reason, executions=len(permitted))
        except SignatureError:
            log.error("outcomes_not_signed_by_delivery", executions=len(permitted))
        finally:
            try:
                await asyncio.gather(*recording.values())
            finally:
                self._under_way -= claims.keys()
        return [recording[one].result() if one in recording else Executed(None, None) for one in claims]

    async def _executed(self, claim: Claim, sent: Sent) -> Executed:
        await fault("retry.answered")
        execution = await self.settle(claim, sent.outcome)
        await fault("retry.executed")
        return Executed(sent, execution)

    async def settle(self, claim: Claim, outcome: Outcome) -> evidence.Record:
        """Record what became of a claim, once; a second outcome answers with what is recorded."""
        draft = record_execution(claim, outcome, self._clock())
        settled = item_rows.move(claim.item, advance(claim.item.state, "settle"))
        statements = [item_rows.settle(claim.execution_id, outcome.status), settled]
        try:
            entries = await self._store.commit(Commit([draft], statements))
        except Conflict:
            row = await self._store.row("record", id=claim.execution_id)
            if row is None:
                raise
            return record_of_row(row, self._store.origin)
        return record_of_entry(entries[0], self._store.origin)

    async def results(self, run_id: str) -> list[Executed]:
        """What became of a run's retries, in the order it chose them. Refuses `in_progress` while one has no outcome.

        That comes within a reconcile interval of a crash. Asking delivery for it here would fence what another process is about to send.
        """
        rows = await self._store.rows("executions_of_run", run_id=run_id)
        if any(row["state"] == "claimed" for row in rows):
            raise Refused("in_progress", "a retry of the run has no recorded outcome yet", "idempotency-key")
        ids = [row["execution_id"] for row in rows]
        sent = {one.execution_id: one async for one in self._delivery.settle(ids)}
        records = await self._store.each("record", [{"id": one} for one in ids])
        return [
            Executed(sent.get(one), record_of_row(found[0], self._store.origin))
            for one, found in zip(ids, records, strict=True)
        ]

    async def reconcile(self) -> None:
        """Settle the claims that have no outcome and are not under way here.

        A look settles what the look before saw already: another process of this service may just have claimed the rest and be about to
        send it. That holds for the first look, too: who has just started can't tell what it left behind from what its sibling does.
        """
        claims = {
            claim.execution_id: claim
            for claim in await item_rows.claims_without_outcome(self._store)
            if claim.execution_id not in self._under_way
        }
        due = [one for one in claims if one in self._seen]
        self._seen = set(claims)
        if due:
            async for sent in self._delivery.settle(due):
                await fault("retry.reconcile.answered")
                await self._settle_alone(claims[sent.execution_id], sent.outcome)
                await fault("retry.reconcile.executed")

    async def _settle_alone(self, claim: Claim, outcome: Outcome) -> None:
        """A claim whose record can't be made (its rows were forged) must not keep the others waiting."""
        try:
            await self.settle(claim, outcome)
        except ValueError as error:
            log.error("claim_not_settled", execution_id=claim.execution_id, error=type(error).__name__)
