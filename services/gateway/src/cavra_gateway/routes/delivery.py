"""Drills, acknowledgements, audit packages and their delivery (E0-E5, E22-E24)."""

from typing import Annotated, Any, Final

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_service.errors import Refused
from cavra_service.wire import timestamp
from fastapi import APIRouter, Path, Query
from fastapi.responses import Response
from google.protobuf.struct_pb2 import Struct

from cavra_gateway import answers, bodies, queries
from cavra_gateway.docs import documented, reported
from cavra_gateway.fields import provider_list, requested
from cavra_gateway.http import Route, answer
from cavra_gateway.records import optional_parts, parts
from cavra_gateway.reports import report
from cavra_gateway.routes.paths import AUDIT_DELIVERY, NOTIFICATIONS, SCHEDULE
from cavra_gateway.session import Me

router = APIRouter(route_class=Route, tags=["delivery"])

_DEEPEST: Final = 20
"""Levels of a JSON object that is passed on: protobuf reads at most 100, and takes up to three for each."""

ScheduleId = Annotated[str, Path(description="The schedule.", examples=["prod-rollback-drill"])]


@router.get(SCHEDULE, **reported("get_drill_schedule", pb.ScheduleReport))
async def get_drill_schedule(me: Me) -> Response:
    """The drill schedule and history files, checked."""
    response = await me.call(me.services.delivery.GetDrillSchedule, pb.GetDrillScheduleRequest())
    return answer(report(response.report))


@router.post(NOTIFICATIONS + "/deliver", **documented("notify_drill", answers.Notified))
async def notify_drill(me: Me, body: bodies.NotifyBody = bodies.NotifyBody()) -> Response:  # noqa: B008 frozen
    """Plan a notification of the drill schedule and send it to the providers whose routes are deliverable."""
    response = await me.send(
        me.services.delivery.NotifyDrill,
        pb.NotifyDrillRequest(
            providers=provider_list(body.provider),
            force=body.force,
            routing_policy=_struct(body.routing_policy),
            retries=body.retries,
            timeout_seconds=body.timeout_seconds,
        ),
    )
    plan, plan_metadata = parts(response.plan)
    delivery, metadata = optional_parts(response, "delivery")
    return answer(
        {
            "schedule": report(response.schedule),
            "plan": plan,
            "delivery": delivery,
            "plan_metadata": plan_metadata,
            "metadata": metadata,
            "success": response.success,
            "event_id": response.event_id,
        }
    )


@router.post(
    NOTIFICATIONS + "/{schedule_id}/acknowledgements",
    **documented("acknowledge_drill", answers.DrillAcknowledged),
)
async def acknowledge_drill(me: Me, schedule_id: ScheduleId, body: bodies.AcknowledgeBody) -> Response:
    """Acknowledge one route of the schedule's newest, or the named, notification plan."""
    response = await me.call(
        me.services.delivery.AcknowledgeDrill,
        pb.AcknowledgeDrillRequest(
            schedule_id=schedule_id,
            provider=body.provider,
            acknowledgement_state=_state(body.acknowledgement_state),
            external_ref=body.external_ref,
            notes=body.notes,
            plan_id=body.plan_id,
        ),
    )
    acknowledgement, metadata = parts(response.acknowledgement)
    return answer({"acknowledgement": acknowledgement, "metadata": metadata, "actor": me.actor})


@router.post(
    NOTIFICATIONS + "/acknowledgements/bulk",
    **documented("acknowledge_drills_in_bulk", answers.DrillsAcknowledged),
)
async def acknowledge_drills_in_bulk(me: Me, body: bodies.BulkAcknowledgeBody) -> Response:
    """Acknowledge up to 100 routes, all or none."""
    routes = [
        pb.DrillRoute(
            schedule_id=route.schedule_id,
            provider=route.provider,
            plan_id=route.plan_id,
            external_ref=route.external_ref,
            notes=route.notes,
        )
        for route in body.routes
    ]
    response = await me.call(
        me.services.delivery.BatchAcknowledgeDrills,
        pb.BatchAcknowledgeDrillsRequest(
            routes=routes,
            acknowledgement_state=_state(body.acknowledgement_state),
            external_ref=body.external_ref,
            notes=body.notes,
        ),
    )
    served = [parts(record) for record in response.acknowledgements]
    return answer(
        {
            "bulk_id": response.bulk_id,
            "acknowledgement_state": body.acknowledgement_state,
            "acknowledgement_count": len(served),
            "acknowledgements": [acknowledgement for acknowledgement, _ in served],
            "metadata": [metadata for _, metadata in served],
            "actor": me.actor,
        }
    )


@router.post(
    NOTIFICATIONS + "/acknowledgements/audit-package",
    **documented("create_audit_package", answers.AuditPacked),
)
async def create_audit_package(
    me: Me,
    body: bodies.AuditPackageBody = bodies.AuditPackageBody(),  # noqa: B008 frozen
) -> Response:
    """Pack the routes and acknowledgements that match the filters."""
    response = await me.call(
        me.services.delivery.CreateAuditPackage, pb.CreateAuditPackageRequest(filters=_filters(body))
    )
    audit_package, metadata = parts(response.audit_package)
    return answer({"audit_package": audit_package, "metadata": metadata, "actor": me.actor})


