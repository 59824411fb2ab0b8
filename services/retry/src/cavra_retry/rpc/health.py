"""The worker's health, its alerts, their acknowledgement and their counts."""

from collections.abc import Sequence
from typing import Any, Final

from cavra.retry.v1 import retry_pb2 as pb
from cavra_evidence.draft import Actor
from cavra_evidence.ids import new_id
from cavra_evidence.log import Entry
from cavra_evidence.records.retry import HealthAlertAck, HealthAlertPlan, RetryPlan, WorkerRun
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import moment
from cavra_service.faults import fault
from cavra_service.idempotency import beside
from cavra_service.identity import caller
from cavra_service.store.deciding import decided
from cavra_service.store.protocol import Commit
from cavra_service.wire import record_of_entry, record_of_row, timestamp
from cavra_verify.kinds import ALERT_SOURCE

from cavra_retry.domain.failures import Failure
from cavra_retry.domain.health import (
    AckState,
    AlertRequest,
    Facts,
    Health,
    LatestRun,
    acknowledge_alert,
    assess,
    plan_alert,
)
from cavra_retry.peer import Sending
from cavra_retry.rpc.base import Topic, bounded, member, required, sending
from cavra_retry.store import alerts, items, runs

_LATEST: Final = 10
_OUTSTANDING: Final = 20
_LABEL_CHARACTERS: Final = 256
"""What a record holds of the text that asked for providers."""
_STATES: Final[dict[int, AckState]] = {
    pb.HEALTH_ACKNOWLEDGEMENT_STATE_UNSPECIFIED: "acknowledged",
    pb.HEALTH_ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED: "acknowledged",
    pb.HEALTH_ACKNOWLEDGEMENT_STATE_DISMISSED: "dismissed",
    pb.HEALTH_ACKNOWLEDGEMENT_STATE_ESCALATED: "escalated",
    pb.HEALTH_ACKNOWLEDGEMENT_STATE_RESOLVED: "resolved",
}


