"""The kinds of records: each kind's long name, id prefix and place in the envelope, once."""

from dataclasses import dataclass
from typing import Any, Final

PRODUCT: Final = "CAVRA"
ENVELOPE_SCHEMA: Final = "cavra.evidence.metadata.v1"

_K: Final = "go-backend-rollback-drill-"
_KA: Final = _K + "acknowledgement-audit-delivery-"
_S: Final = "cavra.go-backend-pilot.rollback-drill-"
_SA: Final = _S + "acknowledgement-audit-delivery-"

NOTIFICATION_SOURCE: Final = "go_backend_rollback_drill_notification"
AUDIT_SOURCE: Final = "go_backend_rollback_drill_acknowledgement_audit"
ALERT_SOURCE: Final = "go_backend_rollback_drill_acknowledgement_audit_worker_health_alert"

HISTORY_SCHEMA: Final = _S + "notification-history.v1"
DASHBOARD_SCHEMA: Final = _S + "notification-dashboard.v1"
SCHEDULE_REPORT_SCHEMA: Final = _S + "schedule-report.v1"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of record."""

    noun: str
    """The short noun that code uses, unique."""
    kind: str
    """`metadata_kind` of the envelope."""
    prefix: str
    """Prefix of the record's id, without the dash."""
    key: str
    """Key of the full record in the envelope."""
    id_field: str
    """The record's field that is its id."""
    schema: str
    """`schema_version` of the full record."""
    log: str
    """The service whose log holds it: delivery, retry or recovery; empty for a kind that any log holds."""
    top: tuple[str, ...]
    """The envelope's top-level fields, beside those that every envelope has."""
    flow: str = ""
    """notification, audit or alert; empty for what serves all flows."""
    hash_field: str = ""
    """Field, in the record and at the top, that is served with the record hash; not part of the canonical bytes."""
    signed: bool = False
    """Whether it moves authority or claims an effect, and so carries its service's signature."""
    internal: bool = False
    """Whether history shows it only when asked for by kind."""


def _kind(
    noun: str, suffix: str, prefix: str, key: str, id_field: str, log: str, top: str, **more: Any
) -> Kind:
    long, schema = (
        (_K, _S) if suffix.startswith(("notification-", "acknowledgement-audit-package")) else (_KA, _SA)
    )
    return Kind(
        noun,
        long + suffix,
        prefix,
        key,
        id_field,
        f"{schema}{suffix}.v1",
        log,
        tuple(top.split()),
        **{"flow": "audit", **more},
    )


