"""Fault points: named steps at which a test ends or holds a process. Without CAVRA_FAULT they do nothing."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Final

POINTS: Final = frozenset(
    {
        "retry.before_claim",
        "retry.claimed",
        "retry.permitted",
        "retry.answered",
        "retry.executed",
        "retry.resolved",
        "retry.reconcile.answered",
        "retry.reconcile.executed",
        "retry.alert_planned",
        "retry.alert_answered",
        *(
            f"delivery.{sort}.{step}"
            for sort in ("first", "retry")
            for step in ("before_attempt", "attempted", "answered", "recorded")
        ),
        "delivery.resolved",
        "delivery.settle.before_fence",
        "delivery.settle.fenced",
        "delivery.settle.recovered",
    }
)
"""Every step of the execution machine: `before_` a commit; else after what the name says, and before anything that follows it."""

_ORDER: Final = Path(os.environ["CAVRA_FAULT"]) if "CAVRA_FAULT" in os.environ else None
"""CAVRA_FAULT names a file that orders faults, one after another: on each line a point, ":" and an action. Obeying takes the line away.
For tests alone."""


async def fault(point: str) -> None:
    """Here a fault may happen: `kill` ends this process as SIGKILL does; `hold` prints "held", and goes on at SIGUSR1; `fail` raises
    OSError."""
    if _ORDER is None:
        return
    action = _taken(_ORDER, point)
    if action == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    elif action == "hold":
        released = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, released.set)
        sys.stdout.write(f"held {point}\n")
        sys.stdout.flush()
        await released.wait()
    elif action == "fail":
        raise OSError("a fault, as ordered")


def _taken(order: Path, point: str) -> str:
    """The action ordered for this point, once; else empty. Another process may look at the same time, and sees all of an order."""
    try:
        first, _, rest = order.read_text().partition("\n")
    except FileNotFoundError:
        return ""
    ordered, _, action = first.partition(":")
    if ordered not in POINTS or action not in ("kill", "hold", "fail"):
        raise ValueError("got an order for no known point or action")
    if ordered != point:
        return ""
    if rest:
        after = order.with_suffix(".next")
        after.write_text(rest)
        after.replace(order)
    else:
        order.unlink()
    return action
