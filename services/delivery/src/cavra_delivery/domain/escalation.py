"""Escalation: which acknowledgements are overdue, and what is to be done about each."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cavra_evidence.draft import Actor, Draft
from cavra_evidence.records.delivery import EscalationPlan, EscalationRoute
from cavra_evidence.times import text

from cavra_delivery.domain.bounds import TRACE_BYTES, fitting
from cavra_delivery.domain.routes import DeliveredRoute
from cavra_delivery.domain.schedule import DEFAULT_ACKNOWLEDGEMENT_MINUTES


@dataclass(frozen=True, slots=True)
class Standing:
    """Delivered routes in numbers, and those to list: the outstanding first, oldest first, then the newest of the others."""

    route_count: int
    outstanding_count: int
    breached_count: int
    routes: Sequence[DeliveredRoute]


def plan_escalation(
    standing: Standing, minutes: int | None, actor: Actor, plan_id: str, now: datetime
) -> Draft:
    """Say which acknowledgements are overdue. `minutes` is the request's own bound; None leaves each route's."""
    parts = [_part(one, minutes, now) for one in standing.routes]
    listed = parts[: fitting(len(part.model_dump_json().encode()) + TRACE_BYTES for part in parts)]
    plan = EscalationPlan(
        plan_id=plan_id,
        generated_at=text(now),
        generated_by=actor.name,
        alert_level="critical"
        if standing.breached_count
        else "warning"
        if standing.outstanding_count
        else "healthy",
        acknowledgement_minutes=minutes or DEFAULT_ACKNOWLEDGEMENT_MINUTES,
        route_count=standing.route_count,
        outstanding_count=standing.outstanding_count,
        breached_count=standing.breached_count,
        omitted_count=standing.route_count - len(listed),
        routes=listed,
    )
    return Draft(plan, actor, trace_ids=tuple(dict.fromkeys(part.plan_id for part in listed)))


def _part(one: DeliveredRoute, minutes: int | None, now: datetime) -> EscalationRoute:
    route, acknowledged = one.route, bool(one.acknowledgement_state)
    within = minutes or route.acknowledgement_minutes
    age = max(now - route.created_at, timedelta(0))
    breached = not acknowledged and age >= timedelta(minutes=within)
    return EscalationRoute(
        schedule_id=route.schedule_id,
        plan_id=route.plan_id,
        provider=route.provider,
        owner=route.owner,
        acknowledgement_state=one.acknowledgement_state,
        acknowledged=acknowledged,
        age_minutes=age // timedelta(minutes=1),
        acknowledgement_minutes=within,
        breached=breached,
        recommended_action=_recommended(route.escalation_owner, acknowledged, breached),
    )


def _recommended(escalation_owner: str, acknowledged: bool, breached: bool) -> str:
    if acknowledged:
        return "none"
    if not breached:
        return "await_acknowledgement"
    return "notify_escalation_owner" if escalation_owner else "notify_owner"
