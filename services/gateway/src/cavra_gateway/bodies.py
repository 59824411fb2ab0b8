"""The bodies of requests. Who acts is the token's subject: names and claims in a body are taken, and count for nothing."""

from typing import Annotated, Any

from pydantic import Field

from cavra_gateway.fields import (
    Body,
    Cadence,
    DecimalText,
    ExternalRef,
    Id,
    Moment,
    Name,
    Notes,
    OneOf,
    Provider,
    ProviderFilter,
    Providers,
)

_UNUSED = "Accepted for older clients; counts for nothing."
_RETRIES = "Further tries of one send within this call."
_TIMEOUT = "Seconds that one try may take."

Retries = Annotated[int, Field(ge=0, le=10, description=_RETRIES)]
TimeoutSeconds = Annotated[int, Field(ge=1, le=120, description=_TIMEOUT)]
AcknowledgementState = Annotated[str, OneOf("acknowledged", "dismissed", "escalated", "resolved")]
RetryAcknowledgementState = Annotated[
    str, OneOf("accepted", "deferred", "escalated", "resolved", "dismissed")
]
ApprovalState = Annotated[str, OneOf("approved", "denied", "deferred", "expired", "revoked")]
ResolutionOutcome = Annotated[str, OneOf("delivered", "not_delivered")]
ClosureState = Annotated[str, OneOf("resolved", "mitigated", "deferred", "escalated", "reopened")]


class Command(Body):
    """What every command may carry."""

    generated_by: Name | None = Field(None, description=_UNUSED)
    actor_claims: Any = Field(None, description=_UNUSED)
    actor_token: Annotated[str, Field(max_length=8192)] | None = Field(None, description=_UNUSED)


class Remarks(Command):
    """A reference and a note."""

    external_ref: ExternalRef | None = Field(
        None, description="A ticket id or an https URL without userinfo or query.", examples=["OPS-1234"]
    )
    notes: Notes | None = Field(
        None,
        description="Free text; refused when it looks like a credential.",
        examples=["Collector was being patched."],
    )


class NotifyBody(Command):
    """E1: which providers to notify, and how."""

    provider: Providers | None = Field(
        None, description='"all", or a comma list of providers.', examples=["all"]
    )
    force: bool = Field(
        False, description="Notify although nothing is due; windows and calendars still suppress."
    )
    routing_policy: dict[str, Any] = Field(
        default_factory=dict,
        description="Overrides of the schedule file's routing: owner_routes, maintenance_windows, owner_calendars.",
        examples=[{}],
    )
    retries: Retries = 2
    timeout_seconds: TimeoutSeconds = 10


class AcknowledgeBody(Remarks):
    """E2: what an operator says to one route."""

    provider: Provider = Field(description="The route's provider.", examples=["webhook"])
    acknowledged_by: Name | None = Field(None, description=_UNUSED)
    acknowledgement_state: AcknowledgementState = Field("acknowledged", description="What is said.")
    plan_id: Id | None = Field(
        None, description="The notification plan; by default the newest that has the route."
    )


class RouteBody(Body):
    """One route of a bulk acknowledgement."""

    schedule_id: Annotated[Id, Field(min_length=1)] = Field(
        description="The schedule.", examples=["prod-rollback-drill"]
    )
    provider: Provider = Field(description="The route's provider.", examples=["webhook"])
    plan_id: Id | None = Field(
        None, description="The notification plan; by default the newest that has the route."
    )
    external_ref: ExternalRef | None = Field(None, description="In place of the batch's.")
    notes: Notes | None = Field(None, description="In place of the batch's.")


class BulkAcknowledgeBody(Remarks):
    """E3: what an operator says to many routes, all or none."""

    routes: Annotated[list[RouteBody], Field(min_length=1, max_length=100)] = Field(description="The routes.")
    acknowledged_by: Name | None = Field(None, description=_UNUSED)
    acknowledgement_state: AcknowledgementState = Field("acknowledged", description="What is said.")


class AuditPackageBody(Command):
    """E4: which routes to pack; empty filters match all."""

    schedule_id: Id | None = Field(
        None, description="Exact; empty for all.", examples=["prod-rollback-drill"]
    )
    provider: ProviderFilter | None = Field(None, description="Exact; empty for all.")
    owner: Name | None = Field(None, description="Case-insensitive part of the owner; empty for all.")


