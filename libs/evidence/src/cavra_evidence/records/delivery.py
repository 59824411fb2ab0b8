"""Records of the delivery service: notifications, acknowledgements, audit packages, deliveries."""

from typing import Annotated, Literal

from cavra_verify.grammar import BOUNDS
from pydantic import Field

from cavra_evidence.records.base import (
    AlertLevel,
    Controls,
    Count,
    ExternalId,
    ExternalRef,
    Header,
    Id,
    Label,
    Method,
    Name,
    Notes,
    OptionalExternalId,
    OptionalHash,
    OptionalId,
    OptionalLabel,
    OptionalPerson,
    OptionalProvider,
    OptionalReason,
    OptionalVariable,
    Part,
    Person,
    Provider,
    Providers,
    Reason,
    Record,
    StatusCode,
    Time,
    Url,
)

DeliverySource = Literal[
    "go_backend_rollback_drill_notification",
    "go_backend_rollback_drill_acknowledgement_audit",
    "go_backend_rollback_drill_acknowledgement_audit_worker_health_alert",
]

_ITEMS = Field(max_length=BOUNDS["items"])


class MaintenanceWindow(Part):
    """A time in which routes are suppressed."""

    window_id: ExternalId
    start_at: Time
    end_at: Time
    reason: OptionalLabel


class OwnerAvailability(Part):
    """Whether an owner can be notified now."""

    available: bool
    reason: OptionalLabel


class OwnerRoute(Part):
    """Who is told through which provider."""

    route_key: Id
    schedule_id: ExternalId
    provider: Provider
    owner: Person
    acknowledgement_minutes: Count
    escalation_owner: OptionalPerson
    maintenance_window: MaintenanceWindow | None
    owner_availability: OwnerAvailability


class RouteDecision(OwnerRoute):
    """What was decided for one route."""

    action: Reason
    reason: Reason


class NotificationPlan(Record, noun="notification_plan"):
    """What a drill's notification sends to whom, and what it suppresses."""

    plan_id: Id
    schedule_id: OptionalExternalId
    generated_at: Time
    generated_by: Person
    status: Reason
    alert_level: AlertLevel
    eligible_providers: Providers
    selected_providers: Providers
    acknowledgement_required_providers: Providers
    suppressed_providers: Providers
    owners: Annotated[list[Person], _ITEMS]
    owner_routes: Annotated[list[OwnerRoute], _ITEMS]
    route_decisions: Annotated[list[RouteDecision], _ITEMS]
    deliverable_route_count: Count
    suppressed_route_count: Count
    maintenance_suppressed_count: Count
    calendar_suppressed_count: Count
    omitted_count: Count = 0
    next_due_at: Time | None
    reason: Reason
    controls: Controls


class NotificationAck(Record, noun="notification_ack"):
    """What an operator said to one route of a notification."""

    acknowledgement_id: Id
    schedule_id: ExternalId
    plan_id: Id
    provider: Provider
    acknowledged_by: Person
    acknowledgement_state: Reason
    acknowledged_at: Time
    external_ref: ExternalRef
    notes: Notes
    controls: Controls = Field(default=[])


class AuditFilters(Part):
    """What a package was made of; empty matches all."""

    schedule_id: OptionalExternalId
    provider: OptionalProvider
    owner: OptionalLabel


class AuditRoute(Part):
    """One delivered route and what became of its acknowledgement."""

    route_id: Id
    schedule_id: ExternalId
    plan_id: Id
    provider: Provider
    owner: Person
    escalation_owner: OptionalPerson
    route_action: Reason
    route_created_at: Time
    acknowledgement_state: OptionalReason
    acknowledged: bool
    acknowledged_by: OptionalPerson
    acknowledged_at: Time | None
    external_ref: ExternalRef
    notes: Notes
    acknowledgement_id: OptionalId


class AuditPackage(Record, noun="audit_package"):
    """Who acknowledged which drill notification, and when."""

    audit_id: Id
    generated_at: Time
    generated_by: Person
    filters: AuditFilters
    route_count: Count
    acknowledgement_count: Count
    acknowledged_count: Count
    resolved_count: Count
    escalated_count: Count
    dismissed_count: Count
    outstanding_count: Count
    omitted_count: Count = 0
    alert_level: AlertLevel
    routes: Annotated[list[AuditRoute], _ITEMS]
    controls: Controls


