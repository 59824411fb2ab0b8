"""Records of the retry service: plans, acknowledgements, approvals, intents, executions, runs, worker-health alerts."""

from typing import Annotated, Literal

from cavra_verify.grammar import BOUNDS
from pydantic import Field

from cavra_evidence.records.base import (
    AlertLevel,
    Controls,
    Count,
    Decimal,
    EvidenceRef,
    ExternalRef,
    Hash,
    Id,
    Name,
    Notes,
    OptionalHash,
    OptionalId,
    OptionalLabel,
    OptionalReason,
    Part,
    Person,
    Provider,
    Providers,
    Reason,
    Record,
    StatusCode,
    Time,
)

_ITEMS = Field(max_length=BOUNDS["items"])


class RetryDecision(Part):
    """What the policy says to one open failure."""

    delivery_id: Id
    audit_id: Id
    provider: Provider
    action: Literal["retry", "wait", "suppress"]
    reason: Reason
    retry_count: Count
    """Failures so far: the original and its retries."""
    max_retry_attempts: Count
    retry_delay_minutes: Count
    latest_delivery_id: Id
    latest_delivery_at: Time
    next_retry_at: Time | None
    failed_status_codes: Annotated[list[StatusCode], _ITEMS]


class RetryPlan(Record, noun="retry_plan"):
    """Which open failures may be retried, which wait, which are given up."""

    retry_plan_id: Id
    generated_at: Time
    generated_by: Person
    alert_level: AlertLevel
    decision_count: Count
    retryable_count: Count
    waiting_count: Count
    suppressed_count: Count
    omitted_count: Count = 0
    max_retry_attempts: Count
    base_retry_delay_minutes: Count
    allow_immediate_retry: bool
    backoff_multiplier: Decimal
    retry_decisions: Annotated[list[RetryDecision], _ITEMS]
    controls: Controls


class RetryAck(Record, noun="retry_ack"):
    """What a reviewer said to one planned retry."""

    acknowledgement_id: Id
    retry_plan_id: Id
    delivery_id: Id
    audit_id: Id
    provider: Provider
    acknowledgement_state: Literal["accepted", "deferred", "escalated", "resolved", "dismissed"]
    acknowledged_by: Person
    acknowledged_at: Time
    external_ref: ExternalRef
    notes: Notes
    controls: Controls


class ItemPolicy(Part):
    """What the approval of one item takes."""

    required_approvals: Count
    separation_of_duties: bool
    require_retry_ack: bool


class ItemDecision(Part):
    """One decision on an item, as an approval plan shows it."""

    decision_id: Id
    approval_state: Reason
    decided_by: Person
    decided_at: Time


ItemState = Literal[
    "waiting_for_ack", "open", "approved", "claimed", "settled", "denied", "revoked", "expired", "changed"
]


class ApprovalItem(Part):
    """One failure that may be approved for one attempt, and what exactly is approved."""

    retry_plan_id: Id
    provider: Provider
    delivery_id: Id
    audit_id: Id
    action: Literal["request_approval", "wait_for_retry_ack", "already_approved"]
    reason: Reason
    approval_required: bool
    retry_count: Count
    next_retry_at: Time | None
    failed_status_codes: Annotated[list[StatusCode], _ITEMS]
    retry_action: Literal["retry", "wait"]
    item_digest: OptionalHash
    item_state: ItemState
    attempt_number: Count
    failed_record_hash: OptionalHash
    retry_plan_hash: OptionalHash
    audit_package_hash: OptionalHash
    payload_hash: OptionalHash
    destination_fingerprint: OptionalHash
    policy: ItemPolicy
    expires_at: Time | None
    decisions: Annotated[list[ItemDecision], _ITEMS]


class ApprovalPlan(Record, noun="approval_plan"):
    """What may be approved now, and what waits for an acknowledgement first."""

    approval_plan_id: Id
    generated_at: Time
    generated_by: Person
    alert_level: AlertLevel
    decision_count: Count
    approval_required_count: Count
    approved_count: Count
    waiting_count: Count
    omitted_count: Count = 0
    require_retry_ack: bool
    approval_decisions: Annotated[list[ApprovalItem], _ITEMS]
    controls: Controls


class ApprovalDecision(Record, noun="approval_decision"):
    """What an approver decided on one item."""

    decision_id: Id
    approval_plan_id: Id
    retry_plan_id: Id
    delivery_id: Id
    audit_id: Id
    provider: Provider
    approval_state: Literal["approved", "denied", "deferred", "expired", "revoked"]
    decided_by: Person
    decided_at: Time
    external_ref: ExternalRef
    notes: Notes
    item_digest: Hash
    digest_named: bool
    """Whether the approver named the digest; if not, it was bound at decision time."""
    item_state: ItemState
    attempt_number: Count
    controls: Controls


class RetryRefusal(Record, noun="retry_refusal"):
    """That somebody was turned away from an item: once for each person and reason."""

    refusal_id: Id
    approval_plan_id: Id
    retry_plan_id: Id
    delivery_id: Id
    audit_id: Id
    provider: Provider
    reason: Literal["self_approval", "approval_used", "approval_expired", "content_changed", "policy_floor"]
    approval_state: Literal["", "approved", "denied", "deferred", "expired", "revoked"]
    """What was to be decided; empty where a plan of weaker approval was asked for."""
    refused_person: Person
    refused_at: Time
    item_digest: Hash
    named_digest: OptionalHash
    """The digest that the decision named; empty when it named none."""
    item_state: ItemState
    attempt_number: Count
    controls: Controls


