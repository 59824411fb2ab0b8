"""The events that vendors' forms are shown with."""

from typing import Any

from cavra_delivery.connectors.base import Event
from cavra_delivery.domain.deliveries import EVENT_TYPES
from cavra_verify.kinds import ALERT_SOURCE, AUDIT_SOURCE, BY_NOUN, NOTIFICATION_SOURCE

AT = "2026-11-23T08:15:30.250000+00:00"
EVENT_ID = "evt-0123456789abcdef0123456789ab"
HASH = "0f" * 32


def audit(**changed: Any) -> Event:
    """An audit package with something outstanding."""
    package = {
        "audit_id": "gordackaudit-01a207911f0f0000bd34bc9d61c2",
        "generated_at": AT,
        "generated_by": "olga",
        "route_count": 5,
        "acknowledgement_count": 3,
        "acknowledged_count": 3,
        "outstanding_count": 2,
        "escalated_count": 0,
        "alert_level": "warning",
        **changed,
    }
    data = {"metadata_kind": BY_NOUN["audit_package"].kind, BY_NOUN["audit_package"].key: package}
    return Event(EVENT_TYPES[AUDIT_SOURCE], EVENT_ID, AT, data, HASH)


def alert() -> Event:
    """An alert of the worker's health."""
    plan = {
        "plan_id": "gordackhealthalert-01a207911f0f0000bd34bc9d61c2",
        "health_id": "gordackhealth-01a207911f0f0000bd34bc9d61c2",
        "generated_at": AT,
        "alert_level": "critical",
        "alerts": [{"severity": "critical", "category": "missed_worker_run", "message": ""}],
    }
    return Event(EVENT_TYPES[ALERT_SOURCE], EVENT_ID, AT, {BY_NOUN["health_alert_plan"].key: plan}, HASH)


def drill(**changed: Any) -> Event:
    """A notification of a drill."""
    data = {
        "plan_id": "gordn-01a207911f0f0000bd34bc9d61c2",
        "schedule_id": "production-rollback",
        "generated_at": AT,
        "generated_by": "olga",
        "status": "due_soon",
        "alert_level": "warning",
        "next_due_at": "2026-12-01T09:00:00.000000+00:00",
        "reason": "due_soon",
        "provider": "slack",
        "routes": [],
        **changed,
    }
    return Event(EVENT_TYPES[NOTIFICATION_SOURCE], EVENT_ID, AT, data)


EVENTS = {"audit": audit, "alert": alert, "drill": drill}
