"""A drill's notification: which routes are told now, which are suppressed, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cavra_evidence.draft import Actor, Draft
from cavra_evidence.records.delivery import (
    MaintenanceWindow,
    NotificationPlan,
    OwnerAvailability,
    OwnerRoute,
    RouteDecision,
)
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import optional_text, text
from pydantic import ConfigDict, ValidationError

from cavra_delivery.domain.bounds import fitting
from cavra_delivery.domain.routes import DELIVER, Route
from cavra_delivery.domain.schedule import (
    MOST_NAMES,
    Calendar,
    RouteRule,
    RoutingFields,
    Schedule,
    Window,
    route_rules,
)
from cavra_delivery.domain.shapes import complaint


class RoutingPolicy(RoutingFields):
    """What one notification overrides: each given field takes the place of the file's."""

    model_config = ConfigDict(extra="forbid")


@dataclass(frozen=True, slots=True)
class Routing:
    """Who is to be told, and what suppresses it."""

    rules: tuple[RouteRule, ...]
    windows: Sequence[Window]
    calendars: Mapping[str, Calendar]


@dataclass(frozen=True, slots=True)
class Notification:
    """A planned notification."""

    plan: NotificationPlan
    draft: Draft
    routes: tuple[Route, ...]

    def routes_to(self, provider: str) -> list[Route]:
        """The deliverable routes through one provider."""
        return [route for route in self.routes if route.category == DELIVER and route.provider == provider]


def routing_of(schedule: Schedule, overrides: Mapping[str, Any], providers: Sequence[str]) -> Routing:
    """The schedule's routing under a request's overrides, for some providers (none: all).

    Raises Refusal `invalid_value` for overrides of another shape and `provider_not_configured` for a provider that no route has.
    """
    given = _overrides(overrides)
    base: RoutingFields = given
    rules: list[RouteRule] = []
    if schedule.file is not None:
        own = {name: getattr(given, name) for name in given.model_fields_set}
        base = schedule.file.model_copy(update=own)
        rules = route_rules(schedule.file, base.owner_routes)
    named = {rule.provider for rule in rules}
    if len(named) > MOST_NAMES:
        raise Refusal("invalid_value", f"at most {MOST_NAMES} providers", "routing_policy.owner_routes")
    unknown = set(providers) - named
    if unknown:
        raise Refusal("provider_not_configured", "the schedule names no such provider", "providers")
    chosen = tuple(rule for rule in rules if not providers or rule.provider in providers)
    return Routing(chosen, base.maintenance_windows, base.owner_calendars)


def _overrides(given: Mapping[str, Any]) -> RoutingPolicy:
    # The field goes no deeper than the policy's own: below it stand names that the caller chose.
    try:
        return RoutingPolicy.model_validate(given)
    except ValidationError as error:
        where = error.errors(include_url=False, include_input=False, include_context=False)[0]["loc"][0]
        known = f".{where}" if where in RoutingPolicy.model_fields else ""
        raise Refusal("invalid_value", complaint(error, "routing_policy"), f"routing_policy{known}") from None


def plan_notification(
    schedule: Schedule,
    routing: Routing,
    force: bool,
    actor: Actor,
    plan_id: str,
    route_ids: Sequence[str],
    now: datetime,
) -> Notification:
    """Decide every route. `route_ids` holds one new id for each of `routing.rules`.

    Nothing goes out while nothing is due, unless forced; a maintenance window or an owner's absence suppresses even then.
    """
    cause = _cause(schedule, force)
    window = next((one for one in routing.windows if one.start_at <= now < one.end_at), None)
    decided = [
        _decide(schedule, rule, cause, window, routing.calendars.get(rule.owner), (route_id, plan_id, now))
        for rule, route_id in zip(routing.rules, route_ids, strict=True)
    ]
    routes = tuple(route for route, _ in decided)
    parts = [part for _, part in decided]
    plan = _record(schedule, routes, parts, cause, actor, plan_id, now)
    draft = Draft(
        plan,
        actor,
        trace_ids=(plan_id,),
        decision_count=len(routes),
        blocked_count=plan.suppressed_route_count,
    )
    return Notification(plan, draft, routes)


def _cause(schedule: Schedule, force: bool) -> str:
    """Why routes are delivered; empty when nothing is due."""
    if schedule.status in ("due_soon", "needs_attention"):
        return schedule.status
    return "forced" if force else ""


