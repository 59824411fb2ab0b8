"""The approval item: every state against every event, who may decide, and what the digest covers."""

from dataclasses import replace
from datetime import timedelta
from typing import Any, get_args

import pytest
from cavra_evidence.draft import Cause
from cavra_evidence.ids import new_id
from cavra_evidence.records.retry import ItemPolicy, ItemState
from cavra_evidence.refusal import Refusal
from cavra_retry.domain.failures import Content, FailureKey
from cavra_retry.domain.items import (
    ENDED,
    Event,
    Item,
    Verb,
    Vote,
    advance,
    claim_refusal,
    decide,
    matches,
    satisfies,
)

from tests.support.retries import CONTENT, NOW, ack, decision, failure, item, person

STATES: tuple[ItemState, ...] = get_args(ItemState)
EVENTS: tuple[Event, ...] = get_args(Event)

EDGES = {
    ("waiting_for_ack", "acknowledge", "open"),
    ("open", "approve", "open"),
    ("open", "complete", "approved"),
    ("open", "defer", "open"),
    ("open", "deny", "denied"),
    ("open", "revoke", "revoked"),
    ("open", "expire", "expired"),
    ("open", "change", "changed"),
    ("approved", "deny", "denied"),
    ("approved", "revoke", "revoked"),
    ("approved", "expire", "expired"),
    ("approved", "change", "changed"),
    ("approved", "claim", "claimed"),
    ("claimed", "settle", "settled"),
}
"""The design's sentence about states, edge by edge."""


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_an_item_moves_along_the_designs_edges_and_no_others(state: ItemState, event: Event) -> None:
    expected = {to for source, what, to in EDGES if (source, what) == (state, event)}
    if expected:
        assert {advance(state, event)} == expected
        return
    with pytest.raises(Refusal) as refused:
        advance(state, event)
    if state == "waiting_for_ack":
        assert refused.value.reason == "acknowledgement_required"
    else:
        closed = state in ENDED or state == "claimed"
        assert refused.value.reason == ("item_closed" if closed else "invalid_transition")


FAILURE = failure()
OPEN = item(FAILURE)
ACK = ack(FAILURE)


def vote(verb: Verb = "approved", name: str = "bob", **more: Any) -> Vote:
    return replace(Vote(verb, person(name), person("sam"), ""), **more)


def refusal(of: Item, by: Vote, at: Any = NOW, acknowledged: Any = ACK) -> str:
    with pytest.raises(Refusal) as refused:
        decide(of, by, acknowledged, at)
    return refused.value.reason


@pytest.mark.parametrize(
    ("state", "verb", "after"),
    [
        ("open", "approved", "approved"),
        ("open", "denied", "denied"),
        ("open", "deferred", "open"),
        ("open", "expired", "expired"),
        ("open", "revoked", "revoked"),
        ("approved", "denied", "denied"),
        ("approved", "expired", "expired"),
        ("approved", "revoked", "revoked"),
        ("approved", "approved", "invalid_transition"),
        ("approved", "deferred", "invalid_transition"),
        *((state, verb, "item_closed") for state in [*sorted(ENDED), "claimed"] for verb in get_args(Verb)),
    ],
)
def test_a_decision_moves_an_item_by_its_state(state: ItemState, verb: Verb, after: str) -> None:
    by_others = (decision("zoe"),) if state == "approved" else ()
    of = replace(OPEN, state=state, decisions=by_others)
    if after in STATES:
        assert decide(of, vote(verb), ACK, NOW) == after
    else:
        assert refusal(of, vote(verb)) == after


def test_an_item_is_approved_by_as_many_distinct_people_as_its_policy_says() -> None:
    two = ItemPolicy(required_approvals=2, separation_of_duties=True, require_retry_ack=True)
    first = replace(OPEN, policy=two)
    assert decide(first, vote(), ACK, NOW) == "open"
    once = replace(first, decisions=(decision("bob"),))
    assert refusal(once, vote()) == "invalid_transition"
    assert decide(once, vote(name="ann"), ACK, NOW) == "approved"
    namesake = Vote("approved", ("https://issuer.example", "bob"), person("sam"), "")
    assert decide(once, namesake, ACK, NOW) == "approved"


