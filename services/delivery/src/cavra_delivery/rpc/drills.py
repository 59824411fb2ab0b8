"""RPCs about drills: the schedule, notifications and their acknowledgements."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_evidence.draft import Actor
from cavra_evidence.ids import new_id
from cavra_evidence.log import Entry
from cavra_evidence.records.delivery import ConnectorDelivery
from cavra_service.errors import Refused
from cavra_service.idempotency import beside
from cavra_service.identity import caller
from cavra_service.store.deciding import decided
from cavra_service.store.protocol import Commit, Statement
from cavra_service.wire import record_of_entry
from cavra_verify.kinds import BY_NOUN, NOTIFICATION_SOURCE

from cavra_delivery.connectors.base import Event
from cavra_delivery.domain.acknowledgements import Acknowledged, Notice, Said, acknowledge
from cavra_delivery.domain.deliveries import EVENT_TYPES, Send, event_id_of
from cavra_delivery.domain.notify import Notification, event_data, plan_notification, routing_of
from cavra_delivery.rpc import encode
from cavra_delivery.rpc.decode import limits_of, mapping_of, providers_of, state_of, under
from cavra_delivery.rpc.parts import Topic
from cavra_delivery.sends import First, Plan
from cavra_delivery.store.routes import acknowledgement_statements, find_notice, notification_statements

_MOST_ROUTES = 100


@dataclass(frozen=True, slots=True)
class _Wanted:
    """One acknowledgement that is asked for."""

    schedule_id: str
    provider: str
    plan_id: str
    said: Said
    field: str = ""
    """Where in the request it stands, when it is one of many."""


class Drills(Topic):
    """See the contract."""

    async def GetDrillSchedule(
        self, request: pb.GetDrillScheduleRequest, context: Any
    ) -> pb.GetDrillScheduleResponse:
        """See the contract."""
        return pb.GetDrillScheduleResponse(report=encode.schedule_report(self._files.report(self._clock())))

    async def NotifyDrill(self, request: pb.NotifyDrillRequest, context: Any) -> pb.NotifyDrillResponse:
        """See the contract."""
        limits, providers, now = limits_of(request), providers_of(request.providers), self._clock()
        report = self._files.report(now)
        with under("routing_policy"):
            overrides = mapping_of(request.routing_policy)
        routing = routing_of(report.schedule, overrides, providers)
        actor, plan_id = caller().actor, new_id(BY_NOUN["notification_plan"].prefix)
        route_ids = [new_id("gordroute") for _ in routing.rules]
        notification = plan_notification(
            report.schedule, routing, request.force, actor, plan_id, route_ids, now
        )
        plan = Plan([notification.draft], *notification_statements(notification))
        response = pb.NotifyDrillResponse(schedule=encode.schedule_report(report))
        beside(response)
        response.success = True
        selected = notification.plan.selected_providers
        if not selected:
            entries = await self._store.commit(Commit(plan.drafts, plan.statements, plan.gauges))
        else:
            send = _notification_send(plan_id, actor)

            def events(entries: Sequence[Entry], provider: str) -> Event:
                return _event(notification, provider)

            job = First(plan, send, selected, events, limits)
            entries = await self._machine.run(plan_id, lambda: self._machine.first(job))
            response.delivery.CopyFrom(record_of_entry(entries[1], self._store.origin))
            response.success = ConnectorDelivery.read(entries[1].canonical).success
            response.event_id = event_id_of(plan_id)
        response.plan.CopyFrom(record_of_entry(entries[0], self._store.origin))
        return response

    async def AcknowledgeDrill(
        self, request: pb.AcknowledgeDrillRequest, context: Any
    ) -> pb.AcknowledgeDrillResponse:
        """See the contract."""
        said = Said(state_of(request.acknowledgement_state), request.external_ref, request.notes)
        wanted = _Wanted(request.schedule_id, request.provider, request.plan_id, said)
        entries = await self._acknowledge([wanted])
        return pb.AcknowledgeDrillResponse(acknowledgement=record_of_entry(entries[0], self._store.origin))

    async def BatchAcknowledgeDrills(
        self, request: pb.BatchAcknowledgeDrillsRequest, context: Any
    ) -> pb.BatchAcknowledgeDrillsResponse:
        """See the contract."""
        if not 1 <= len(request.routes) <= _MOST_ROUTES:
            raise Refused("invalid_value", f"1 to {_MOST_ROUTES} routes", "routes")
        state = state_of(request.acknowledgement_state)
        wanted = [
            _Wanted(
                route.schedule_id,
                route.provider,
                route.plan_id,
                Said(state, route.external_ref or request.external_ref, route.notes or request.notes),
                f"routes[{at}]",
            )
            for at, route in enumerate(request.routes)
        ]
        response = pb.BatchAcknowledgeDrillsResponse(bulk_id=new_id("gordackbulk"))
        beside(response)
        entries = await self._acknowledge(wanted)
        response.acknowledgements.extend(record_of_entry(entry, self._store.origin) for entry in entries)
        return response

    async def _acknowledge(self, wanted: Sequence[_Wanted]) -> list[Entry]:
        """All or none, in one commit; decided again while others acknowledge the same."""
        actor = caller().actor

        async def decide() -> list[Entry]:
            done = await self._decide(wanted, actor)
            statements: list[Statement] = []
            for one in done:
                statements += await acknowledgement_statements(self._store, one)
            moved = sum(one.outstanding_delta for one in done)
            return await self._store.commit(
                Commit([one.draft for one in done], statements, {"outstanding_acknowledgements": moved})
            )

        subject = " ".join(sorted({f"{one.schedule_id}/{one.provider}" for one in wanted}))
        return await decided(self._store, subject, decide)

    async def _decide(self, wanted: Sequence[_Wanted], actor: Actor) -> list[Acknowledged]:
        """Each acknowledgement in turn; a later one of the same notice builds on the earlier."""
        notices: dict[tuple[str, str], Notice] = {}
        done = []
        for one in wanted:
            with under(one.field):
                found = await self._notice(one)
                key = found.plan_id, found.provider
                ack_id = new_id(BY_NOUN["notification_ack"].prefix)
                acknowledged = acknowledge(notices.get(key, found), one.said, actor, ack_id, self._clock())
            notices[key] = acknowledged.after
            done.append(acknowledged)
        return done

    async def _notice(self, wanted: _Wanted) -> Notice:
        if await self._store.row("schedule_planned", schedule_id=wanted.schedule_id) is None:
            raise Refused("unknown_schedule", "no notification of such a schedule", "schedule_id")
        if wanted.plan_id:
            plan = await self._store.row("plan_schedule", plan_id=wanted.plan_id)
            if plan is None or plan["schedule_id"] != wanted.schedule_id:
                raise Refused("unknown_plan", "the schedule has no such plan", "plan_id")
        found = await find_notice(self._store, wanted.schedule_id, wanted.provider, wanted.plan_id)
        if found is None:
            raise Refused("unknown_route", "nothing was delivered to such a provider", "provider")
        return found


def _notification_send(plan_id: str, actor: Actor) -> Send:
    return Send(
        record_id=new_id(BY_NOUN["connector_delivery"].prefix),
        own_id=plan_id,
        source=NOTIFICATION_SOURCE,
        delivery_id=plan_id,
        actor=(actor.iss, actor.sub, actor.name),
        causes=((plan_id, BY_NOUN["notification_plan"].kind, None),),
        plan_id=plan_id,
    )


def _event(notification: Notification, provider: str) -> Event:
    plan = notification.plan
    return Event(
        EVENT_TYPES[NOTIFICATION_SOURCE],
        event_id_of(plan.plan_id),
        plan.generated_at,
        event_data(notification, provider),
    )