class DeliveryPlan(Record, noun="delivery_plan"):
    """Which package goes to which connectors: an original delivery's, or a retry's own."""

    delivery_id: Id
    audit_id: Id
    generated_at: Time
    generated_by: Person
    cadence: Name
    schedule_ref: OptionalExternalId
    next_delivery_at: Time | None
    requested_provider: OptionalLabel
    requested_providers: Providers
    selected_providers: Providers
    destination_count: Count
    route_count: Count
    outstanding_count: Count
    escalated_count: Count
    alert_level: AlertLevel
    filters: AuditFilters
    controls: Controls


class SentRequest(Part):
    """What of a request may be kept: no userinfo, no query, allow-listed headers alone."""

    method: Method
    url: Url
    headers: Annotated[dict[Header, Label], Field(max_length=BOUNDS["headers"])]


class ProviderDelivery(Part):
    """One provider's part of a connector delivery."""

    provider: Provider
    success: bool
    status_code: StatusCode | None
    attempt_count: Count
    started_at: Time
    completed_at: Time
    error: OptionalReason
    """Reason code of the failure; empty on success."""
    missing_variable: OptionalVariable = ""
    """Name of the environment variable that the connector lacks, where that is the failure."""
    outcome: Reason
    """delivered, failed, skipped or unknown."""
    message_id: Id
    """What the receiver sees as `webhook-id`: the same for every attempt of one (delivery, provider)."""
    attempt_number: Count
    """Which attempt of the failure this was; 1 for a first send."""
    payload_hash: OptionalHash = ""
    """SHA-256 of the body that was handed to the connection; empty where none was, or a crash took the outcome."""
    request: SentRequest | None
    external_ref: OptionalExternalId = ""
    """What the receiver calls what it made of the message, e.g. an issue's key; empty where it gave nothing of the kind."""


class ConnectorDeliveryTop(Part):
    """What the envelope of a connector delivery says of it, for who lists many."""

    connector_delivery_source: DeliverySource
    delivery_success: bool
    providers: Providers = Field(default=[])
    failed_providers: Providers = Field(default=[])
    attempt_count: Count = 0
    max_attempt_count: Count = 0
    status_codes: Annotated[list[StatusCode], _ITEMS] = Field(default=[])
    audit_id: OptionalId = ""
    delivery_id: OptionalId = ""
    retry_plan_id: OptionalId = ""
    worker_run_id: OptionalId = ""
    health_id: OptionalId = ""
    plan_id: OptionalId = ""


class ConnectorDelivery(Record, noun="connector_delivery", top=ConnectorDeliveryTop):
    """What was sent through connectors, and what the receivers answered."""

    event_type: Reason
    event_id: Id
    session_id: Id
    generated_at: Time
    success: bool
    deliveries: Annotated[list[ProviderDelivery], _ITEMS]
    execution_id: OptionalId = ""
    """The execution that this delivery is the effect of; empty on a first send."""
    delivery_plan_id: OptionalId = ""
    """The retry's own delivery plan; empty on a first send, whose plan is `delivery_id`."""
    permit_hash: OptionalHash = ""
    """SHA-256 of the permit that it was sent under; empty on a first send, which needs none."""
    controls: Controls


class EscalationRoute(Part):
    """One delivered route and whether its acknowledgement is overdue."""

    schedule_id: ExternalId
    plan_id: Id
    provider: Provider
    owner: Person
    acknowledgement_state: OptionalReason
    acknowledged: bool
    age_minutes: Count
    acknowledgement_minutes: Count
    breached: bool
    recommended_action: Reason


class EscalationPlan(Record, noun="escalation_plan"):
    """Which acknowledgements are overdue and who is to be told."""

    plan_id: Id
    generated_at: Time
    generated_by: Person
    alert_level: AlertLevel
    acknowledgement_minutes: Count
    route_count: Count
    outstanding_count: Count
    breached_count: Count
    omitted_count: Count = 0
    routes: Annotated[list[EscalationRoute], _ITEMS]
