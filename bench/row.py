"""One measured figure, as the table shows it."""

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """A figure and what it should be."""

    name: str
    figure: float
    unit: str
    target: str = ""
    """E.g. "at least 2,500"; empty where a figure is there to compare others with."""


def per_second(work: Callable[[], object], seconds: float = 0.6) -> float:
    """How often `work` runs in a second."""
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        for _ in range(50):
            work()
        count += 50
    return count / (time.perf_counter() - start)


async def latencies(
    call: Callable[[], Awaitable[object]], callers: int, count: int
) -> tuple[float, list[float]]:
    """(seconds in all, seconds of each call, sorted) of `count` calls made by so many callers at once."""
    taken: list[float] = []
    waiting = iter(range(count))

    async def one_caller() -> None:
        for _ in waiting:
            start = time.perf_counter()
            await call()
            taken.append(time.perf_counter() - start)

    start = time.perf_counter()
    await asyncio.gather(*(one_caller() for _ in range(callers)))
    return time.perf_counter() - start, sorted(taken)


def millis(latencies: Sequence[float], share: float) -> float:
    """The latency in milliseconds that `share` of the calls stay below."""
    return latencies[min(int(len(latencies) * share), len(latencies) - 1)] * 1000


def median(figures: Sequence[float]) -> float:
    """The middle of a few runs: the machine is shared."""
    return statistics.median(figures)
