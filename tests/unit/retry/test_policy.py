"""When a failure may be retried, to the minute."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import text
from cavra_retry.domain.policy import LONGEST_WAIT_MINUTES, RetryPolicy

from tests.support.retries import FAILED_AT, failure

DEFAULTS: dict[str, Any] = {}
IMMEDIATE = {"allow_immediate_retry": True}


@pytest.mark.parametrize(
    ("policy", "failures", "minutes"),
    [
        (DEFAULTS, 1, 15),
        (DEFAULTS, 2, 30),
        ({"max_retry_attempts": 9}, 3, 60),
        ({"max_retry_attempts": 9}, 6, 480),
        ({"retry_delay_minutes": 10, "backoff_multiplier": "3"}, 2, 30),
        ({"retry_delay_minutes": 10, "backoff_multiplier": "1"}, 2, 10),
        ({"backoff_multiplier": "1.5"}, 2, 23),
        ({"retry_delay_minutes": 100, "backoff_multiplier": "1.001"}, 2, 101),
        ({"retry_delay_minutes": 1000, "backoff_multiplier": "1.001"}, 2, 1001),
        ({"retry_delay_minutes": 0}, 1, 1),
        ({"retry_delay_minutes": 0}, 2, 1),
        (IMMEDIATE, 1, 0),
        (IMMEDIATE, 2, 0),
        ({**IMMEDIATE, "retry_delay_minutes": 20}, 1, 20),
        ({**IMMEDIATE, "retry_delay_minutes": 20}, 2, 40),
        ({**IMMEDIATE, "retry_delay_minutes": 0}, 2, 0),
        (
            {"max_retry_attempts": 20, "retry_delay_minutes": 10_080, "backoff_multiplier": "10"},
            19,
            LONGEST_WAIT_MINUTES,
        ),
    ],
)
def test_a_retry_waits_base_times_multiplier_to_the_failures_less_one(
    policy: dict[str, Any], failures: int, minutes: int
) -> None:
    rule, failed = RetryPolicy.of(**policy), failure(failure_count=failures)
    due = FAILED_AT + timedelta(minutes=minutes)
    before, at = rule.decide(failed, due - timedelta(microseconds=1)), rule.decide(failed, due)
    assert (before.action, at.action) == ("wait", "retry")
    assert before.delay_minutes == at.delay_minutes == minutes
    assert rule.shown(before).next_retry_at == rule.shown(at).next_retry_at == text(due)


@pytest.mark.parametrize("policy", [DEFAULTS, IMMEDIATE, {"max_retry_attempts": 1}])
def test_nothing_is_retried_once_failures_reach_the_maximum(policy: dict[str, Any]) -> None:
    rule = RetryPolicy.of(**policy)
    last, over = (failure(failure_count=rule.max_retry_attempts + more) for more in (0, 1))
    for failed in (last, over):
        decided = rule.shown(rule.decide(failed, FAILED_AT + timedelta(days=400)))
        assert (decided.action, decided.reason, decided.next_retry_at) == (
            "suppress",
            "max_retry_attempts_reached",
            None,
        )


@pytest.mark.parametrize(
    ("state", "action", "reason"),
    [
        ({"in_flight": True}, "wait", "in_flight"),
        ({"outcome_unknown": True}, "suppress", "outcome_unknown"),
        ({"in_flight": True, "outcome_unknown": True}, "suppress", "outcome_unknown"),
    ],
)
def test_an_attempt_without_an_outcome_is_never_retried(
    state: dict[str, Any], action: str, reason: str
) -> None:
    rule = RetryPolicy.of(allow_immediate_retry=True)
    decided = rule.shown(rule.decide(failure(**state), FAILED_AT))
    assert (decided.action, decided.reason, decided.next_retry_at) == (action, reason, None)


def test_the_reason_tells_an_immediate_retry_from_a_delay_that_is_over() -> None:
    failed = failure()
    assert RetryPolicy.of(allow_immediate_retry=True).decide(failed, FAILED_AT).reason == (
        "immediate_retry_allowed"
    )
    assert RetryPolicy.of().decide(failed, FAILED_AT + timedelta(minutes=15)).reason == "retry_delay_elapsed"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("max_retry_attempts", 0),
        ("max_retry_attempts", 21),
        ("max_retry_attempts", -1),
        ("retry_delay_minutes", -1),
        ("retry_delay_minutes", 10_081),
        *(
            ("backoff_multiplier", text)
            for text in (
                "",
                "0.9",
                "10.001",
                "1.0001",
                "1e1",
                "NaN",
                "-2",
                "two",
                "2 ",
                "٢",
                "1,5",
                "Infinity",
            )
        ),
    ],
)
def test_a_policy_outside_its_bounds_is_refused_by_field(field: str, value: Any) -> None:
    given: dict[str, Any] = {field: value}
    with pytest.raises(Refusal) as refused:
        RetryPolicy.of(**given)
    assert (refused.value.reason, refused.value.field) == ("invalid_value", field)


def test_the_installations_attempt_ceiling_holds() -> None:
    assert RetryPolicy.of(attempt_ceiling=2).max_retry_attempts == 2
    assert RetryPolicy.of(max_retry_attempts=5, attempt_ceiling=5).max_retry_attempts == 5
    with pytest.raises(Refusal) as refused:
        RetryPolicy.of(max_retry_attempts=6, attempt_ceiling=5)
    assert (refused.value.reason, refused.value.field) == ("policy_floor", "max_retry_attempts")


@pytest.mark.parametrize(
    ("given", "kept"), [("2", "2"), ("2.0", "2"), ("1.500", "1.5"), ("10", "10"), ("10.000", "10")]
)
def test_a_multiplier_is_kept_without_trailing_zeros(given: str, kept: str) -> None:
    policy = RetryPolicy.of(backoff_multiplier=given)
    assert policy.multiplier_text == kept
    assert policy.backoff_multiplier == Decimal(kept)
