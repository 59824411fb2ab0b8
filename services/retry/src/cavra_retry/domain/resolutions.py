"""Resolutions: what a person asserts about an execution whose outcome is unknown."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.retry import ExecutionRecord, ExecutionResolution
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import text
from cavra_verify.secret_rules import SCANNED_CONTROL

from cavra_retry.domain.failures import FailureKey
from cavra_retry.domain.items import Person

Outcome = Literal["delivered", "not_delivered"]


@dataclass(frozen=True, slots=True)
class Execution:
    """An execution as it stands."""

    execution_id: str
    key: FailureKey
    attempt_number: int
    executor: Person
    state: str
    """claimed, or its status once that is recorded."""
    resolution_id: str
    """What resolved it; empty when nothing did."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What is asserted."""

    resolution_id: str
    outcome: Outcome
    external_ref: str
    notes: str


def resolve(execution: Execution, said: Resolution, actor: Actor, now: datetime) -> Draft:
    """The resolution's record. Refuses `self_resolution`, or `invalid_transition` unless the outcome is unknown and unresolved."""
    if execution.state != "unknown" or execution.resolution_id:
        state = "resolved" if execution.resolution_id else execution.state
        raise Refusal("invalid_transition", f"the execution is {state}, not unknown", "execution_id")
    if execution.executor == actor.key:
        raise Refusal("self_resolution", "who executed a retry may not say what became of it")
    record = ExecutionResolution(
        resolution_id=said.resolution_id,
        execution_id=execution.execution_id,
        outcome=said.outcome,
        basis="asserted",
        resolved_by=actor.name,
        resolved_at=text(now),
        delivery_id=execution.key.delivery_id,
        audit_id=execution.key.audit_id,
        provider=execution.key.provider,
        attempt_number=execution.attempt_number,
        external_ref=said.external_ref,
        notes=said.notes,
        controls=["resolver_is_not_executor", "notes_scanned", SCANNED_CONTROL],
    )
    cause = Cause(execution.execution_id, ExecutionRecord.KIND.kind)
    return Draft(record, actor, (cause,), (execution.key.delivery_id,))
