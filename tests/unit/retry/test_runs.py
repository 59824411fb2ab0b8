"""Which retries a run takes, what it leaves to people, and what its records hold."""

from collections.abc import Container
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cavra_evidence.draft import Draft
from cavra_evidence.ids import new_id
from cavra_evidence.log import LogState, append
from cavra_retry.domain.executions import Claim
from cavra_retry.domain.failures import Description, Failure, FailureKey
from cavra_retry.domain.items import ENDED, Item
from cavra_retry.domain.plans import Planned, judge, plan_retries
from cavra_retry.domain.policy import Judged, RetryPolicy
from cavra_retry.domain.runs import (
    Approvals,
    RunRequest,
    Selection,
    claimable,
    record_run,
    schedule_slot,
    select,
)
from cavra_verify.signatures import Signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.support.retries import CONTENT, NOW, actor, decision, failure, item, person


def judged(*failures: Failure, **policy: Any) -> list[Judged]:
    return judge(failures, RetryPolicy.of(**policy), NOW)


def plan(*failures: Failure, reviewed: Container[FailureKey] = (), **policy: Any) -> Planned:
    rule = RetryPolicy.of(**policy)
    found = judge(failures, rule, NOW)
    return plan_retries(new_id("gordackretry"), found, reviewed, rule, actor("paula"), NOW)


def asked(live: bool = True, **more: Any) -> RunRequest:
    slot = schedule_slot(60, "interval", True, NOW)
    value = RunRequest(new_id("gordackworker"), live, 5, frozenset(), slot, actor("erin"), NOW, True)
    return replace(value, **more)


def known(*items: Item, verified: bool = True, content: Any = CONTENT) -> Approvals:
    return Approvals(
        {one.key: one.standing() for one in items},
        {one.key: one for one in items},
        {one.key: Description(content) for one in items},
        frozenset(one.item_id for one in items if verified),
    )


def approved(about: Failure, **more: Any) -> Item:
    return item(about, state="approved", decisions=(decision("bob"),), **more)


def reasons(selection: Selection) -> list[tuple[str, str, str]]:
    kept = selection.follow_ups.kept
    assert selection.follow_ups.count == len(kept)
    return [(one.action, one.reason, one.approval_state) for one in kept]


def test_a_dry_run_selects_the_oldest_up_to_the_cap_and_needs_no_approval() -> None:
    failures = [failure() for _ in range(4)]
    selection = select(asked(live=False, most=3), judged(*failures), None)
    assert [one.failure for one in selection.selected] == failures[:3]
    assert reasons(selection) == [("run_again", "max_retry_deliveries", "dry_run_not_required")]
    assert (selection.items, selection.changed) == ([], [])


def test_a_live_run_takes_only_what_is_approved_then_caps() -> None:
    failures = [failure() for _ in range(4)]
    items = [approved(one) for one in failures[1:]]
    selection = select(asked(most=2), judged(*failures), known(*items))
    assert [one.failure for one in selection.selected] == failures[1:3]
    assert selection.items == items[:2]
    assert reasons(selection) == [
        ("request_approval", "approval_required", "approval_required"),
        ("run_again", "max_retry_deliveries", "approved"),
    ]


ONE = failure()


