"""What the dashboard's charts show, out of counts and records."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from cavra_gateway.console.dashboard_series import (
    RANGES,
    ages,
    buckets,
    by_provider,
    closings,
    middle,
    rate,
)

NOW = datetime(2026, 11, 23, 9, 30, 12, tzinfo=UTC)


@pytest.mark.parametrize("days", sorted(RANGES))
def test_stretches_follow_each_other_without_a_gap_and_the_last_one_holds_now(days: int) -> None:
    found = buckets(days, NOW)
    assert all(one.end == other.start for one, other in pairwise(found))
    assert found[-1].start <= NOW < found[-1].end
    assert found[-1].end - found[0].start == timedelta(days=days)
    assert len(found) <= 30


@pytest.mark.parametrize("days", sorted(RANGES))
def test_a_stretch_stays_the_same_while_time_goes_on(days: int) -> None:
    assert set(buckets(days, NOW)[1:]) <= set(buckets(days, NOW + timedelta(seconds=RANGES[days])))


def test_a_rate_of_nothing_is_none() -> None:
    assert [rate(0, 0), rate(1, 3), rate(2, 0)] == [None, 0.25, 1.0]


def sent(**outcomes: Any) -> dict[str, Any]:
    """A connector delivery's envelope: None for what was taken, else (status, error)."""
    deliveries = [
        {
            "provider": provider,
            "success": why is None,
            "status_code": why[0] if why else 200,
            "error": why[1] if why else "",
        }
        for provider, why in outcomes.items()
    ]
    return {"metadata_kind": "release-connector-delivery", "delivery": {"deliveries": deliveries}}


def test_sends_are_told_by_provider_and_reason_and_the_worst_stands_first() -> None:
    found = by_provider(
        [
            sent(jira=None, hook=(503, "server_error")),
            sent(hook=(503, "server_error")),
            sent(hook=(None, "timeout")),
            sent(jira=None),
        ]
    )
    assert [one["provider"] for one in found] == ["hook", "jira"]
    assert found[0]["reasons"] == {"503 server error": 2, "timeout": 1}
    assert (found[0]["delivered"], found[0]["failed"], found[0]["rate"]) == (0, 3, 0.0)
    assert (found[1]["delivered"], found[1]["failed"], found[1]["rate"]) == (2, 0, 1.0)


def closed(playbook: str, state: str, at: str) -> dict[str, Any]:
    """A closure's envelope."""
    return {
        "connector_recovery_closure": {
            "playbook_id": playbook,
            "provider": "hook",
            "closure_state": state,
            "closed_at": at,
        }
    }


def test_a_closing_is_measured_from_the_last_failure_that_its_playbook_knew_of() -> None:
    failed = [{"provider": "hook", "latest_failure_at": "2026-11-23T06:00:00.000000+00:00"}]
    playbooks = {"p": {"connector_recovery_playbook": {"provider_playbooks": failed}}}
    found = closings(
        [
            closed("p", "resolved", "2026-11-23T09:00:00.000000+00:00"),
            closed("p", "mitigated", "2026-11-23T07:30:00.000000+00:00"),
            closed("p", "deferred", "2026-11-23T08:00:00.000000+00:00"),
            closed("gone", "resolved", "2026-11-23T08:00:00.000000+00:00"),
        ],
        playbooks,
    )
    assert [one["hours"] for one in found] == [1.5, 3.0]


def test_the_middle_of_an_even_number_lies_between_two() -> None:
    assert [middle([]), middle([3.0]), middle([1.0, 9.0, 2.0]), middle([1.0, 2.0])] == [None, 3.0, 2.0, 1.5]


def test_recoveries_are_as_old_as_their_providers_last_failure() -> None:
    found = ages([NOW - timedelta(days=days) for days in (0, 0.5, 1, 2.9, 5, 40)], NOW)
    assert found == {"under a day": 2, "1 to 3 days": 2, "3 to 7 days": 1, "over 7 days": 1}