@pytest.mark.parametrize("name", ["paula", "rita", "sam"])
def test_who_planned_or_acknowledged_can_not_approve_but_can_stop(name: str) -> None:
    assert refusal(OPEN, vote(name=name)) == "self_approval"
    assert decide(OPEN, vote("denied", name), ACK, NOW) == "denied"
    loose = ItemPolicy(required_approvals=1, separation_of_duties=False, require_retry_ack=True)
    assert decide(replace(OPEN, policy=loose), vote(name=name), ACK, NOW) == "approved"


def test_who_made_the_acknowledgement_that_the_approval_rests_on_can_not_approve() -> None:
    later = replace(ACK, acknowledgement_id=new_id("gordackretryack"), person=person("bob"))
    assert refusal(OPEN, vote(name="bob"), acknowledged=later) == "self_approval"
    assert decide(OPEN, vote(name="ann"), later, NOW) == "approved"
    replanned = replace(ACK, planner=person("bob"))
    assert refusal(OPEN, vote(name="bob"), acknowledged=replanned) == "self_approval"


def test_who_made_the_approval_plan_that_a_decision_names_can_not_approve() -> None:
    assert refusal(OPEN, vote(name="tom", plan_author=person("tom"))) == "self_approval"


def test_who_deferred_may_still_decide_and_not_defer_again() -> None:
    deferred = replace(OPEN, decisions=(decision("bob", "deferred"),))
    assert decide(deferred, vote(), ACK, NOW) == "approved"
    assert refusal(deferred, vote("deferred")) == "invalid_transition"


def test_any_approver_may_revoke_also_who_approved() -> None:
    approved = replace(OPEN, state="approved", decisions=(decision("bob"),))
    for name in ("bob", "ann", "paula"):
        assert decide(approved, vote("revoked", name), ACK, NOW) == "revoked"


def test_a_decision_names_the_digest_that_it_saw() -> None:
    assert decide(OPEN, vote(item_digest=OPEN.digest), ACK, NOW) == "approved"
    assert refusal(OPEN, vote(item_digest="0" * 64)) == "content_changed"


@pytest.mark.parametrize("verb", ["approved", "denied", "deferred", "revoked"])
def test_an_item_that_nobody_used_in_time_is_closed(verb: Verb) -> None:
    assert decide(OPEN, vote(verb), ACK, OPEN.expires_at - timedelta(microseconds=1)) in STATES
    assert refusal(OPEN, vote(verb), OPEN.expires_at) == "item_closed"


def test_an_approver_may_say_of_a_late_item_that_it_expired() -> None:
    assert decide(OPEN, vote("expired"), ACK, OPEN.expires_at + timedelta(days=1)) == "expired"


@pytest.mark.parametrize("state", ["deferred", "escalated", "dismissed"])
def test_an_acknowledgement_that_was_taken_back_stops_the_approval(state: Any) -> None:
    assert refusal(OPEN, vote(), acknowledged=replace(ACK, state=state)) == "acknowledgement_required"
    assert decide(OPEN, vote("denied"), replace(ACK, state=state), NOW) == "denied"
    without = ItemPolicy(required_approvals=1, separation_of_duties=True, require_retry_ack=False)
    assert decide(replace(OPEN, policy=without), vote(), None, NOW) == "approved"


@pytest.mark.parametrize(
    ("change", "serves"),
    [
        ({}, True),
        ({"state": "resolved"}, True),
        ({"state": "deferred"}, False),
        ({"state": "escalated"}, False),
        ({"state": "dismissed"}, False),
        ({"attempt_number": 1}, False),
        ({"attempt_number": 3}, False),
    ],
)
def test_an_acknowledgement_serves_the_attempt_it_reviewed(change: dict[str, Any], serves: bool) -> None:
    assert satisfies(replace(ACK, **change), FAILURE.next_attempt_number, None) is serves
    assert not satisfies(None, FAILURE.next_attempt_number, None)


