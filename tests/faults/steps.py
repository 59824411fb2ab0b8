"""The steps of the execution machine, and how a test comes to one."""

import asyncio
from contextlib import suppress
from typing import Final

from cavra_service.errors import Refused

from tests.faults.world import Case

STRUCK: Final = {
    "retry.before_claim": "",
    "retry.claimed": "skipped",
    "retry.permitted": "skipped",
    "retry.answered": "delivered",
    "retry.executed": "delivered",
    "delivery.retry.before_attempt": "skipped",
    "delivery.retry.attempted": "unknown",
    "delivery.retry.answered": "unknown",
    "delivery.retry.recorded": "delivered",
}
"""Step -> what becomes of the execution whose service dies there; nothing before the claim."""
RETRY: Final = [point for point in STRUCK if point.startswith("retry")]
DELIVERY: Final = [point for point in STRUCK if point.startswith("delivery")]
MACHINE: Final = [*RETRY, *DELIVERY]
FIRST: Final = [point.replace("retry", "first") for point in DELIVERY]
RESOLVED: Final = ["retry.resolved", "delivery.resolved"]
RECONCILED: Final = [
    "delivery.settle.before_fence",
    "delivery.settle.fenced",
    "retry.reconcile.answered",
    "retry.reconcile.executed",
]
RECOVERED: Final = "delivery.settle.recovered"
ACTION: Final = {"its own": "kill", "its peer's": "hold", "both": "hold", "none": "fail"}
DEATHS: Final = list(ACTION)
"""Whose process dies at a step; where none does, what was under way there ends alone."""
ALERTED: Final = ["retry.alert_planned", "retry.alert_answered"]
ARRIVALS: Final = 4
"""Requests that the receiver gets of two deliveries, each refused and then retried."""


def owner(point: str) -> str:
    """The service that comes to this step."""
    return point.partition(".")[0]


def other(point: str) -> str:
    """The other one."""
    return "delivery" if owner(point) == "retry" else "retry"


async def held_at(case: Case, point: str, failures: int = 2) -> asyncio.Task[object]:
    """A run that holds at this step."""
    await case.fail(failures)
    await case.patiently(case.approve)
    case.world.order((point, "hold"))
    running = asyncio.create_task(case.run())
    await case.world.held(owner(point))
    return running


async def struck(case: Case, point: str, dies: str) -> None:
    """At this step, which is ordered, these have died, and all are back."""
    own = owner(point)
    if dies == "its own":
        await case.world.ended(own)
        case.world.start(own)
    elif dies != "none":
        await case.world.held(own)
        if dies == "both":
            case.world.kill("retry", "delivery")
            case.world.start("delivery", "retry")
        else:
            case.world.kill(other(point))
            case.world.start(other(point))
            case.world.release(own)


async def ends(running: asyncio.Task[object]) -> None:
    """The run's caller has an answer, or an error."""
    with suppress(Refused):
        await running