class DeliverAuditBody(AuditPackageBody):
    """E5: what to pack, and where to send it."""

    delivery_provider: Providers | None = Field(
        None,
        description='"all", or a comma list of connectors; by default `provider`, else all.',
        examples=["webhook"],
    )
    cadence: Cadence = Field("on_demand", description="A registered name, e.g. on_demand or daily.")
    schedule_ref: Id | None = Field(None, description="Reference of the schedule that asked for it.")
    next_delivery_at: Moment = Field(
        None, description="When the next delivery is due.", examples=["2026-12-01T09:00:00+00:00"]
    )
    retries: Retries = 2
    timeout_seconds: TimeoutSeconds = 10


class RetryPolicyBody(Body):
    """How retries are timed. Approval and the attempt cap stand outside it."""

    max_retry_attempts: Annotated[int, Field(ge=1, le=20)] | None = Field(
        None, description="Failures from which nothing is retried. Default 3.", examples=[3]
    )
    max_retries: Annotated[int, Field(ge=1, le=20)] | None = Field(
        None, description="Alias of max_retry_attempts."
    )
    retry_delay_minutes: Annotated[int, Field(ge=0, le=10_080)] | None = Field(
        None,
        description="Minutes after the first failure. Default 15, or 0 with allow_immediate_retry.",
        examples=[15],
    )
    delay_minutes: Annotated[int, Field(ge=0, le=10_080)] | None = Field(
        None, description="Alias of retry_delay_minutes."
    )
    backoff_multiplier: DecimalText | None = Field(
        None,
        description="Factor per further failure, 1 to 10 with at most 3 places, as a number or a decimal string. Default 2.",
        examples=["2"],
    )
    multiplier: DecimalText | None = Field(None, description="Alias of backoff_multiplier.", examples=["2"])
    allow_immediate_retry: bool = Field(
        False,
        description="Makes the default delay and the floor 0. It bypasses neither approval nor the attempt cap.",
    )


class PlanRetriesBody(Command):
    """E6: how retries are timed."""

    retry_policy: RetryPolicyBody = Field(
        default_factory=RetryPolicyBody, description="Fields left out have their defaults."
    )


class AcknowledgeRetryBody(Remarks):
    """E7: what a reviewer says to one planned retry."""

    provider: Provider = Field(description="The item's provider.", examples=["webhook"])
    acknowledged_by: Name | None = Field(None, description=_UNUSED)
    acknowledgement_state: RetryAcknowledgementState = Field(
        "accepted", description="What is said; accepted and resolved satisfy."
    )
    delivery_id: Id | None = Field(None, description="Needed when the provider has several items.")
    audit_id: Id | None = Field(None, description="Needed when the delivery has several packages.")


class ApprovalPolicyBody(Body):
    """What an approval takes. It may only tighten the installation's policy."""

    require_retry_ack: bool | None = Field(
        None, description="Whether a satisfying acknowledgement is needed. Default: the installation's, true."
    )
    required_approvals: Annotated[int, Field(ge=1, le=10)] | None = Field(
        None, description="Distinct approvers. Default: the installation's, 1."
    )
    expires_in_minutes: Annotated[int, Field(ge=1, le=525_600)] | None = Field(
        None, description="Minutes an item stays approvable and usable. Default: the installation's, 240."
    )
    separation_of_duties: bool | None = Field(
        None,
        description="Whether planner, acknowledger, approver and executor differ. Default: the installation's, true.",
    )


class PlanApprovalBody(Command):
    """E8: what the approvals are to take."""

    approval_policy: ApprovalPolicyBody = Field(
        default_factory=ApprovalPolicyBody, description="Fields left out have the installation's values."
    )


class DecideBody(Remarks):
    """E9: what an approver decides on one item."""

    provider: Provider = Field(description="The item's provider.", examples=["webhook"])
    decided_by: Name | None = Field(None, description=_UNUSED)
    approved_by: Name | None = Field(None, description=_UNUSED)
    approval_state: ApprovalState = Field("approved", description="The decision.")
    retry_plan_id: Id | None = Field(None, description="Narrows the item.")
    delivery_id: Id | None = Field(None, description="Needed when the provider has several items.")
    audit_id: Id | None = Field(None, description="Needed when the delivery has several packages.")
    item_digest: Annotated[str, Field(max_length=64)] | None = Field(
        None,
        description="Digest that the approver saw; empty binds the decision to the digest as it is then.",
    )


class ResolveBody(Command):
    """What the receiver says of an execution whose outcome is unknown."""

    outcome: ResolutionOutcome = Field(description="Whether the receiver has it.", examples=["not_delivered"])
    external_ref: ExternalRef = Field(
        description="Where the receiver's side says so: a ticket id or an https URL without userinfo or query.",
        examples=["OPS-1234"],
    )
    notes: Notes | None = Field(
        None,
        description="Free text; refused when it looks like a credential.",
        examples=["The collector has no such message id."],
    )


