"""What an approval plan shows of a failure, and which policies a request may ask for."""

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cavra_evidence.ids import new_id
from cavra_evidence.refusal import Refusal
from cavra_retry.domain.approvals import ApprovalPolicy, Candidate, Entry, Request, enter, plan_approval
from cavra_retry.domain.failures import Description
from cavra_retry.domain.items import ENDED

from tests.support.log import appended
from tests.support.retries import CONTENT, NOW, ack, actor, decision, failure, item, plan_item

FLOOR = ApprovalPolicy(1, 240, separation_of_duties=True, require_retry_ack=True)
FAILURE = failure()
ITEM = item(FAILURE)
KNOWN = Candidate(plan_item(FAILURE), FAILURE, Description(CONTENT), ack(FAILURE), None)


def shown(candidate: Candidate, policy: ApprovalPolicy = FLOOR, **more: Any) -> Entry:
    request = Request(new_id("gordackretryapproval"), policy, actor("sam"), NOW, ())
    return enter(candidate, replace(request, **more), new_id("gordackretryitem"))


def test_an_acknowledged_failure_opens_an_item_with_all_that_is_consented_to() -> None:
    entry = shown(KNOWN)
    assert entry.opened
    assert entry.item is not None
    part = entry.shown
    assert (part.action, part.item_state, part.approval_required) == ("request_approval", "open", True)
    assert part.item_digest == entry.item.digest
    assert part.expires_at == "2026-11-23T13:30:00.000000+00:00"
    assert (part.payload_hash, part.attempt_number) == (CONTENT.payload_hash, 2)
    assert KNOWN.ack is not None
    assert part.retry_plan_id == KNOWN.ack.retry_plan_id


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"ack": None}, "acknowledgement_required"),
        ({"ack": ack(FAILURE, state="dismissed")}, "acknowledgement_required"),
        ({"ack": ack(FAILURE, attempt_number=1)}, "acknowledgement_required"),
        (
            {"description": Description(None, "connector_config_not_configured")},
            "connector_config_not_configured",
        ),
        ({"failure": replace(FAILURE, in_flight=True)}, "in_flight"),
        ({"failure": replace(FAILURE, outcome_unknown=True)}, "outcome_unknown"),
        *(({"last": replace(ITEM, state=state)}, f"previous_{state}") for state in sorted(ENDED)),
        ({"last": replace(ITEM, expires_at=NOW)}, "previous_expired"),
        ({"last": replace(ITEM, content=replace(CONTENT, payload_hash="0" * 64))}, "previous_changed"),
        ({"last": replace(ITEM, attempt_number=1, state="settled")}, "previous_settled"),
    ],
)
def test_what_lacks_a_review_waits_and_has_no_digest(change: dict[str, Any], reason: str) -> None:
    entry = shown(replace(KNOWN, **change))
    part = entry.shown
    assert (part.action, part.reason, part.item_state) == ("wait_for_retry_ack", reason, "waiting_for_ack")
    assert (part.item_digest, part.expires_at, entry.item, entry.opened) == ("", None, None, False)


@pytest.mark.parametrize(
    ("state", "action"),
    [("open", "request_approval"), ("approved", "already_approved"), ("claimed", "already_approved")],
)
def test_a_live_item_is_served_again_unchanged(state: Any, action: str) -> None:
    last = replace(ITEM, state=state, decisions=(decision("bob"),))
    strict = replace(FLOOR, required_approvals=3, expires_in_minutes=5)
    entry = shown(replace(KNOWN, last=last, ack=None), strict)
    assert (entry.item, entry.opened, entry.ended) == (last, False, None)
    assert (entry.shown.action, entry.shown.item_state) == (action, state)
    assert (entry.shown.item_digest, entry.shown.policy) == (ITEM.digest, ITEM.policy)
    assert entry.shown.decisions[0].decided_by == "bob"


@pytest.mark.parametrize("state", ["open", "approved"])
@pytest.mark.parametrize(
    ("change", "ending"),
    [
        ({"expires_at": NOW}, "expired"),
        ({"content": replace(CONTENT, destination_fingerprint="0" * 64)}, "changed"),
        ({"attempt_number": 1}, "changed"),
    ],
)
def test_a_plan_ends_items_that_are_late_or_about_something_else(
    state: Any, change: dict[str, Any], ending: str
) -> None:
    entry = shown(replace(KNOWN, last=replace(ITEM, state=state, **change)))
    assert entry.ended is not None
    assert entry.ended.state == ending
    assert entry.item is None


