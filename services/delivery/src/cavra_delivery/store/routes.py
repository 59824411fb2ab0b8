"""Routes, notices and their counts: statements that keep them, reads that give them back."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from cavra_evidence.records.delivery import AuditFilters
from cavra_evidence.times import moment, optional_text, text
from cavra_service.store.protocol import Conflict, Row, Statement, Store
from cavra_verify.grammar import BOUNDS

from cavra_delivery.domain.acknowledgements import Acknowledged, Notice
from cavra_delivery.domain.audit import matching
from cavra_delivery.domain.escalation import Standing
from cavra_delivery.domain.notify import Notification
from cavra_delivery.domain.routes import DELIVER, DeliveredRoute, Route, RouteCount, RouteFilter, keys_of

_READS = 5
"""How often a package is read again when acknowledgements come in between."""


def notification_statements(notification: Notification) -> tuple[list[Statement], dict[str, int]]:
    """What a plan leaves beside its record, and the gauges it moves."""
    plan = notification.plan
    statements = [
        Statement("insert_notification_plan", {"plan_id": plan.plan_id, "schedule_id": plan.schedule_id})
    ]
    for route in notification.routes:
        statements.append(Statement("insert_route", _route_row(route)))
        statements += (
            Statement("insert_route_key", {"key": key, "route_id": route.route_id}) for key in keys_of(route)
        )
        statements.append(_count(route.schedule_id, route.provider, route.owner, route.category, "", 1))
    for provider in plan.selected_providers:
        params = {"plan_id": plan.plan_id, "provider": provider, "schedule_id": plan.schedule_id}
        statements.append(Statement("insert_notice", params))
    return statements, {"outstanding_acknowledgements": len(plan.selected_providers)}


def _route_row(route: Route) -> dict[str, Any]:
    return {
        "route_id": route.route_id,
        "created_at": text(route.created_at),
        "plan_id": route.plan_id,
        "schedule_id": route.schedule_id,
        "alert_level": route.alert_level,
        "provider": route.provider,
        "owner": route.owner,
        "escalation_owner": route.escalation_owner,
        "category": route.category,
        "reason": route.reason,
        "acknowledgement_minutes": route.acknowledgement_minutes,
        "breach_at": text(route.created_at + timedelta(minutes=route.acknowledgement_minutes)),
        "window_id": route.window_id,
        "window_reason": route.window_reason,
        "owner_available": int(route.owner_available),
        "owner_reason": route.owner_reason,
        "next_due_at": optional_text(route.next_due_at),
    }


def _count(schedule_id: str, provider: str, owner: str, category: str, state: str, delta: int) -> Statement:
    params = {
        "schedule_id": schedule_id,
        "provider": provider,
        "owner": owner,
        "category": category,
        "acknowledgement_state": state,
        "delta": delta,
    }
    return Statement("move_route_count", params)


async def acknowledgement_statements(store: Store, done: Acknowledged) -> list[Statement]:
    """What an acknowledgement changes, if its notice is still what was decided on."""
    before, ack = done.before, done.ack
    statements = [
        Statement(
            "acknowledge_notice",
            {
                "plan_id": ack.plan_id,
                "provider": ack.provider,
                "version": before.version,
                "acknowledgement_state": ack.acknowledgement_state,
                "acknowledgement_id": ack.acknowledgement_id,
                "acknowledged_by": ack.acknowledged_by,
                "acknowledged_at": ack.acknowledged_at,
                "external_ref": ack.external_ref,
                "notes": ack.notes,
            },
            expect=1,
        )
    ]
    for row in await store.rows("owners_of_notice", plan_id=ack.plan_id, provider=ack.provider):
        make = (ack.schedule_id, ack.provider, row["owner"], DELIVER)
        statements.append(_count(*make, before.acknowledgement_state, -row["n"]))
        statements.append(_count(*make, ack.acknowledgement_state, row["n"]))
    return statements


async def find_notice(store: Store, schedule_id: str, provider: str, plan_id: str) -> Notice | None:
    """What an acknowledgement is about: of the plan, or of the schedule's newest that has the provider's route."""
    if plan_id:
        row = await store.row("notice", plan_id=plan_id, provider=provider)
    else:
        row = await store.row("newest_notice", schedule_id=schedule_id, provider=provider)
    if row is None:
        return None
    return Notice(
        row["plan_id"], row["provider"], row["schedule_id"], row["acknowledgement_state"], row["version"]
    )


async def route_counts(store: Store) -> list[RouteCount]:
    """How many routes there are of each make."""
    return [
        RouteCount(
            row["schedule_id"],
            row["provider"],
            row["owner"],
            row["category"],
            row["acknowledgement_state"],
            row["n"],
        )
        for row in await store.rows("route_counts")
    ]


async def newest_routes(store: Store, wanted: RouteFilter, limit: int, offset: int = 0) -> list[Route]:
    """Matching routes, newest first."""
    if wanted.contradictory:
        return []
    rows = await store.rows("routes_newest", key=wanted.key, limit=limit, offset=offset)
    return [_route(row) for row in rows]


async def delivered_routes(
    store: Store, filters: AuditFilters
) -> tuple[list[RouteCount], list[DeliveredRoute]]:
    """What an audit package is made of: counts of all that matches, and its first 50 routes, oldest first, both of one moment."""
    counts = matching(await route_counts(store), filters)
    for _ in range(_READS):
        routes = await _oldest(store, filters, counts)
        before, counts = counts, matching(await route_counts(store), filters)
        if before == counts:
            return counts, routes
    raise Conflict("acknowledgements keep coming in")


async def _oldest(store: Store, filters: AuditFilters, counts: Iterable[RouteCount]) -> list[DeliveredRoute]:
    owners = sorted({count.owner for count in counts}) if filters.owner else [""]
    found: list[DeliveredRoute] = []
    for owner in owners:
        wanted = RouteFilter(filters.schedule_id, filters.provider, owner, category=DELIVER)
        rows = await store.rows("delivered_oldest", key=wanted.key, limit=BOUNDS["items"])
        found += (_delivered(row) for row in rows)
    return sorted(found, key=lambda one: one.route.route_id)[: BOUNDS["items"]]


async def standing(store: Store, minutes: int | None, now: datetime) -> Standing:
    """Delivered routes in numbers, and those that an escalation plan lists."""
    counts = [count for count in await route_counts(store) if count.category == DELIVER]
    limit = BOUNDS["items"]
    routes = [_delivered(row) for row in await store.rows("outstanding_routes", limit=limit)]
    if len(routes) < limit:
        newest = await store.rows("delivered_newest", key=RouteFilter(category=DELIVER).key, limit=limit)
        settled = [one for one in map(_delivered, newest) if one.acknowledgement_state]
        routes += settled[: limit - len(routes)]
    if minutes is None:
        breached = await store.row("count_breached", now=text(now))
    else:
        breached = await store.row("count_breached_since", before=text(now - timedelta(minutes=minutes)))
    return Standing(
        sum(count.count for count in counts),
        sum(count.count for count in counts if not count.acknowledgement_state),
        0 if breached is None else breached["n"],
        routes,
    )


async def outstanding(store: Store, limit: int) -> tuple[Sequence[Row], int]:
    """(what waits for an acknowledgement, oldest first; how many wait in all)."""
    total = await store.row("counter", name="gauge:outstanding_acknowledgements")
    return await store.rows("outstanding_notices", limit=limit), 0 if total is None else total["value"]


def _route(row: Row) -> Route:
    due = row["next_due_at"]
    return Route(
        row["route_id"],
        moment(row["created_at"]),
        row["plan_id"],
        row["schedule_id"],
        row["alert_level"],
        row["provider"],
        row["owner"],
        row["escalation_owner"],
        row["category"],
        row["reason"],
        row["acknowledgement_minutes"],
        row["window_id"],
        row["window_reason"],
        bool(row["owner_available"]),
        row["owner_reason"],
        None if due is None else moment(due),
    )


def _delivered(row: Row) -> DeliveredRoute:
    at = row["acknowledged_at"]
    return DeliveredRoute(
        _route(row),
        row["acknowledgement_state"],
        row["acknowledgement_id"],
        row["acknowledged_by"],
        None if at is None else moment(at),
        row["external_ref"],
        row["notes"],
    )
