"""The query strings of reads. An empty value is one that was not given."""

from typing import Annotated, Any

from cavra_service.errors import Refused
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from cavra_gateway.bodies import ClosureState
from cavra_gateway.fields import AlertLevel, Moment, Name, OneOf, enum_text, lower

MAX_OFFSET = 10_000
"""Largest offset; beyond it a walk goes on by cursor."""

Text = Annotated[str, Field(max_length=256)]
Enum = Annotated[str, Field(max_length=128), BeforeValidator(enum_text)]
Lower = Annotated[str, Field(max_length=128), BeforeValidator(lower)]
Limit = Annotated[int, Field(ge=1, le=500, description="Most items of the answer.")]
Offset = Annotated[
    int, Field(ge=0, le=2**31 - 1, description="Items to pass over, at most 10,000; beyond: 400 use_cursor.")
]
AnyAcknowledgement = Annotated[
    str, OneOf("acknowledged", "accepted", "deferred", "dismissed", "escalated", "resolved")
]

RouteAction = Annotated[str, OneOf("deliver", "suppress")]
RouteCategory = Annotated[
    str, OneOf("deliver", "maintenance_window", "owner_calendar", "healthy_schedule", "other")
]
ExecutionStatus = Annotated[str, OneOf("delivered", "failed", "skipped", "unknown")]


class Query(BaseModel):
    """A query string. Unknown names are passed over, as clients add their own."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    @model_validator(mode="before")
    @classmethod
    def _given(cls, values: Any) -> Any:
        return {name: value for name, value in dict(values).items() if value != ""}


class Page(Query):
    """A part of a list."""

    limit: Limit = 50
    offset: Offset = 0

    def checked(self) -> "Page":
        """The page. Raises Refused `use_cursor` for an offset that costs too much to serve."""
        if self.offset > MAX_OFFSET:
            raise Refused("use_cursor", f"an offset is at most {MAX_OFFSET}; page on with a cursor", "offset")
        return self


class RunsQuery(Page):
    """E11."""

    dry_run: bool | None = Field(None, description="Dry runs or live ones alone.")


class HealthQuery(Query):
    """E13."""

    expected_interval_minutes: Annotated[int, Field(ge=1, le=10_080)] = Field(
        30, description="Minutes between runs; one is missed after twice that."
    )
    stale_metadata_minutes: Annotated[int, Field(ge=1, le=525_600)] = Field(
        120, description="Minutes after which a retry plan is stale."
    )


class AlertsQuery(Page):
    """E16."""

    health_id: Text | None = Field(None, description="Of one alert.")
    provider: Lower | None = Field(None, description="Any provider that the record names.")
    metadata_kind: Lower | None = Field(None, description="Of one kind.")
    acknowledgement_state: AnyAcknowledgement | None = Field(None, description="Acknowledgements alone.")
    suppressed: bool | None = Field(None, description="Alert plans with, or without, a suppressed provider.")


class RoutesQuery(Page):
    """E22."""

    schedule_id: Text | None = Field(None, description="Exact.")
    provider: Lower | None = Field(None, description="Exact.")
    owner: Name | None = Field(None, description="Exact.")
    action: RouteAction | None = Field(None, description="deliver or suppress.")
    category: RouteCategory | None = Field(None, description="Why it was or was not delivered.")


class TrendQuery(Query):
    """E23."""

    schedule_id: Text | None = Field(None, description="Exact.")
    provider: Lower | None = Field(None, description="Exact.")
    owner: Name | None = Field(None, description="Exact.")


class HistoryQuery(Page):
    """E20. All filters must match."""

    schedule_id: Text | None = Field(None, description="Of one schedule.")
    provider: Lower | None = Field(None, description="Any provider that the record names.")
    metadata_kind: Lower | None = Field(
        None, description="Of one kind; the only way to list an internal kind."
    )
    acknowledgement_state: AnyAcknowledgement | None = Field(None, description="Acknowledgements alone.")
    connector_delivery_source: Enum | None = Field(
        None, description="Deliveries of one source; the audit source stands for every kind of its flow."
    )
    delivery_success: bool | None = Field(None, description="Connector deliveries alone.")
    alert_level: AlertLevel | None = Field(None, description="Of one alert level.")
    audit_id: Text | None = Field(None, description="About one audit package.")
    delivery_id: Text | None = Field(None, description="About one delivery.")
    cadence: Enum | None = Field(None, description="Of one cadence.")
    run_id: Text | None = Field(None, description="Of one worker run.")
    execution_id: Text | None = Field(None, description="Of one execution.")
    execution_status: ExecutionStatus | None = Field(None, description="Execution records alone.")
    retry_plan_id: Text | None = Field(None, description="About one retry plan.")
    approval_plan_id: Text | None = Field(None, description="About one approval plan.")
    playbook_id: Text | None = Field(None, description="About one playbook.")
    closure_state: ClosureState | None = Field(None, description="Closures alone.")
    actor: Text | None = Field(None, description="Subject or name of who acted.")
    since: Moment = Field(None, description="Not before this time.")
    until: Moment = Field(None, description="Before this time.")
    cursor: Annotated[str, Field(max_length=1024)] | None = Field(
        None, description="`next_cursor` of an earlier page of the same question."
    )
    trace: Text | None = Field(
        None,
        description="Any record's id: answers the records that share a trace with it, oldest first, causes before effects.",
    )
