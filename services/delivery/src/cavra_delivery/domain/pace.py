"""How fast sends to one connector may follow each other: the generic cell rate algorithm (ITU-T I.371), as a pure function."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """So many a second, and so many of them at once after a pause."""

    per_second: float
    burst: int = 1


def turn(pace: Pace, due: float, now: float) -> tuple[float, float]:
    """(seconds until the next send may begin, when the one after it is due). `due` is what the turn before returned, 0.0 at first.

    Times are seconds of one monotonic clock.
    """
    gap = 1 / pace.per_second
    arrival = max(due, now)
    return max(0.0, arrival - (pace.burst - 1) * gap - now), arrival + gap
