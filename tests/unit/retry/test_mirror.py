"""The mirror of open failures: in order, whatever comes in which order."""

from dataclasses import replace
from datetime import timedelta

from cavra_retry.domain.failures import FailureKey
from cavra_retry.mirror import Mirror

from tests.support.retries import FAILED_AT, failure

FAILURES = [failure(first_failed_at=FAILED_AT + timedelta(seconds=second)) for second in range(4)]


def test_failures_are_kept_oldest_first_whatever_they_come_in() -> None:
    mirror = Mirror()
    mirror.take([FAILURES[2], FAILURES[0]], "a", begins=True)
    mirror.take([FAILURES[3], FAILURES[1]], "b", begins=False)
    assert (mirror.failures(), mirror.cursor) == (FAILURES, "b")


def test_a_failure_is_as_it_was_last_told() -> None:
    mirror = Mirror()
    mirror.take(FAILURES, "a", begins=True)
    again = replace(FAILURES[1], failure_count=2, next_attempt_number=3)
    mirror.take([replace(FAILURES[0], open=False), again], "b", begins=False)
    assert mirror.failures() == [again, *FAILURES[2:]]
    mirror.take([replace(FAILURES[0], open=False), FAILURES[0]], "c", begins=False)
    assert mirror.failures() == [FAILURES[0], again, *FAILURES[2:]]


def test_what_was_known_is_forgotten_when_delivery_begins_again() -> None:
    mirror = Mirror()
    mirror.take(FAILURES, "a", begins=True)
    mirror.take(FAILURES[:1], "b", begins=True)
    assert mirror.failures() == FAILURES[:1]


def test_keys_of_one_failure_share_their_texts_whoever_read_them() -> None:
    one, other = (FailureKey.shared(*(f"{name}-{at}" for at, name in enumerate("abc"))) for _ in range(2))
    assert one == other
    assert all(mine is theirs for mine, theirs in zip(one, other, strict=True))
