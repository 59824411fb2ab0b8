"""The dashboard page: every figure of E21 with its trend, the connectors, and charts that draw what one bounded read gives."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cavra_gateway.console.dashboard_reads import TRENDS, Counted, Counts, read_connectors, read_series
from cavra_gateway.console.dashboard_series import RANGES, Bucket, buckets
from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import Visiting
from cavra_gateway.dashboard import dashboard
from cavra_gateway.session import Session

router = APIRouter(route_class=Page)

_AUDIT: Final = "acknowledgement_audit_delivery_"
_FIGURES: Final = {
    "Now": {
        "alert_level": "Alert level",
        "~health": "Audit deliveries",
        "~retryable_count": "Failures to retry",
        "outstanding_acknowledgement_count": "Routes not acknowledged",
        "~connector_recovery_open_count": "Recoveries open",
        "~connector_recovery_reopened_count": "Recoveries reopened",
    },
    "Audit deliveries": {
        "~count": "Sends",
        "~success_count": "Sends delivered",
        "failed_acknowledgement_audit_delivery_count": "Sends failed",
        "~success_rate": "Success rate",
        "~plan_count": "Delivery plans",
        "acknowledgement_audit_package_count": "Audit packages",
    },
    "Retries": {
        "~retry_plan_count": "Retry plans",
        "~retry_ack_count": "Acknowledgements",
        "~retry_execution_approval_plan_count": "Approval plans",
        "~retry_execution_approval_decision_count": "Decisions",
        "~retry_execution_approved_count": "Approvals given",
        "~retry_refusal_count": "Refusals",
        "~retry_execution_record_count": "Executions",
        "~retry_execution_success_count": "Executions delivered",
        "~retry_execution_failed_count": "Executions failed",
        "~retry_execution_skipped_count": "Executions skipped",
        "~retry_execution_unknown_count": "Outcome unknown",
    },
    "Worker": {
        "~worker_run_count": "Runs",
        "~worker_dry_run_count": "Dry runs",
        "~worker_executed_count": "Live runs",
        "~worker_health_alert_count": "Health alerts",
        "~worker_health_alert_ack_count": "Alert acknowledgements",
    },
    "Recovery": {
        "~connector_recovery_playbook_count": "Playbooks",
        "~connector_recovery_closure_count": "Closures",
        "~connector_recovery_closed_count": "Recoveries closed",
        "~connector_recovery_superseded_count": "Recoveries superseded",
    },
    "Drill notifications": {
        "plan_count": "Notification plans",
        "notification_delivery_count": "Notifications sent",
        "acknowledgement_count": "Acknowledgements",
        "delivery_count": "Sends of every source",
        "failed_delivery_count": "Failed, every source",
    },
}
"""The figures and what they are called, in the order of the flow; ~ stands for the audit flow's prefix."""
_GROUPS: Final = tuple(
    (title, {name.replace("~", _AUDIT): label for name, label in names.items()})
    for title, names in _FIGURES.items()
)
_TONES: Final = {"critical": "bad", "warning": "warn", "healthy": "ok"}

Days = Annotated[int, Query()]


@router.get("/dashboard")
async def dashboard_page(request: Request, visitor: Visiting, days: Days = 7) -> Response:
    """How everything stands."""
    days = days if days in RANGES else 7
    session = visitor.session
    counts: Counts = request.app.state.counts
    found, connectors, trends = await asyncio.gather(
        dashboard(session), read_connectors(session), _trends(session, counts, days)
    )
    return page(
        request,
        "dashboard.html",
        groups=[
            (title, [_figure(name, label, found[name], trends) for name, label in names.items()])
            for title, names in _GROUPS
        ],
        found=found,
        down=[name for name, state in found["sources"].items() if state != "ok"],
        connectors=connectors,
        days=days,
        ranges=RANGES,
    )


@router.get("/data/series")
async def series(request: Request, visitor: Visiting, days: Days = 7) -> Response:
    """What the charts show, as JSON."""
    counts: Counts = request.app.state.counts
    document = await read_series(visitor.session, counts, days if days in RANGES else 7)
    return Response(orjson.dumps(document), media_type="application/json")


async def _trends(session: Session, counts: Counts, days: int) -> dict[str, tuple[Counted, Counted]]:
    """Per figure that counts records: how many came in the last `days`, and in as many before."""
    now = datetime.now(UTC)
    stretches = buckets(days, now)
    middle, end = stretches[0].start, stretches[-1].end
    halves = [Bucket(middle - (end - middle), middle), Bucket(middle, end)]
    shown = {figure for _, names in _GROUPS for figure in names}
    wanted = {name: place for name, place in TRENDS.items() if name in shown}
    found = await asyncio.gather(
        *(counts.series(session, service, filters, halves, now) for service, filters in wanted.values())
    )
    return {name: (one[1], one[0]) for name, one in zip(wanted, found, strict=True) if one is not None}


def _figure(name: str, label: str, value: Any, trends: dict[str, tuple[Counted, Counted]]) -> dict[str, Any]:
    text = (
        "not known"
        if value is None
        else f"{value:.1%}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else value
    )
    return {
        "name": name,
        "label": label,
        "text": text,
        "down": value is None,
        "tone": _TONES.get(value, "") if isinstance(value, str) else "",
        "trend": trends.get(name),
    }
