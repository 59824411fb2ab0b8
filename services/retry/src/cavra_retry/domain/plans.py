"""Retry plans and their acknowledgement."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.base import AlertLevel
from cavra_evidence.records.retry import RetryAck, RetryDecision, RetryPlan
from cavra_evidence.times import text

from cavra_retry.domain.bounds import encoded_size, listed, traces
from cavra_retry.domain.failures import Failure, FailureKey
from cavra_retry.domain.policy import RetryPolicy

AckState = Literal["accepted", "deferred", "escalated", "resolved", "dismissed"]

SATISFYING: Final = frozenset({"accepted", "resolved"})
"""Acknowledgement states after which a retry may be approved."""


@dataclass(frozen=True, slots=True)
class Judged:
    """One open failure and what the policy says to it."""

    failure: Failure
    decision: RetryDecision


@dataclass(frozen=True, slots=True)
class Planned:
    """A retry plan to be recorded."""

    record: RetryPlan
    draft: Draft
    judged: tuple[Judged, ...]
    """All open failures, oldest first."""
    listed: tuple[Judged, ...]
    """Those that the record lists."""
    omitted_count: int
    """Failures with action retry or wait that the record does not list."""


@dataclass(frozen=True, slots=True)
class PlanItem:
    """One item of a recorded retry plan."""

    retry_plan_id: str
    plan_hash: str
    plan_index: int
    """The plan's index in the log: which of two plans is newer."""
    planner: tuple[str, str]
    """(iss, sub) of who made the plan."""
    key: FailureKey
    attempt_number: int
    """The attempt that was planned."""
    action: Literal["retry", "wait", "suppress"]
    next_retry_at: str | None


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """The newest acknowledgement of a failure: the one that counts."""

    acknowledgement_id: str
    retry_plan_id: str
    plan_hash: str
    plan_index: int
    planner: tuple[str, str]
    attempt_number: int
    state: AckState
    person: tuple[str, str]


def plan_retries(
    plan_id: str, failures: Sequence[Failure], policy: RetryPolicy, actor: Actor, now: datetime
) -> Planned:
    """The retry plan of all open failures (oldest first) under `policy`."""
    judged = [Judged(failure, policy.decide(failure, now)) for failure in failures]
    actions = [one.decision.action for one in judged]
    kept = listed(
        judged,
        lambda one: encoded_size(one.decision, (one.failure.latest_record,)),
        lambda one: one.decision.action != "suppress",
    )
    record = RetryPlan(
        retry_plan_id=plan_id,
        generated_at=text(now),
        generated_by=actor.name,
        alert_level=_level(actions),
        decision_count=len(judged),
        retryable_count=actions.count("retry"),
        waiting_count=actions.count("wait"),
        suppressed_count=actions.count("suppress"),
        omitted_count=len(judged) - len(kept),
        max_retry_attempts=policy.max_retry_attempts,
        base_retry_delay_minutes=policy.base_retry_delay_minutes,
        allow_immediate_retry=policy.allow_immediate_retry,
        backoff_multiplier=policy.multiplier_text,
        retry_decisions=[one.decision for one in kept],
        controls=["attempt_cap_applied", "retry_delay_applied"],
    )
    draft = Draft(
        record,
        actor,
        causes=tuple(one.failure.latest_record for one in kept),
        trace_ids=traces([one.failure.key.delivery_id for one in kept]),
        decision_count=record.decision_count,
        blocked_count=record.suppressed_count,
    )
    actionable = sum(one.decision.action != "suppress" for one in kept)
    omitted = record.retryable_count + record.waiting_count - actionable
    return Planned(record, draft, tuple(judged), tuple(kept), omitted)


def _level(actions: Sequence[str]) -> AlertLevel:
    if "suppress" in actions:
        return "critical"
    return "warning" if actions else "healthy"


def acknowledge(
    ack_id: str, item: PlanItem, state: AckState, external_ref: str, notes: str, actor: Actor, now: datetime
) -> Draft:
    """The acknowledgement of one item. `notes` and `external_ref` are scanned by the record's own rules."""
    record = RetryAck(
        acknowledgement_id=ack_id,
        retry_plan_id=item.retry_plan_id,
        delivery_id=item.key.delivery_id,
        audit_id=item.key.audit_id,
        provider=item.key.provider,
        acknowledgement_state=state,
        acknowledged_by=actor.name,
        acknowledged_at=text(now),
        external_ref=external_ref,
        notes=notes,
        controls=["notes_scanned", "plan_item_resolved"],
    )
    cause = Cause(item.retry_plan_id, RetryPlan.KIND.kind)
    return Draft(record, actor, causes=(cause,), trace_ids=(item.key.delivery_id,))
