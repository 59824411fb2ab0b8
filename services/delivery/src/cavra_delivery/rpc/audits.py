"""RPCs that pack audit packages and send them, and those that send alerts and list connectors."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.log import Entry
from cavra_evidence.records.delivery import AuditFilters, AuditPackage, ConnectorDelivery
from cavra_service.errors import Refused
from cavra_service.idempotency import METADATA, key_of
from cavra_service.identity import caller
from cavra_service.store.protocol import Commit
from cavra_service.wire import record_of_entry, record_of_row
from cavra_verify.canonical import CanonicalError, parse
from cavra_verify.kinds import ALERT_SOURCE, AUDIT_SOURCE, BY_NOUN
from cavra_verify.merkle import leaf_hash

from cavra_delivery.connectors.base import Event
from cavra_delivery.connectors.tries import Limits
from cavra_delivery.content import audit_events
from cavra_delivery.domain.audit import Order, audit_package, delivery_plan
from cavra_delivery.domain.deliveries import EVENT_TYPES, Send, event_id_of
from cavra_delivery.domain.routes import DeliveredRoute, RouteCount
from cavra_delivery.rpc import encode
from cavra_delivery.rpc.decode import cause_of_log, id_of, limits_of, moment_of, providers_of, someone, under
from cavra_delivery.rpc.parts import Topic
from cavra_delivery.sends import First, Plan
from cavra_delivery.store.failures import settled_send
from cavra_delivery.store.routes import delivered_routes

_LABEL_CHARACTERS = 256
_MOST_DELIVERIES = 100

Routes = tuple[Sequence[RouteCount], Sequence[DeliveredRoute]]
"""What a package is made of, see `delivered_routes`."""


class Audits(Topic):
    """See the contract."""

    async def CreateAuditPackage(
        self, request: pb.CreateAuditPackageRequest, context: Any
    ) -> pb.CreateAuditPackageResponse:
        """See the contract."""
        filters = _filters(request.filters)
        draft, _ = self._package(filters, await delivered_routes(self._store, filters), caller().actor, "")
        entries = await self._store.commit(Commit([draft]))
        return pb.CreateAuditPackageResponse(audit_package=record_of_entry(entries[0], self._store.origin))

    async def DeliverAudit(self, request: pb.DeliverAuditRequest, context: Any) -> pb.DeliverAuditResponse:
        """See the contract."""
        order, filters = _order(request, self._registry.enabled()), _filters(request.filters)
        routes = await delivered_routes(self._store, filters)
        job = self._first(order, filters, routes, limits_of(request), caller().actor)
        entries = await self._machine.run(job.send.own_id, lambda: self._machine.first(job))
        records = [record_of_entry(entry, self._store.origin) for entry in entries]
        return pb.DeliverAuditResponse(
            audit_package=records[0],
            delivery_plan=records[1],
            delivery=records[2],
            success=_delivered(entries[2]),
        )

    async def DeliverAudits(
        self, request: pb.DeliverAuditsRequest, context: Any
    ) -> AsyncIterator[pb.DeliverAuditsResponse]:
        """See the contract."""
        if key_of(context.invocation_metadata()):
            raise Refused("invalid_value", "this call takes no key: who repeats it delivers again", METADATA)
        jobs = await self._firsts(request)
        # What begins together is sent on, whoever goes away.
        waiting = await self._machine.run(jobs[0].send.record_id, lambda: self._machine.firsts(jobs))
        places, unanswered = {task: place for place, task in enumerate(waiting)}, set(waiting)
        failed: BaseException | None = None
        while unanswered:
            done, unanswered = await asyncio.wait(unanswered, return_when=asyncio.FIRST_COMPLETED)
            failed = next(filter(None, (task.exception() for task in done)), failed)
            ended = [(places[task], task.result()) for task in done if task.exception() is None]
            if ended:
                results = [self._answered(place, jobs[place].send, entry) for place, entry in ended]
                yield pb.DeliverAuditsResponse(results=results)
        if failed is not None:
            raise failed

    async def _firsts(self, request: pb.DeliverAuditsRequest) -> list[First]:
        if not 1 <= len(request.deliveries) <= _MOST_DELIVERIES:
            raise Refused("invalid_value", f"1 to {_MOST_DELIVERIES} deliveries", "deliveries")
        decoded, enabled = [], self._registry.enabled()
        for at, one in enumerate(request.deliveries):
            with under(f"deliveries[{at}]"):
                decoded.append((_order(one, enabled), _filters(one.filters), limits_of(one)))
        found: dict[AuditFilters, Routes] = {}
        for _, filters, _ in decoded:
            if filters not in found:
                found[filters] = await delivered_routes(self._store, filters)
        actor = caller().actor
        return [
            self._first(order, filters, found[filters], limits, actor) for order, filters, limits in decoded
        ]

    def _first(
        self, order: Order, filters: AuditFilters, routes: Routes, limits: Limits, actor: Actor
    ) -> First:
        """The first send of a package of `routes`."""
        delivery_id, now = new_id(BY_NOUN["delivery_plan"].prefix), self._clock()
        packed, package = self._package(filters, routes, actor, delivery_id)
        cause = Cause(package.audit_id, BY_NOUN["audit_package"].kind)
        planned = delivery_plan(package, order, actor, delivery_id, (cause,), delivery_id, now)
        send = Send(
            record_id=new_id(BY_NOUN["connector_delivery"].prefix),
            own_id=delivery_id,
            source=AUDIT_SOURCE,
            delivery_id=delivery_id,
            audit_id=package.audit_id,
            actor=(actor.iss, actor.sub, actor.name),
            causes=((delivery_id, BY_NOUN["delivery_plan"].kind, None), (cause.id, cause.kind, None)),
        )
        return First(Plan([packed, planned]), send, order.providers, audit_events, limits)

    def _package(
        self, filters: AuditFilters, routes: Routes, actor: Actor, delivery_id: str
    ) -> tuple[Draft, AuditPackage]:
        audit_id = new_id(BY_NOUN["audit_package"].prefix)
        return audit_package(filters, *routes, actor, audit_id, delivery_id, self._clock())

    def _answered(self, place: int, send: Send, delivery: Entry) -> pb.DeliverAuditsResponse.Result:
        return pb.DeliverAuditsResponse.Result(
            place=place,
            audit_id=send.audit_id,
            delivery_id=send.delivery_id,
            delivery=record_of_entry(delivery, self._store.origin),
            success=_delivered(delivery),
        )

    async def ListConnectors(
        self, request: pb.ListConnectorsRequest, context: Any
    ) -> pb.ListConnectorsResponse:
        """See the contract."""
        found, gates = self._registry.all(), self._machine.gates
        return pb.ListConnectorsResponse(
            connectors=[
                encode.connector(one, *gates.circuit(name), gates.here(name)) for name, one in found.items()
            ],
            file_problem=self._registry.problem,
        )

    async def SendAlert(self, request: pb.SendAlertRequest, context: Any) -> pb.SendAlertResponse:
        """See the contract. One alert plan is sent once: asked again, this answers with what is recorded."""
        limits, providers = limits_of(request), providers_of(request.providers)
        if not providers:
            raise Refused("invalid_value", "at least one", "providers")
        cause, actor = cause_of_log(request.plan, "plan"), someone(request.requested_by, "requested_by")
        send = Send(
            record_id=new_id(BY_NOUN["connector_delivery"].prefix),
            own_id=cause.id,
            source=ALERT_SOURCE,
            delivery_id=cause.id,
            actor=(actor.iss, actor.sub, actor.name),
            causes=((cause.id, cause.kind, cause.record_hash),),
            health_id=id_of(request.health_id, "health_id"),
            plan_id=cause.id,
        )
        event = _alert_event(request)
        await self._machine.run(cause.id, lambda: self._alert(send, providers, event, limits))
        record = await self._recorded(await settled_send(self._store, cause.id))
        success = ConnectorDelivery.read(record.canonical).success
        return pb.SendAlertResponse(delivery=record, success=success, event_id=event.event_id)

    async def _alert(self, send: Send, providers: Sequence[str], event: Event, limits: Limits) -> None:
        if not await settled_send(self._store, send.own_id):
            await self._machine.first(First(Plan(), send, providers, lambda entries, provider: event, limits))

    async def _recorded(self, record_id: str) -> evidence_pb2.Record:
        row = await self._store.row("record", id=record_id)
        if row is None:
            raise Refused("conflict", "the send has no outcome yet")
        return record_of_row(row, self._store.origin)


def _order(request: pb.DeliverAuditRequest, enabled: Sequence[str]) -> Order:
    """To which connectors, and what stands in the plan about it."""
    named = providers_of(request.providers)
    if not set(named) <= set(enabled) or not enabled:
        raise Refused("provider_not_configured", "no such connector is configured and enabled", "providers")
    requested = request.requested_provider or ",".join(named) or "all"
    return Order(
        named or tuple(enabled),
        named,
        requested if len(requested) <= _LABEL_CHARACTERS else "several",
        request.cadence or "on_demand",
        request.schedule_ref,
        moment_of(request, "next_delivery_at"),
    )


def _delivered(delivery: Entry) -> bool:
    """Whether a connector-delivery just committed says that every provider took it."""
    return ("delivery_success", "true") in delivery.terms


def _filters(filters: pb.AuditFilters) -> AuditFilters:
    with under("filters"):
        return AuditFilters(schedule_id=filters.schedule_id, provider=filters.provider, owner=filters.owner)


def _alert_event(request: pb.SendAlertRequest) -> Event:
    plan_id, canonical = request.plan.id, request.plan_canonical
    if leaf_hash(canonical) != request.plan.record_hash:
        raise Refused("invalid_value", "the bytes are not the plan's", "plan_canonical")
    try:
        document = parse(canonical)
        occurred_at = str(document["created_at"])
    except (CanonicalError, KeyError):
        raise Refused("invalid_value", "not the canonical bytes of a record", "plan_canonical") from None
    return Event(
        EVENT_TYPES[ALERT_SOURCE], event_id_of(plan_id), occurred_at, document, leaf_hash(canonical).hex()
    )