@pytest.mark.parametrize(
    ("found", "verified", "content", "follow_up"),
    [
        (item(ONE), True, CONTENT, ("request_approval", "approval_pending", "approval_required")),
        *(
            (
                replace(approved(ONE), state=state),
                True,
                CONTENT,
                (
                    "request_approval",
                    {"settled": "approval_used", "changed": "content_changed"}.get(
                        state, f"approval_{state}"
                    ),
                    "approval_required",
                ),
            )
            for state in sorted(ENDED)
        ),
        (
            replace(approved(ONE), state="claimed"),
            True,
            CONTENT,
            ("wait_for_outcome", "execution_under_way", "approval_required"),
        ),
        (
            approved(ONE, expires_at=NOW),
            True,
            CONTENT,
            ("request_approval", "approval_expired", "approval_required"),
        ),
        (
            item(ONE, state="approved", decisions=(decision("erin"),)),
            True,
            CONTENT,
            ("run_as_other_operator", "self_execution", "approved"),
        ),
        (
            approved(ONE),
            False,
            CONTENT,
            ("investigate_evidence", "evidence_mismatch", "approval_required"),
        ),
        (
            approved(ONE),
            True,
            replace(CONTENT, payload_hash="0" * 64),
            ("request_approval", "content_changed", "approval_required"),
        ),
        (
            approved(ONE, attempt_number=1),
            True,
            CONTENT,
            ("request_approval", "content_changed", "approval_required"),
        ),
        (
            replace(approved(ONE, attempt_number=1), state="settled"),
            True,
            CONTENT,
            ("request_approval", "approval_required", "approval_required"),
        ),
    ],
)
def test_what_is_not_validly_approved_is_left_to_people(
    found: Item, verified: bool, content: Any, follow_up: tuple[str, str, str]
) -> None:
    selection = select(asked(), judged(ONE), known(found, verified=verified, content=content))
    assert (selection.selected, selection.items) == ([], [])
    assert reasons(selection) == [follow_up]


def test_an_approved_item_whose_content_changed_is_ended() -> None:
    changed = known(approved(ONE), content=replace(CONTENT, payload_hash="0" * 64))
    assert [one.item_id for one in select(asked(), judged(ONE), changed).changed] == [
        changed.items[ONE.key].item_id
    ]
    late = known(approved(ONE, expires_at=NOW), content=replace(CONTENT, payload_hash="0" * 64))
    assert select(asked(), judged(ONE), late).changed == []


def test_content_that_can_not_be_described_is_left_to_delivery() -> None:
    selection = select(asked(), judged(ONE), known(approved(ONE), content=None))
    assert len(selection.selected) == 1


@pytest.mark.parametrize(
    ("about", "policy", "action", "reason"),
    [
        (failure(latest_failed_at=NOW), {}, "wait_for_retry_delay", "retry_delay_pending"),
        (failure(in_flight=True), {}, "wait_for_outcome", "in_flight"),
        (failure(outcome_unknown=True), {}, "resolve_unknown_outcome", "outcome_unknown"),
        (failure(failure_count=3), {}, "review_suppressed", "max_retry_attempts_reached"),
    ],
)
def test_what_the_policy_holds_back_is_not_sent_though_approved(
    about: Failure, policy: dict[str, Any], action: str, reason: str
) -> None:
    live = select(asked(), judged(about, **policy), known(approved(about)))
    assert (live.selected, reasons(live)) == ([], [(action, reason, "approved")])
    without = select(asked(), judged(about, **policy), known())
    assert reasons(without) == [(action, reason, "approval_required")]
    dry = select(asked(live=False), judged(about, **policy), None)
    assert reasons(dry) == [(action, reason, "dry_run_not_required")]


def test_what_is_approved_and_waiting_runs_with_an_immediate_policy() -> None:
    waiting = failure(latest_failed_at=NOW)
    selection = select(asked(), judged(waiting, allow_immediate_retry=True), known(approved(waiting)))
    assert len(selection.selected) == 1


def test_a_run_looks_at_the_providers_it_was_asked_for() -> None:
    hook, chat = failure("hook"), failure("chat")
    request = asked(providers=frozenset({"chat"}))
    selection = select(request, judged(hook, chat), known(approved(hook), approved(chat)))
    assert [one.failure for one in selection.selected] == [chat]
    assert reasons(selection) == []
    found = claimable(request, judged(hook, chat), known(approved(hook), approved(chat)).standings)
    assert [one.failure for one, _ in found] == [chat]


