import datetime

from cavra.evidence.v1 import evidence_pb2 as _evidence_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class AcknowledgementState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ACKNOWLEDGEMENT_STATE_UNSPECIFIED: _ClassVar[AcknowledgementState]
    ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED: _ClassVar[AcknowledgementState]
    ACKNOWLEDGEMENT_STATE_DISMISSED: _ClassVar[AcknowledgementState]
    ACKNOWLEDGEMENT_STATE_ESCALATED: _ClassVar[AcknowledgementState]
    ACKNOWLEDGEMENT_STATE_RESOLVED: _ClassVar[AcknowledgementState]

class RouteCategory(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ROUTE_CATEGORY_UNSPECIFIED: _ClassVar[RouteCategory]
    ROUTE_CATEGORY_DELIVER: _ClassVar[RouteCategory]
    ROUTE_CATEGORY_MAINTENANCE_WINDOW: _ClassVar[RouteCategory]
    ROUTE_CATEGORY_OWNER_CALENDAR: _ClassVar[RouteCategory]
    ROUTE_CATEGORY_HEALTHY_SCHEDULE: _ClassVar[RouteCategory]
    ROUTE_CATEGORY_OTHER: _ClassVar[RouteCategory]

class SendOutcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEND_OUTCOME_UNSPECIFIED: _ClassVar[SendOutcome]
    SEND_OUTCOME_DELIVERED: _ClassVar[SendOutcome]
    SEND_OUTCOME_FAILED: _ClassVar[SendOutcome]
    SEND_OUTCOME_SKIPPED: _ClassVar[SendOutcome]
    SEND_OUTCOME_UNKNOWN: _ClassVar[SendOutcome]
ACKNOWLEDGEMENT_STATE_UNSPECIFIED: AcknowledgementState
ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED: AcknowledgementState
ACKNOWLEDGEMENT_STATE_DISMISSED: AcknowledgementState
ACKNOWLEDGEMENT_STATE_ESCALATED: AcknowledgementState
ACKNOWLEDGEMENT_STATE_RESOLVED: AcknowledgementState
ROUTE_CATEGORY_UNSPECIFIED: RouteCategory
ROUTE_CATEGORY_DELIVER: RouteCategory
ROUTE_CATEGORY_MAINTENANCE_WINDOW: RouteCategory
ROUTE_CATEGORY_OWNER_CALENDAR: RouteCategory
ROUTE_CATEGORY_HEALTHY_SCHEDULE: RouteCategory
ROUTE_CATEGORY_OTHER: RouteCategory
SEND_OUTCOME_UNSPECIFIED: SendOutcome
SEND_OUTCOME_DELIVERED: SendOutcome
SEND_OUTCOME_FAILED: SendOutcome
SEND_OUTCOME_SKIPPED: SendOutcome
SEND_OUTCOME_UNKNOWN: SendOutcome

class GetDrillScheduleRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetDrillScheduleResponse(_message.Message):
    __slots__ = ("report",)
    REPORT_FIELD_NUMBER: _ClassVar[int]
    report: ScheduleReport
    def __init__(self, report: _Optional[_Union[ScheduleReport, _Mapping]] = ...) -> None: ...

class ScheduleReport(_message.Message):
    __slots__ = ("schema_version", "mode", "status", "rollback_drill_schedule_path", "rollback_drill_due_soon_days", "checks", "schedule", "history")
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ROLLBACK_DRILL_SCHEDULE_PATH_FIELD_NUMBER: _ClassVar[int]
    ROLLBACK_DRILL_DUE_SOON_DAYS_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    schema_version: str
    mode: str
    status: str
    rollback_drill_schedule_path: str
    rollback_drill_due_soon_days: int
    checks: _containers.RepeatedCompositeFieldContainer[ScheduleCheck]
    schedule: DrillSchedule
    history: DrillHistory
    def __init__(self, schema_version: _Optional[str] = ..., mode: _Optional[str] = ..., status: _Optional[str] = ..., rollback_drill_schedule_path: _Optional[str] = ..., rollback_drill_due_soon_days: _Optional[int] = ..., checks: _Optional[_Iterable[_Union[ScheduleCheck, _Mapping]]] = ..., schedule: _Optional[_Union[DrillSchedule, _Mapping]] = ..., history: _Optional[_Union[DrillHistory, _Mapping]] = ...) -> None: ...

class ScheduleCheck(_message.Message):
    __slots__ = ("id", "status", "message", "mode")
    ID_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    id: str
    status: str
    message: str
    mode: str
    def __init__(self, id: _Optional[str] = ..., status: _Optional[str] = ..., message: _Optional[str] = ..., mode: _Optional[str] = ...) -> None: ...

class DrillSchedule(_message.Message):
    __slots__ = ("valid", "schema_version", "schedule_id", "environment", "status", "active", "cadence_valid", "interval_days", "next_due_at", "days_until_due", "stale", "due_soon", "notification_routes_valid", "owners", "notification_providers", "owner_routes", "maintenance_windows", "owner_calendars", "runbook_ref", "message")
    VALID_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    STATUS_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    CADENCE_VALID_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_DAYS_FIELD_NUMBER: _ClassVar[int]
    NEXT_DUE_AT_FIELD_NUMBER: _ClassVar[int]
    DAYS_UNTIL_DUE_FIELD_NUMBER: _ClassVar[int]
    STALE_FIELD_NUMBER: _ClassVar[int]
    DUE_SOON_FIELD_NUMBER: _ClassVar[int]
    NOTIFICATION_ROUTES_VALID_FIELD_NUMBER: _ClassVar[int]
    OWNERS_FIELD_NUMBER: _ClassVar[int]
    NOTIFICATION_PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    OWNER_ROUTES_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_WINDOWS_FIELD_NUMBER: _ClassVar[int]
    OWNER_CALENDARS_FIELD_NUMBER: _ClassVar[int]
    RUNBOOK_REF_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    valid: bool
    schema_version: str
    schedule_id: str
    environment: str
    status: str
    active: bool
    cadence_valid: bool
    interval_days: int
    next_due_at: _timestamp_pb2.Timestamp
    days_until_due: int
    stale: bool
    due_soon: bool
    notification_routes_valid: bool
    owners: _containers.RepeatedScalarFieldContainer[str]
    notification_providers: _containers.RepeatedScalarFieldContainer[str]
    owner_routes: _struct_pb2.Struct
    maintenance_windows: _containers.RepeatedCompositeFieldContainer[MaintenanceWindow]
    owner_calendars: _struct_pb2.Struct
    runbook_ref: str
    message: str
    def __init__(self, valid: _Optional[bool] = ..., schema_version: _Optional[str] = ..., schedule_id: _Optional[str] = ..., environment: _Optional[str] = ..., status: _Optional[str] = ..., active: _Optional[bool] = ..., cadence_valid: _Optional[bool] = ..., interval_days: _Optional[int] = ..., next_due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., days_until_due: _Optional[int] = ..., stale: _Optional[bool] = ..., due_soon: _Optional[bool] = ..., notification_routes_valid: _Optional[bool] = ..., owners: _Optional[_Iterable[str]] = ..., notification_providers: _Optional[_Iterable[str]] = ..., owner_routes: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., maintenance_windows: _Optional[_Iterable[_Union[MaintenanceWindow, _Mapping]]] = ..., owner_calendars: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., runbook_ref: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class MaintenanceWindow(_message.Message):
    __slots__ = ("window_id", "start_at", "end_at", "reason")
    WINDOW_ID_FIELD_NUMBER: _ClassVar[int]
    START_AT_FIELD_NUMBER: _ClassVar[int]
    END_AT_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    window_id: str
    start_at: _timestamp_pb2.Timestamp
    end_at: _timestamp_pb2.Timestamp
    reason: str
    def __init__(self, window_id: _Optional[str] = ..., start_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., end_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., reason: _Optional[str] = ...) -> None: ...

class DrillHistory(_message.Message):
    __slots__ = ("valid", "schema_version", "environment", "drill_count", "latest_drill_id", "latest_status", "latest_target_mode", "latest_executed_at", "age_days", "fresh", "fallback_verified", "recovery_sla_met", "recovery_minutes", "max_recovery_minutes", "runbook_ref", "evidence_refs", "message")
    VALID_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_VERSION_FIELD_NUMBER: _ClassVar[int]
    ENVIRONMENT_FIELD_NUMBER: _ClassVar[int]
    DRILL_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATEST_DRILL_ID_FIELD_NUMBER: _ClassVar[int]
    LATEST_STATUS_FIELD_NUMBER: _ClassVar[int]
    LATEST_TARGET_MODE_FIELD_NUMBER: _ClassVar[int]
    LATEST_EXECUTED_AT_FIELD_NUMBER: _ClassVar[int]
    AGE_DAYS_FIELD_NUMBER: _ClassVar[int]
    FRESH_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_VERIFIED_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_SLA_MET_FIELD_NUMBER: _ClassVar[int]
    RECOVERY_MINUTES_FIELD_NUMBER: _ClassVar[int]
    MAX_RECOVERY_MINUTES_FIELD_NUMBER: _ClassVar[int]
    RUNBOOK_REF_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_REFS_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    valid: bool
    schema_version: str
    environment: str
    drill_count: int
    latest_drill_id: str
    latest_status: str
    latest_target_mode: str
    latest_executed_at: _timestamp_pb2.Timestamp
    age_days: int
    fresh: bool
    fallback_verified: bool
    recovery_sla_met: bool
    recovery_minutes: int
    max_recovery_minutes: int
    runbook_ref: str
    evidence_refs: _containers.RepeatedScalarFieldContainer[str]
    message: str
    def __init__(self, valid: _Optional[bool] = ..., schema_version: _Optional[str] = ..., environment: _Optional[str] = ..., drill_count: _Optional[int] = ..., latest_drill_id: _Optional[str] = ..., latest_status: _Optional[str] = ..., latest_target_mode: _Optional[str] = ..., latest_executed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., age_days: _Optional[int] = ..., fresh: _Optional[bool] = ..., fallback_verified: _Optional[bool] = ..., recovery_sla_met: _Optional[bool] = ..., recovery_minutes: _Optional[int] = ..., max_recovery_minutes: _Optional[int] = ..., runbook_ref: _Optional[str] = ..., evidence_refs: _Optional[_Iterable[str]] = ..., message: _Optional[str] = ...) -> None: ...

class NotifyDrillRequest(_message.Message):
    __slots__ = ("providers", "force", "routing_policy", "retries", "timeout_seconds")
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    FORCE_FIELD_NUMBER: _ClassVar[int]
    ROUTING_POLICY_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    providers: _containers.RepeatedScalarFieldContainer[str]
    force: bool
    routing_policy: _struct_pb2.Struct
    retries: int
    timeout_seconds: int
    def __init__(self, providers: _Optional[_Iterable[str]] = ..., force: _Optional[bool] = ..., routing_policy: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., retries: _Optional[int] = ..., timeout_seconds: _Optional[int] = ...) -> None: ...

class NotifyDrillResponse(_message.Message):
    __slots__ = ("schedule", "plan", "delivery", "success", "event_id")
    SCHEDULE_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    schedule: ScheduleReport
    plan: _evidence_pb2.Record
    delivery: _evidence_pb2.Record
    success: bool
    event_id: str
    def __init__(self, schedule: _Optional[_Union[ScheduleReport, _Mapping]] = ..., plan: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., delivery: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., success: _Optional[bool] = ..., event_id: _Optional[str] = ...) -> None: ...

class AcknowledgeDrillRequest(_message.Message):
    __slots__ = ("schedule_id", "provider", "acknowledgement_state", "external_ref", "notes", "plan_id")
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_STATE_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REF_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    schedule_id: str
    provider: str
    acknowledgement_state: AcknowledgementState
    external_ref: str
    notes: str
    plan_id: str
    def __init__(self, schedule_id: _Optional[str] = ..., provider: _Optional[str] = ..., acknowledgement_state: _Optional[_Union[AcknowledgementState, str]] = ..., external_ref: _Optional[str] = ..., notes: _Optional[str] = ..., plan_id: _Optional[str] = ...) -> None: ...

class AcknowledgeDrillResponse(_message.Message):
    __slots__ = ("acknowledgement",)
    ACKNOWLEDGEMENT_FIELD_NUMBER: _ClassVar[int]
    acknowledgement: _evidence_pb2.Record
    def __init__(self, acknowledgement: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class DrillRoute(_message.Message):
    __slots__ = ("schedule_id", "provider", "plan_id", "external_ref", "notes")
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REF_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    schedule_id: str
    provider: str
    plan_id: str
    external_ref: str
    notes: str
    def __init__(self, schedule_id: _Optional[str] = ..., provider: _Optional[str] = ..., plan_id: _Optional[str] = ..., external_ref: _Optional[str] = ..., notes: _Optional[str] = ...) -> None: ...

class BatchAcknowledgeDrillsRequest(_message.Message):
    __slots__ = ("routes", "acknowledgement_state", "external_ref", "notes")
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_STATE_FIELD_NUMBER: _ClassVar[int]
    EXTERNAL_REF_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedCompositeFieldContainer[DrillRoute]
    acknowledgement_state: AcknowledgementState
    external_ref: str
    notes: str
    def __init__(self, routes: _Optional[_Iterable[_Union[DrillRoute, _Mapping]]] = ..., acknowledgement_state: _Optional[_Union[AcknowledgementState, str]] = ..., external_ref: _Optional[str] = ..., notes: _Optional[str] = ...) -> None: ...

class BatchAcknowledgeDrillsResponse(_message.Message):
    __slots__ = ("bulk_id", "acknowledgements")
    BULK_ID_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENTS_FIELD_NUMBER: _ClassVar[int]
    bulk_id: str
    acknowledgements: _containers.RepeatedCompositeFieldContainer[_evidence_pb2.Record]
    def __init__(self, bulk_id: _Optional[str] = ..., acknowledgements: _Optional[_Iterable[_Union[_evidence_pb2.Record, _Mapping]]] = ...) -> None: ...

class AuditFilters(_message.Message):
    __slots__ = ("schedule_id", "provider", "owner")
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    schedule_id: str
    provider: str
    owner: str
    def __init__(self, schedule_id: _Optional[str] = ..., provider: _Optional[str] = ..., owner: _Optional[str] = ...) -> None: ...

class CreateAuditPackageRequest(_message.Message):
    __slots__ = ("filters",)
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    filters: AuditFilters
    def __init__(self, filters: _Optional[_Union[AuditFilters, _Mapping]] = ...) -> None: ...

class CreateAuditPackageResponse(_message.Message):
    __slots__ = ("audit_package",)
    AUDIT_PACKAGE_FIELD_NUMBER: _ClassVar[int]
    audit_package: _evidence_pb2.Record
    def __init__(self, audit_package: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class DeliverAuditRequest(_message.Message):
    __slots__ = ("filters", "providers", "cadence", "schedule_ref", "next_delivery_at", "retries", "timeout_seconds", "requested_provider")
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    CADENCE_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_REF_FIELD_NUMBER: _ClassVar[int]
    NEXT_DELIVERY_AT_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_PROVIDER_FIELD_NUMBER: _ClassVar[int]
    filters: AuditFilters
    providers: _containers.RepeatedScalarFieldContainer[str]
    cadence: str
    schedule_ref: str
    next_delivery_at: _timestamp_pb2.Timestamp
    retries: int
    timeout_seconds: int
    requested_provider: str
    def __init__(self, filters: _Optional[_Union[AuditFilters, _Mapping]] = ..., providers: _Optional[_Iterable[str]] = ..., cadence: _Optional[str] = ..., schedule_ref: _Optional[str] = ..., next_delivery_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., retries: _Optional[int] = ..., timeout_seconds: _Optional[int] = ..., requested_provider: _Optional[str] = ...) -> None: ...

class DeliverAuditResponse(_message.Message):
    __slots__ = ("audit_package", "delivery_plan", "delivery", "success")
    AUDIT_PACKAGE_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_PLAN_FIELD_NUMBER: _ClassVar[int]
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    audit_package: _evidence_pb2.Record
    delivery_plan: _evidence_pb2.Record
    delivery: _evidence_pb2.Record
    success: bool
    def __init__(self, audit_package: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., delivery_plan: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., delivery: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., success: _Optional[bool] = ...) -> None: ...

class PlanEscalationRequest(_message.Message):
    __slots__ = ("acknowledgement_minutes",)
    ACKNOWLEDGEMENT_MINUTES_FIELD_NUMBER: _ClassVar[int]
    acknowledgement_minutes: int
    def __init__(self, acknowledgement_minutes: _Optional[int] = ...) -> None: ...

class PlanEscalationResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _evidence_pb2.Record
    def __init__(self, plan: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class ListRoutesRequest(_message.Message):
    __slots__ = ("schedule_id", "provider", "owner", "action", "category", "limit", "offset")
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OFFSET_FIELD_NUMBER: _ClassVar[int]
    schedule_id: str
    provider: str
    owner: str
    action: str
    category: RouteCategory
    limit: int
    offset: int
    def __init__(self, schedule_id: _Optional[str] = ..., provider: _Optional[str] = ..., owner: _Optional[str] = ..., action: _Optional[str] = ..., category: _Optional[_Union[RouteCategory, str]] = ..., limit: _Optional[int] = ..., offset: _Optional[int] = ...) -> None: ...

class ListRoutesResponse(_message.Message):
    __slots__ = ("routes", "total")
    ROUTES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    routes: _containers.RepeatedCompositeFieldContainer[Route]
    total: int
    def __init__(self, routes: _Optional[_Iterable[_Union[Route, _Mapping]]] = ..., total: _Optional[int] = ...) -> None: ...

class Route(_message.Message):
    __slots__ = ("route_id", "created_at", "plan_id", "schedule_id", "alert_level", "provider", "owner", "escalation_owner", "action", "category", "reason", "acknowledgement_minutes", "maintenance_window_id", "maintenance_window_reason", "owner_available", "owner_availability_reason", "next_due_at")
    ROUTE_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AT_FIELD_NUMBER: _ClassVar[int]
    PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_LEVEL_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    ESCALATION_OWNER_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGEMENT_MINUTES_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_WINDOW_ID_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_WINDOW_REASON_FIELD_NUMBER: _ClassVar[int]
    OWNER_AVAILABLE_FIELD_NUMBER: _ClassVar[int]
    OWNER_AVAILABILITY_REASON_FIELD_NUMBER: _ClassVar[int]
    NEXT_DUE_AT_FIELD_NUMBER: _ClassVar[int]
    route_id: str
    created_at: _timestamp_pb2.Timestamp
    plan_id: str
    schedule_id: str
    alert_level: str
    provider: str
    owner: str
    escalation_owner: str
    action: str
    category: str
    reason: str
    acknowledgement_minutes: int
    maintenance_window_id: str
    maintenance_window_reason: str
    owner_available: bool
    owner_availability_reason: str
    next_due_at: _timestamp_pb2.Timestamp
    def __init__(self, route_id: _Optional[str] = ..., created_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., plan_id: _Optional[str] = ..., schedule_id: _Optional[str] = ..., alert_level: _Optional[str] = ..., provider: _Optional[str] = ..., owner: _Optional[str] = ..., escalation_owner: _Optional[str] = ..., action: _Optional[str] = ..., category: _Optional[str] = ..., reason: _Optional[str] = ..., acknowledgement_minutes: _Optional[int] = ..., maintenance_window_id: _Optional[str] = ..., maintenance_window_reason: _Optional[str] = ..., owner_available: _Optional[bool] = ..., owner_availability_reason: _Optional[str] = ..., next_due_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class GetSuppressionTrendRequest(_message.Message):
    __slots__ = ("schedule_id", "provider", "owner")
    SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    schedule_id: str
    provider: str
    owner: str
    def __init__(self, schedule_id: _Optional[str] = ..., provider: _Optional[str] = ..., owner: _Optional[str] = ...) -> None: ...

class GetSuppressionTrendResponse(_message.Message):
    __slots__ = ("trend_id", "generated_at", "alert_level", "suppression_event_count", "category_counts", "owner_counts", "provider_counts", "schedule_counts", "maintenance_suppressed_count", "calendar_suppressed_count", "healthy_schedule_suppressed_count", "latest_events")
    class CategoryCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class OwnerCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class ProviderCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class ScheduleCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    TREND_ID_FIELD_NUMBER: _ClassVar[int]
    GENERATED_AT_FIELD_NUMBER: _ClassVar[int]
    ALERT_LEVEL_FIELD_NUMBER: _ClassVar[int]
    SUPPRESSION_EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_COUNTS_FIELD_NUMBER: _ClassVar[int]
    OWNER_COUNTS_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_COUNTS_FIELD_NUMBER: _ClassVar[int]
    SCHEDULE_COUNTS_FIELD_NUMBER: _ClassVar[int]
    MAINTENANCE_SUPPRESSED_COUNT_FIELD_NUMBER: _ClassVar[int]
    CALENDAR_SUPPRESSED_COUNT_FIELD_NUMBER: _ClassVar[int]
    HEALTHY_SCHEDULE_SUPPRESSED_COUNT_FIELD_NUMBER: _ClassVar[int]
    LATEST_EVENTS_FIELD_NUMBER: _ClassVar[int]
    trend_id: str
    generated_at: _timestamp_pb2.Timestamp
    alert_level: str
    suppression_event_count: int
    category_counts: _containers.ScalarMap[str, int]
    owner_counts: _containers.ScalarMap[str, int]
    provider_counts: _containers.ScalarMap[str, int]
    schedule_counts: _containers.ScalarMap[str, int]
    maintenance_suppressed_count: int
    calendar_suppressed_count: int
    healthy_schedule_suppressed_count: int
    latest_events: _containers.RepeatedCompositeFieldContainer[Route]
    def __init__(self, trend_id: _Optional[str] = ..., generated_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., alert_level: _Optional[str] = ..., suppression_event_count: _Optional[int] = ..., category_counts: _Optional[_Mapping[str, int]] = ..., owner_counts: _Optional[_Mapping[str, int]] = ..., provider_counts: _Optional[_Mapping[str, int]] = ..., schedule_counts: _Optional[_Mapping[str, int]] = ..., maintenance_suppressed_count: _Optional[int] = ..., calendar_suppressed_count: _Optional[int] = ..., healthy_schedule_suppressed_count: _Optional[int] = ..., latest_events: _Optional[_Iterable[_Union[Route, _Mapping]]] = ...) -> None: ...

class ListOutstandingAcknowledgementsRequest(_message.Message):
    __slots__ = ("limit",)
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    limit: int
    def __init__(self, limit: _Optional[int] = ...) -> None: ...

class ListOutstandingAcknowledgementsResponse(_message.Message):
    __slots__ = ("items", "total")
    class Item(_message.Message):
        __slots__ = ("schedule_id", "provider", "plan_id")
        SCHEDULE_ID_FIELD_NUMBER: _ClassVar[int]
        PROVIDER_FIELD_NUMBER: _ClassVar[int]
        PLAN_ID_FIELD_NUMBER: _ClassVar[int]
        schedule_id: str
        provider: str
        plan_id: str
        def __init__(self, schedule_id: _Optional[str] = ..., provider: _Optional[str] = ..., plan_id: _Optional[str] = ...) -> None: ...
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ListOutstandingAcknowledgementsResponse.Item]
    total: int
    def __init__(self, items: _Optional[_Iterable[_Union[ListOutstandingAcknowledgementsResponse.Item, _Mapping]]] = ..., total: _Optional[int] = ...) -> None: ...

class DeliverAuditsRequest(_message.Message):
    __slots__ = ("deliveries",)
    DELIVERIES_FIELD_NUMBER: _ClassVar[int]
    deliveries: _containers.RepeatedCompositeFieldContainer[DeliverAuditRequest]
    def __init__(self, deliveries: _Optional[_Iterable[_Union[DeliverAuditRequest, _Mapping]]] = ...) -> None: ...

class DeliverAuditsResponse(_message.Message):
    __slots__ = ("results",)
    class Result(_message.Message):
        __slots__ = ("place", "audit_id", "delivery_id", "delivery", "success")
        PLACE_FIELD_NUMBER: _ClassVar[int]
        AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
        DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
        DELIVERY_FIELD_NUMBER: _ClassVar[int]
        SUCCESS_FIELD_NUMBER: _ClassVar[int]
        place: int
        audit_id: str
        delivery_id: str
        delivery: _evidence_pb2.Record
        success: bool
        def __init__(self, place: _Optional[int] = ..., audit_id: _Optional[str] = ..., delivery_id: _Optional[str] = ..., delivery: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., success: _Optional[bool] = ...) -> None: ...
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[DeliverAuditsResponse.Result]
    def __init__(self, results: _Optional[_Iterable[_Union[DeliverAuditsResponse.Result, _Mapping]]] = ...) -> None: ...

class ListConnectorsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListConnectorsResponse(_message.Message):
    __slots__ = ("connectors", "file_problem")
    CONNECTORS_FIELD_NUMBER: _ClassVar[int]
    FILE_PROBLEM_FIELD_NUMBER: _ClassVar[int]
    connectors: _containers.RepeatedCompositeFieldContainer[Connector]
    file_problem: str
    def __init__(self, connectors: _Optional[_Iterable[_Union[Connector, _Mapping]]] = ..., file_problem: _Optional[str] = ...) -> None: ...

class Connector(_message.Message):
    __slots__ = ("name", "kind", "category", "enabled", "ready", "reason", "missing_variable", "circuit", "consecutive_failures", "circuit_opened_at", "field", "rule", "address", "destination_fingerprint")
    NAME_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    READY_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MISSING_VARIABLE_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_FIELD_NUMBER: _ClassVar[int]
    CONSECUTIVE_FAILURES_FIELD_NUMBER: _ClassVar[int]
    CIRCUIT_OPENED_AT_FIELD_NUMBER: _ClassVar[int]
    FIELD_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    ADDRESS_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    name: str
    kind: str
    category: str
    enabled: bool
    ready: bool
    reason: str
    missing_variable: str
    circuit: str
    consecutive_failures: int
    circuit_opened_at: _timestamp_pb2.Timestamp
    field: str
    rule: str
    address: str
    destination_fingerprint: str
    def __init__(self, name: _Optional[str] = ..., kind: _Optional[str] = ..., category: _Optional[str] = ..., enabled: _Optional[bool] = ..., ready: _Optional[bool] = ..., reason: _Optional[str] = ..., missing_variable: _Optional[str] = ..., circuit: _Optional[str] = ..., consecutive_failures: _Optional[int] = ..., circuit_opened_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., field: _Optional[str] = ..., rule: _Optional[str] = ..., address: _Optional[str] = ..., destination_fingerprint: _Optional[str] = ...) -> None: ...

class FailureKey(_message.Message):
    __slots__ = ("delivery_id", "audit_id", "provider")
    DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    AUDIT_ID_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    delivery_id: str
    audit_id: str
    provider: str
    def __init__(self, delivery_id: _Optional[str] = ..., audit_id: _Optional[str] = ..., provider: _Optional[str] = ...) -> None: ...

class Failure(_message.Message):
    __slots__ = ("key", "open", "failure_count", "next_attempt_number", "first_failed_at", "latest_failed_at", "latest_delivery_id", "failed_status_codes", "latest_record", "original_record", "in_flight", "outcome_unknown")
    KEY_FIELD_NUMBER: _ClassVar[int]
    OPEN_FIELD_NUMBER: _ClassVar[int]
    FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
    NEXT_ATTEMPT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    FIRST_FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    LATEST_FAILED_AT_FIELD_NUMBER: _ClassVar[int]
    LATEST_DELIVERY_ID_FIELD_NUMBER: _ClassVar[int]
    FAILED_STATUS_CODES_FIELD_NUMBER: _ClassVar[int]
    LATEST_RECORD_FIELD_NUMBER: _ClassVar[int]
    ORIGINAL_RECORD_FIELD_NUMBER: _ClassVar[int]
    IN_FLIGHT_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_UNKNOWN_FIELD_NUMBER: _ClassVar[int]
    key: FailureKey
    open: bool
    failure_count: int
    next_attempt_number: int
    first_failed_at: _timestamp_pb2.Timestamp
    latest_failed_at: _timestamp_pb2.Timestamp
    latest_delivery_id: str
    failed_status_codes: _containers.RepeatedScalarFieldContainer[int]
    latest_record: _evidence_pb2.Cause
    original_record: _evidence_pb2.Cause
    in_flight: bool
    outcome_unknown: bool
    def __init__(self, key: _Optional[_Union[FailureKey, _Mapping]] = ..., open: _Optional[bool] = ..., failure_count: _Optional[int] = ..., next_attempt_number: _Optional[int] = ..., first_failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., latest_failed_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., latest_delivery_id: _Optional[str] = ..., failed_status_codes: _Optional[_Iterable[int]] = ..., latest_record: _Optional[_Union[_evidence_pb2.Cause, _Mapping]] = ..., original_record: _Optional[_Union[_evidence_pb2.Cause, _Mapping]] = ..., in_flight: _Optional[bool] = ..., outcome_unknown: _Optional[bool] = ...) -> None: ...

class ListFailuresRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "provider")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    provider: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., provider: _Optional[str] = ...) -> None: ...

class ListFailuresResponse(_message.Message):
    __slots__ = ("failures", "next_page_token", "total")
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    failures: _containers.RepeatedCompositeFieldContainer[Failure]
    next_page_token: str
    total: int
    def __init__(self, failures: _Optional[_Iterable[_Union[Failure, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., total: _Optional[int] = ...) -> None: ...

class ListChangedFailuresRequest(_message.Message):
    __slots__ = ("cursor", "page_size")
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    cursor: str
    page_size: int
    def __init__(self, cursor: _Optional[str] = ..., page_size: _Optional[int] = ...) -> None: ...

class ListChangedFailuresResponse(_message.Message):
    __slots__ = ("failures", "next_cursor", "more", "begins", "circuits")
    class CircuitsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    NEXT_CURSOR_FIELD_NUMBER: _ClassVar[int]
    MORE_FIELD_NUMBER: _ClassVar[int]
    BEGINS_FIELD_NUMBER: _ClassVar[int]
    CIRCUITS_FIELD_NUMBER: _ClassVar[int]
    failures: _containers.RepeatedCompositeFieldContainer[Failure]
    next_cursor: str
    more: bool
    begins: bool
    circuits: _containers.ScalarMap[str, str]
    def __init__(self, failures: _Optional[_Iterable[_Union[Failure, _Mapping]]] = ..., next_cursor: _Optional[str] = ..., more: _Optional[bool] = ..., begins: _Optional[bool] = ..., circuits: _Optional[_Mapping[str, str]] = ...) -> None: ...

class BatchGetFailuresRequest(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[FailureKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[FailureKey, _Mapping]]] = ...) -> None: ...

class BatchGetFailuresResponse(_message.Message):
    __slots__ = ("failures",)
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    failures: _containers.RepeatedCompositeFieldContainer[Failure]
    def __init__(self, failures: _Optional[_Iterable[_Union[Failure, _Mapping]]] = ...) -> None: ...

class SummarizeFailuresRequest(_message.Message):
    __slots__ = ("since", "provider")
    SINCE_FIELD_NUMBER: _ClassVar[int]
    PROVIDER_FIELD_NUMBER: _ClassVar[int]
    since: _timestamp_pb2.Timestamp
    provider: str
    def __init__(self, since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., provider: _Optional[str] = ...) -> None: ...

class SummarizeFailuresResponse(_message.Message):
    __slots__ = ("providers",)
    class ProviderFailures(_message.Message):
        __slots__ = ("provider", "category", "failure_count", "latest_failure_at", "status_codes", "reasons", "delivery_ids", "records", "latest_failure_index")
        PROVIDER_FIELD_NUMBER: _ClassVar[int]
        CATEGORY_FIELD_NUMBER: _ClassVar[int]
        FAILURE_COUNT_FIELD_NUMBER: _ClassVar[int]
        LATEST_FAILURE_AT_FIELD_NUMBER: _ClassVar[int]
        STATUS_CODES_FIELD_NUMBER: _ClassVar[int]
        REASONS_FIELD_NUMBER: _ClassVar[int]
        DELIVERY_IDS_FIELD_NUMBER: _ClassVar[int]
        RECORDS_FIELD_NUMBER: _ClassVar[int]
        LATEST_FAILURE_INDEX_FIELD_NUMBER: _ClassVar[int]
        provider: str
        category: str
        failure_count: int
        latest_failure_at: _timestamp_pb2.Timestamp
        status_codes: _containers.RepeatedScalarFieldContainer[int]
        reasons: _containers.RepeatedScalarFieldContainer[str]
        delivery_ids: _containers.RepeatedScalarFieldContainer[str]
        records: _containers.RepeatedCompositeFieldContainer[_evidence_pb2.Cause]
        latest_failure_index: int
        def __init__(self, provider: _Optional[str] = ..., category: _Optional[str] = ..., failure_count: _Optional[int] = ..., latest_failure_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., status_codes: _Optional[_Iterable[int]] = ..., reasons: _Optional[_Iterable[str]] = ..., delivery_ids: _Optional[_Iterable[str]] = ..., records: _Optional[_Iterable[_Union[_evidence_pb2.Cause, _Mapping]]] = ..., latest_failure_index: _Optional[int] = ...) -> None: ...
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    providers: _containers.RepeatedCompositeFieldContainer[SummarizeFailuresResponse.ProviderFailures]
    def __init__(self, providers: _Optional[_Iterable[_Union[SummarizeFailuresResponse.ProviderFailures, _Mapping]]] = ...) -> None: ...

class DescribeRetriesRequest(_message.Message):
    __slots__ = ("keys",)
    KEYS_FIELD_NUMBER: _ClassVar[int]
    keys: _containers.RepeatedCompositeFieldContainer[FailureKey]
    def __init__(self, keys: _Optional[_Iterable[_Union[FailureKey, _Mapping]]] = ...) -> None: ...

class DescribeRetriesResponse(_message.Message):
    __slots__ = ("descriptions",)
    class Description(_message.Message):
        __slots__ = ("key", "unavailable_reason", "audit_package_hash", "payload_hash", "destination_fingerprint")
        KEY_FIELD_NUMBER: _ClassVar[int]
        UNAVAILABLE_REASON_FIELD_NUMBER: _ClassVar[int]
        AUDIT_PACKAGE_HASH_FIELD_NUMBER: _ClassVar[int]
        PAYLOAD_HASH_FIELD_NUMBER: _ClassVar[int]
        DESTINATION_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
        key: FailureKey
        unavailable_reason: str
        audit_package_hash: bytes
        payload_hash: bytes
        destination_fingerprint: bytes
        def __init__(self, key: _Optional[_Union[FailureKey, _Mapping]] = ..., unavailable_reason: _Optional[str] = ..., audit_package_hash: _Optional[bytes] = ..., payload_hash: _Optional[bytes] = ..., destination_fingerprint: _Optional[bytes] = ...) -> None: ...
    DESCRIPTIONS_FIELD_NUMBER: _ClassVar[int]
    descriptions: _containers.RepeatedCompositeFieldContainer[DescribeRetriesResponse.Description]
    def __init__(self, descriptions: _Optional[_Iterable[_Union[DescribeRetriesResponse.Description, _Mapping]]] = ...) -> None: ...

class RetrySend(_message.Message):
    __slots__ = ("execution_id", "key", "attempt_number", "payload_hash", "destination_fingerprint", "intent", "run_id", "retry_plan_id", "permit")
    EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
    KEY_FIELD_NUMBER: _ClassVar[int]
    ATTEMPT_NUMBER_FIELD_NUMBER: _ClassVar[int]
    PAYLOAD_HASH_FIELD_NUMBER: _ClassVar[int]
    DESTINATION_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    INTENT_FIELD_NUMBER: _ClassVar[int]
    RUN_ID_FIELD_NUMBER: _ClassVar[int]
    RETRY_PLAN_ID_FIELD_NUMBER: _ClassVar[int]
    PERMIT_FIELD_NUMBER: _ClassVar[int]
    execution_id: str
    key: FailureKey
    attempt_number: int
    payload_hash: bytes
    destination_fingerprint: bytes
    intent: _evidence_pb2.Cause
    run_id: str
    retry_plan_id: str
    permit: bytes
    def __init__(self, execution_id: _Optional[str] = ..., key: _Optional[_Union[FailureKey, _Mapping]] = ..., attempt_number: _Optional[int] = ..., payload_hash: _Optional[bytes] = ..., destination_fingerprint: _Optional[bytes] = ..., intent: _Optional[_Union[_evidence_pb2.Cause, _Mapping]] = ..., run_id: _Optional[str] = ..., retry_plan_id: _Optional[str] = ..., permit: _Optional[bytes] = ...) -> None: ...

class SendRetriesRequest(_message.Message):
    __slots__ = ("sends", "executed_by", "retries", "timeout_seconds")
    SENDS_FIELD_NUMBER: _ClassVar[int]
    EXECUTED_BY_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    sends: _containers.RepeatedCompositeFieldContainer[RetrySend]
    executed_by: _evidence_pb2.Actor
    retries: int
    timeout_seconds: int
    def __init__(self, sends: _Optional[_Iterable[_Union[RetrySend, _Mapping]]] = ..., executed_by: _Optional[_Union[_evidence_pb2.Actor, _Mapping]] = ..., retries: _Optional[int] = ..., timeout_seconds: _Optional[int] = ...) -> None: ...

class SendRetriesResponse(_message.Message):
    __slots__ = ("results",)
    class Result(_message.Message):
        __slots__ = ("execution_id", "outcome", "skipped_reason", "delivery_plan", "delivery")
        EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
        OUTCOME_FIELD_NUMBER: _ClassVar[int]
        SKIPPED_REASON_FIELD_NUMBER: _ClassVar[int]
        DELIVERY_PLAN_FIELD_NUMBER: _ClassVar[int]
        DELIVERY_FIELD_NUMBER: _ClassVar[int]
        execution_id: str
        outcome: SendOutcome
        skipped_reason: str
        delivery_plan: _evidence_pb2.Record
        delivery: _evidence_pb2.Record
        def __init__(self, execution_id: _Optional[str] = ..., outcome: _Optional[_Union[SendOutcome, str]] = ..., skipped_reason: _Optional[str] = ..., delivery_plan: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., delivery: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[SendRetriesResponse.Result]
    def __init__(self, results: _Optional[_Iterable[_Union[SendRetriesResponse.Result, _Mapping]]] = ...) -> None: ...

class SettleRequest(_message.Message):
    __slots__ = ("execution_ids",)
    EXECUTION_IDS_FIELD_NUMBER: _ClassVar[int]
    execution_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, execution_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class SettleResponse(_message.Message):
    __slots__ = ("settlements",)
    class Settlement(_message.Message):
        __slots__ = ("execution_id", "in_progress", "result")
        EXECUTION_ID_FIELD_NUMBER: _ClassVar[int]
        IN_PROGRESS_FIELD_NUMBER: _ClassVar[int]
        RESULT_FIELD_NUMBER: _ClassVar[int]
        execution_id: str
        in_progress: bool
        result: SendRetriesResponse.Result
        def __init__(self, execution_id: _Optional[str] = ..., in_progress: _Optional[bool] = ..., result: _Optional[_Union[SendRetriesResponse.Result, _Mapping]] = ...) -> None: ...
    SETTLEMENTS_FIELD_NUMBER: _ClassVar[int]
    settlements: _containers.RepeatedCompositeFieldContainer[SettleResponse.Settlement]
    def __init__(self, settlements: _Optional[_Iterable[_Union[SettleResponse.Settlement, _Mapping]]] = ...) -> None: ...

class ResolveFailureRequest(_message.Message):
    __slots__ = ("resolution",)
    RESOLUTION_FIELD_NUMBER: _ClassVar[int]
    resolution: _evidence_pb2.Record
    def __init__(self, resolution: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ...) -> None: ...

class ResolveFailureResponse(_message.Message):
    __slots__ = ("failure",)
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    failure: Failure
    def __init__(self, failure: _Optional[_Union[Failure, _Mapping]] = ...) -> None: ...

class SendAlertRequest(_message.Message):
    __slots__ = ("providers", "health_id", "plan", "plan_canonical", "requested_by", "retries", "timeout_seconds")
    PROVIDERS_FIELD_NUMBER: _ClassVar[int]
    HEALTH_ID_FIELD_NUMBER: _ClassVar[int]
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PLAN_CANONICAL_FIELD_NUMBER: _ClassVar[int]
    REQUESTED_BY_FIELD_NUMBER: _ClassVar[int]
    RETRIES_FIELD_NUMBER: _ClassVar[int]
    TIMEOUT_SECONDS_FIELD_NUMBER: _ClassVar[int]
    providers: _containers.RepeatedScalarFieldContainer[str]
    health_id: str
    plan: _evidence_pb2.Cause
    plan_canonical: bytes
    requested_by: _evidence_pb2.Actor
    retries: int
    timeout_seconds: int
    def __init__(self, providers: _Optional[_Iterable[str]] = ..., health_id: _Optional[str] = ..., plan: _Optional[_Union[_evidence_pb2.Cause, _Mapping]] = ..., plan_canonical: _Optional[bytes] = ..., requested_by: _Optional[_Union[_evidence_pb2.Actor, _Mapping]] = ..., retries: _Optional[int] = ..., timeout_seconds: _Optional[int] = ...) -> None: ...

class SendAlertResponse(_message.Message):
    __slots__ = ("delivery", "success", "event_id")
    DELIVERY_FIELD_NUMBER: _ClassVar[int]
    SUCCESS_FIELD_NUMBER: _ClassVar[int]
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    delivery: _evidence_pb2.Record
    success: bool
    event_id: str
    def __init__(self, delivery: _Optional[_Union[_evidence_pb2.Record, _Mapping]] = ..., success: _Optional[bool] = ..., event_id: _Optional[str] = ...) -> None: ...
