"""What the worker's health says, and whom an alert reaches."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cavra_evidence.ids import new_id
from cavra_retry.domain.health import AlertRequest, Facts, Health, LatestRun, assess, plan_alert

from tests.support.retries import NOW, actor, failure

CALM = Facts((), 1, 1, LatestRun(new_id("gordackworker"), NOW, 0, True), "", NOW, 0)
OPEN = failure()


def health(**facts: Any) -> Health:
    return assess(new_id("gordackhealth"), replace(CALM, **facts), 30, 120, NOW)


def run(minutes_ago: float = 0, enabled: bool = True) -> LatestRun:
    return LatestRun(new_id("gordackworker"), NOW - timedelta(minutes=minutes_ago), 0, enabled)


@pytest.mark.parametrize(
    ("facts", "categories", "level"),
    [
        ({}, [], "healthy"),
        ({"latest_run": None}, [], "healthy"),
        ({"latest_run": run(60)}, [], "healthy"),
        ({"latest_run": run(60.1)}, ["missed_worker_run"], "critical"),
        ({"latest_run": run(enabled=False)}, ["disabled_schedule"], "warning"),
        ({"failed_job_count": 2}, ["failed_worker_run"], "critical"),
        ({"failures": (OPEN,)}, ["retryable_deliveries", "connector_failure"], "warning"),
        ({"failures": (failure(failure_count=3),)}, ["connector_failure"], "warning"),
        ({"failures": (failure(outcome_unknown=True),)}, ["connector_failure"], "warning"),
        (
            {"failures": (OPEN,), "latest_run": None},
            ["missed_worker_run", "retryable_deliveries", "connector_failure"],
            "critical",
        ),
        (
            {"failures": (OPEN,), "latest_plan_at": NOW - timedelta(minutes=120.1)},
            ["retryable_deliveries", "connector_failure", "stale_retry_plan"],
            "warning",
        ),
        ({"latest_plan_at": NOW - timedelta(days=9)}, [], "healthy"),
    ],
)
def test_health_looks_at_what_is_true_now(facts: dict[str, Any], categories: list[str], level: str) -> None:
    report = health(**facts)
    assert [alert.category for alert in report.alerts] == categories
    assert report.level == level
    assert len(report.recommendations) == len(categories)


def test_the_newest_ten_failures_are_shown() -> None:
    failures = tuple(failure(latest_failed_at=NOW - timedelta(minutes=n)) for n in range(12))
    assert health(failures=failures[::-1]).failed_deliveries == failures[:10]


def alert(report: Health, sent: Any = None, **more: Any) -> Any:
    request = AlertRequest(new_id("gordackhealthalert"), "all", 60, False, 20, actor("oscar"), NOW)
    _, record = plan_alert(replace(request, **more), report, ["chat", "hook"], sent or {})
    return record


def test_an_alert_goes_to_those_who_were_not_told_within_the_window() -> None:
    sent = {"chat": NOW - timedelta(minutes=59), "hook": NOW - timedelta(minutes=60)}
    record = alert(health(failures=(OPEN,)), sent)
    assert (record.selected_providers, record.suppressed_providers) == (["hook"], ["chat"])
    assert record.acknowledgement_required_providers == ["hook"]
    forced = alert(health(failures=(OPEN,)), sent, force=True)
    assert (forced.selected_providers, forced.suppressed_providers) == (["chat", "hook"], [])


def test_a_healthy_worker_alerts_nobody_unless_forced() -> None:
    assert alert(health()).selected_providers == []
    assert alert(health()).suppressed_providers == []
    assert alert(health(), force=True).selected_providers == ["chat", "hook"]


def test_the_same_cause_has_the_same_name_whatever_the_report() -> None:
    assert health(failures=(OPEN,)).cause == health(failures=(OPEN,)).cause
    assert health(failures=(OPEN,)).cause != health(failures=(failure(),)).cause
    assert health(failures=(OPEN,)).cause != health(failures=(OPEN,), failed_job_count=1).cause


def test_an_alert_plan_names_the_worst_alerts_first_up_to_its_cap() -> None:
    record = alert(health(failures=(OPEN,), latest_run=None), most=1)
    assert [one.category for one in record.alerts] == ["missed_worker_run"]
    assert record.summary.alert_count == 3
