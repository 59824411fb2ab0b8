"""How a recovery moves: every state, every request."""

from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest
from cavra_evidence.draft import Actor, Cause
from cavra_evidence.ids import new_id
from cavra_evidence.records.recovery import Closure
from cavra_evidence.refusal import Refusal
from cavra_recovery.domain.closures import (
    LIVE,
    ClosureRequest,
    Evidence,
    Recovery,
    accepted_index,
    close,
    delivery_of,
    moved,
    opened,
)
from cavra_verify.kinds import BY_NOUN
from cavra_verify.secret_rules import SCANNED_CONTROL

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
ACTOR = Actor("cavra-local", "oscar", "oscar")
TRACE = new_id("gordackdelivery")

ALLOWED = {
    "open": "deferred escalated mitigated resolved",
    "deferred": "deferred escalated mitigated resolved",
    "escalated": "deferred escalated mitigated resolved",
    "reopened": "deferred escalated mitigated resolved",
    "mitigated": "resolved reopened",
    "resolved": "reopened",
}
REQUESTS = ("resolved", "mitigated", "deferred", "escalated", "reopened")


def _recovery(state: str = "open", **changes: Any) -> Recovery:
    known: dict[str, Any] = {
        "playbook_id": new_id("gordackrecovery"),
        "provider": "splunk",
        "state": state,
        "version": 1,
        "superseded": False,
        "last_failure_at": NOW,
        "last_failure_index": 10,
        "trace_ids": (TRACE,),
    }
    return Recovery(**(known | changes))


def _delivery(index: int, provider: str = "splunk", success: bool = True) -> Evidence:
    cause = Cause(new_id("rcd"), BY_NOUN["connector_delivery"].kind, "a" * 64)
    return Evidence(cause, index, {"deliveries": [{"provider": provider, "success": success}]})


def _execution(status: str, provider: str = "splunk") -> Evidence:
    cause = Cause(new_id("gordackretryexec"), BY_NOUN["execution_record"].kind, "a" * 64)
    return Evidence(
        cause, 99, {"execution_status": status, "provider": provider, "delivery_metadata_id": "rcd-1"}
    )


def _close(recovery: Recovery, state: str, *evidence: Evidence, **asked: Any) -> Any:
    asked.setdefault("verification_refs", tuple(one.cause.id for one in evidence))
    return close(
        recovery, ClosureRequest(state, **asked), evidence, 10, new_id("gordackrecoveryclosure"), ACTOR, NOW
    )


@pytest.mark.parametrize(("state", "asked"), list(product(ALLOWED, REQUESTS)))
def test_every_state_answers_every_request(state: str, asked: str) -> None:
    recovery = _recovery(state)
    if asked in ALLOWED[state].split():
        closure = _close(recovery, asked, _delivery(11)).record
        assert isinstance(closure, Closure)
        assert (closure.previous_state, closure.closure_state) == (state, asked)
    else:
        with pytest.raises(Refusal) as refused:
            _close(recovery, asked, _delivery(11))
        assert (refused.value.reason, refused.value.field) == ("invalid_transition", "closure_state")


@pytest.mark.parametrize(("state", "asked"), list(product(ALLOWED, REQUESTS)))
def test_a_superseded_recovery_moves_no_more(state: str, asked: str) -> None:
    with pytest.raises(Refusal, match="newer playbook") as refused:
        _close(_recovery(state, superseded=True), asked, _delivery(11))
    assert refused.value.reason == "superseded"


@pytest.mark.parametrize(
    "evidence",
    [
        (),
        (_delivery(10),),
        (_delivery(11, success=False),),
        (_delivery(11, provider="jira"),),
        (_execution("delivered"),),
    ],
    ids=["nothing", "before the last failure", "failed", "another provider", "an execution's word alone"],
)
def test_resolved_needs_a_delivery_that_the_provider_took_after_its_last_failure(
    evidence: tuple[Evidence, ...],
) -> None:
    with pytest.raises(Refusal) as refused:
        _close(_recovery(), "resolved", *evidence, external_ref="OPS-1")
    assert (refused.value.reason, refused.value.field) == ("verification_required", "verification_refs")


def test_mitigated_needs_a_verification_or_an_external_reference() -> None:
    with pytest.raises(Refusal) as refused:
        _close(_recovery(), "mitigated")
    assert refused.value.reason == "verification_required"
    assert _close(_recovery(), "mitigated", external_ref="OPS-1")
    assert _close(_recovery(), "mitigated", verification_refs=("step:check_host_name",))


@pytest.mark.parametrize("state", ["deferred", "escalated"])
def test_putting_off_needs_no_verification(state: str) -> None:
    assert _close(_recovery(), state).record.controls == [
        "transition_checked",
        "notes_scanned",
        SCANNED_CONTROL,
    ]


def test_a_closure_rests_on_its_playbook_the_closure_before_and_each_record_once() -> None:
    recovery = _recovery("deferred", closure_id=new_id("gordackrecoveryclosure"))
    delivery = _delivery(11)
    draft = _close(recovery, "resolved", delivery, delivery)
    assert [cause.id for cause in draft.causes] == [
        recovery.playbook_id,
        recovery.closure_id,
        delivery.cause.id,
    ]
    assert draft.trace_ids == (TRACE,)
    assert draft.record.controls[-2:] == ["verification_refs_checked", "delivered_after_last_failure"]


@pytest.mark.parametrize(
    ("execution", "delivery"),
    [
        (_execution("delivered"), "rcd-1"),
        (_execution("failed"), ""),
        (_execution("unknown"), ""),
        (_execution("skipped"), ""),
        (_execution("delivered", "jira"), ""),
        (_delivery(11), ""),
    ],
)
def test_only_a_delivered_execution_of_the_provider_leads_to_its_delivery(
    execution: Evidence, delivery: str
) -> None:
    assert delivery_of(execution, "splunk") == delivery


def test_the_newest_accepted_delivery_counts() -> None:
    assert accepted_index([_delivery(3), _delivery(7), _delivery(9, success=False)], "splunk") == 7
    assert accepted_index([], "splunk") == -1


def test_gauges_follow_every_move_and_add_up() -> None:
    for state, asked in product(ALLOWED, REQUESTS):
        assert sum(moved(state, asked).values()) == 0
    assert moved("open", "resolved") == {"recovery_open": -1, "recovery_closed": 1}
    assert moved("resolved", "reopened") == {"recovery_closed": -1, "recovery_reopened": 1}
    assert moved("reopened", "deferred") == {"recovery_reopened": -1, "recovery_open": 1}
    assert moved("mitigated", "resolved") == moved("open", "escalated") == {}


def test_superseded_recoveries_are_counted_apart() -> None:
    live = {("splunk", state): count for state, count in zip(LIVE, (1, 1, 1, 2), strict=True)}
    assert opened(2, live) == {"recovery_open": -1, "recovery_reopened": -2, "recovery_superseded": 5}
    assert opened(2, dict.fromkeys(live, 0)) == {"recovery_open": 2}
    assert opened(0, {}) == {}
