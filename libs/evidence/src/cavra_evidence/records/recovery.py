"""Records of the recovery service: playbooks and closures."""

from typing import Annotated, Literal

from cavra_verify.grammar import BOUNDS
from pydantic import Field

from cavra_evidence.records.base import (
    AlertLevel,
    Controls,
    Count,
    ExternalRef,
    Id,
    Label,
    Name,
    Notes,
    Part,
    Person,
    Provider,
    Reason,
    Record,
    StatusCode,
    Time,
    VerificationRef,
)

_ITEMS = Field(max_length=BOUNDS["items"])


class RecoveryStep(Part):
    """One thing to do, with an id that a closure's verification can name."""

    step_id: Name
    instruction: Label


class ProviderPlaybook(Part):
    """How to recover one provider's connector."""

    provider: Provider
    category: Literal["siem", "itsm", "chatops", "webhook"]
    failure_count: Count
    latest_failure_at: Time
    status_codes: Annotated[list[StatusCode], _ITEMS]
    reasons: Annotated[list[Reason], _ITEMS]
    recovery_steps: Annotated[list[RecoveryStep], _ITEMS]
    private_connector_boundary: Label


class Playbook(Record, noun="playbook"):
    """Which connectors keep failing and how to recover each."""

    playbook_id: Id
    generated_at: Time
    generated_by: Person
    alert_level: AlertLevel
    lookback_hours: Count
    min_failure_count: Count
    provider_count: Count
    failure_count: Count
    omitted_count: Count = 0
    provider_playbooks: Annotated[list[ProviderPlaybook], _ITEMS]
    controls: Controls


ClosureState = Literal["resolved", "mitigated", "deferred", "escalated", "reopened"]


class Closure(Record, noun="closure"):
    """Where the recovery of one provider stands, and on what that rests."""

    closure_id: Id
    playbook_id: Id
    provider: Provider
    closure_state: ClosureState
    previous_state: Literal["open", "resolved", "mitigated", "deferred", "escalated", "reopened"]
    closed_by: Person
    closed_at: Time
    external_ref: ExternalRef
    notes: Notes
    verification_refs: Annotated[list[VerificationRef], Field(max_length=BOUNDS["verification_refs"])]
    controls: Controls
