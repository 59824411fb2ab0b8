"""Failures of audit deliveries: one per (delivery, package, provider), over the original attempt and all its retries.

open --begin--> open, in flight --failed--> open | --unknown--> unknown | --delivered--> closed

Nothing leaves unknown by itself: the receiver may have the package, and only a person can find out, whose resolution closes or reopens it.
"""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from cavra_evidence.refusal import Refusal

MOST_CODES: Final = 50

State = Literal["open", "unknown", "closed"]
Outcome = Literal["delivered", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Failure:
    """What a provider did not take."""

    delivery_id: str
    audit_id: str
    provider: str
    state: State
    in_flight: bool
    """An attempt has begun and has no outcome yet."""
    failure_count: int
    """Attempts that failed, are unknown or have begun, the original included."""
    attempt_count: int
    """All attempts; the next one has this number plus one."""
    status_codes: tuple[int, ...]
    """Of the failed attempts, oldest first; the newest 50."""
    first_failed_at: datetime
    latest_failed_at: datetime
    latest_delivery_id: str
    """The delivery of the newest attempt: the original's, or a retry's own."""
    latest_record_id: str
    original_record_id: str
    version: int = 0

    @property
    def is_open(self) -> bool:
        """Neither delivered by a retry nor resolved."""
        return self.state != "closed"


def opened(key: tuple[str, str, str], record_id: str, status_code: int | None, now: datetime) -> Failure:
    """The failure that a failed original delivery opens. `key` is (delivery_id, audit_id, provider)."""
    codes = () if status_code is None else (status_code,)
    return Failure(*key, "open", False, 1, 1, codes, now, now, key[0], record_id, record_id)


def begun(failure: Failure, attempt_number: int) -> Failure:
    """With one more attempt under way. Raises Refusal `attempt_conflict` unless it is the failure's turn for that number."""
    if failure.state != "open" or failure.in_flight or attempt_number != failure.attempt_count + 1:
        raise Refusal("conflict", "another attempt comes first", "attempt_number")
    return replace(
        failure,
        in_flight=True,
        failure_count=failure.failure_count + 1,
        attempt_count=attempt_number,
        version=failure.version + 1,
    )


@dataclass(frozen=True, slots=True)
class Attempt:
    """A retry's attempt that has its outcome."""

    outcome: Outcome
    delivery_id: str
    """The retry's own delivery."""
    record_id: str
    status_code: int | None


def settled(failure: Failure, attempt: Attempt, now: datetime) -> Failure:
    """After the attempt under way has its outcome."""
    if not failure.in_flight:
        raise Refusal("conflict", "no attempt is under way")
    after = replace(
        failure, in_flight=False, latest_delivery_id=attempt.delivery_id, version=failure.version + 1
    )
    if attempt.outcome == "delivered":
        return replace(after, state="closed", failure_count=failure.failure_count - 1)
    codes = (
        failure.status_codes if attempt.status_code is None else (*failure.status_codes, attempt.status_code)
    )
    return replace(
        after,
        state="unknown" if attempt.outcome == "unknown" else "open",
        status_codes=codes[-MOST_CODES:],
        latest_failed_at=now,
        latest_record_id=attempt.record_id,
    )


def resolved(failure: Failure, record_id: str, delivered: bool) -> Failure:
    """After a person has said what became of the attempt that `record_id` records. It keeps its number and counts on."""
    if failure.state != "unknown" or failure.latest_record_id != record_id:
        raise Refusal("invalid_transition", "the outcome of this execution is known", "resolution")
    return replace(failure, state="closed" if delivered else "open", version=failure.version + 1)


def gauges(before: Failure | None, after: Failure) -> dict[str, int]:
    """By how much each gauge moves: `open_failures` counts all open ones, `unknown_failures` those whose outcome nobody knows,
    `open_failures:<n>` the others by their failures so far, so that those under a cap are a sum of few numbers."""
    moved = Counter(_standing(after))
    moved.subtract(_standing(before))
    return {name: delta for name, delta in moved.items() if delta}


def _standing(failure: Failure | None) -> list[str]:
    if failure is None or failure.state == "closed":
        return []
    own = "unknown_failures" if failure.state == "unknown" else f"open_failures:{failure.failure_count}"
    return ["open_failures", own]


def skip_reason(failure: Failure | None, attempt_number: int, original_outcome: str) -> str:
    """Why a claimed retry is not sent, or empty. `original_outcome` is the first attempt's, empty when there was none."""
    if failure is None:
        return "already_delivered" if original_outcome == "delivered" else "audit_package_not_found"
    if failure.state == "closed":
        return "already_delivered"
    if failure.state == "unknown" or failure.in_flight or attempt_number != failure.attempt_count + 1:
        return "attempt_conflict"
    return ""
