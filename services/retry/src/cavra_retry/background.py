"""The worker on a timer: it runs what is approved and due, as the service, by the same code as a run that somebody asks for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from typing import Final

import structlog
from cavra_evidence.draft import Actor
from cavra_evidence.ids import new_id
from cavra_evidence.records.retry import WorkerRun
from cavra_service.errors import Refused
from cavra_service.reconciling import beside

from cavra_retry.domain.policy import RetryPolicy
from cavra_retry.domain.runs import RunRequest, schedule_slot
from cavra_retry.execution import NothingDue
from cavra_retry.peer import Sending
from cavra_retry.rpc.base import Parts
from cavra_retry.store import items

TASK: Final = "retry-worker"
MOST: Final = 25
"""Retries of one run."""

log = structlog.get_logger()


@asynccontextmanager
async def working(parts: Parts) -> AsyncIterator[None]:
    """Run the worker while the context is open, if the settings enable it. On leaving, a run that has begun goes on."""
    if not parts.settings.worker_enabled:
        yield
        return
    async with beside(_keep_working(parts), TASK):
        yield


async def _keep_working(parts: Parts) -> None:
    while True:
        try:
            while await items.any_approved(parts.store, parts.clock()):
                await _run(parts)
        except NothingDue:
            pass
        except Refused as refused:
            log.info("worker_postponed", reason=refused.reason)
        except Exception as error:
            log.error("worker_failed", error=type(error).__name__, exc_info=error)
        await asyncio.sleep(parts.settings.worker_interval_seconds)


async def _run(parts: Parts) -> None:
    """One run, if it takes something: a look that finds nothing writes nothing."""
    settings, now = parts.settings, parts.clock()
    name = "service:retry"
    request = RunRequest(
        run_id=new_id(WorkerRun.KIND.prefix),
        live=True,
        most=MOST,
        providers=frozenset(),
        schedule=schedule_slot(ceil(settings.worker_interval_seconds / 60), "interval", True, now),
        actor=Actor(settings.token_issuer, name, name),
        now=now,
        require_retry_ack=settings.approval_require_retry_ack,
        only_if_due=True,
    )
    policy = RetryPolicy.of(attempt_ceiling=settings.approval_max_attempts)
    await parts.tasks.finish(parts.executor.run(request, policy, Sending()))