KINDS: Final[tuple[Kind, ...]] = (
    _kind(
        "notification_plan", "notification-plan", "gordn", "plan", "plan_id", "delivery",
        "plan_id schedule_id alert_level selected_providers acknowledgement_required_providers deliverable_route_count"
        " suppressed_route_count maintenance_suppressed_count calendar_suppressed_count",
        flow="notification",
    ),
    _kind(
        "notification_ack", "notification-ack", "gordack", "acknowledgement", "acknowledgement_id", "delivery",
        "acknowledgement_id schedule_id plan_id provider acknowledgement_state",
        flow="notification",
    ),
    _kind(
        "escalation_plan", "notification-escalation-plan", "gordesc", "escalation_plan", "plan_id", "delivery",
        "plan_id alert_level",
        flow="notification",
    ),
    _kind(
        "audit_package", "acknowledgement-audit-package", "gordackaudit", "acknowledgement_audit_package", "audit_id", "delivery",
        "audit_id alert_level route_count acknowledgement_count outstanding_count",
        flow="audit",
    ),
    _kind(
        "delivery_plan", "plan", "gordackdelivery", "acknowledgement_audit_delivery_plan", "delivery_id", "delivery",
        "delivery_id audit_id alert_level selected_providers destination_count route_count outstanding_count",
    ),
    Kind(
        "connector_delivery", "release-connector-delivery", "rcd", "delivery", "session_id",
        "cavra.release-connector-delivery.v1", "delivery",
        ("connector_delivery_source", "event_id", "event_type", "delivery_success", "providers", "failed_providers", "attempt_count",
         "max_attempt_count", "status_codes", "audit_id", "delivery_id", "retry_plan_id", "worker_run_id", "health_id", "plan_id"),
        signed=True,
    ),
    _kind(
        "retry_plan", "retry-plan", "gordackretry", "acknowledgement_audit_delivery_retry_plan", "retry_plan_id", "retry",
        "retry_plan_id alert_level retryable_count waiting_count suppressed_count",
    ),
    _kind(
        "retry_ack", "retry-ack", "gordackretryack", "acknowledgement", "acknowledgement_id", "retry",
        "acknowledgement_id retry_plan_id delivery_id audit_id provider acknowledgement_state external_ref",
    ),
    _kind(
        "approval_plan", "retry-execution-approval-plan", "gordackretryapproval", "retry_execution_approval_plan", "approval_plan_id",
        "retry", "approval_plan_id alert_level approved_count waiting_count",
    ),
    _kind(
        "approval_decision", "retry-execution-approval-decision", "gordackretryapprovaldecision",
        "retry_execution_approval_decision", "decision_id", "retry",
        "decision_id approval_plan_id retry_plan_id delivery_id audit_id provider approval_state external_ref",
        signed=True,
    ),
    _kind(
        "retry_refusal", "retry-refusal", "gordackretryrefusal", "retry_refusal", "refusal_id", "retry",
        "refusal_id approval_plan_id retry_plan_id delivery_id audit_id provider reason",
        signed=True, internal=True,
    ),
    _kind(
        "retry_intent", "retry-intent", "gordackretryintent", "retry_intent", "intent_id", "retry",
        "intent_id execution_id run_id retry_plan_id approval_plan_id delivery_id audit_id provider",
        signed=True, internal=True,
    ),
    _kind(
        "execution_record", "retry-execution-record", "gordackretryexec", "retry_execution_record", "execution_id", "retry",
        "execution_id execution_status run_id retry_plan_id approval_decision_id delivery_id audit_id provider delivery_success",
        hash_field="execution_hash", signed=True,
    ),
    _kind(
        "execution_resolution", "retry-execution-resolution", "gordackretryresolution", "retry_execution_resolution",
        "resolution_id", "retry", "resolution_id execution_id outcome delivery_id audit_id provider external_ref",
        signed=True,
    ),
    _kind(
        "worker_run", "worker-run", "gordackworker", "acknowledgement_audit_delivery_worker_run", "run_id", "retry",
        "run_id dry_run retryable_count selected_retry_count",
    ),
    _kind(
        "health_alert_plan", "worker-health-alert-plan", "gordackhealthalert", "worker_health_alert_plan", "plan_id", "retry",
        "plan_id health_id alert_level selected_providers",
        flow="alert",
    ),
    _kind(
        "health_alert_ack", "worker-health-alert-ack", "gordackhealthack", "acknowledgement", "acknowledgement_id", "retry",
        "acknowledgement_id health_id plan_id provider acknowledgement_state",
        flow="alert",
    ),
    _kind(
        "playbook", "connector-recovery-playbook", "gordackrecovery", "connector_recovery_playbook", "playbook_id", "recovery",
        "playbook_id alert_level provider_count failure_count",
    ),
    _kind(
        "closure", "connector-recovery-closure", "gordackrecoveryclosure", "connector_recovery_closure", "closure_id", "recovery",
        "closure_id playbook_id provider closure_state external_ref",
        hash_field="closure_hash", signed=True,
    ),
    _kind(
        "log_key", "log-key", "gordlogkey", "log_key", "key_record_id", "", "key_record_id event key_id",
        flow="", signed=True, internal=True,
    ),
    _kind(
        "log_heartbeat", "log-heartbeat", "gordlogheartbeat", "log_heartbeat", "heartbeat_id", "", "heartbeat_id open_count",
        flow="", signed=True, internal=True,
    ),
    _kind(
        "log_loss", "log-loss", "gordlogloss", "log_loss", "loss_id", "", "loss_id finding reason",
        flow="", signed=True, internal=True,
    ),
    _kind(
        "log_audit", "log-audit", "gordlogaudit", "log_audit", "report_id", "", "report_id status violation_count gap_count",
        flow="", signed=True, internal=True,
    ),
)  # fmt: skip
"""Every kind of record, in the order of the flow."""

BY_KIND: Final = {kind.kind: kind for kind in KINDS}
BY_NOUN: Final = {kind.noun: kind for kind in KINDS}
BY_PREFIX: Final = {kind.prefix: kind for kind in KINDS}


def kind_of_id(record_id: str) -> Kind | None:
    """The kind that an id's prefix names, or None for an unknown prefix."""
    return BY_PREFIX.get(record_id.partition("-")[0])
