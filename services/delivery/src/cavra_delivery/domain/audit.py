"""Audit packages: who acknowledged which delivered route, and the plan that sends a package to connectors."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.delivery import AuditFilters, AuditPackage, AuditRoute, DeliveryPlan
from cavra_evidence.times import optional_text, text
from cavra_verify.kinds import BY_NOUN
from cavra_verify.secret_rules import SCANNED_CONTROL

from cavra_delivery.domain.bounds import CAUSE_BYTES, TRACE_BYTES, fitting
from cavra_delivery.domain.routes import DELIVER, DeliveredRoute, RouteCount, RouteFilter

MOST_TRACES = 50


def matching(counts: Iterable[RouteCount], filters: AuditFilters) -> list[RouteCount]:
    """The counts of delivered routes that a package's filters match."""
    wanted = RouteFilter(filters.schedule_id, filters.provider, category=DELIVER)
    owner = filters.owner.casefold()
    return [count for count in counts if wanted.matches(count) and owner in count.owner.casefold()]


def audit_package(
    filters: AuditFilters,
    counts: Sequence[RouteCount],
    routes: Sequence[DeliveredRoute],
    actor: Actor,
    audit_id: str,
    delivery_id: str,
    now: datetime,
) -> tuple[Draft, AuditPackage]:
    """Pack what matches: `counts` of all of it, and its first `routes`, oldest first. `delivery_id` is empty when it is made for none."""
    states = Counter[str]()
    for count in counts:
        states[count.acknowledgement_state] += count.count
    parts = [_part(one) for one in routes]
    fit = fitting(len(part.model_dump_json().encode()) + CAUSE_BYTES + TRACE_BYTES for part in parts)
    listed, total, outstanding = parts[:fit], states.total(), states[""]
    package = AuditPackage(
        audit_id=audit_id,
        generated_at=text(now),
        generated_by=actor.name,
        filters=filters,
        route_count=total,
        acknowledgement_count=total - outstanding,
        acknowledged_count=states["acknowledged"],
        resolved_count=states["resolved"],
        escalated_count=states["escalated"],
        dismissed_count=states["dismissed"],
        outstanding_count=outstanding,
        omitted_count=total - len(listed),
        alert_level="critical" if states["escalated"] else "warning" if outstanding else "healthy",
        routes=listed,
        controls=["counts_complete", "notes_scanned", SCANNED_CONTROL],
    )
    about = dict.fromkeys(filter(None, (delivery_id, *(part.plan_id for part in listed))))
    return Draft(package, actor, _causes(listed), tuple(about)[:MOST_TRACES]), package


def _part(one: DeliveredRoute) -> AuditRoute:
    route = one.route
    return AuditRoute(
        route_id=route.route_id,
        schedule_id=route.schedule_id,
        plan_id=route.plan_id,
        provider=route.provider,
        owner=route.owner,
        escalation_owner=route.escalation_owner,
        route_action=route.action,
        route_created_at=text(route.created_at),
        acknowledgement_state=one.acknowledgement_state,
        acknowledged=bool(one.acknowledgement_state),
        acknowledged_by=one.acknowledged_by,
        acknowledged_at=optional_text(one.acknowledged_at),
        external_ref=one.external_ref,
        notes=one.notes,
        acknowledgement_id=one.acknowledgement_id,
    )


def _causes(parts: Iterable[AuditRoute]) -> tuple[Cause, ...]:
    """Each route rests on its acknowledgement, which rests on the plan; without one, on the plan itself."""
    ack, plan = BY_NOUN["notification_ack"].kind, BY_NOUN["notification_plan"].kind
    found = {
        part.acknowledgement_id or part.plan_id: ack if part.acknowledgement_id else plan for part in parts
    }
    return tuple(Cause(record_id, kind) for record_id, kind in found.items())


@dataclass(frozen=True, slots=True)
class Order:
    """How a package is to be delivered."""

    providers: tuple[str, ...]
    """Connectors to send to."""
    named: tuple[str, ...]
    """Those that the request named; none when it asked for all."""
    requested: str
    """What the caller asked for, as text."""
    cadence: str
    schedule_ref: str = ""
    next_delivery_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Packed:
    """What a plan says of the package that it sends."""

    audit_id: str
    route_count: int
    outstanding_count: int
    escalated_count: int
    alert_level: str
    filters: AuditFilters

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Self:
        """Of a package as it stands in the log, where it was checked as it was written."""
        return cls(
            body["audit_id"],
            body["route_count"],
            body["outstanding_count"],
            body["escalated_count"],
            body["alert_level"],
            AuditFilters(**body["filters"]),
        )


def delivery_plan(
    package: AuditPackage | Packed,
    order: Order,
    actor: Actor,
    delivery_id: str,
    causes: Sequence[Cause],
    trace_id: str,
    now: datetime,
) -> Draft:
    """Plan the sending of a package: the original delivery's own plan, or a retry's. `trace_id` is the original's id."""
    plan = DeliveryPlan(
        delivery_id=delivery_id,
        audit_id=package.audit_id,
        generated_at=text(now),
        generated_by=actor.name,
        cadence=order.cadence,
        schedule_ref=order.schedule_ref,
        next_delivery_at=optional_text(order.next_delivery_at),
        requested_provider=order.requested,
        requested_providers=list(order.named),
        selected_providers=list(order.providers),
        destination_count=len(order.providers),
        route_count=package.route_count,
        outstanding_count=package.outstanding_count,
        escalated_count=package.escalated_count,
        alert_level=package.alert_level,
        filters=package.filters,
        controls=["connectors_configured"],
    )
    return Draft(plan, actor, tuple(causes), (trace_id,))