class WorkerScheduleBody(Body):
    """When the worker runs."""

    interval_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = Field(
        None, description="Minutes between runs. Default 60.", examples=[60]
    )
    schedule_interval_minutes: Annotated[int, Field(ge=1, le=10_080)] | None = Field(
        None, description="Alias of interval_minutes."
    )
    cadence: Cadence | None = Field(None, description="A registered name.")
    enabled: bool = Field(True, description="Whether the schedule is on.")


class WorkerRunBody(Command):
    """E10: a dry run, or a live one that executes what is approved."""

    dry_run: bool | None = Field(None, description="By default the opposite of `execute`.")
    execute: bool = Field(
        False, description="Whether approved retries are sent. `dry_run` wins when both are given."
    )
    retry_policy: RetryPolicyBody = Field(
        default_factory=RetryPolicyBody, description="Fields left out have their defaults."
    )
    schedule: WorkerScheduleBody = Field(
        default_factory=WorkerScheduleBody, description="The schedule that the run belongs to."
    )
    max_retry_deliveries: Annotated[int, Field(ge=1, le=25)] = Field(
        5, description="At most so many retries."
    )
    provider: Providers | None = Field(
        None, description='"all", or a comma list of providers.', examples=["all"]
    )
    retries: Retries = 2
    timeout_seconds: TimeoutSeconds = 10


class DeliverAlertBody(Command):
    """E14: the worker's health as an alert."""

    expected_interval_minutes: Annotated[int, Field(ge=1, le=10_080)] = Field(
        30, description="Minutes between runs; one is missed after twice that."
    )
    stale_metadata_minutes: Annotated[int, Field(ge=1, le=525_600)] = Field(
        120, description="Minutes after which a retry plan is stale."
    )
    provider: Providers | None = Field(
        None, description='"all", or a comma list of connectors.', examples=["all"]
    )
    suppression_window_minutes: Annotated[int, Field(ge=0, le=10_080)] = Field(
        60, description="The same cause to the same provider within so many minutes is suppressed."
    )
    force: bool = Field(False, description="Send although suppressed or healthy.")
    max_alerts: Annotated[int, Field(ge=1, le=100)] = Field(20, description="Alerts named in the plan.")
    retries: Retries = 2
    timeout_seconds: TimeoutSeconds = 10


class AcknowledgeAlertBody(Remarks):
    """E15: what an operator says to an alert."""

    provider: Provider = Field(description="A provider it was sent to.", examples=["webhook"])
    acknowledged_by: Name | None = Field(None, description=_UNUSED)
    acknowledgement_state: AcknowledgementState = Field("acknowledged", description="What is said.")
    plan_id: Id | None = Field(None, description="The alert plan; by default the one of the health id.")


class PlaybookBody(Command):
    """E18: from how many failures a connector is in the playbook, and how far to look back."""

    min_failure_count: Annotated[int, Field(ge=1, le=1_000)] = Field(
        2, description="Failures from which a provider is in it."
    )
    lookback_hours: Annotated[int, Field(ge=1, le=8_760)] = Field(24, description="Hours to look back.")


class CloseBody(Remarks):
    """E19: where the recovery of one provider is to stand."""

    provider: Provider = Field(description="One of the playbook's providers.", examples=["webhook"])
    closed_by: Name | None = Field(None, description=_UNUSED)
    closure_state: ClosureState = Field("resolved", description="The state to move to.")
    verification_refs: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=256)]], Field(max_length=20)
    ] = Field(
        default_factory=list,
        description="Record ids or external references; resolved needs a delivery after the last failure.",
        examples=[["gordackretryexec-019a8f3c2b7e0001a1b2c3d4e5f6"]],
    )


class AcknowledgementTarget(Body):
    """Within how many minutes an acknowledgement is expected."""

    acknowledgement_minutes: Annotated[int, Field(ge=1, le=525_600)] | None = Field(
        None, description="Minutes. Default: the route's own, else 60.", examples=[60]
    )


class EscalationBody(Command):
    """E24: from when an acknowledgement is overdue."""

    policy: AcknowledgementTarget = Field(
        default_factory=AcknowledgementTarget, description="From when an acknowledgement is overdue."
    )
    default_slo: AcknowledgementTarget = Field(
        default_factory=AcknowledgementTarget, description="Alias of policy."
    )