@pytest.mark.parametrize("state", sorted(ENDED))
def test_after_an_ended_item_only_a_newer_plan_serves(state: ItemState) -> None:
    last = replace(OPEN, state=state).standing()
    for index, serves in ((9, False), (10, False), (11, True)):
        assert satisfies(replace(ACK, plan_index=index), FAILURE.next_attempt_number, last) is serves


@pytest.mark.parametrize(
    "change",
    [
        {"key": FailureKey("gordackdelivery-other", *FAILURE.key[1:])},
        {"key": FailureKey(FAILURE.key[0], "gordackaudit-other", FAILURE.key[2])},
        {"key": FailureKey(*FAILURE.key[:2], "other")},
        {"attempt_number": 3},
        {"failed": Cause(OPEN.failed.id, OPEN.failed.kind, "0" * 64)},
        {"content": Content("0" * 64, CONTENT.payload_hash, CONTENT.destination_fingerprint)},
        {"content": Content(CONTENT.audit_package_hash, "0" * 64, CONTENT.destination_fingerprint)},
        {"content": Content(CONTENT.audit_package_hash, CONTENT.payload_hash, "0" * 64)},
        {"review": replace(OPEN.review, plan_hash="0" * 64)},
        {"policy": OPEN.policy.model_copy(update={"required_approvals": 2})},
        {"policy": OPEN.policy.model_copy(update={"separation_of_duties": False})},
        {"policy": OPEN.policy.model_copy(update={"require_retry_ack": False})},
        {"expires_at": OPEN.expires_at + timedelta(microseconds=1)},
    ],
)
def test_the_digest_covers_all_that_is_consented_to(change: dict[str, Any]) -> None:
    assert replace(OPEN, **change).digest != OPEN.digest


def test_the_digest_stays_the_same_while_people_decide() -> None:
    assert replace(OPEN, state="approved", version=3, decisions=(decision("bob"),)).digest == OPEN.digest


@pytest.mark.parametrize(
    ("change", "about"),
    [
        ({}, True),
        ({"open": False}, False),
        ({"next_attempt_number": 3}, False),
        ({"latest_record": Cause(new_id("rcd"), FAILURE.latest_record.kind, "0" * 64)}, False),
    ],
)
def test_an_item_is_about_one_failure_as_it_was(change: dict[str, Any], about: bool) -> None:
    assert matches(OPEN, replace(FAILURE, **change), CONTENT) is about


def test_content_that_can_not_be_described_has_not_changed() -> None:
    assert matches(OPEN, FAILURE, None)
    assert not matches(OPEN, FAILURE, replace(CONTENT, payload_hash="0" * 64))


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("waiting_for_ack", "acknowledgement_required"),
        ("open", "approval_pending"),
        ("approved", ""),
        ("claimed", "execution_under_way"),
        ("settled", "approval_used"),
        ("denied", "approval_denied"),
        ("revoked", "approval_revoked"),
        ("expired", "approval_expired"),
        ("changed", "content_changed"),
    ],
)
def test_only_what_is_approved_can_be_claimed(state: ItemState, reason: str) -> None:
    of = replace(OPEN, state=state, decisions=(decision("bob"),))
    assert claim_refusal(of.standing(), person("erin"), NOW) == reason


def test_an_approval_can_not_be_claimed_late_or_by_who_gave_it() -> None:
    approved = replace(OPEN, state="approved", decisions=(decision("bob"),))
    assert claim_refusal(approved.standing(), person("erin"), approved.expires_at) == "approval_expired"
    assert claim_refusal(approved.standing(), person("bob"), NOW) == "self_execution"
    loose = ItemPolicy(required_approvals=1, separation_of_duties=False, require_retry_ack=True)
    assert claim_refusal(replace(approved, policy=loose).standing(), person("bob"), NOW) == ""
    assert claim_refusal(None, person("erin"), NOW) == "approval_required"
