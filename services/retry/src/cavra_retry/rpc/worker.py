"""Worker runs: live, dry, listed and counted."""

from typing import Any, Final

from cavra.retry.v1 import retry_pb2 as pb
from cavra_evidence.ids import new_id
from cavra_evidence.records.retry import ExecutionResolution, WorkerRun
from cavra_evidence.refusal import Refusal
from cavra_service.identity import caller
from cavra_service.store import listing
from cavra_service.wire import record_of_row, timestamp

from cavra_retry.domain.resolutions import Outcome, Resolution
from cavra_retry.domain.runs import RunRequest, schedule_slot
from cavra_retry.execution import Executed
from cavra_retry.peer import Sending
from cavra_retry.rpc.base import Topic, bounded, member, optional, required, retry_policy, sending
from cavra_retry.store import items, runs

_OUTCOMES: Final[dict[int, Outcome]] = {
    pb.RESOLUTION_OUTCOME_DELIVERED: "delivered",
    pb.RESOLUTION_OUTCOME_NOT_DELIVERED: "not_delivered",
}
_LATEST: Final = 10
_MOST_OFFSET: Final = 10_000
_MOST_LIMIT: Final = 500


class Worker(Topic):
    """RunWorker, ResolveExecution, ListWorkerRuns and GetWorkerDashboard."""

    async def RunWorker(self, request: pb.RunWorkerRequest, context: Any) -> pb.RunWorkerResponse:
        """See the contract."""
        parts, now = self._parts, self._parts.clock()
        policy = retry_policy(request.retry_policy, parts.settings)
        enabled = optional(request.schedule, "enabled")
        run = RunRequest(
            run_id=new_id(WorkerRun.KIND.prefix),
            live=request.execute,
            most=bounded(request, "max_retry_deliveries", 5, 1, 25),
            providers=frozenset(request.providers),
            schedule=schedule_slot(
                bounded(request.schedule, "interval_minutes", 60, 1, 10_080),
                request.schedule.cadence or "interval",
                True if enabled is None else enabled,
                now,
            ),
            actor=caller().actor,
            now=now,
            require_retry_ack=parts.settings.approval_require_retry_ack,
        )
        tries: Sending = sending(request)
        ran = await parts.tasks.finish(parts.executor.run(run, policy, tries))
        results = [_result(index, one) for index, one in enumerate(ran.results)]
        return pb.RunWorkerResponse(run=ran.run, retry_plan=ran.plan, results=results)

    async def complete_run(self, request: pb.RunWorkerRequest, response: pb.RunWorkerResponse) -> None:
        """Add what became of a run's retries. Refuses `in_progress` while one has no outcome."""
        executed = await self._parts.executor.results(response.run.id)
        response.results.extend(_result(index, one) for index, one in enumerate(executed))

    async def ResolveExecution(
        self, request: pb.ResolveExecutionRequest, context: Any
    ) -> pb.ResolveExecutionResponse:
        """See the contract."""
        parts = self._parts
        outcome = member(_OUTCOMES, request.outcome, "outcome")
        said = Resolution(
            new_id(ExecutionResolution.KIND.prefix),
            outcome,
            required(request, "external_ref"),
            request.notes,
        )
        work = parts.resolver.resolve(request.execution_id, said, caller().actor)
        return pb.ResolveExecutionResponse(resolution=await parts.tasks.finish(work))

    async def ListWorkerRuns(
        self, request: pb.ListWorkerRunsRequest, context: Any
    ) -> pb.ListWorkerRunsResponse:
        """See the contract."""
        store = self._parts.store
        if not 0 <= request.limit <= _MOST_LIMIT:
            raise Refusal("invalid_value", f"0 to {_MOST_LIMIT}", "limit")
        if request.offset < 0:
            raise Refusal("invalid_value", "not negative", "offset")
        if request.offset > _MOST_OFFSET:
            raise Refusal("use_cursor", "page on with a cursor over the history", "offset")
        terms = runs.terms(optional(request, "dry_run"))
        found = await runs.newest(store, terms, request.limit or 50, request.offset)
        total, _ = await listing.total(store, terms, first=0, before=None)
        return pb.ListWorkerRunsResponse(
            runs=[record_of_row(row, store.origin) for row in found], total=total
        )

    async def GetWorkerDashboard(
        self, request: pb.GetWorkerDashboardRequest, context: Any
    ) -> pb.GetWorkerDashboardResponse:
        """See the contract. The level is that of the newest run: it clears with the next."""
        store = self._parts.store
        latest = await runs.newest(store, runs.terms(None), _LATEST)
        newest = WorkerRun.read(latest[0]["canonical"]) if latest else None
        failed = await items.failed_retries(store, newest.run_id) if newest else []
        left = 0
        if newest:
            done = 0 if newest.dry_run else newest.summary.selected_retry_count
            left = newest.summary.retryable_count - done
        return pb.GetWorkerDashboardResponse(
            generated_at=timestamp(self._parts.clock()),
            alert_level="critical" if failed else "warning" if left else "healthy",
            run_count=await runs.count(store, f"metadata_kind={WorkerRun.KIND.kind}"),
            dry_run_count=await runs.count(store, "dry_run=true"),
            executed_count=await runs.count(store, "dry_run=false"),
            retryable_count=await runs.count(store, "gauge:worker_retryable"),
            selected_retry_count=await runs.count(store, "gauge:worker_selected"),
            latest=[record_of_row(row, store.origin) for row in latest],
        )


def _result(index: int, one: Executed) -> pb.RunWorkerResponse.RetryResult:
    sent = one.sent
    return pb.RunWorkerResponse.RetryResult(
        selected_index=index,
        delivery_plan=sent.delivery_plan if sent else None,
        delivery=sent.delivery if sent else None,
        execution=one.execution,
        skipped=sent.outcome.skipped_reason if sent else "",
    )
