"""Jobs that a service does again and again, so that nothing stays half-way."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any

import structlog

from cavra_service.errors import Refused

log = structlog.get_logger()


@asynccontextmanager
async def reconciling(
    jobs: Sequence[Callable[[], Awaitable[object]]], interval_seconds: float
) -> AsyncIterator[None]:
    """Keep reconciling while the context is open."""
    async with beside(keep_reconciling(jobs, interval_seconds), "reconciling"):
        yield


@asynccontextmanager
async def beside(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """Let `work`, which goes on for ever, run while the context is open."""
    task = asyncio.create_task(work, name=name)
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def keep_reconciling(jobs: Sequence[Callable[[], Awaitable[object]]], interval_seconds: float) -> None:
    """Do all `jobs` now and twice in every interval, until cancelled. A peer that is down is asked again.

    Twice, so that what needs two looks is settled within one interval.
    """
    while True:
        for job in jobs:
            try:
                await job()
            except Refused as refused:
                log.info("reconcile_postponed", reason=refused.reason)
            except Exception as error:
                log.error("reconcile_failed", error=type(error).__name__, exc_info=error)
        await asyncio.sleep(interval_seconds / 2)