class HealthAlerts(Topic):
    """GetWorkerHealth, DeliverHealthAlert, AcknowledgeHealthAlert and GetHealthAlertDashboard."""

    async def GetWorkerHealth(
        self, request: pb.GetWorkerHealthRequest, context: Any
    ) -> pb.GetWorkerHealthResponse:
        """See the contract."""
        return pb.GetWorkerHealthResponse(health=await self._wire(await self._health(request)))

    async def DeliverHealthAlert(
        self, request: pb.DeliverHealthAlertRequest, context: Any
    ) -> pb.DeliverHealthAlertResponse:
        """See the contract."""
        window = bounded(request, "suppression_window_minutes", 60, 0, 10_080)
        most, tries = bounded(request, "max_alerts", 20, 1, 100), sending(request)
        actor = caller().actor
        health = await self._health(request)
        eligible = await self._eligible(request.providers)
        wanted = request.requested_provider or ",".join(request.providers) or "all"
        asked = AlertRequest(
            new_id(HealthAlertPlan.KIND.prefix),
            wanted if len(wanted) <= _LABEL_CHARACTERS else "several",
            window,
            request.force,
            most,
            actor,
            self._parts.clock(),
        )
        # Its report is of this moment: no record holds it.
        response = pb.DeliverHealthAlertResponse(health=await self._wire(health))
        beside(response)
        await self._parts.tasks.finish(self._alert(response, asked, health, eligible, tries))
        return response

    async def complete_alert(
        self, request: pb.DeliverHealthAlertRequest, response: pb.DeliverHealthAlertResponse
    ) -> None:
        """Add what became of an alert: delivery sends a plan once, whoever asks again."""
        work = self._send_alert(response, caller().actor, sending(request))
        await self._parts.tasks.finish(work)

    async def _alert(
        self,
        response: pb.DeliverHealthAlertResponse,
        asked: AlertRequest,
        health: Health,
        eligible: Sequence[str],
        tries: Sending,
    ) -> None:
        """Make the plan durable, then send it."""
        store = self._parts.store
        entry = await decided(store, "alerts", lambda: self._keep_alert(asked, health, eligible))
        response.plan.CopyFrom(record_of_entry(entry, store.origin))
        await fault("retry.alert_planned")
        await self._send_alert(response, asked.actor, tries)

    async def _send_alert(
        self, response: pb.DeliverHealthAlertResponse, actor: Actor, tries: Sending
    ) -> None:
        """Send the response's plan, and say what became of it."""
        sent = await self._parts.alerts.send(response.plan, actor, tries)
        if sent is None:
            response.success = True
            return
        response.delivery.CopyFrom(sent.delivery)
        response.success, response.event_id = sent.success, sent.event_id

    async def _keep_alert(self, asked: AlertRequest, health: Health, eligible: Sequence[str]) -> Entry:
        store = self._parts.store
        sent = await alerts.last_sent(store, health.cause, eligible)
        draft, plan = plan_alert(asked, health, eligible, sent)
        entries = await store.commit(
            Commit(
                [draft],
                alerts.keep_plan(plan, health.cause, asked.suppressed_since),
                {
                    "outstanding_health_alerts": len(plan.selected_providers),
                    "suppressed_health_alerts": len(plan.suppressed_providers),
                },
            )
        )
        return entries[0]

    async def _eligible(self, providers: Sequence[str]) -> list[str]:
        """The connectors that an alert may go to. Refuses `provider_not_configured`."""
        connectors = await self._parts.delivery.connectors()
        enabled = {one.name for one in connectors if one.enabled}
        asked = list(dict.fromkeys(providers))
        if any(name not in enabled for name in asked):
            raise Refusal("provider_not_configured", "no such connector is enabled", "provider")
        ready = [one.name for one in connectors if one.enabled and one.ready]
        if not asked and not ready:
            raise Refusal("provider_not_configured", "no connector is ready", "provider")
        return asked or ready

    async def AcknowledgeHealthAlert(
        self, request: pb.AcknowledgeHealthAlertRequest, context: Any
    ) -> pb.AcknowledgeHealthAlertResponse:
        """See the contract."""
        store, actor = self._parts.store, caller().actor
        provider = required(request, "provider")
        state = member(_STATES, request.acknowledgement_state, "acknowledgement_state")
        plan_id = await alerts.plan_of(store, request.health_id)
        if not plan_id:
            raise Refusal("unknown_health", "no alert has this health id", "health_id")
        if request.plan_id not in ("", plan_id):
            raise Refusal("unknown_plan", "the alert has another plan", "plan_id")
        draft = acknowledge_alert(
            new_id(HealthAlertAck.KIND.prefix),
            plan_id,
            request.health_id,
            provider,
            state,
            (request.external_ref, request.notes),
            actor,
            self._parts.clock(),
        )

        async def keep() -> Entry:
            route = await alerts.was_told(store, plan_id, provider)
            if route is None:
                raise Refusal("unknown_provider", "the alert was not sent to this provider", "provider")
            if route["acknowledged"]:
                return (await store.commit(Commit([draft])))[0]
            first = Commit(
                [draft], [alerts.acknowledge(plan_id, provider)], {"outstanding_health_alerts": -1}
            )
            return (await store.commit(first))[0]

        return pb.AcknowledgeHealthAlertResponse(
            acknowledgement=record_of_entry(await decided(store, f"{plan_id}/{provider}", keep), store.origin)
        )

    async def GetHealthAlertDashboard(
        self, request: pb.GetHealthAlertDashboardRequest, context: Any
    ) -> pb.GetHealthAlertDashboardResponse:
        """See the contract. The level is that of the newest alert while any waits for an acknowledgement."""
        store = self._parts.store
        sent = await self._parts.delivery.counters(f"delivery={ALERT_SOURCE}:")
        failed = sent.get(f"delivery={ALERT_SOURCE}:false", 0)
        latest = await runs.newest(store, [("metadata_kind", HealthAlertPlan.KIND.kind)], _LATEST)
        waiting = await alerts.outstanding(store, _OUTSTANDING)
        level = HealthAlertPlan.read(latest[0]["canonical"]).alert_level if waiting else "healthy"
        return pb.GetHealthAlertDashboardResponse(
            generated_at=timestamp(self._parts.clock()),
            alert_level="warning" if waiting and level == "healthy" else level,
            plan_count=await runs.count(store, f"metadata_kind={HealthAlertPlan.KIND.kind}"),
            delivery_count=sum(sent.values()),
            failed_delivery_count=failed,
            acknowledgement_count=await runs.count(store, f"metadata_kind={HealthAlertAck.KIND.kind}"),
            outstanding_acknowledgement_count=await runs.count(store, "gauge:outstanding_health_alerts"),
            suppressed_provider_count=await runs.count(store, "gauge:suppressed_health_alerts"),
            outstanding_acknowledgements=[
                pb.GetHealthAlertDashboardResponse.Outstanding(
                    health_id=row["health_id"], provider=row["provider"], plan_id=row["plan_id"]
                )
                for row in waiting
            ],
            latest=[record_of_row(row, store.origin) for row in latest],
        )

    async def _health(self, request: Any) -> Health:
        """The worker's health now, by the two thresholds of a request."""
        interval = bounded(request, "expected_interval_minutes", 30, 1, 10_080)
        stale = bounded(request, "stale_metadata_minutes", 120, 1, 525_600)
        store, delivery = self._parts.store, self._parts.delivery
        failures = await delivery.open_failures()
        still_open = {failure.key for failure in failures}
        latest = await runs.newest(store, runs.terms(None), 1)
        live = await runs.newest(store, runs.terms(False), 1)
        failed = await items.failed_retries(store, live[0]["id"]) if live else []
        plan = await runs.newest(store, [("metadata_kind", RetryPlan.KIND.kind)], 1)
        facts = Facts(
            failures,
            await runs.count(store, f"metadata_kind={WorkerRun.KIND.kind}"),
            await runs.count(store, f"metadata_kind={RetryPlan.KIND.kind}"),
            _latest_run(latest[0]["canonical"]) if latest else None,
            plan[0]["id"] if plan else "",
            moment(plan[0]["created_at"]) if plan else None,
            sum(key in still_open for key in failed),
        )
        return assess(new_id("gordackhealth"), facts, interval, stale, self._parts.clock())

    async def _wire(self, health: Health) -> pb.WorkerHealth:
        store, facts, run = self._parts.store, health.facts, health.facts.latest_run
        latest = await runs.newest(store, runs.terms(None), _LATEST)
        wire = pb.WorkerHealth(
            health_id=health.health_id,
            generated_at=timestamp(health.generated_at),
            alert_level=health.level,
            expected_interval_minutes=health.expected_interval_minutes,
            missed_after_minutes=health.missed_after_minutes,
            stale_metadata_minutes=health.stale_metadata_minutes,
            run_count=facts.run_count,
            retry_plan_count=facts.retry_plan_count,
            retryable_count=health.retryable_count,
            selected_retry_count=run.selected_count if run else 0,
            missed_run_count=int(health.missed_run),
            failed_job_count=facts.failed_job_count,
            disabled_schedule_count=int(health.disabled_schedule),
            stale_retry_plan_count=int(health.stale_plan),
            connector_delivery_failure_count=len(facts.failures),
            latest_run_id=run.run_id if run else "",
            latest_run_at=timestamp(run.at) if run else None,
            latest_run_age_minutes=_age(health, run.at) if run else None,
            latest_retry_plan_id=facts.latest_plan_id,
            latest_retry_plan_age_minutes=(
                _age(health, facts.latest_plan_at) if facts.latest_plan_at else None
            ),
            failed_deliveries=map(_failed, health.failed_deliveries),
            recommendations=health.recommendations,
            latest=[record_of_row(row, store.origin) for row in latest],
        )
        for alert in health.alerts:
            wire.alerts.add(severity=alert.severity, category=alert.category, message=alert.message)
        return wire


def _latest_run(canonical: bytes) -> LatestRun:
    run = WorkerRun.read(canonical)
    return LatestRun(
        run.run_id, moment(run.generated_at), run.summary.selected_retry_count, run.schedule.enabled
    )


def _age(health: Health, at: Any) -> int:
    return max(0, int((health.generated_at - at).total_seconds()) // 60)


def _failed(failure: Failure) -> pb.WorkerHealth.FailedDelivery:
    return pb.WorkerHealth.FailedDelivery(
        **failure.key._asdict(),
        failure_count=failure.failure_count,
        latest_failed_at=timestamp(failure.latest_failed_at),
        failed_status_codes=failure.failed_status_codes,
    )
