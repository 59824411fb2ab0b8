"""Work that goes on whoever waits for it: what a call began, and what is done again and again."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import Any, TypeVar

import structlog
from cavra_service.errors import Refused

T = TypeVar("T")

log = structlog.get_logger()


class OwnedTasks:
    """Work that outlives the call that asked for it."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    async def finish(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`, which goes on when the waiting is cancelled."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return await asyncio.shield(task)

    def _done(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            # Who waits is told as well; this is for those who went away.
            log.info("owned_task_failed", error=type(task.exception()).__name__)

    async def close(self, timeout_seconds: float) -> None:
        """Wait for what is under way, at most so long; then stop it."""
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=timeout_seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)


async def keep_reconciling(jobs: Sequence[Callable[[], Awaitable[None]]], interval_seconds: float) -> None:
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
