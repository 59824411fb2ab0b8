"""A record before it is committed: what its author knows. The log adds the time, the chain and the hashes of its causes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cavra_evidence.records.base import Record


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone who acted. Compared by (iss, sub), never by name."""

    iss: str
    sub: str
    name: str

    @property
    def key(self) -> tuple[str, str]:
        """What two actors are compared by."""
        return (self.iss, self.sub)


@dataclass(frozen=True, slots=True)
class Cause:
    """A record that another one rests on."""

    id: str
    kind: str
    record_hash: str | None = None
    """64 hex digits, recomputed from the bytes by who names it; None for a record of the same log, which looks it up itself."""


@dataclass(frozen=True, slots=True)
class Draft:
    """A record to append."""

    record: Record
    actor: Actor
    causes: tuple[Cause, ...] = ()
    trace_ids: tuple[str, ...] = ()
    """Original delivery ids that it is about, at most 50."""
    top: Mapping[str, Any] = field(default_factory=dict)
    """Top-level fields of the envelope that are no fields of the record."""
    decision_count: int = 0
    blocked_count: int = 0
    approval_required_count: int = 0
