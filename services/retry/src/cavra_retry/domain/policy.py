"""When an open failure may be retried: the retry policy as a value, in exact decimals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from math import ceil
from typing import Final, Literal, NamedTuple, Self

from cavra_evidence.guard import matches
from cavra_evidence.records.retry import RetryDecision
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import optional_text, text

from cavra_retry.domain.failures import Failure

MAX_ATTEMPTS: Final = 20
MAX_DELAY_MINUTES: Final = 10_080
LONGEST_WAIT_MINUTES: Final = 525_600
"""A year: no back-off grows beyond it."""

_DEFAULT_ATTEMPTS: Final = 3
_DEFAULT_DELAY_MINUTES: Final = 15
_DEFAULT_MULTIPLIER: Final = "2"

Action = Literal["retry", "wait", "suppress"]


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How retries are timed. Approval and the installation's attempt ceiling stand outside it."""

    max_retry_attempts: int = _DEFAULT_ATTEMPTS
    """Failures from which nothing is retried."""
    base_retry_delay_minutes: int = _DEFAULT_DELAY_MINUTES
    """Minutes after the first failure."""
    backoff_multiplier: Decimal = Decimal(_DEFAULT_MULTIPLIER)
    """Factor per further failure."""
    allow_immediate_retry: bool = False
    """Makes the default delay and the floor of one minute 0."""

    @classmethod
    def of(
        cls,
        *,
        max_retry_attempts: int | None = None,
        retry_delay_minutes: int | None = None,
        backoff_multiplier: str | None = None,
        allow_immediate_retry: bool = False,
        attempt_ceiling: int = MAX_ATTEMPTS,
    ) -> Self:
        """The policy of a request, None standing for a default.

        Refuses `invalid_value` outside the documented bounds and `policy_floor` above the installation's attempt ceiling.
        """
        attempts = (
            min(_DEFAULT_ATTEMPTS, attempt_ceiling) if max_retry_attempts is None else max_retry_attempts
        )
        default_delay = 0 if allow_immediate_retry else _DEFAULT_DELAY_MINUTES
        delay = default_delay if retry_delay_minutes is None else retry_delay_minutes
        if not 1 <= attempts <= MAX_ATTEMPTS:
            raise Refusal("invalid_value", f"1 to {MAX_ATTEMPTS}", "max_retry_attempts")
        if attempts > attempt_ceiling:
            raise Refusal("policy_floor", "above the installation's attempt ceiling", "max_retry_attempts")
        if not 0 <= delay <= MAX_DELAY_MINUTES:
            raise Refusal("invalid_value", f"0 to {MAX_DELAY_MINUTES}", "retry_delay_minutes")
        multiplier = _multiplier(_DEFAULT_MULTIPLIER if backoff_multiplier is None else backoff_multiplier)
        return cls(attempts, delay, multiplier, allow_immediate_retry)

    @property
    def multiplier_text(self) -> str:
        """The multiplier as records hold it, without trailing zeros."""
        return f"{self.backoff_multiplier.normalize():f}"

    def delay_minutes(self, failures: int) -> int:
        """Minutes to wait after the newest of `failures` failures: base x multiplier^(failures - 1).

        Whole minutes, rounded up so that nothing is sent sooner than the policy says; at least one, at most a year.
        """
        exact = self.base_retry_delay_minutes * Fraction(self.backoff_multiplier) ** (failures - 1)
        floor = 0 if self.allow_immediate_retry else 1
        return min(max(floor, ceil(exact)), LONGEST_WAIT_MINUTES)

    def decide(self, failure: Failure, now: datetime) -> "Judged":
        """What becomes of one open failure: suppressed, waiting until the delay is over, or to be retried."""
        return self.decide_all([failure], now)[0]

    def decide_all(self, failures: Sequence[Failure], now: datetime) -> "list[Judged]":
        """`decide` for each, in the order given: thousands have few numbers of failures among them, and each has one delay."""
        delays = {count: self.delay_minutes(count) for count in {one.failure_count for one in failures}}
        waits = {count: (minutes, timedelta(minutes=minutes)) for count, minutes in delays.items()}
        found = []
        for failure in failures:
            minutes, wait = waits[failure.failure_count]
            due = failure.latest_failed_at + wait
            found.append(Judged(failure, *self._action(failure, due, now), minutes, due))
        return found

    def shown(self, one: "Judged") -> RetryDecision:
        """A judgement as records hold it."""
        return _shown(self, one)

    def _action(self, failure: Failure, due: datetime, now: datetime) -> tuple[Action, str]:
        if failure.outcome_unknown:
            return "suppress", "outcome_unknown"
        if failure.in_flight:
            return "wait", "in_flight"
        if failure.failure_count >= self.max_retry_attempts:
            return "suppress", "max_retry_attempts_reached"
        if now < due:
            return "wait", "retry_delay_pending"
        if due == failure.latest_failed_at:
            return "retry", "immediate_retry_allowed"
        return "retry", "retry_delay_elapsed"


class Judged(NamedTuple):
    """One open failure and what a policy says to it."""

    failure: Failure
    action: Action
    reason: str
    delay_minutes: int
    due: datetime
    """When the delay is over."""


@lru_cache(1024)  # The oldest failures are listed by one plan after another.
def _shown(policy: RetryPolicy, one: Judged) -> RetryDecision:
    failure = one.failure
    timed = one.action != "suppress" and not failure.blocked
    return RetryDecision(
        delivery_id=failure.key.delivery_id,
        audit_id=failure.key.audit_id,
        provider=failure.key.provider,
        action=one.action,
        reason=one.reason,
        retry_count=failure.failure_count,
        max_retry_attempts=policy.max_retry_attempts,
        retry_delay_minutes=one.delay_minutes,
        latest_delivery_id=failure.latest_delivery_id,
        latest_delivery_at=text(failure.latest_failed_at),
        next_retry_at=optional_text(one.due if timed else None),
        failed_status_codes=list(failure.failed_status_codes),
    )


def _multiplier(given: str) -> Decimal:
    value = Decimal(given) if matches("decimal", given) else Decimal(0)
    exponent = value.as_tuple().exponent
    if not 1 <= value <= 10 or not isinstance(exponent, int) or exponent < -3:
        raise Refusal("invalid_value", "a decimal from 1 to 10 with at most 3 places", "backoff_multiplier")
    return value