@pytest.mark.parametrize(
    ("interval", "now", "start"),
    [
        (60, datetime(2026, 11, 23, 9, 30, tzinfo=UTC), datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (60, datetime(2026, 11, 23, 9, tzinfo=UTC), datetime(2026, 11, 23, 9, tzinfo=UTC)),
        (15, datetime(2026, 11, 23, 9, 44, 59, 999999, UTC), datetime(2026, 11, 23, 9, 30, tzinfo=UTC)),
        (1440, datetime(2026, 11, 23, 9, 30, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)),
    ],
)
def test_a_run_belongs_to_the_slot_that_holds_now(interval: int, now: datetime, start: datetime) -> None:
    slot = schedule_slot(interval, "interval", True, now)
    assert datetime.fromisoformat(slot.window_start) == start
    assert datetime.fromisoformat(slot.window_end) == start + timedelta(minutes=interval)


def appended_size(draft: Draft) -> int:
    hashes = {cause.id: "f" * 64 for cause in draft.causes}
    signer = Signer.of(Ed25519PrivateKey.generate())
    return len(append(LogState(), [draft], NOW, signer, {}, hashes).entries[0].canonical)


@pytest.mark.parametrize("immediate", [False, True])
def test_the_largest_plan_and_run_fit_into_a_record(immediate: bool) -> None:
    failures = [
        failure("p" * 64, failure_count=20 if index < 60 else 19, latest_failed_at=NOW)
        for index in range(120)
    ]
    planned = plan(*failures, max_retry_attempts=20, allow_immediate_retry=immediate)
    assert appended_size(planned.draft) <= 48 * 1024
    assert planned.record.decision_count == 120
    assert planned.record.omitted_count == 120 - len(planned.record.retry_decisions)
    assert 40 <= len(planned.record.retry_decisions) <= 50
    assert all(one.action != "suppress" for one in planned.record.retry_decisions)
    items = [approved(one) for one in failures]
    request = asked(most=25)
    selection = select(request, planned.judged, known(*items))
    claims = [
        Claim(
            new_id("gordackretryexec"), new_id("gordackretryintent"), request.run_id, one, actor("erin"), NOW
        )
        for one in selection.items
    ]
    draft = record_run(request, planned, "0" * 64, selection, claims)
    assert appended_size(draft) <= 48 * 1024
    run = draft.record.model_dump()
    assert run["summary"]["follow_up_action_count"] == 120 - len(selection.selected)
    assert run["omitted_count"] == 120 - len(selection.selected) - len(run["follow_up_actions"])


def test_a_plan_lists_what_needs_a_review_then_what_has_one_then_what_is_given_up() -> None:
    failures = [failure(failure_count=3 if index % 3 == 0 else 1) for index in range(120)]
    needy = [one for index, one in enumerate(failures) if index % 3 == 1][:10]
    reviewed = {one.key for one in failures} - {one.key for one in needy}
    listed = [one.delivery_id for one in plan(*failures, reviewed=reviewed).record.retry_decisions]
    in_order = [one.key.delivery_id for one in failures]
    retried = [one.key.delivery_id for one in failures if one.failure_count == 1 and one not in needy]
    assert listed == sorted(listed, key=in_order.index)
    assert set(listed) == {one.key.delivery_id for one in needy} | set(retried[: len(listed) - 10])


def test_people_are_compared_by_issuer_and_subject() -> None:
    namesake = item(ONE, state="approved", decisions=(replace(decision("erin"), person=("other", "erin")),))
    assert len(select(asked(), judged(ONE), known(namesake)).selected) == 1
    assert person("erin") == actor("erin").key


def test_thousands_are_counted_and_no_more_of_them_kept_than_a_record_can_list() -> None:
    held, asking = [failure() for _ in range(300)], [failure() for _ in range(70)]
    request = asked(most=1)
    selection = select(request, judged(*held, *asking), known(*map(approved, held)))
    ups = selection.follow_ups
    assert (len(selection.selected), ups.count, ups.pending) == (1, 369, 70)
    # What waits for a person comes last here, and no number of others pushes it out.
    assert [one.judged.failure for one in ups.kept] == [*held[1:51], *asking[:50]]
