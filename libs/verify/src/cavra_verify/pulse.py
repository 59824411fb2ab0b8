"""What the heartbeats of a log say: how much was open last, and when it was silent for longer than it said it would be."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cavra_verify.reconciliation import Findings, moment

_ALLOWED: Final = timedelta(minutes=5)
"""How much later than its interval a heartbeat may come: a service looks every so often whether one is due."""
_LONGEST: Final = 3600
"""Interval in seconds of a log that has not said one yet, and the longest that any may give itself."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The newest heartbeat."""

    at: datetime
    interval_seconds: int
    open_count: int
    open_root: str


class Pulse:
    """Takes a log's heartbeats in their order."""

    def __init__(self, origin: str, silences: Findings) -> None:
        self._origin = origin
        self._silences = silences
        self._since: datetime | None = None
        self.last: Beat | None = None

    def begin(self, document: dict[str, Any]) -> None:
        """The log's first record: it is to be heard of from here on."""
        self._since = moment(document["created_at"])

    def beat(self, document: dict[str, Any], index: int) -> None:
        """A heartbeat. Raises ValueError for one that speaks of records that come after it."""
        body, at = document["log_heartbeat"], moment(document["created_at"])
        beat = Beat(at, body["interval_seconds"], body["open_count"], body["open_root"])
        if beat.interval_seconds < 1 or beat.open_count < 0:
            raise ValueError(f"got {beat.open_count} open, every {beat.interval_seconds} seconds")
        if not 0 <= body["tree_size"] <= index:
            raise ValueError(f"got a heartbeat of {body['tree_size']} records, expected {index} at most")
        self.until(at)
        self.last = beat

    def until(self, at: datetime) -> None:
        """Look back from a moment to the heartbeat before it."""
        since = self.last.at if self.last else self._since
        seconds = min(self.last.interval_seconds, _LONGEST) if self.last else _LONGEST
        if since is not None and at - since > timedelta(seconds=seconds) + _ALLOWED:
            self._silences.add(
                f"{self._origin}: got no heartbeat from {_told(since)} to {_told(at)}, expected one every {seconds} seconds"
            )


def _told(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
