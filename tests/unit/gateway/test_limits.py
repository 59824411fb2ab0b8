"""Limits by subject and by address, on a clock that a test moves."""

import pytest
from cavra_evidence.draft import Actor
from cavra_gateway.limits import Buckets, Limits
from cavra_gateway.settings import GatewaySettings
from cavra_service.errors import Refused

ALICE, BOB = Actor("cavra-local", "alice", "Alice"), Actor("cavra-local", "bob", "Bob")
OTHER_ALICE = Actor("https://idp.example", "alice", "Alice")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def taken(buckets: Buckets, key: object, tries: int = 100) -> int:
    return sum(buckets.take(key) for _ in range(tries))


def test_a_burst_is_served_at_once_and_then_the_rate(clock: Clock) -> None:
    buckets = Buckets(2, 5, clock)
    assert taken(buckets, "a") == 5
    assert buckets.empty("a")
    clock.now += 1.5
    assert taken(buckets, "a") == 3
    clock.now += 3600
    assert taken(buckets, "a") == 5
    assert taken(buckets, "b") == 5


def test_a_rate_of_zero_limits_nothing(clock: Clock) -> None:
    buckets = Buckets(0, 1, clock)
    assert (taken(buckets, "a"), buckets.empty("a")) == (100, False)


def test_many_callers_do_not_grow_the_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cavra_gateway.limits._MOST_KEYS", 8)
    buckets = Buckets(1, 1, clock)
    for number in range(20):
        buckets.take(number)
    assert len(buckets._levels) == 8


def test_one_subject_over_its_limit_takes_nothing_from_another(clock: Clock) -> None:
    limits = Limits(GatewaySettings(rate_limit_per_second=1, rate_limit_burst=2), clock)
    limits.admit(ALICE)
    limits.admit(ALICE)
    with pytest.raises(Refused) as refused:
        limits.admit(ALICE)
    assert refused.value.http_status == 429
    limits.admit(BOB)
    limits.admit(OTHER_ALICE)
    assert b'cavra_gateway_limited_requests_total{limit="subject"} 1.0' in limits.metrics()


@pytest.mark.parametrize(
    ("failing", "asking", "limited"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("", "", True),
    ],
)
def test_an_address_whose_tokens_are_bad_waits(
    clock: Clock, failing: str, asking: str, limited: bool
) -> None:
    limits = Limits(GatewaySettings(failed_logins_per_second=1), clock)
    for _ in range(10):
        limits.may_try(failing)
        limits.failed(failing, "invalid_token")
    if limited:
        with pytest.raises(Refused):
            limits.may_try(asking)
        clock.now += 1
    limits.may_try(asking)


def test_who_has_no_token_is_counted_and_not_limited(clock: Clock) -> None:
    limits = Limits(GatewaySettings(failed_logins_per_second=1), clock)
    for _ in range(50):
        limits.failed("192.0.2.1", "unauthenticated")
    limits.may_try("192.0.2.1")
    assert b'cavra_gateway_authentication_failures_total{reason="unauthenticated"} 50.0' in limits.metrics()
