"""The open failures as delivery has told of them, kept in order, so that each reading costs what has changed since the last."""

from bisect import bisect_left, insort
from collections.abc import Iterable
from datetime import datetime

from cavra_retry.domain.failures import Failure

_Place = tuple[datetime, str, str, str]
"""(when the original failed, delivery_id, provider, audit_id): no two failures share one, and it never changes."""


class Mirror:
    """What delivery has said. It is as old as the last page taken: who uses it asks for what changed since, and uses it then."""

    def __init__(self) -> None:
        self.cursor = ""
        """Where delivery goes on; empty to begin."""
        self._failures: dict[_Place, Failure] = {}
        self._order: list[_Place] = []

    def take(self, changed: Iterable[Failure], cursor: str, begins: bool) -> None:
        """A page of changes. Where it `begins`, what was known is forgotten."""
        if begins:
            self._failures.clear()
            self._order.clear()
        self.cursor = cursor
        for failure in changed:
            place = (
                failure.first_failed_at,
                failure.key.delivery_id,
                failure.key.provider,
                failure.key.audit_id,
            )
            if failure.open:
                if place not in self._failures:
                    insort(self._order, place)
                self._failures[place] = failure
            elif self._failures.pop(place, None) is not None:
                del self._order[bisect_left(self._order, place)]

    def failures(self) -> list[Failure]:
        """The open ones, oldest first."""
        return [self._failures[place] for place in self._order]
