"""What commands answer with, as the API's documentation shows it. Answers are built from records; these models describe them."""

from typing import Any

from cavra_evidence.records import delivery, recovery, retry
from pydantic import BaseModel, ConfigDict, Field


class Answered(BaseModel):
    """The caller, as the token says."""

    actor: str = Field(description="A name to show.", examples=["alice"])
    subject: str = Field(description="The subject within the issuer.", examples=["alice"])
    issuer: str = Field(description="The token's issuer.", examples=["cavra-local"])
    groups: list[str] = Field(description="Groups that the token names.", examples=[[]])


class RecordActor(BaseModel):
    """Who acted. Compared by issuer and subject."""

    iss: str = Field(examples=["cavra-local"])
    sub: str = Field(examples=["alice"])
    name: str = Field(examples=["alice"])


class CauseRef(BaseModel):
    """A record that this one rests on."""

    id: str = Field(examples=["gordackdelivery-019a8f3c2b7e0001a1b2c3d4e5f6"])
    kind: str = Field(examples=["go-backend-rollback-drill-acknowledgement-audit-delivery-plan"])
    record_hash: str = Field(description="64 hex digits.")


class LogPlace(BaseModel):
    """Where a record stands."""

    origin: str = Field(examples=["cavra.local/retry"])
    index: int = Field(examples=[41])


class Envelope(BaseModel):
    """A record's metadata envelope. Beside these fields it has its kind's own, and the full record under the kind's key."""

    model_config = ConfigDict(extra="allow")

    schema_version: str = Field(examples=["cavra.evidence.metadata.v1"])
    product: str = Field(examples=["CAVRA"])
    session_id: str = Field(
        description="The record's own id.", examples=["gordackretry-019a8f3c2b7e0001a1b2c3d4e5f6"]
    )
    created_at: str = Field(description="UTC, microseconds.", examples=["2026-11-23T09:30:00.000000+00:00"])
    signer: str = Field(examples=["alice"])
    actor: RecordActor
    decision_count: int = Field(examples=[1])
    blocked_count: int = Field(examples=[0])
    approval_required_count: int = Field(examples=[0])
    metadata_kind: str = Field(
        examples=["go-backend-rollback-drill-acknowledgement-audit-delivery-retry-plan"]
    )
    causes: list[CauseRef]
    trace_ids: list[str] = Field(
        description="Original delivery ids that it is about.",
        examples=[["gordackdelivery-019a8f3c2b7e0001a1b2c3d4e5f6"]],
    )
    chains: dict[str, Any] = Field(
        description="Per trace its place in this log: seq, dense from 0, and the hash of the one before.",
        examples=[{"gordackdelivery-019a8f3c2b7e0001a1b2c3d4e5f6": {"seq": 0, "prev": ""}}],
    )
    record_hash: str = Field(description="RFC 6962 leaf hash of the canonical bytes, 64 hex digits.")
    log: LogPlace


class Problem(BaseModel):
    """RFC 9457: what went wrong. Nothing was written."""

    type: str = Field(examples=["urn:cavra:problem:unknown_plan"])
    title: str = Field(examples=["No such plan"])
    status: int = Field(examples=[404])
    detail: str = Field(description="One sentence.", examples=["no such plan"])
    reason: str = Field(description="One reason code.", examples=["unknown_plan"])
    field: str = Field(description="The field it is about; may be empty.", examples=["retry_plan_id"])


class _Acted(BaseModel):
    metadata: Envelope
    actor: Answered


class Notified(BaseModel):
    """The schedule, the plan, and the delivery when something was sent."""

    schedule: dict[str, Any] = Field(description="As the schedule report.", examples=[{"status": "due_soon"}])
    plan: delivery.NotificationPlan
    delivery: delivery.ConnectorDelivery | None
    plan_metadata: Envelope
    metadata: Envelope | None = Field(description="Envelope of the delivery.")
    success: bool = Field(description="No send failed.")
    event_id: str = Field(
        description="Empty when nothing was sent.", examples=["evt-019a8f3c2b7e0001a1b2c3d4e5f6"]
    )


class DrillAcknowledged(_Acted):
    """The acknowledgement."""

    acknowledgement: delivery.NotificationAck


class DrillsAcknowledged(BaseModel):
    """The acknowledgements, in the order asked."""

    bulk_id: str = Field(examples=["gordackbulk-019a8f3c2b7e0001a1b2c3d4e5f6"])
    acknowledgement_state: str = Field(examples=["acknowledged"])
    acknowledgement_count: int = Field(examples=[1])
    acknowledgements: list[delivery.NotificationAck]
    metadata: list[Envelope]
    actor: Answered


class AuditPacked(_Acted):
    """The package."""

    audit_package: delivery.AuditPackage


class AuditDelivered(BaseModel):
    """The package, the plan of its delivery, and the delivery."""

    audit_package: delivery.AuditPackage
    audit_metadata: Envelope
    delivery_plan: delivery.DeliveryPlan
    plan_metadata: Envelope
    delivery: delivery.ConnectorDelivery | None
    metadata: Envelope | None = Field(description="Envelope of the delivery.")
    success: bool = Field(description="Every selected provider took it.")
    actor: Answered


class EscalationPlanned(BaseModel):
    """The plan."""

    plan: delivery.EscalationPlan
    metadata: Envelope


class RetriesPlanned(_Acted):
    """The plan."""

    plan: retry.RetryPlan


class RetryAcknowledged(_Acted):
    """The acknowledgement."""

    acknowledgement: retry.RetryAck


class ApprovalPlanned(_Acted):
    """The plan."""

    plan: retry.ApprovalPlan


class Decided(_Acted):
    """The decision, with the item's state after it."""

    decision: retry.ApprovalDecision


class Resolved(_Acted):
    """The resolution."""

    resolution: retry.ExecutionResolution


class RetryResult(BaseModel):
    """One live retry."""

    decision: retry.RetryDecision
    delivery_plan: delivery.DeliveryPlan | None = Field(
        description="The retry's own plan; null when skipped."
    )
    plan_metadata: Envelope | None
    delivery: delivery.ConnectorDelivery | None
    delivery_metadata: Envelope | None
    execution_record: retry.ExecutionRecord | None = Field(description="Null while the outcome is not known.")
    execution_metadata: Envelope | None
    skipped: str = Field(description="Reason when nothing was sent; else empty.", examples=[""])


class WorkerRan(_Acted):
    """The run with its plan inlined, and what became of each live retry."""

    run: retry.WorkerRun
    retry_metadata: Envelope = Field(description="Envelope of the run's fresh retry plan.")
    retry_results: list[RetryResult]


class Alerted(BaseModel):
    """The health, the alert's plan, and its delivery when something was sent."""

    health: dict[str, Any] = Field(
        description="As the worker health.", examples=[{"alert_level": "critical"}]
    )
    plan: retry.HealthAlertPlan
    delivery: delivery.ConnectorDelivery | None
    plan_metadata: Envelope
    metadata: Envelope | None = Field(description="Envelope of the delivery.")
    success: bool = Field(description="No send failed.")
    event_id: str = Field(
        description="Empty when nothing was sent.", examples=["evt-019a8f3c2b7e0001a1b2c3d4e5f6"]
    )
    actor: Answered


class AlertAcknowledged(_Acted):
    """The acknowledgement."""

    acknowledgement: retry.HealthAlertAck


class PlaybookWritten(_Acted):
    """The playbook."""

    playbook: recovery.Playbook


class RecoveryClosed(_Acted):
    """The closure."""

    closure: recovery.Closure