def _decide(
    schedule: Schedule,
    rule: RouteRule,
    cause: str,
    window: Window | None,
    calendar: Calendar | None,
    made: tuple[str, str, datetime],
) -> tuple[Route, RouteDecision]:
    route_id, plan_id, now = made
    available, absence = _availability(calendar, now)
    if not cause:
        category = "healthy_schedule"
    elif window is not None:
        category = "maintenance_window"
    elif not available:
        category = "owner_calendar"
    else:
        category = DELIVER
    route = Route(
        route_id,
        now,
        plan_id,
        "" if schedule.file is None else schedule.file.schedule_id,
        schedule.alert_level,
        rule.provider,
        rule.owner,
        rule.escalation_owner,
        category,
        cause if category == DELIVER else category,
        rule.acknowledgement_minutes,
        "" if window is None else window.window_id,
        "" if window is None else window.reason,
        available,
        absence,
        None if schedule.file is None else schedule.file.next_due_at,
    )
    part = RouteDecision(
        route_key=route_id,
        schedule_id=route.schedule_id,
        provider=rule.provider,
        owner=rule.owner,
        acknowledgement_minutes=rule.acknowledgement_minutes,
        escalation_owner=rule.escalation_owner,
        maintenance_window=_window_part(window),
        owner_availability=OwnerAvailability(available=available, reason=absence),
        action=route.action,
        reason=route.reason,
    )
    return route, part


def _availability(calendar: Calendar | None, now: datetime) -> tuple[bool, str]:
    if calendar is None:
        return True, ""
    if not calendar.available:
        return False, calendar.reason
    absence = next((one for one in calendar.unavailable if one.start_at <= now < one.end_at), None)
    return (True, "") if absence is None else (False, absence.reason)


def _window_part(window: Window | None) -> MaintenanceWindow | None:
    if window is None:
        return None
    return MaintenanceWindow(
        window_id=window.window_id,
        start_at=text(window.start_at),
        end_at=text(window.end_at),
        reason=window.reason,
    )


def _record(
    schedule: Schedule,
    routes: Sequence[Route],
    decisions: Sequence[RouteDecision],
    cause: str,
    actor: Actor,
    plan_id: str,
    now: datetime,
) -> NotificationPlan:
    told = [route for route in routes if route.category == DELIVER]
    selected = list(dict.fromkeys(route.provider for route in told))
    named = dict.fromkeys(route.provider for route in routes)
    plan = NotificationPlan(
        plan_id=plan_id,
        schedule_id="" if schedule.file is None else schedule.file.schedule_id,
        generated_at=text(now),
        generated_by=actor.name,
        status=schedule.status,
        alert_level=schedule.alert_level,
        eligible_providers=schedule.providers,
        selected_providers=selected,
        acknowledgement_required_providers=selected,
        suppressed_providers=[name for name in named if name not in selected],
        owners=list(dict.fromkeys(route.owner for route in routes))[:50],
        owner_routes=[],
        route_decisions=[],
        deliverable_route_count=len(told),
        suppressed_route_count=len(routes) - len(told),
        maintenance_suppressed_count=sum(route.category == "maintenance_window" for route in routes),
        calendar_suppressed_count=sum(route.category == "owner_calendar" for route in routes),
        next_due_at=optional_text(None if schedule.file is None else schedule.file.next_due_at),
        reason=_reason(routes, told, cause),
        controls=["due_checked", "maintenance_windows_checked", "owner_calendars_checked"]
        if routes
        else ["due_checked"],
    )
    # Providers stand at the top of the envelope as well, and each route stands in the record twice.
    sizes = (2 * len(part.model_dump_json().encode()) for part in decisions)
    listed = decisions[: fitting(sizes, 2 * len(plan.model_dump_json().encode()))]
    return plan.model_copy(
        update={
            "owner_routes": [OwnerRoute(**_owner_fields(part)) for part in listed],
            "route_decisions": list(listed),
            "omitted_count": len(decisions) - len(listed),
        }
    )


def _owner_fields(part: RouteDecision) -> dict[str, Any]:
    return {name: getattr(part, name) for name in OwnerRoute.model_fields}


def _reason(routes: Sequence[Route], told: Sequence[Route], cause: str) -> str:
    """Why the plan as a whole tells somebody, or nobody."""
    if told:
        return cause
    if not routes:
        return "no_routes"
    reasons = {route.reason for route in routes}
    return reasons.pop() if len(reasons) == 1 else "all_routes_suppressed"


def event_data(notification: Notification, provider: str) -> dict[str, Any]:
    """What a receiver is told: the plan in short, and the provider's own routes."""
    shown = (
        "plan_id",
        "schedule_id",
        "generated_at",
        "generated_by",
        "status",
        "alert_level",
        "next_due_at",
        "reason",
    )
    routes = [
        {
            "route_id": route.route_id,
            "owner": route.owner,
            "acknowledgement_minutes": route.acknowledgement_minutes,
            "escalation_owner": route.escalation_owner,
        }
        for route in notification.routes_to(provider)
    ]
    return {
        **{name: getattr(notification.plan, name) for name in shown},
        "provider": provider,
        "routes": routes,
    }