def test_after_an_ended_item_a_newer_plans_acknowledgement_opens_the_next_and_names_it() -> None:
    last = replace(ITEM, state="denied", decisions=(decision("bob", "denied"),))
    entry = shown(replace(KNOWN, last=last, ack=ack(FAILURE, plan_index=11)))
    assert entry.item is not None
    assert (entry.item.generation, entry.item.attempt_number) == (1, 2)
    assert last.decisions[0].decision_id in {cause.id for cause in entry.causes}
    next_attempt = failure(failure_count=2)
    settled = replace(last, state="settled")
    candidate = Candidate(
        plan_item(next_attempt), next_attempt, Description(CONTENT), ack(next_attempt, plan_index=11), settled
    )
    item_of_next = shown(candidate).item
    assert item_of_next is not None
    assert (item_of_next.generation, item_of_next.attempt_number) == (0, 3)


def test_without_required_acknowledgement_the_newest_plan_takes_its_place() -> None:
    loose = replace(FLOOR, require_retry_ack=False)
    entry = shown(replace(KNOWN, ack=None), loose)
    assert entry.item is not None
    assert (entry.item.review.retry_plan_id, entry.item.review.acknowledger) == (
        KNOWN.planned.retry_plan_id,
        None,
    )
    stale = replace(KNOWN, ack=None, planned=replace(KNOWN.planned, attempt_number=1))
    assert shown(stale, loose).item is None
    ended = replace(KNOWN, ack=None, last=replace(ITEM, state="denied"))
    assert shown(ended, loose).item is None


def test_an_approval_plan_of_many_counts_all_and_lists_what_fits() -> None:
    failures = [failure("p" * 64, failure_count=19) for _ in range(50)]
    candidates = [
        Candidate(plan_item(one), one, Description(CONTENT), ack(one) if index >= 40 else None, None)
        for index, one in enumerate(failures)
    ]
    request = Request(
        new_id("gordackretryapproval"),
        FLOOR,
        actor("sam"),
        NOW,
        [new_id("gordackretryitem") for _ in candidates],
    )
    planned = plan_approval(request, candidates, Counter({"wait_for_retry_ack": 7}))
    record = planned.draft.record.model_dump()
    assert (record["decision_count"], record["approval_required_count"], record["waiting_count"]) == (
        57,
        10,
        47,
    )
    assert record["omitted_count"] == 57 - len(record["approval_decisions"])
    assert 10 < len(record["approval_decisions"]) < 50
    listed = [one["delivery_id"] for one in record["approval_decisions"]]
    in_order = [one.key.delivery_id for one in failures]
    assert listed == sorted(listed, key=in_order.index)
    assert set(in_order[40:]) <= set(listed)


def test_an_approval_plan_fits_into_a_record_whatever_script_its_names_are_in() -> None:
    decided = tuple(replace(decision("bob", "deferred"), name="\u611b" * 120) for _ in range(10))
    failures = [failure() for _ in range(30)]
    candidates = [
        Candidate(plan_item(one), one, Description(CONTENT), None, item(one, decisions=decided))
        for one in failures
    ]
    item_ids = [new_id("gordackretryitem") for _ in candidates]
    request = Request(new_id("gordackretryapproval"), FLOOR, actor("sam"), NOW, item_ids)
    draft = plan_approval(request, candidates, Counter()).draft
    (entry,) = appended(draft, hashes={cause.id: "f" * 64 for cause in draft.causes}).entries
    assert len(entry.canonical) <= 48 * 1024


def test_a_request_may_only_tighten_the_installations_policy() -> None:
    assert FLOOR.tightened(None, None, None, None) == FLOOR
    assert FLOOR.tightened(3, 10, True, True) == ApprovalPolicy(3, 10, True, True)
    lax = ApprovalPolicy(2, 60, separation_of_duties=False, require_retry_ack=False)
    assert lax.tightened(None, None, True, False) == replace(lax, separation_of_duties=True)


@pytest.mark.parametrize(
    ("asked", "reason", "field"),
    [
        ((1, None, None, None), "policy_floor", "required_approvals"),
        ((None, 241, None, None), "policy_floor", "expires_in_minutes"),
        ((None, None, False, None), "policy_floor", "separation_of_duties"),
        ((None, None, None, False), "policy_floor", "require_retry_ack"),
        ((0, None, None, None), "invalid_value", "required_approvals"),
        ((11, None, None, None), "invalid_value", "required_approvals"),
        ((None, 0, None, None), "invalid_value", "expires_in_minutes"),
    ],
)
def test_a_weaker_policy_is_refused_by_field(asked: Any, reason: str, field: str) -> None:
    with pytest.raises(Refusal) as refused:
        replace(FLOOR, required_approvals=2).tightened(*asked)
    assert (refused.value.reason, refused.value.field) == (reason, f"approval_policy.{field}")


def test_items_expire_as_their_own_plan_said() -> None:
    entry = shown(KNOWN, replace(FLOOR, expires_in_minutes=5))
    assert entry.item is not None
    assert entry.item.expires_at == NOW + timedelta(minutes=5)
