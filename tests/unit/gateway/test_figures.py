"""The dashboard's figures by the counters that they are read from."""

import pytest
from cavra_gateway.domain.figures import figures
from cavra_verify.kinds import ALERT_SOURCE, AUDIT_SOURCE, BY_NOUN, NOTIFICATION_SOURCE

NONE: dict[str, dict[str, int] | None] = {"delivery": {}, "retry": {}, "recovery": {}}
AD = "acknowledgement_audit_delivery_"


def test_an_empty_installation_is_healthy_and_counts_nothing() -> None:
    found = figures(NONE)
    assert found["alert_level"] == "healthy"
    assert found[AD + "success_rate"] == 0.0
    assert found[AD + "providers"] == []
    assert all(value == 0 for name, value in found.items() if name.endswith("_count"))


def test_deliveries_are_counted_by_source_and_success() -> None:
    delivery = {
        f"metadata_kind={BY_NOUN['connector_delivery'].kind}": 9,
        f"delivery={AUDIT_SOURCE}:true": 2,
        f"delivery={AUDIT_SOURCE}:false": 1,
        f"delivery={NOTIFICATION_SOURCE}:true": 3,
        f"delivery={NOTIFICATION_SOURCE}:false": 1,
        f"delivery={ALERT_SOURCE}:false": 2,
        f"delivery_provider={AUDIT_SOURCE}:webhook": 2,
        f"delivery_provider={AUDIT_SOURCE}:archive": 1,
        f"delivery_provider={NOTIFICATION_SOURCE}:slack": 4,
    }
    found = figures({**NONE, "delivery": delivery})
    assert (found["delivery_count"], found["notification_delivery_count"], found[AD + "count"]) == (9, 4, 3)
    assert (found["failed_delivery_count"], found["failed_acknowledgement_audit_delivery_count"]) == (4, 1)
    assert (found[AD + "success_count"], found[AD + "success_rate"]) == (2, 0.6667)
    assert found[AD + "providers"] == ["archive", "webhook"]


@pytest.mark.parametrize(
    ("open_failures", "retryable", "health"),
    [
        ({}, 0, "healthy"),
        ({1: 0, 2: 0}, 0, "healthy"),
        ({1: 2, 2: 1}, 3, "warning"),
        ({1: 2, 3: 1}, 2, "critical"),
        ({4: 1}, 0, "critical"),
    ],
)
def test_failures_under_the_cap_are_retryable_and_those_at_it_are_critical(
    open_failures: dict[int, int], retryable: int, health: str
) -> None:
    gauges = {f"gauge:open_failures:{size}": count for size, count in open_failures.items()}
    gauges["gauge:open_failures"] = sum(open_failures.values())
    found = figures({**NONE, "delivery": gauges})
    assert (found[AD + "retryable_count"], found[AD + "health"], found["alert_level"]) == (
        retryable,
        health,
        health,
    )


def test_a_failure_of_unknown_outcome_is_critical_and_not_retryable() -> None:
    found = figures({**NONE, "delivery": {"gauge:open_failures": 1, "gauge:unknown_failures": 1}})
    assert (found[AD + "retryable_count"], found[AD + "health"]) == (0, "critical")


def test_failed_skipped_and_unknown_executions_are_counted_apart() -> None:
    statuses = {"delivered": 4, "failed": 3, "skipped": 2, "unknown": 1}
    found = figures({**NONE, "retry": {f"execution_status={name}": n for name, n in statuses.items()}})
    names = ("success", "failed", "skipped", "unknown")
    assert [found[f"{AD}retry_execution_{name}_count"] for name in names] == [4, 3, 2, 1]


@pytest.mark.parametrize("down", ["delivery", "retry", "recovery"])
def test_figures_of_a_service_that_is_down_are_null(down: str) -> None:
    found = figures({**NONE, down: None})
    samples = {
        "delivery": (
            "plan_count",
            "outstanding_acknowledgement_count",
            AD + "success_rate",
            AD + "health",
            AD + "providers",
        ),
        "retry": (AD + "worker_run_count", AD + "retry_execution_failed_count"),
        "recovery": (AD + "connector_recovery_closed_count", AD + "connector_recovery_playbook_count"),
    }
    for service, names in samples.items():
        assert all((found[name] is None) == (service == down) for name in names)
    assert found["alert_level"] == "warning"
