"""How the recovery of one provider of one playbook moves: the table of transitions, what verifies each, what is counted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.recovery import Closure
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import text
from cavra_verify.kinds import BY_NOUN
from cavra_verify.secret_rules import SCANNED_CONTROL

_FROM_OPEN: Final = frozenset({"deferred", "escalated", "mitigated", "resolved"})

TRANSITIONS: Final[dict[str, frozenset[str]]] = {
    "open": _FROM_OPEN,
    "deferred": _FROM_OPEN,
    "escalated": _FROM_OPEN,
    "reopened": _FROM_OPEN,
    "mitigated": frozenset({"resolved", "reopened"}),
    "resolved": frozenset({"reopened"}),
}
"""State -> closure states that may follow. Whatever is not here is refused."""

LIVE: Final = ("open", "deferred", "escalated", "reopened")
"""States in which a newer playbook of the same provider takes a recovery's place."""

_GAUGE: Final = {
    "open": "recovery_open",
    "deferred": "recovery_open",
    "escalated": "recovery_open",
    "reopened": "recovery_reopened",
    "mitigated": "recovery_closed",
    "resolved": "recovery_closed",
}


@dataclass(frozen=True, slots=True)
class Recovery:
    """The recovery of one provider of one playbook."""

    playbook_id: str
    provider: str
    state: str
    """open until its first closure, then the state of its latest one."""
    version: int
    superseded: bool
    """A newer playbook stands in its place."""
    last_failure_at: datetime
    last_failure_index: int
    """Index in delivery's log of the provider's newest failure that the playbook knows."""
    trace_ids: tuple[str, ...]
    """Original deliveries that failed, at most 50."""
    closure_id: str = ""
    """The latest closure; empty when there is none."""


@dataclass(frozen=True, slots=True)
class ClosureRequest:
    """What is asked for."""

    state: str
    """resolved, mitigated, deferred, escalated or reopened."""
    external_ref: str = ""
    notes: str = ""
    verification_refs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A record that a closure rests on, as the service that holds it answered, checked."""

    cause: Cause
    index: int
    """In the log that holds it."""
    body: Mapping[str, Any]
    """The full record, without its envelope."""


def check_transition(recovery: Recovery, state: str) -> None:
    """Raise Refusal `superseded` or `invalid_transition` unless `recovery` may move to `state`."""
    if recovery.superseded:
        raise Refusal("superseded", "a newer playbook of this provider stands in its place", "playbook_id")
    if state not in TRANSITIONS[recovery.state]:
        raise Refusal(
            "invalid_transition", f"a recovery that is {recovery.state} can't become {state}", "closure_state"
        )


def delivery_of(evidence: Evidence, provider: str) -> str:
    """Id of the connector delivery that a delivered execution of `provider` was; empty for any other record."""
    if evidence.cause.kind != BY_NOUN["execution_record"].kind:
        return ""
    body = evidence.body
    delivered = body["execution_status"] == "delivered" and body["provider"] == provider
    return str(body["delivery_metadata_id"]) if delivered else ""


def accepted_index(evidence: Sequence[Evidence], provider: str) -> int:
    """Index in delivery's log of the newest connector delivery that `provider` took; -1 when there is none."""
    kind = BY_NOUN["connector_delivery"].kind
    return max(
        (
            one.index
            for one in evidence
            if one.cause.kind == kind
            and any(part["provider"] == provider and part["success"] for part in one.body["deliveries"])
        ),
        default=-1,
    )


def close(
    recovery: Recovery,
    request: ClosureRequest,
    evidence: Sequence[Evidence],
    last_failure_index: int,
    closure_id: str,
    actor: Actor,
    now: datetime,
) -> Draft:
    """The closure's record.

    `evidence` are the records that the references name, and the deliveries of the executions among them; `last_failure_index` is where
    the provider's last failure stands in delivery's log. Raises Refusal `superseded`, `invalid_transition` or `verification_required`.
    """
    check_transition(recovery, request.state)
    _check_verification(recovery, request, evidence, last_failure_index)
    controls = ["transition_checked", "notes_scanned", SCANNED_CONTROL]
    if request.verification_refs:
        controls.append("verification_refs_checked")
    if request.state == "resolved":
        controls.append("delivered_after_last_failure")
    record = Closure.model_validate(
        {
            "closure_id": closure_id,
            "playbook_id": recovery.playbook_id,
            "provider": recovery.provider,
            "closure_state": request.state,
            "previous_state": recovery.state,
            "closed_by": actor.name,
            "closed_at": text(now),
            "external_ref": request.external_ref,
            "notes": request.notes,
            "verification_refs": list(request.verification_refs),
            "controls": controls,
        }
    )
    return Draft(record, actor, _causes(recovery, evidence), recovery.trace_ids)


def moved(before: str, after: str) -> dict[str, int]:
    """By how much the gauges move when a recovery goes from one state to another."""
    if _GAUGE[before] == _GAUGE[after]:
        return {}
    return {_GAUGE[before]: -1, _GAUGE[after]: 1}


def opened(new: int, superseded: Mapping[tuple[str, str], int]) -> dict[str, int]:
    """By how much the gauges move when a playbook opens `new` recoveries and supersedes older ones, counted by (provider, state)."""
    gauges = {"recovery_open": new, "recovery_reopened": 0, "recovery_superseded": sum(superseded.values())}
    for (_, state), count in superseded.items():
        gauges[_GAUGE[state]] -= count
    return {name: delta for name, delta in gauges.items() if delta}


def _check_verification(
    recovery: Recovery, request: ClosureRequest, evidence: Sequence[Evidence], last_failure_index: int
) -> None:
    if request.state == "resolved" and accepted_index(evidence, recovery.provider) <= last_failure_index:
        raise Refusal(
            "verification_required",
            "name an execution or delivery that this provider took after its last failure",
            "verification_refs",
        )
    if request.state == "mitigated" and not (request.verification_refs or request.external_ref):
        raise Refusal(
            "verification_required", "name a verification or an external reference", "verification_refs"
        )


def _causes(recovery: Recovery, evidence: Sequence[Evidence]) -> tuple[Cause, ...]:
    """The playbook, the closure before, and every record that was named, each once."""
    own = [Cause(recovery.playbook_id, BY_NOUN["playbook"].kind)]
    if recovery.closure_id:
        own.append(Cause(recovery.closure_id, BY_NOUN["closure"].kind))
    causes = {cause.id: cause for cause in [*own, *(one.cause for one in evidence)]}
    return tuple(causes.values())
