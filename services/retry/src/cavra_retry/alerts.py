"""Alert plans that are durable are sent: by who asked for them or, where that was cut short, by a look for them."""

import asyncio

import structlog
from cavra.delivery.v1 import delivery_pb2
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra_evidence.draft import Actor
from cavra_evidence.records.delivery import ConnectorDelivery
from cavra_evidence.records.retry import HealthAlertPlan
from cavra_service.errors import Refused
from cavra_service.faults import fault
from cavra_service.store.protocol import Commit, Store
from cavra_service.wire import record_of_row
from cavra_verify.canonical import parse

from cavra_retry.peer import Delivery, Sending
from cavra_retry.resolutions import FOR_GOOD
from cavra_retry.store import alerts

log = structlog.get_logger()


class Alerts:
    """Has alert plans sent. Delivery sends a plan once, however often it is asked to."""

    def __init__(self, store: Store, delivery: Delivery) -> None:
        self._store = store
        self._delivery = delivery
        self._seen: set[str] | None = None
        """Plans that waited at the last look; None before the first."""

    async def send(
        self, plan: evidence.Record, actor: Actor, sending: Sending
    ) -> delivery_pb2.SendAlertResponse | None:
        """What became of a plan's sends; None for one that tells nobody. Whoever was not reached is told again by the next alert.

        Refused when delivery can't say: the plan then waits, and suppresses its cause, until `reconcile` has learned it.
        """
        record = HealthAlertPlan.read(plan.canonical)
        chosen = record.selected_providers
        if not chosen:
            return None
        try:
            sent = await self._delivery.send_alert(plan, record.health_id, chosen, actor, sending)
        except Refused as refused:
            if refused.status in FOR_GOOD:
                await self._end(plan.id, chosen)
            raise
        await fault("retry.alert_answered")
        parts = ConnectorDelivery.read(sent.delivery.canonical).deliveries
        arrived = {part.provider for part in parts if part.success}
        await self._end(plan.id, [name for name in chosen if name not in arrived])
        return sent

    async def reconcile(self) -> None:
        """Have every plan sent that waits since the look before. The first look takes them all: what a process left behind."""
        waiting = await alerts.waiting(self._store)
        due = [one for one in waiting if self._seen is None or one in self._seen]
        self._seen = set(waiting)
        await asyncio.gather(*map(self._again, due))

    async def _again(self, plan_id: str) -> None:
        row = await self._store.row("record", id=plan_id)
        if row is None:
            log.error("alert_plan_without_record", plan_id=plan_id)
            return
        asked_by = parse(row["canonical"])["actor"]
        actor = Actor(asked_by["iss"], asked_by["sub"], asked_by["name"])
        try:
            await self.send(record_of_row(row, self._store.origin), actor, Sending())
        except Refused as refused:
            log.warning("alert_not_sent", reason=refused.reason, plan_id=plan_id)

    async def _end(self, plan_id: str, missed: list[str]) -> None:
        await self._store.commit(Commit(statements=alerts.end_plan(plan_id, missed)))
