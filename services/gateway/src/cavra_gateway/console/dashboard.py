"""The dashboard page: every figure of E21 with its trend, the connectors, and charts that draw what one bounded read gives."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated, Any, Final

import orjson
from cavra_verify.kinds import BY_NOUN
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cavra_gateway.console.dashboard_reads import Counts, read_connectors, read_series
from cavra_gateway.console.dashboard_series import RANGES, Bucket, buckets
from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import Visiting
from cavra_gateway.dashboard import dashboard
from cavra_gateway.domain.figures import RECORDS
from cavra_gateway.session import Session

router = APIRouter(route_class=Page)

_AUDIT: Final = "acknowledgement_audit_delivery_"
_FIGURES: Final = {
    "Now": (
        "alert_level ~health ~retryable_count"
        " outstanding_acknowledgement_count ~connector_recovery_open_count ~connector_recovery_reopened_count"
    ),
    "Audit deliveries": (
        "~count ~success_count failed_acknowledgement_audit_delivery_count"
        " ~success_rate ~plan_count acknowledgement_audit_package_count"
    ),
    "Retries": (
        "~retry_plan_count ~retry_ack_count ~retry_execution_approval_plan_count ~retry_execution_approval_decision_count"
        " ~retry_execution_approved_count ~retry_refusal_count ~retry_execution_record_count ~retry_execution_success_count"
        " ~retry_execution_failed_count ~retry_execution_skipped_count ~retry_execution_unknown_count"
    ),
    "Worker": (
        "~worker_run_count ~worker_dry_run_count"
        " ~worker_executed_count ~worker_health_alert_count ~worker_health_alert_ack_count"
    ),
    "Recovery": (
        "~connector_recovery_playbook_count ~connector_recovery_closure_count ~connector_recovery_closed_count"
        " ~connector_recovery_superseded_count"
    ),
    "Drill notifications": (
        "plan_count delivery_count notification_delivery_count failed_delivery_count acknowledgement_count"
    ),
}
"""The figures in the order of the flow; ~ stands for the audit flow's prefix."""
_GROUPS: Final = tuple(
    (title, tuple(name.replace("~", _AUDIT) for name in names.split())) for title, names in _FIGURES.items()
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
        groups=[(title, [_figure(name, found[name], trends) for name in names]) for title, names in _GROUPS],
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


async def _trends(session: Session, counts: Counts, days: int) -> dict[str, tuple[int, int]]:
    """Per figure that counts records of a kind: how many came in the last `days`, and in as many before."""
    now = datetime.now(UTC)
    stretches = buckets(days, now)
    middle, end = stretches[0].start, stretches[-1].end
    halves = [Bucket(middle - (end - middle), middle), Bucket(middle, end)]
    shown = {figure for _, names in _GROUPS for figure in names}
    wanted = {name: place for name, place in RECORDS.items() if name in shown}
    found = await asyncio.gather(
        *(
            counts.series(session, service, (("metadata_kind", BY_NOUN[noun].kind),), halves, now)
            for service, noun in wanted.values()
        )
    )
    return {name: (one[1], one[0]) for name, one in zip(wanted, found, strict=True) if one is not None}


def _figure(name: str, value: Any, trends: dict[str, tuple[int, int]]) -> dict[str, Any]:
    label = name.removeprefix(_AUDIT).removesuffix("_count").replace("_", " ")
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
