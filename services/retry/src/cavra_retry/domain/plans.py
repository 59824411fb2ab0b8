"""Retry plans and their acknowledgement."""

from collections import Counter
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.base import AlertLevel
from cavra_evidence.records.retry import RetryAck, RetryPlan
from cavra_evidence.times import text
from cavra_verify.secret_rules import SCANNED_CONTROL

from cavra_retry.domain.bounds import listed, traces
from cavra_retry.domain.failures import Failure, FailureKey
from cavra_retry.domain.policy import Action, Judged, RetryPolicy

AckState = Literal["accepted", "deferred", "escalated", "resolved", "dismissed"]

SATISFYING: Final = frozenset({"accepted", "resolved"})
"""Acknowledgement states after which a retry may be approved."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A retry plan to be recorded."""

    record: RetryPlan
    draft: Draft
    policy: RetryPolicy
    judged: Sequence[Judged]
    """All open failures, oldest first."""
    listed: Sequence[Judged]
    """Those that the record lists."""


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
    action: Action
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


def judge(failures: Sequence[Failure], policy: RetryPolicy, now: datetime) -> list[Judged]:
    """What `policy` says to each open failure, in the order given."""
    return policy.decide_all(failures, now)


def plan_retries(
    plan_id: str,
    judged: Sequence[Judged],
    reviewed: Container[FailureKey],
    policy: RetryPolicy,
    actor: Actor,
    now: datetime,
) -> Planned:
    """The retry plan of all open failures (oldest first), as `policy` judges them.

    Where they do not all fit, what still needs a review comes first, then what is `reviewed` (acknowledged, or with an item), then what is
    given up: so that planning and acknowledging again and again reaches each.
    """
    actions = Counter(one.action for one in judged)

    def rank(one: Judged) -> int:
        return 2 if one.action == "suppress" else int(one.failure.key in reviewed)

    kept = listed(judged, lambda one: (policy.shown(one), (one.failure.latest_record,)), rank)
    record = RetryPlan(
        retry_plan_id=plan_id,
        generated_at=text(now),
        generated_by=actor.name,
        alert_level=_level(actions),
        decision_count=len(judged),
        retryable_count=actions["retry"],
        waiting_count=actions["wait"],
        suppressed_count=actions["suppress"],
        omitted_count=len(judged) - len(kept),
        max_retry_attempts=policy.max_retry_attempts,
        base_retry_delay_minutes=policy.base_retry_delay_minutes,
        allow_immediate_retry=policy.allow_immediate_retry,
        backoff_multiplier=policy.multiplier_text,
        retry_decisions=[shown for _, shown in kept],
        controls=["attempt_cap_applied", "retry_delay_applied"],
    )
    draft = Draft(
        record,
        actor,
        causes=tuple(one.failure.latest_record for one, _ in kept),
        trace_ids=traces([one.failure.key.delivery_id for one, _ in kept]),
        decision_count=record.decision_count,
        blocked_count=record.suppressed_count,
    )
    return Planned(record, draft, policy, judged, [one for one, _ in kept])


def _level(actions: Counter[Action]) -> AlertLevel:
    if actions["suppress"]:
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
        controls=["notes_scanned", SCANNED_CONTROL, "plan_item_resolved"],
    )
    cause = Cause(item.retry_plan_id, RetryPlan.KIND.kind)
    return Draft(record, actor, causes=(cause,), trace_ids=(item.key.delivery_id,))
