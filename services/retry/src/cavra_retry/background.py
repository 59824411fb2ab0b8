"""The worker on a timer: it runs what is approved and due, as the service, by the same code as a run that somebody asks for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import ceil
from typing import Final

import structlog
from cavra_evidence.draft import Actor
from cavra_evidence.ids import new_id
from cavra_evidence.records.retry import RetryPlan, WorkerRun
from cavra_service.errors import Refused

from cavra_retry.domain.plans import plan_retries
from cavra_retry.domain.policy import RetryPolicy
from cavra_retry.domain.runs import RunRequest, schedule_slot
from cavra_retry.peer import Sending
from cavra_retry.rpc.base import Parts
from cavra_retry.store import items

TASK: Final = "retry-worker"
MOST: Final = 25
"""Retries of one run."""
_LOOKED_AT: Final = 500
"""Approved items looked at to see whether one is due; the rest has its turn when these are settled."""

log = structlog.get_logger()


@asynccontextmanager
async def working(parts: Parts) -> AsyncIterator[None]:
    """Run the worker while the context is open, if the settings enable it. On leaving, a run that has begun goes on."""
    if not parts.settings.worker_enabled:
        yield
        return
    task = asyncio.create_task(_keep_working(parts), name=TASK)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _keep_working(parts: Parts) -> None:
    while True:
        try:
            while await _run_due(parts):
                pass
        except Refused as refused:
            log.info("worker_postponed", reason=refused.reason)
        except Exception as error:
            log.error("worker_failed", error=type(error).__name__, exc_info=error)
        await asyncio.sleep(parts.settings.worker_interval_seconds)


async def _run_due(parts: Parts) -> bool:
    """One run, if it would take something: a look that finds nothing writes nothing. Whether there was a run."""
    settings, now = parts.settings, parts.clock()
    keys = await items.approved(parts.store, now, _LOOKED_AT)
    if not keys:
        return False
    name = "service:retry"
    request = RunRequest(
        run_id=new_id(WorkerRun.KIND.prefix),
        live=True,
        most=MOST,
        providers=frozenset(),
        schedule=schedule_slot(ceil(settings.worker_interval_seconds / 60), "interval", True, now),
        actor=Actor(settings.token_issuer, name, name),
        now=now,
    )
    policy = RetryPolicy.of(attempt_ceiling=settings.approval_max_attempts)
    plan_id = new_id(RetryPlan.KIND.prefix)
    about = [one for one in (await parts.delivery.failures(keys)).values() if one.open]
    planned = plan_retries(plan_id, about, policy, request.actor, now)
    if not await parts.executor.would_take(request, planned):
        return False
    planned = plan_retries(plan_id, await parts.delivery.open_failures(), policy, request.actor, now)
    await parts.tasks.finish(parts.executor.run(request, planned, Sending()))
    return True
