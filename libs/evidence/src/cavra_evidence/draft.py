"""A record before it is committed: what its author knows. The log adds the time, the chain and the hashes of its causes.

Whatever stands beside the record in its envelope is checked here, as the record is by its model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from cavra_verify.grammar import BOUNDS
from cavra_verify.kinds import BY_KIND

from cavra_evidence.guard import matches, scan_word
from cavra_evidence.records.base import Record


@lru_cache(8192)
def _require(grammar: str, text: str, what: str) -> None:
    if not matches(grammar, text):
        raise ValueError(f"got {what} outside the grammar {grammar}")


@dataclass(frozen=True, slots=True)
class Actor:
    """Someone who acted. Compared by (iss, sub), never by name. Raises ValueError for a text that no record may hold."""

    iss: str
    sub: str
    name: str

    def __post_init__(self) -> None:
        _require("issuer", scan_word(self.iss), "an issuer")
        _require("person", scan_word(self.sub), "a subject")
        _require("person", scan_word(self.name), "a name")

    @property
    def key(self) -> tuple[str, str]:
        """What two actors are compared by."""
        return (self.iss, self.sub)


@dataclass(frozen=True, slots=True)
class Cause:
    """A record that another one rests on. Raises ValueError for what is no id, kind or hash."""

    id: str
    kind: str
    record_hash: str | None = None
    """64 hex digits, recomputed from the bytes by who names it; None for a record of the same log, which looks it up itself."""

    def __post_init__(self) -> None:
        _require("id", self.id, "a cause's id")
        if self.kind not in BY_KIND:
            raise ValueError("got a cause of an unknown kind")
        if self.record_hash is not None:
            _require("hash", self.record_hash, "a cause's hash")


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

    def __post_init__(self) -> None:
        if len(self.trace_ids) > BOUNDS["items"]:
            raise ValueError(f"got {len(self.trace_ids)} trace ids, expected at most {BOUNDS['items']}")
        for trace_id in self.trace_ids:
            _require("id", trace_id, "a trace id")
        unknown = self.top.keys() - set(self.record.KIND.top)
        if unknown:
            raise ValueError(f"a {self.record.KIND.noun} has no top-level fields {sorted(unknown)}")
        if self.record.TOP is not None:
            self.record.TOP.model_validate(self.top)
