"""RPCs that look at routes: lists, trends, what is outstanding, and escalation."""

from typing import Any, Final

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_evidence.ids import new_id
from cavra_service.errors import Refused
from cavra_service.identity import caller
from cavra_service.store.protocol import Commit
from cavra_service.wire import record_of_entry, timestamp
from cavra_verify.kinds import BY_NOUN

from cavra_delivery.domain.escalation import plan_escalation
from cavra_delivery.domain.routes import DELIVER, SUPPRESS, RouteFilter, suppression_trend
from cavra_delivery.rpc import encode
from cavra_delivery.rpc.decode import within
from cavra_delivery.rpc.parts import Topic
from cavra_delivery.store.routes import newest_routes, outstanding, route_counts, standing

_MOST_OFFSET: Final = 10_000
_LATEST_EVENTS: Final = 20

_CATEGORIES: Final = {
    pb.ROUTE_CATEGORY_UNSPECIFIED: "",
    pb.ROUTE_CATEGORY_DELIVER: DELIVER,
    pb.ROUTE_CATEGORY_MAINTENANCE_WINDOW: "maintenance_window",
    pb.ROUTE_CATEGORY_OWNER_CALENDAR: "owner_calendar",
    pb.ROUTE_CATEGORY_HEALTHY_SCHEDULE: "healthy_schedule",
    pb.ROUTE_CATEGORY_OTHER: "other",
}


class Routes(Topic):
    """See the contract."""

    async def ListRoutes(self, request: pb.ListRoutesRequest, context: Any) -> pb.ListRoutesResponse:
        """See the contract."""
        limit = within(request, "limit", 1, 500, 50)
        if request.offset > _MOST_OFFSET:
            raise Refused("use_cursor", f"an offset of at most {_MOST_OFFSET}", "offset")
        offset = within(request, "offset", 0, _MOST_OFFSET, 0)
        if request.action not in ("", DELIVER, SUPPRESS):
            raise Refused("invalid_value", "deliver or suppress", "action")
        category = _CATEGORIES.get(request.category)
        if category is None:
            raise Refused("invalid_value", "not a category", "category")
        wanted = RouteFilter(request.schedule_id, request.provider, request.owner, request.action, category)
        routes = await newest_routes(self._store, wanted, limit, offset)
        total = sum(count.count for count in await route_counts(self._store) if wanted.matches(count))
        return pb.ListRoutesResponse(routes=[encode.route(one) for one in routes], total=total)

    async def GetSuppressionTrend(
        self, request: pb.GetSuppressionTrendRequest, context: Any
    ) -> pb.GetSuppressionTrendResponse:
        """See the contract."""
        wanted = RouteFilter(request.schedule_id, request.provider, request.owner, SUPPRESS)
        trend = suppression_trend(one for one in await route_counts(self._store) if wanted.matches(one))
        latest = await newest_routes(self._store, wanted, _LATEST_EVENTS)
        return pb.GetSuppressionTrendResponse(
            trend_id=new_id("gordtrend"),
            generated_at=timestamp(self._clock()),
            alert_level=trend.alert_level,
            suppression_event_count=trend.total,
            category_counts=trend.by_category,
            owner_counts=trend.by_owner,
            provider_counts=trend.by_provider,
            schedule_counts=trend.by_schedule,
            maintenance_suppressed_count=trend.by_category["maintenance_window"],
            calendar_suppressed_count=trend.by_category["owner_calendar"],
            healthy_schedule_suppressed_count=trend.by_category["healthy_schedule"],
            latest_events=[encode.route(one) for one in latest],
        )

    async def ListOutstandingAcknowledgements(
        self, request: pb.ListOutstandingAcknowledgementsRequest, context: Any
    ) -> pb.ListOutstandingAcknowledgementsResponse:
        """See the contract."""
        rows, total = await outstanding(self._store, within(request, "limit", 1, 500, 20))
        items = [
            pb.ListOutstandingAcknowledgementsResponse.Item(
                schedule_id=row["schedule_id"], provider=row["provider"], plan_id=row["plan_id"]
            )
            for row in rows
        ]
        return pb.ListOutstandingAcknowledgementsResponse(items=items, total=total)

    async def PlanEscalation(
        self, request: pb.PlanEscalationRequest, context: Any
    ) -> pb.PlanEscalationResponse:
        """See the contract."""
        minutes = within(request, "acknowledgement_minutes", 1, 525_600, 0) or None
        now = self._clock()
        plan_id = new_id(BY_NOUN["escalation_plan"].prefix)
        draft = plan_escalation(
            await standing(self._store, minutes, now), minutes, caller().actor, plan_id, now
        )
        entries = await self._store.commit(Commit([draft]))
        return pb.PlanEscalationResponse(plan=record_of_entry(entries[0], self._store.origin))
