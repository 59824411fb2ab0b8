"""The dashboard's figures, read from the counters that each log keeps."""

from collections.abc import Mapping
from typing import Any, Final

from cavra_verify.kinds import AUDIT_SOURCE, BY_NOUN, NOTIFICATION_SOURCE

Counters = Mapping[str, int]

ATTEMPT_CAP: Final = 3
"""Failures from which the default policy retries nothing."""

_AUDIT: Final = "acknowledgement_audit_delivery_"
_OPEN: Final = "gauge:open_failures"

RECORDS: Final[dict[str, tuple[str, str]]] = {
    "plan_count": ("delivery", "notification_plan"),
    "delivery_count": ("delivery", "connector_delivery"),
    "acknowledgement_count": ("delivery", "notification_ack"),
    "acknowledgement_audit_package_count": ("delivery", "audit_package"),
    _AUDIT + "plan_count": ("delivery", "delivery_plan"),
    _AUDIT + "retry_plan_count": ("retry", "retry_plan"),
    _AUDIT + "retry_ack_count": ("retry", "retry_ack"),
    _AUDIT + "retry_execution_approval_plan_count": ("retry", "approval_plan"),
    _AUDIT + "retry_execution_approval_decision_count": ("retry", "approval_decision"),
    _AUDIT + "retry_refusal_count": ("retry", "retry_refusal"),
    _AUDIT + "retry_execution_record_count": ("retry", "execution_record"),
    _AUDIT + "worker_run_count": ("retry", "worker_run"),
    _AUDIT + "worker_health_alert_count": ("retry", "health_alert_plan"),
    _AUDIT + "worker_health_alert_ack_count": ("retry", "health_alert_ack"),
    _AUDIT + "connector_recovery_playbook_count": ("recovery", "playbook"),
    _AUDIT + "connector_recovery_closure_count": ("recovery", "closure"),
}
"""Figure -> the service and the noun whose records it counts."""

_SINGLE: Final[dict[str, tuple[str, str]]] = {
    "outstanding_acknowledgement_count": ("delivery", "gauge:outstanding_acknowledgements"),
    "failed_acknowledgement_audit_delivery_count": ("delivery", f"delivery={AUDIT_SOURCE}:false"),
    _AUDIT + "success_count": ("delivery", f"delivery={AUDIT_SOURCE}:true"),
    _AUDIT + "retry_execution_approved_count": ("retry", "approval_state=approved"),
    _AUDIT + "retry_execution_success_count": ("retry", "execution_status=delivered"),
    _AUDIT + "retry_execution_failed_count": ("retry", "execution_status=failed"),
    _AUDIT + "retry_execution_skipped_count": ("retry", "execution_status=skipped"),
    _AUDIT + "retry_execution_unknown_count": ("retry", "execution_status=unknown"),
    _AUDIT + "worker_dry_run_count": ("retry", "dry_run=true"),
    _AUDIT + "worker_executed_count": ("retry", "dry_run=false"),
    _AUDIT + "connector_recovery_open_count": ("recovery", "gauge:recovery_open"),
    _AUDIT + "connector_recovery_closed_count": ("recovery", "gauge:recovery_closed"),
    _AUDIT + "connector_recovery_reopened_count": ("recovery", "gauge:recovery_reopened"),
    _AUDIT + "connector_recovery_superseded_count": ("recovery", "gauge:recovery_superseded"),
}
"""Figure -> the service and the counter that holds it."""


def figures(counters: Mapping[str, Counters | None]) -> dict[str, Any]:
    """Every figure of the dashboard; those of a service whose counters are None are None."""
    found: dict[str, Any] = {}
    for name, (service, noun) in RECORDS.items():
        found[name] = _count(counters[service], f"metadata_kind={BY_NOUN[noun].kind}")
    for name, (service, counter) in _SINGLE.items():
        found[name] = _count(counters[service], counter)
    delivery = counters["delivery"]
    found["notification_delivery_count"] = _deliveries(delivery, NOTIFICATION_SOURCE)
    found["failed_delivery_count"] = _failed(delivery)
    found[_AUDIT + "count"] = _deliveries(delivery, AUDIT_SOURCE)
    found[_AUDIT + "success_rate"] = _rate(found[_AUDIT + "success_count"], found[_AUDIT + "count"])
    found[_AUDIT + "providers"] = _providers(delivery)
    found[_AUDIT + "retryable_count"] = _retryable(delivery)
    found[_AUDIT + "health"] = _health(delivery)
    found["alert_level"] = _alert_level(found, any(one is None for one in counters.values()))
    return found


def _count(counters: Counters | None, name: str) -> int | None:
    return None if counters is None else counters.get(name, 0)


def _deliveries(counters: Counters | None, source: str) -> int | None:
    if counters is None:
        return None
    return sum(counters.get(f"delivery={source}:{flag}", 0) for flag in ("true", "false"))


def _failed(counters: Counters | None) -> int | None:
    if counters is None:
        return None
    return sum(n for name, n in counters.items() if name.startswith("delivery=") and name.endswith(":false"))


def _rate(success: int | None, total: int | None) -> float | None:
    if success is None or total is None:
        return None
    return round(success / total, 4) if total else 0.0


def _providers(counters: Counters | None) -> list[str] | None:
    if counters is None:
        return None
    prefix = f"delivery_provider={AUDIT_SOURCE}:"
    return sorted(name.removeprefix(prefix) for name, n in counters.items() if n and name.startswith(prefix))


def _retryable(counters: Counters | None) -> int | None:
    """Open failures under the attempt cap whose outcomes are known."""
    if counters is None:
        return None
    return sum(counters.get(f"{_OPEN}:{failures}", 0) for failures in range(ATTEMPT_CAP))


def _health(delivery: Counters | None) -> str | None:
    """How the audit flow is now: an open failure that no policy retries any more, or of unknown outcome, is critical."""
    retryable, every = _retryable(delivery), _count(delivery, _OPEN)
    if retryable is None or every is None:
        return None
    return "critical" if every > retryable else "warning" if every else "healthy"


def _alert_level(found: Mapping[str, Any], incomplete: bool) -> str:
    """The worst of what is known; with a service down it is never healthy."""
    if found[_AUDIT + "health"] == "critical":
        return "critical"
    waiting = (
        found["outstanding_acknowledgement_count"]
        or found[_AUDIT + "connector_recovery_open_count"]
        or found[_AUDIT + "connector_recovery_reopened_count"]
    )
    return "warning" if incomplete or waiting or found[_AUDIT + "health"] == "warning" else "healthy"