class RetryIntent(Record, noun="retry_intent"):
    """That an approved retry is about to be sent: durable before any byte goes out."""

    intent_id: Id
    execution_id: Id
    run_id: Id
    retry_plan_id: Id
    approval_plan_id: Id
    approval_decision_id: Id
    delivery_id: Id
    audit_id: Id
    provider: Provider
    attempt_number: Count
    item_digest: Hash
    payload_hash: Hash
    destination_fingerprint: Hash
    claimed_by: Person
    claimed_at: Time
    expires_at: Time
    """When the approval ends."""
    permit_expires_at: Time
    """When the permit ends: with the approval at the latest. With this, the record holds all that the permit says."""
    controls: Controls


class ExecutionRecord(Record, noun="execution_record"):
    """What became of one approved retry."""

    execution_id: Id
    execution_status: Literal["delivered", "failed", "skipped", "unknown"]
    executed_at: Time
    executed_by: Person
    run_id: Id
    retry_plan_id: Id
    approval_decision_id: Id
    approval_plan_id: Id
    delivery_id: Id
    audit_id: Id
    provider: Provider
    skipped: OptionalReason
    delivery_plan_id: OptionalId
    delivery_metadata_id: OptionalId
    delivery_success: bool
    attempt_number: Count
    item_digest: Hash
    selected_providers: Providers
    public_evidence_refs: Annotated[list[EvidenceRef], Field(max_length=BOUNDS["evidence_refs"])]
    controls: Controls


class ExecutionResolution(Record, noun="execution_resolution"):
    """What somebody asserts about an execution whose outcome is unknown: whether the receiver has it. It verifies nothing."""

    resolution_id: Id
    execution_id: Id
    outcome: Literal["delivered", "not_delivered"]
    basis: Literal["asserted"]
    resolved_by: Person
    resolved_at: Time
    delivery_id: Id
    audit_id: Id
    provider: Provider
    attempt_number: Count
    external_ref: ExternalRef
    """Where the receiver's side says so."""
    notes: Notes
    controls: Controls


class RunSchedule(Part):
    """The slot of the schedule that a run belongs to."""

    interval_minutes: Count
    window_start: Time
    window_end: Time
    enabled: bool
    cadence: Name


class RunSummary(Part):
    """A run in numbers."""

    retry_plan_count: Count
    retryable_count: Count
    waiting_retry_count: Count
    suppressed_retry_count: Count
    selected_retry_count: Count
    approval_pending_count: Count
    follow_up_action_count: Count


class RetryPlanRef(Part):
    """A run's plan, by id and hash: what is served inlines it."""

    retry_plan_id: Id
    record_hash: Hash


class FollowUpAction(Part):
    """What a person has to do about a retry that the run did not send."""

    action: Reason
    provider: Provider
    audit_id: Id
    delivery_id: Id
    reason: Reason
    approval_state: Reason


class WorkerRunTop(Part):
    """What of a run's summary stands at the top of its envelope."""

    retryable_count: Count
    selected_retry_count: Count


class WorkerRun(Record, noun="worker_run", top=WorkerRunTop):
    """One run of the worker: what it selected and what it left to people."""

    run_id: Id
    generated_at: Time
    generated_by: Person
    dry_run: bool
    schedule: RunSchedule
    summary: RunSummary
    retry_plan: RetryPlanRef
    selected_retries: Annotated[list[RetryDecision], _ITEMS]
    follow_up_actions: Annotated[list[FollowUpAction], _ITEMS]
    omitted_count: Count = 0
    controls: Controls


class HealthSummary(Part):
    """The worker's health in numbers."""

    run_count: Count
    retryable_count: Count
    missed_run_count: Count
    failed_job_count: Count
    alert_count: Count


class HealthAlert(Part):
    """One thing to look at."""

    severity: Literal["critical", "warning"]
    category: Reason
    message: OptionalLabel


class HealthAlertPlan(Record, noun="health_alert_plan"):
    """Which alerts of the worker's health go to which connectors."""

    plan_id: Id
    health_id: Id
    generated_at: Time
    generated_by: Person
    source_health_generated_at: Time
    alert_level: AlertLevel
    summary: HealthSummary
    alerts: Annotated[list[HealthAlert], Field(max_length=100)]
    requested_provider: OptionalLabel
    eligible_providers: Providers
    selected_providers: Providers
    suppressed_providers: Providers
    suppression_window_minutes: Count
    force: bool
    acknowledgement_required_providers: Providers
    controls: Controls


class HealthAlertAck(Record, noun="health_alert_ack"):
    """What an operator said to an alert."""

    acknowledgement_id: Id
    health_id: Id
    plan_id: Id
    provider: Provider
    acknowledgement_state: Literal["acknowledged", "dismissed", "escalated", "resolved"]
    acknowledged_by: Person
    acknowledged_at: Time
    external_ref: ExternalRef
    notes: Notes
    controls: Controls
