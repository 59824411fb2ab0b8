"""Failed deliveries as the delivery service tells of them: what the rules here judge."""

from dataclasses import dataclass
from datetime import datetime
from sys import intern
from typing import NamedTuple, Self

from cavra_evidence.draft import Cause


class FailureKey(NamedTuple):
    """Names one failure: the original delivery, the package it carried, the provider that did not take it."""

    delivery_id: str
    audit_id: str
    provider: str

    @classmethod
    def shared(cls, delivery_id: str, audit_id: str, provider: str) -> Self:
        """One whose texts are those of every other such key of the process: thousands are looked up in each other's tables, and what is
        the same text need not be compared."""
        return cls(intern(delivery_id), intern(audit_id), intern(provider))


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed audit delivery to one provider, with all its retries."""

    key: FailureKey
    open: bool
    failure_count: int
    """Attempts that failed, are unknown or have begun, the original included."""
    next_attempt_number: int
    first_failed_at: datetime
    latest_failed_at: datetime
    latest_delivery_id: str
    failed_status_codes: tuple[int, ...]
    """Oldest first, at most 50."""
    latest_record: Cause
    """The connector delivery of the newest failed attempt, with its hash."""
    in_flight: bool = False
    outcome_unknown: bool = False

    @property
    def blocked(self) -> str:
        """Why no attempt may begin whatever the policy says, as a reason code; empty when one may."""
        if self.outcome_unknown:
            return "outcome_unknown"
        return "in_flight" if self.in_flight else ""


@dataclass(frozen=True, slots=True)
class Content:
    """What would be sent where, by hash: 64 hex digits each."""

    audit_package_hash: str
    payload_hash: str
    destination_fingerprint: str


@dataclass(frozen=True, slots=True)
class Description:
    """What delivery would send for one failure, or why it could send nothing."""

    content: Content | None
    unavailable_reason: str = ""