@router.post(AUDIT_DELIVERY, **documented("deliver_audit", answers.AuditDelivered))
async def deliver_audit(
    me: Me,
    body: bodies.DeliverAuditBody = bodies.DeliverAuditBody(),  # noqa: B008 frozen
) -> Response:
    """Pack, then send the package to the selected connectors. A receiver that does not take it makes `success` false."""
    providers = provider_list(body.delivery_provider or body.provider)
    response = await me.send(
        me.services.delivery.DeliverAudit,
        pb.DeliverAuditRequest(
            filters=_filters(body),
            providers=providers,
            cadence=body.cadence,
            schedule_ref=body.schedule_ref,
            next_delivery_at=timestamp(body.next_delivery_at),
            retries=body.retries,
            timeout_seconds=body.timeout_seconds,
            requested_provider=requested(providers),
        ),
    )
    audit_package, audit_metadata = parts(response.audit_package)
    delivery_plan, plan_metadata = parts(response.delivery_plan)
    delivery, metadata = optional_parts(response, "delivery")
    return answer(
        {
            "audit_package": audit_package,
            "audit_metadata": audit_metadata,
            "delivery_plan": delivery_plan,
            "plan_metadata": plan_metadata,
            "delivery": delivery,
            "metadata": metadata,
            "success": response.success,
            "actor": me.actor,
        }
    )


@router.post(NOTIFICATIONS + "/escalation-plan", **documented("plan_escalation", answers.EscalationPlanned))
async def plan_escalation(
    me: Me,
    body: bodies.EscalationBody = bodies.EscalationBody(),  # noqa: B008 frozen
) -> Response:
    """Say which acknowledgements are overdue."""
    minutes = body.policy.acknowledgement_minutes or body.default_slo.acknowledgement_minutes
    response = await me.call(
        me.services.delivery.PlanEscalation, pb.PlanEscalationRequest(acknowledgement_minutes=minutes)
    )
    served = parts(response.plan)
    return answer({"plan": served[0], "metadata": served[1]})


@router.get(
    NOTIFICATIONS + "/routes",
    **reported("list_routes", pb.Route, listed=("schedule_id", "provider", "owner", "action", "category")),
)
async def list_routes(me: Me, query: Annotated[queries.RoutesQuery, Query()]) -> Response:
    """Route decisions of all notification plans, newest first."""
    page = query.checked()
    filters = {
        name: getattr(query, name) or ""
        for name in ("schedule_id", "provider", "owner", "action", "category")
    }
    response = await me.call(
        me.services.delivery.ListRoutes,
        pb.ListRoutesRequest(
            **{**filters, "category": f"ROUTE_CATEGORY_{(query.category or 'unspecified').upper()}"},
            limit=page.limit,
            offset=page.offset,
        ),
    )
    return answer(
        {
            "items": [report(route) for route in response.routes],
            "total": response.total,
            "limit": page.limit,
            "offset": page.offset,
            "filters": filters,
        }
    )


@router.get(
    NOTIFICATIONS + "/suppression-trends",
    **reported("get_suppression_trend", pb.GetSuppressionTrendResponse, key="trend"),
)
async def get_suppression_trend(me: Me, query: Annotated[queries.TrendQuery, Query()]) -> Response:
    """Why routes were suppressed, counted. Reading writes nothing."""
    filters = {name: getattr(query, name) or "" for name in ("schedule_id", "provider", "owner")}
    response = await me.call(
        me.services.delivery.GetSuppressionTrend, pb.GetSuppressionTrendRequest(**filters)
    )
    return answer({"trend": {**report(response), "filters": filters}})


def _filters(body: bodies.AuditPackageBody) -> pb.AuditFilters:
    provider = "" if body.provider == "all" else body.provider
    return pb.AuditFilters(schedule_id=body.schedule_id, provider=provider, owner=body.owner)


def _state(state: str) -> Any:
    return f"ACKNOWLEDGEMENT_STATE_{state.upper()}"


def _struct(document: dict[str, Any]) -> Struct:
    struct = Struct()
    try:
        struct.update(_plain(document))
    except (ValueError, TypeError, OverflowError, RecursionError):
        raise Refused("invalid_value", "not a JSON object that can be passed on", "routing_policy") from None
    return struct


def _plain(value: Any, levels: int = _DEEPEST) -> Any:
    """Numbers as a protobuf Struct holds them. Raises ValueError for what is nested deeper than `levels`."""
    if levels == 0:
        raise ValueError("nested too deep")
    match value:
        case dict():
            return {name: _plain(item, levels - 1) for name, item in value.items()}
        case list():
            return [_plain(item, levels - 1) for item in value]
        case str() | bool() | None:
            return value
    return float(value)
