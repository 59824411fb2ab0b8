import datetime

from cavra.evidence.v1 import evidence_pb2 as _evidence_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RetryAcknowledgementState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RETRY_ACKNOWLEDGEMENT_STATE_UNSPECIFIED: _ClassVar[RetryAcknowledgementState]
    RETRY_ACKNOWLEDGEMENT_STATE_ACCEPTED: _ClassVar[RetryAcknowledgementState]
    RETRY_ACKNOWLEDGEMENT_STATE_DEFERRED: _ClassVar[RetryAcknowledgementState]
    RETRY_ACKNOWLEDGEMENT_STATE_ESCALATED: _ClassVar[RetryAcknowledgementState]
    RETRY_ACKNOWLEDGEMENT_STATE_RESOLVED: _ClassVar[RetryAcknowledgementState]
    RETRY_ACKNOWLEDGEMENT_STATE_DISMISSED: _ClassVar[RetryAcknowledgementState]

class ApprovalState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    APPROVAL_STATE_UNSPECIFIED: _ClassVar[ApprovalState]
    APPROVAL_STATE_APPROVED: _ClassVar[ApprovalState]
    APPROVAL_STATE_DENIED: _ClassVar[ApprovalState]
    APPROVAL_STATE_DEFERRED: _ClassVar[ApprovalState]
    APPROVAL_STATE_EXPIRED: _ClassVar[ApprovalState]
    APPROVAL_STATE_REVOKED: _ClassVar[ApprovalState]

