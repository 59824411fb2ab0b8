"""The failure state machine: every state with every event, and the gauges that follow."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cavra_delivery.domain.failures import (
    MOST_CODES,
    Attempt,
    Failure,
    Outcome,
    begun,
    gauges,
    opened,
    settled,
    skip_reason,
)
from cavra_evidence.refusal import Refusal
from hypothesis import given
from hypothesis import strategies as st

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)

OPEN = opened(("gordackdelivery-1", "gordackaudit-1", "webhook"), "rcd-1", 503, NOW)
IN_FLIGHT = begun(OPEN, 2)


def after(outcome: Outcome, status_code: int | None = None) -> Failure:
    """The failure once its second attempt has its outcome."""
    return settled(IN_FLIGHT, Attempt(outcome, "gordackdelivery-2", "rcd-2", status_code), LATER)


STATES = {
    "open": OPEN,
    "in_flight": IN_FLIGHT,
    "unknown": after("unknown"),
    "closed": after("delivered", 200),
}


@pytest.mark.parametrize("state", list(STATES))
def test_an_attempt_begins_on_an_open_failure_whose_turn_it_is(state: str) -> None:
    failure = STATES[state]
    for number in range(1, 5):
        allowed = state == "open" and number == failure.attempt_count + 1
        if allowed:
            assert begun(failure, number).in_flight
        else:
            with pytest.raises(Refusal):
                begun(failure, number)


@pytest.mark.parametrize("state", ["open", "unknown", "closed"])
@pytest.mark.parametrize("outcome", ["delivered", "failed", "unknown"])
def test_only_an_attempt_under_way_has_an_outcome(state: str, outcome: Outcome) -> None:
    with pytest.raises(Refusal):
        settled(STATES[state], Attempt(outcome, "gordackdelivery-2", "rcd-2", None), LATER)


@pytest.mark.parametrize(
    ("outcome", "code", "state", "failures", "codes", "latest_at", "latest_record"),
    [
        ("delivered", 200, "closed", 1, (503,), NOW, "rcd-1"),
        ("failed", 500, "open", 2, (503, 500), LATER, "rcd-2"),
        ("failed", None, "open", 2, (503,), LATER, "rcd-2"),
        ("unknown", None, "unknown", 2, (503,), LATER, "rcd-2"),
    ],
)
def test_an_outcome_moves_the_failure(
    outcome: Outcome,
    code: int | None,
    state: str,
    failures: int,
    codes: tuple[int, ...],
    latest_at: datetime,
    latest_record: str,
) -> None:
    failure = after(outcome, code)
    assert (failure.state, failure.failure_count, failure.status_codes) == (state, failures, codes)
    assert (failure.latest_failed_at, failure.latest_record_id) == (latest_at, latest_record)
    assert (failure.attempt_count, failure.in_flight) == (2, False)
    assert failure.latest_delivery_id == "gordackdelivery-2"
    assert failure.original_record_id == "rcd-1"
    assert failure.is_open is (state != "closed")


@pytest.mark.parametrize(
    ("state", "number", "original", "expected"),
    [
        ("open", 2, "failed", ""),
        ("open", 3, "failed", "attempt_conflict"),
        ("open", 1, "failed", "attempt_conflict"),
        ("in_flight", 3, "failed", "attempt_conflict"),
        ("unknown", 3, "failed", "attempt_conflict"),
        ("closed", 3, "failed", "already_delivered"),
        (None, 2, "delivered", "already_delivered"),
        (None, 2, "", "audit_package_not_found"),
    ],
)
def test_a_claim_that_must_not_be_sent_is_skipped_for_a_reason(
    state: str | None, number: int, original: str, expected: str
) -> None:
    failure = None if state is None else STATES[state]
    assert skip_reason(failure, number, original) == expected


def test_status_codes_are_kept_to_the_newest_50() -> None:
    failure = replace(IN_FLIGHT, status_codes=tuple(range(400, 450)))
    codes = settled(failure, Attempt("failed", "gordackdelivery-2", "rcd-2", 503), LATER).status_codes
    assert len(codes) == MOST_CODES
    assert (codes[0], codes[-1]) == (401, 503)


@given(st.lists(st.sampled_from(["failed", "failed", "unknown", "delivered"]), max_size=12))
def test_gauges_add_up_to_what_stands_after_any_course(outcomes: list[Outcome]) -> None:
    total, failure = Counter(gauges(None, OPEN)), OPEN
    for outcome in outcomes:
        if failure.state != "open":
            break
        following = begun(failure, failure.attempt_count + 1)
        total.update(gauges(failure, following))
        failure = settled(following, Attempt(outcome, "gordackdelivery-2", "rcd-2", 500), LATER)
        total.update(gauges(following, failure))
    standing = {name: value for name, value in total.items() if value}
    assert (
        standing
        == {
            "open": {"open_failures": 1, f"open_failures:{failure.failure_count}": 1},
            "unknown": {"open_failures": 1, "unknown_failures": 1},
            "closed": {},
        }[failure.state]
    )
    assert failure.version == 2 * (failure.attempt_count - 1)