class WorkStep(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    WORK_STEP_UNSPECIFIED: _ClassVar[WorkStep]
    WORK_STEP_PLAN: _ClassVar[WorkStep]
    WORK_STEP_ACKNOWLEDGE: _ClassVar[WorkStep]
    WORK_STEP_PLAN_APPROVAL: _ClassVar[WorkStep]
    WORK_STEP_DECIDE: _ClassVar[WorkStep]
    WORK_STEP_EXECUTE: _ClassVar[WorkStep]
    WORK_STEP_WAIT: _ClassVar[WorkStep]
    WORK_STEP_RESOLVE: _ClassVar[WorkStep]
    WORK_STEP_GIVEN_UP: _ClassVar[WorkStep]

class ResolutionOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RESOLUTION_OUTCOME_UNSPECIFIED: _ClassVar[ResolutionOutcome]
    RESOLUTION_OUTCOME_DELIVERED: _ClassVar[ResolutionOutcome]
    RESOLUTION_OUTCOME_NOT_DELIVERED: _ClassVar[ResolutionOutcome]

class HealthAcknowledgementState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    HEALTH_ACKNOWLEDGEMENT_STATE_UNSPECIFIED: _ClassVar[HealthAcknowledgementState]
    HEALTH_ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED: _ClassVar[HealthAcknowledgementState]
    HEALTH_ACKNOWLEDGEMENT_STATE_DISMISSED: _ClassVar[HealthAcknowledgementState]
    HEALTH_ACKNOWLEDGEMENT_STATE_ESCALATED: _ClassVar[HealthAcknowledgementState]
    HEALTH_ACKNOWLEDGEMENT_STATE_RESOLVED: _ClassVar[HealthAcknowledgementState]
RETRY_ACKNOWLEDGEMENT_STATE_UNSPECIFIED: RetryAcknowledgementState
RETRY_ACKNOWLEDGEMENT_STATE_ACCEPTED: RetryAcknowledgementState
RETRY_ACKNOWLEDGEMENT_STATE_DEFERRED: RetryAcknowledgementState
RETRY_ACKNOWLEDGEMENT_STATE_ESCALATED: RetryAcknowledgementState
RETRY_ACKNOWLEDGEMENT_STATE_RESOLVED: RetryAcknowledgementState
RETRY_ACKNOWLEDGEMENT_STATE_DISMISSED: RetryAcknowledgementState
APPROVAL_STATE_UNSPECIFIED: ApprovalState
APPROVAL_STATE_APPROVED: ApprovalState
APPROVAL_STATE_DENIED: ApprovalState
APPROVAL_STATE_DEFERRED: ApprovalState
APPROVAL_STATE_EXPIRED: ApprovalState
APPROVAL_STATE_REVOKED: ApprovalState
WORK_STEP_UNSPECIFIED: WorkStep
WORK_STEP_PLAN: WorkStep
WORK_STEP_ACKNOWLEDGE: WorkStep
WORK_STEP_PLAN_APPROVAL: WorkStep
WORK_STEP_DECIDE: WorkStep
WORK_STEP_EXECUTE: WorkStep
WORK_STEP_WAIT: WorkStep
WORK_STEP_RESOLVE: WorkStep
WORK_STEP_GIVEN_UP: WorkStep
RESOLUTION_OUTCOME_UNSPECIFIED: ResolutionOutcome
RESOLUTION_OUTCOME_DELIVERED: ResolutionOutcome
RESOLUTION_OUTCOME_NOT_DELIVERED: ResolutionOutcome
HEALTH_ACKNOWLEDGEMENT_STATE_UNSPECIFIED: HealthAcknowledgementState
HEALTH_ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED: HealthAcknowledgementState
HEALTH_ACKNOWLEDGEMENT_STATE_DISMISSED: HealthAcknowledgementState
HEALTH_ACKNOWLEDGEMENT_STATE_ESCALATED: HealthAcknowledgementState
HEALTH_ACKNOWLEDGEMENT_STATE_RESOLVED: HealthAcknowledgementState

class RetryPolicy(_message.Message):
    __slots__ = ("max_retry_attempts", "retry_delay_minutes", "backoff_multiplier", "allow_immediate_retry")
    MAX_RETRY_ATTEMPTS_FIELD_NUMBER: _ClassVar[int]
    RETRY_DELAY_MINUTES_FIELD_NUMBER: _ClassVar[int]
    BACKOFF_MULTIPLIER_FIELD_NUMBER: _ClassVar[int]
    ALLOW_IMMEDIATE_RETRY_FIELD_NUMBER: _ClassVar[int]
    max_retry_attempts: int
    retry_delay_minutes: int
    backoff_multiplier: str
    allow_immediate_retry: bool
    def __init__(self, max_retry_attempts: _Optional[int] = ..., retry_delay_minutes: _Optional[int] = ..., backoff_multiplier: _Optional[str] = ..., allow_immediate_retry: _Optional[bool] = ...) -> None: ...

class PlanRetriesRequest(_message.Message):
    __slots__ = ("retry_policy",)
    RETRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    retry_policy: RetryPolicy
    def __init__(self, retry_policy: _Optional[_Union[RetryPolicy, _Mapping]] = ...) -> None: ...

class PlanRetriesResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _evidence_pb2.Record
    def __init__(self, plan: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class AcknowledgeRetryRequest(_message.Message):
    __slots__ = ("retry_plan_id", "provider", "acknowledgement_state", "delivery_id", "audit_id", "external_ref", "notes")
    RETRY_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_STATE_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REF_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    retry_plan_id: str
    provider: str
    acknowledgement_state: RetryAcknowledgementState
    delivery_id: str
    audit_id: str
    external_ref: str
    notes: str
    def __init__(self, retry_plan_id: _Optional[str] = ..., provider: _Optional[str] = ..., acknowledgement_state: _Optional[_Union[RetryAcknowledgementState, str]] = ..., delivery_id: _Optional[str] = ..., audit_id: _Optional[str] = ..., external_ref: _Optional[str] = ..., notes: _Optional[str] = ...) -> None: ...

class AcknowledgeRetryResponse(_message.Message):
    __slots__ = ("acknowledgement",)
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    acknowledgement: _evidence_pb2.Record
    def __init__(self, acknowledgement: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class ApprovalPolicy(_message.Message):
    __slots__ = ("require_retry_ack", "required_approvals", "expires_in_minutes", "separation_of_duties")
    REQUIRE_RETRY_ACK_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_APPROVALS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_IN_MINUTES_FIELD_NUMBER: _ClassVar[int]
    SEPARATION_OF_DUTIES_FIELD_NUMBER: _ClassVar[int]
    require_retry_ack: bool
    required_approvals: int
    expires_in_minutes: int
    separation_of_duties: bool
    def __init__(self, require_retry_ack: _Optional[bool] = ..., required_approvals: _Optional[int] = ..., expires_in_minutes: _Optional[int] = ..., separation_of_duties: _Optional[bool] = ...) -> None: ...

class PlanApprovalRequest(_message.Message):
    __slots__ = ("approval_policy",)
    APPROVAL_POLICY_FIELD_NUMBER: _ClassVar[int]
    approval_policy: ApprovalPolicy
    def __init__(self, approval_policy: _Optional[_Union[ApprovalPolicy, _Mapping]] = ...) -> None: ...

class PlanApprovalResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _evidence_pb2.Record
    def __init__(self, plan: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class DecideApprovalRequest(_message.Message):
    __slots__ = ("approval_plan_id", "provider", "approval_state", "retry_plan_id", "delivery_id", "audit_id", "external_ref", "notes", "item_digest")
    APPROVAL_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_STATE_FIELD_NUMBER: _ClassVar[int]
    RETRY_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REF_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    ITEM_DIGEST_FIELD_NUMBER: _ClassVar[int]
    approval_plan_id: str
    provider: str
    approval_state: ApprovalState
    retry_plan_id: str
    delivery_id: str
    audit_id: str
    external_ref: str
    notes: str
    item_digest: str
    def __init__(self, approval_plan_id: _Optional[str] = ..., provider: _Optional[str] = ..., approval_state: _Optional[_Union[ApprovalState, str]] = ..., retry_plan_id: _Optional[str] = ..., delivery_id: _Optional[str] = ..., audit_id: _Optional[str] = ..., external_ref: _Optional[str] = ..., notes: _Optional[str] = ..., item_digest: _Optional[str] = ...) -> None: ...

class DecideApprovalResponse(_message.Message):
    __slots__ = ("decision", "item_state")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    ITEM_STATE_FIELD_NUMBER: _ClassVar[int]
    decision: _evidence_pb2.Record
    item_state: str
    def __init__(self, decision: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., item_state: _Optional[str] = ...) -> None: ...

class ListWorkRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ListWorkResponse(_message.Message):
    __slots__ = ("items", "total", "policy", "attempt_ceiling")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_CEILING_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[WorkItem]
    total: int
    policy: ApprovalPolicy
    attempt_ceiling: int
    def __init__(self, items: _Optional[_Iterable[_Union[WorkItem, _Mapping]]] = ..., total: _Optional[int] = ..., policy: _Optional[_Union[ApprovalPolicy, _Mapping]] = ..., attempt_ceiling: _Optional[int] = ...) -> None: ...

class WorkItem(_message.Message):
    __slots__ = ("delivery_id", "audit_id", "provider", "failure_count", "attempt_number", "first_failed_at", "latest_failed_at", "failed_status_codes", "step", "refusal", "ended", "retry_plan_id", "action", "next_retry_at", "acknowledgement_id", "acknowledgement_state", "approval_plan_id", "item_digest", "audit_package_hash", "payload_hash", "destination_fingerprint", "required_approvals", "expires_at", "decisions", "execution_id")
    class Decision(_message.Message):
        __slots__ = ("decision_id", "approval_state", "decided_by", "decided_at")
        DECISION_ID_FIELD_NUMBER: _ClassVar[int]
        APPROVAL_STATE_FIELD_NUMBER: _ClassVar[int]
        DECIDED_BY_FIELD_NUMBER: _ClassVar[int]
        DECIDED_AT_FIELD_NUMBER: _ClassVar[int]
        decision_id: str
        approval_state: str
        decided_by: str
        decided_at: str
        def __init__(self, decision_id: _Optional[str] = ..., approval_state: _Optional[str] = ..., decided_by: _Optional[str] = ..., decided_at: _Optional[str] = ...) -> None: ...
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    FIRST_FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    LATEST_FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    FAILED_STATUS_CODES_FIELD_NUMBER: _ClassVar[int]
    STEP_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    ENDED_FIELD_NUMBER: _ClassVar[int]
    RETRY_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    NEXT_RETRY_AT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_ID_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_STATE_FIELD_NUMBER: _ClassVar[int]
    APPROVAL_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    ITEM_DIGEST_FIELD_NUMBER: _ClassVar[int]
    AUDIT_PACKAGE_HASH_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_HASH_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    REQUIRED_APPROVALS_FIELD_NUMBER: _ClassVar[int]
    EXPIRES_AT_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    audit_id: str
    provider: str
    failure_count: int
    attempt_number: int
    first_failed_at: _timestamp_pb2.Timestamp
    latest_failed_at: _timestamp_pb2.Timestamp
    failed_status_codes: _containers.RepeatedScalarFieldContainer[int]
    step: WorkStep
    refusal: str
    ended: str
    retry_plan_id: str
    action: str
    next_retry_at: _timestamp_pb2.Timestamp
    acknowledgement_id: str
    acknowledgement_state: str
    approval_plan_id: str
    item_digest: str
    audit_package_hash: str
    payload_hash: str
    destination_fingerprint: str
    required_approvals: int
    expires_at: _timestamp_pb2.Timestamp
    decisions: _containers.RepeatedCompositeFieldContainer[WorkItem.Decision]
    execution_id: str
    def __init__(self, delivery_id: _Optional[str] = ..., audit_id: _Optional[str] = ..., provider: _Optional[str] = ..., failure_count: _Optional[int] = ..., attempt_number: _Optional[int] = ..., first_failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., latest_failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failed_status_codes: _Optional[_Iterable[int]] = ..., step: _Optional[_Union[WorkStep, str]] = ..., refusal: _Optional[str] = ..., ended: _Optional[str] = ..., retry_plan_id: _Optional[str] = ..., action: _Optional[str] = ..., next_retry_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., acknowledgement_id: _Optional[str] = ..., acknowledgement_state: _Optional[str] = ..., approval_plan_id: _Optional[str] = ..., item_digest: _Optional[str] = ..., audit_package_hash: _Optional[str] = ..., payload_hash: _Optional[str] = ..., destination_fingerprint: _Optional[str] = ..., required_approvals: _Optional[int] = ..., expires_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., decisions: _Optional[_Iterable[_Union[WorkItem.Decision, _Mapping]]] = ..., execution_id: _Optional[str] = ...) -> None: ...

class WorkerSchedule(_message.Message):
    __slots__ = ("interval_minutes", "cadence", "enabled")
    INTERVAL_MINUTES_FIELD_NUMBER: _ClassVar[int]
    CADENCE_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    interval_minutes: int
    cadence: str
    enabled: bool
    def __init__(self, interval_minutes: _Optional[int] = ..., cadence: _Optional[str] = ..., enabled: _Optional[bool] = ...) -> None: ...

class RunWorkerRequest(_message.Message):
    __slots__ = ("execute", "retry_policy", "schedule", "max_retry_deliveries", "providers", "retries", "timeout_seconds")
    EXECUTE_FIELD_NUMBER: _ClassVar[int]
    RETRY_POLICY_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    MAX_RETRY_DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    execute: bool
    retry_policy: RetryPolicy
    schedule: WorkerSchedule
    max_retry_deliveries: int
    providers: _containers.RepeatedScalarFieldContainer[str]
    retries: int
    timeout_seconds: int
    def __init__(self, execute: _Optional[bool] = ..., retry_policy: _Optional[_Union[RetryPolicy, _Mapping]] = ..., schedule: _Optional[_Union[WorkerSchedule, _Mapping]] = ..., max_retry_deliveries: _Optional[int] = ..., providers: _Optional[_Iterable[str]] = ..., retries: _Optional[int] = ..., timeout_seconds: _Optional[int] = ...) -> None: ...

class RunWorkerResponse(_message.Message):
    __slots__ = ("run", "retry_plan", "results")
    class RetryResult(_message.Message):
        __slots__ = ("selected_index", "delivery_plan", "delivery", "execution", "skipped")
        SELECTED_INDEX_FIELD_NUMBER: _ClassVar[int]
        DELIVERY_PLAN_FIELD_NUMBER: _ClassVar[int]
        DELIVERY_FIELD_NUMBER: _ClassVar[int]
        EXECUTION_FIELD_NUMBER: _ClassVar[int]
        SKIPPED_FIELD_NUMBER: _ClassVar[int]
        selected_index: int
        delivery_plan: _evidence_pb2.Record
        delivery: _evidence_pb2.Record
        execution: _evidence_pb2.Record
        skipped: str
        def __init__(self, selected_index: _Optional[int] = ..., delivery_plan: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., delivery: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., execution: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., skipped: _Optional[str] = ...) -> None: ...
    RUN_FIELD_NUMBER: _ClassVar[int]
    RETRY_PLAN_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    run: _evidence_pb2.Record
    retry_plan: _evidence_pb2.Record
    results: _containers.RepeatedCompositeFieldContainer[RunWorkerResponse.RetryResult]
    def __init__(self, run: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., retry_plan: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., results: _Optional[_Iterable[_Union[RunWorkerResponse.RetryResult, _Mapping]]] = ...) -> None: ...

class ResolveExecutionRequest(_message.Message):
    __slots__ = ("execution_id", "outcome", "external_ref", "notes")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REF_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    outcome: ResolutionOutcome
    external_ref: str
    notes: str
    def __init__(self, execution_id: _Optional[str] = ..., outcome: _Optional[_Union[ResolutionOutcome, str]] = ..., external_ref: _Optional[str] = ..., notes: _Optional[str] = ...) -> None: ...

class ResolveExecutionResponse(_message.Message):
    __slots__ = ("resolution",)
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    resolution: _evidence_pb2.Record
    def __init__(self, resolution: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class ListWorkerRunsRequest(_message.Message):
    __slots__ = ("dry_run", "limit", "offset")
    DRY_RUN_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    dry_run: bool
    limit: int
    offset: int
    def __init__(self, dry_run: _Optional[bool] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class ListWorkerRunsResponse(_message.Message):
    __slots__ = ("runs", "total")
    RUNS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    runs: _containers.RepeatedCompositeFieldContainer[_evidence_pb2.Record]
    total: int
    def __init__(self, runs: _Optional[_Iterable[_Union[_evidence_pb2.Record, _Mapping]]] = ..., total: _Optional[int] = ...) -> None: ...

class GetWorkerDashboardRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetWorkerDashboardResponse(_message.Message):
    __slots__ = ("generated_at", "alert_level", "run_count", "dry_run_count", "executed_count", "retryable_count", "selected_retry_count", "latest")
    GENERATED_AT_FIELD_NUMBER: _ClassVar[int]
    ALERT_LEVEL_FIELD_NUMBER: _ClassVar[int]
    RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    DRY_RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_COUNT_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SELECTED_RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    generated_at: _timestamp_pb2.Timestamp
    alert_level: str
    run_count: int
    dry_run_count: int
    executed_count: int
    retryable_count: int
    selected_retry_count: int
    latest: _containers.RepeatedCompositeFieldContainer[_evidence_pb2.Record]
    def __init__(self, generated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., alert_level: _Optional[str] = ..., run_count: _Optional[int] = ..., dry_run_count: _Optional[int] = ..., executed_count: _Optional[int] = ..., retryable_count: _Optional[int] = ..., selected_retry_count: _Optional[int] = ..., latest: _Optional[_Iterable[_Union[_evidence_pb2.Record, _Mapping]]] = ...) -> None: ...

class GetWorkerHealthRequest(_message.Message):
    __slots__ = ("expected_interval_minutes", "stale_metadata_minutes")
    EXPECTED_INTERVAL_MINUTES_FIELD_NUMBER: _ClassVar[int]
    STALE_METADATA_MINUTES_FIELD_NUMBER: _ClassVar[int]
    expected_interval_minutes: int
    stale_metadata_minutes: int
    def __init__(self, expected_interval_minutes: _Optional[int] = ..., stale_metadata_minutes: _Optional[int] = ...) -> None: ...

class GetWorkerHealthResponse(_message.Message):
    __slots__ = ("health",)
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    health: WorkerHealth
    def __init__(self, health: _Optional[_Union[WorkerHealth, _Mapping]] = ...) -> None: ...

class WorkerHealth(_message.Message):
    __slots__ = ("health_id", "generated_at", "alert_level", "expected_interval_minutes", "missed_after_minutes", "stale_metadata_minutes", "run_count", "retry_plan_count", "retryable_count", "selected_retry_count", "missed_run_count", "failed_job_count", "disabled_schedule_count", "stale_retry_plan_count", "connector_delivery_failure_count", "latest_run_id", "latest_run_at", "latest_run_age_minutes", "latest_retry_plan_id", "latest_retry_plan_age_minutes", "failed_deliveries", "alerts", "recommendations", "latest")
    class Alert(_message.Message):
        __slots__ = ("severity", "category", "message")
        SEVERITY_FIELD_NUMBER: _ClassVar[int]
        CATEGORY_FIELD_NUMBER: _ClassVar[int]
        MESSAGE_FIELD_NUMBER: _ClassVar[int]
        severity: str
        category: str
        message: str
        def __init__(self, severity: _Optional[str] = ..., category: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...
    class FailedDelivery(_message.Message):
        __slots__ = ("delivery_id", "audit_id", "provider", "failure_count", "latest_failed_at", "failed_status_codes")
        DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
        AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
        PROVIDER_FIELD_NUMBER: _ClassVar[int]
        FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
        LATEST_FAILED_AT_FIELD_NUMBER: _ClassVar[int]
        FAILED_STATUS_CODES_FIELD_NUMBER: _ClassVar[int]
        delivery_id: str
        audit_id: str
        provider: str
        failure_count: int
        latest_failed_at: _timestamp_pb2.Timestamp
        failed_status_codes: _containers.RepeatedScalarFieldContainer[int]
        def __init__(self, delivery_id: _Optional[str] = ..., audit_id: _Optional[str] = ..., provider: _Optional[str] = ..., failure_count: _Optional[int] = ..., latest_failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., failed_status_codes: _Optional[_Iterable[int]] = ...) -> None: ...
    HEALTH_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATED_AT_FIELD_NUMBER: _ClassVar[int]
    ALERT_LEVEL_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_INTERVAL_MINUTES_FIELD_NUMBER: _ClassVar[int]
    MISSED_AFTER_MINUTES_FIELD_NUMBER: _ClassVar[int]
    STALE_METADATA_MINUTES_FIELD_NUMBER: _ClassVar[int]
    RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    RETRY_PLAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    RETRYABLE_COUNT_FIELD_NUMBER: _ClassVar[int]
    SELECTED_RETRY_COUNT_FIELD_NUMBER: _ClassVar[int]
    MISSED_RUN_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILED_JOB_COUNT_FIELD_NUMBER: _ClassVar[int]
    DISABLED_SCHEDULE_COUNT_FIELD_NUMBER: _ClassVar[int]
    STALE_RETRY_PLAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    CONNECTOR_DELIVERY_FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATEST_RUN_ID_FIELD_NUMBER: _ClassVar[int]
    LATEST_RUN_AT_FIELD_NUMBER: _ClassVar[int]
    LATEST_RUN_AGE_MINUTES_FIELD_NUMBER: _ClassVar[int]
    LATEST_RETRY_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    LATEST_RETRY_PLAN_AGE_MINUTES_FIELD_NUMBER: _ClassVar[int]
    FAILED_DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    RECOMMENDATIONS_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    health_id: str
    generated_at: _timestamp_pb2.Timestamp
    alert_level: str
    expected_interval_minutes: int
    missed_after_minutes: int
    stale_metadata_minutes: int
    run_count: int
    retry_plan_count: int
    retryable_count: int
    selected_retry_count: int
    missed_run_count: int
    failed_job_count: int
    disabled_schedule_count: int
    stale_retry_plan_count: int
    connector_delivery_failure_count: int
    latest_run_id: str
    latest_run_at: _timestamp_pb2.Timestamp
    latest_run_age_minutes: int
    latest_retry_plan_id: str
    latest_retry_plan_age_minutes: int
    failed_deliveries: _containers.RepeatedCompositeFieldContainer[WorkerHealth.FailedDelivery]
    alerts: _containers.RepeatedCompositeFieldContainer[WorkerHealth.Alert]
    recommendations: _containers.RepeatedScalarFieldContainer[str]
    latest: _containers.RepeatedCompositeFieldContainer[_evidence_pb2.Record]
    def __init__(self, health_id: _Optional[str] = ..., generated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., alert_level: _Optional[str] = ..., expected_interval_minutes: _Optional[int] = ..., missed_after_minutes: _Optional[int] = ..., stale_metadata_minutes: _Optional[int] = ..., run_count: _Optional[int] = ..., retry_plan_count: _Optional[int] = ..., retryable_count: _Optional[int] = ..., selected_retry_count: _Optional[int] = ..., missed_run_count: _Optional[int] = ..., failed_job_count: _Optional[int] = ..., disabled_schedule_count: _Optional[int] = ..., stale_retry_plan_count: _Optional[int] = ..., connector_delivery_failure_count: _Optional[int] = ..., latest_run_id: _Optional[str] = ..., latest_run_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., latest_run_age_minutes: _Optional[int] = ..., latest_retry_plan_id: _Optional[str] = ..., latest_retry_plan_age_minutes: _Optional[int] = ..., failed_deliveries: _Optional[_Iterable[_Union[WorkerHealth.FailedDelivery, _Mapping]]] = ..., alerts: _Optional[_Iterable[_Union[WorkerHealth.Alert, _Mapping]]] = ..., recommendations: _Optional[_Iterable[str]] = ..., latest: _Optional[_Iterable[_Union[_evidence_pb2.Record, _Mapping]]] = ...) -> None: ...

class DeliverHealthAlertRequest(_message.Message):
    __slots__ = ("expected_interval_minutes", "stale_metadata_minutes", "providers", "suppression_window_minutes", "force", "max_alerts", "retries", "timeout_seconds", "requested_provider")
    EXPECTED_INTERVAL_MINUTES_FIELD_NUMBER: _ClassVar[int]
    STALE_METADATA_MINUTES_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    SUPPRESSION_WINDOW_MINUTES_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    MAX_ALERTS_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    expected_interval_minutes: int
    stale_metadata_minutes: int
    providers: _containers.RepeatedScalarFieldContainer[str]
    suppression_window_minutes: int
    force: bool
    max_alerts: int
    retries: int
    timeout_seconds: int
    requested_provider: str
    def __init__(self, expected_interval_minutes: _Optional[int] = ..., stale_metadata_minutes: _Optional[int] = ..., providers: _Optional[_Iterable[str]] = ..., suppression_window_minutes: _Optional[int] = ..., force: _Optional[bool] = ..., max_alerts: _Optional[int] = ..., retries: _Optional[int] = ..., timeout_seconds: _Optional[int] = ..., requested_provider: _Optional[str] = ...) -> None: ...

class DeliverHealthAlertResponse(_message.Message):
    __slots__ = ("health", "plan", "delivery", "success", "event_id")
    HEALTH_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    health: WorkerHealth
    plan: _evidence_pb2.Record
    delivery: _evidence_pb2.Record
    success: bool
    event_id: str
    def __init__(self, health: _Optional[_Union[WorkerHealth, _Mapping]] = ..., plan: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., delivery: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., success: _Optional[bool] = ..., event_id: _Optional[str] = ...) -> None: ...

class AcknowledgeHealthAlertRequest(_message.Message):
    __slots__ = ("health_id", "provider", "acknowledgement_state", "external_ref", "notes", "plan_id")
    HEALTH_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_STATE_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REF_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    health_id: str
    provider: str
    acknowledgement_state: HealthAcknowledgementState
    external_ref: str
    notes: str
    plan_id: str
    def __init__(self, health_id: _Optional[str] = ..., provider: _Optional[str] = ..., acknowledgement_state: _Optional[_Union[HealthAcknowledgementState, str]] = ..., external_ref: _Optional[str] = ..., notes: _Optional[str] = ..., plan_id: _Optional[str] = ...) -> None: ...

class AcknowledgeHealthAlertResponse(_message.Message):
    __slots__ = ("acknowledgement",)
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    acknowledgement: _evidence_pb2.Record
    def __init__(self, acknowledgement: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class GetHealthAlertDashboardRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetHealthAlertDashboardResponse(_message.Message):
    __slots__ = ("generated_at", "alert_level", "plan_count", "delivery_count", "failed_delivery_count", "acknowledgement_count", "outstanding_acknowledgement_count", "suppressed_provider_count", "outstanding_acknowledgements", "latest")
    class Outstanding(_message.Message):
        __slots__ = ("health_id", "provider", "plan_id")
        HEALTH_ID_FIELD_NUMBER: _ClassVar[int]
        PROVIDER_FIELD_NUMBER: _ClassVar[int]
        PLAN_ID_FIELD_NUMBER: _ClassVar[int]
        health_id: str
        provider: str
        plan_id: str
        def __init__(self, health_id: _Optional[str] = ..., provider: _Optional[str] = ..., plan_id: _Optional[str] = ...) -> None: ...
    GENERATED_AT_FIELD_NUMBER: _ClassVar[int]
    ALERT_LEVEL_FIELD_NUMBER: _ClassVar[int]
    PLAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_COUNT_FIELD_NUMBER: _ClassVar[int]
    FAILED_DELIVERY_COUNT_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    OUTSTANDING_ACKNOWLEDGEMENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    SUPPRESSED_PROVIDER_COUNT_FIELD_NUMBER: _ClassVar[int]
    OUTSTANDING_ACKNOWLEDGEMENTS_FIELD_NUMBER: _ClassVar[int]
    LATEST_FIELD_NUMBER: _ClassVar[int]
    generated_at: _timestamp_pb2.Timestamp
    alert_level: str
    plan_count: int
    delivery_count: int
    failed_delivery_count: int
    acknowledgement_count: int
    outstanding_acknowledgement_count: int
    suppressed_provider_count: int
    outstanding_acknowledgements: _containers.RepeatedCompositeFieldContainer[GetHealthAlertDashboardResponse.Outstanding]
    latest: _containers.RepeatedCompositeFieldContainer[_evidence_pb2.Record]
    def __init__(self, generated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., alert_level: _Optional[str] = ..., plan_count: _Optional[int] = ..., delivery_count: _Optional[int] = ..., failed_delivery_count: _Optional[int] = ..., acknowledgement_count: _Optional[int] = ..., outstanding_acknowledgement_count: _Optional[int] = ..., suppressed_provider_count: _Optional[int] = ..., outstanding_acknowledgements: _Optional[_Iterable[_Union[GetHealthAlertDashboardResponse.Outstanding, _Mapping]]] = ..., latest: _Optional[_Iterable[_Union[_evidence_pb2.Record, _Mapping]]] = ...) -> None: ...
