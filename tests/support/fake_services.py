"""Stand-ins for the three services: real gRPC, identity, stores and logs; commands that write a sample record without any rule."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
from cavra.delivery.v1 import delivery_pb2, delivery_pb2_grpc
from cavra.evidence.v1 import evidence_pb2
from cavra.recovery.v1 import recovery_pb2, recovery_pb2_grpc
from cavra.retry.v1 import retry_pb2, retry_pb2_grpc
from cavra_evidence.draft import Cause, Draft
from cavra_evidence.ids import new_id
from cavra_gateway.bootstrap import SERVICE
from cavra_gateway.services import NAMES
from cavra_service.errors import Refused
from cavra_service.idempotency import Keys
from cavra_service.identity import TokenVerifier, caller
from cavra_service.keeping import log_kept
from cavra_service.roles import PUBLIC_LOG
from cavra_service.runtime import open_store, utc_now
from cavra_service.server import Servicer, serving
from cavra_service.store.protocol import Commit, Store
from cavra_service.wire import record_of_entry, timestamp

from tests.support.installation import Installation
from tests.support.samples import draft, sample

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@dataclass
class Script:
    """What the services were asked, and what they are to refuse."""

    requests: dict[str, Any] = field(default_factory=dict)
    """The last request by RPC."""
    refusals: dict[str, Refused] = field(default_factory=dict)
    """By RPC: refused in place of an answer."""
    answers: dict[str, Any] = field(default_factory=dict)
    """By RPC: answered in place of what it answers else."""

    def ask(self, rpc: str, request: Any) -> None:
        """Notes a request. Raises what is to be refused."""
        self.requests[rpc] = request
        if rpc in self.refusals:
            raise self.refusals[rpc]


class _Fake:
    def __init__(self, store: Store, script: Script) -> None:
        self._store = store
        self._script = script

    async def write(self, noun: str, *, trace_ids: tuple[str, ...] = (), **fields: Any) -> Any:
        record = draft(sample(noun, **fields), actor=caller().actor, trace_ids=trace_ids)
        (entry,) = await self._store.commit(Commit([record]))
        return record_of_entry(entry, self._store.origin)


def _answers(servicer: Any, **answers: Callable[[Any, Any], Any]) -> Any:
    """A servicer class whose RPCs note the request and then answer."""

    def method(name: str, respond: Callable[[Any, Any], Any]) -> Any:
        async def serve(self: Any, request: Any, context: Any) -> Any:
            self._script.ask(name, request)
            return self._script.answers.get(name) or await respond(self, request)

        return serve

    return type("Fake", (_Fake, servicer), {name: method(name, one) for name, one in answers.items()})


async def _schedule(fake: _Fake, request: Any) -> Any:
    return delivery_pb2.GetDrillScheduleResponse(report=_schedule_report())


def _schedule_report() -> Any:
    schedule = delivery_pb2.DrillSchedule(
        valid=True, schedule_id="prod-rollback-drill", next_due_at=timestamp(NOW), days_until_due=-1
    )
    schedule.owner_routes.update({"platform-team": {"acknowledgement_minutes": 30}})
    return delivery_pb2.ScheduleReport(mode="promoted", status="due_soon", schedule=schedule)


async def _notify(fake: _Fake, request: Any) -> Any:
    return delivery_pb2.NotifyDrillResponse(
        schedule=_schedule_report(), plan=await fake.write("notification_plan"), success=True
    )


async def _acknowledge(fake: _Fake, request: Any) -> Any:
    record = await fake.write("notification_ack", schedule_id=request.schedule_id, provider=request.provider)
    return delivery_pb2.AcknowledgeDrillResponse(acknowledgement=record)


async def _batch(fake: _Fake, request: Any) -> Any:
    records = [await fake.write("notification_ack", provider=route.provider) for route in request.routes]
    return delivery_pb2.BatchAcknowledgeDrillsResponse(
        bulk_id=new_id("gordackbulk"), acknowledgements=records
    )


async def _package(fake: _Fake, request: Any) -> Any:
    return delivery_pb2.CreateAuditPackageResponse(audit_package=await fake.write("audit_package"))


async def _deliver(fake: _Fake, request: Any) -> Any:
    return delivery_pb2.DeliverAuditResponse(
        audit_package=await fake.write("audit_package"),
        delivery_plan=await fake.write("delivery_plan"),
        delivery=await fake.write("connector_delivery"),
        success=True,
    )


async def _escalate(fake: _Fake, request: Any) -> Any:
    return delivery_pb2.PlanEscalationResponse(plan=await fake.write("escalation_plan"))


async def _routes(fake: _Fake, request: Any) -> Any:
    route = delivery_pb2.Route(route_id=new_id("gordroute"), provider="webhook", created_at=timestamp(NOW))
    return delivery_pb2.ListRoutesResponse(routes=[route], total=1)


async def _trend(fake: _Fake, request: Any) -> Any:
    return delivery_pb2.GetSuppressionTrendResponse(
        trend_id=new_id("gordtrend"), generated_at=timestamp(NOW), owner_counts={"b": 2, "a": 0}
    )


async def _outstanding(fake: _Fake, request: Any) -> Any:
    item = delivery_pb2.ListOutstandingAcknowledgementsResponse.Item(
        schedule_id="prod-rollback-drill", provider="webhook", plan_id=new_id("gordn")
    )
    return delivery_pb2.ListOutstandingAcknowledgementsResponse(items=[item], total=1)


async def _connectors(fake: _Fake, request: Any) -> Any:
    webhook = delivery_pb2.Connector(
        name="webhook",
        kind="webhook",
        category="webhook",
        enabled=True,
        reason="connector_config_not_configured",
        missing_variable="WEBHOOK_URL",
    )
    return delivery_pb2.ListConnectorsResponse(connectors=[webhook], file_problem="not a mapping")


async def _plan_retries(fake: _Fake, request: Any) -> Any:
    return retry_pb2.PlanRetriesResponse(plan=await fake.write("retry_plan"))


async def _acknowledge_retry(fake: _Fake, request: Any) -> Any:
    return retry_pb2.AcknowledgeRetryResponse(acknowledgement=await fake.write("retry_ack"))


async def _plan_approval(fake: _Fake, request: Any) -> Any:
    return retry_pb2.PlanApprovalResponse(plan=await fake.write("approval_plan"))


async def _decide(fake: _Fake, request: Any) -> Any:
    record = await fake.write("approval_decision", item_state="denied")
    return retry_pb2.DecideApprovalResponse(decision=record, item_state="denied")


async def _run(fake: _Fake, request: Any) -> Any:
    plan = await fake.write("retry_plan")
    reference = {"retry_plan_id": plan.id, "record_hash": plan.record_hash.hex()}
    results = []
    if request.execute:
        results = [
            retry_pb2.RunWorkerResponse.RetryResult(
                delivery_plan=await fake.write("delivery_plan"),
                delivery=await fake.write("connector_delivery"),
                execution=await fake.write("execution_record"),
            ),
            retry_pb2.RunWorkerResponse.RetryResult(skipped="content_changed"),
        ]
    run = await fake.write("worker_run", retry_plan=reference, dry_run=not request.execute)
    return retry_pb2.RunWorkerResponse(run=run, retry_plan=plan, results=results)


async def _resolve(fake: _Fake, request: Any) -> Any:
    return retry_pb2.ResolveExecutionResponse(resolution=await fake.write("execution_resolution"))


async def _runs(fake: _Fake, request: Any) -> Any:
    return retry_pb2.ListWorkerRunsResponse(runs=[await fake.write("worker_run")], total=1)


async def _worker_dashboard(fake: _Fake, request: Any) -> Any:
    return retry_pb2.GetWorkerDashboardResponse(generated_at=timestamp(NOW), alert_level="healthy")


def _worker_health() -> Any:
    return retry_pb2.WorkerHealth(
        health_id=new_id("gordackhealth"), generated_at=timestamp(NOW), alert_level="warning", run_count=2**40
    )


async def _health(fake: _Fake, request: Any) -> Any:
    return retry_pb2.GetWorkerHealthResponse(health=_worker_health())


async def _alert(fake: _Fake, request: Any) -> Any:
    return retry_pb2.DeliverHealthAlertResponse(
        health=_worker_health(), plan=await fake.write("health_alert_plan"), success=True
    )


async def _acknowledge_alert(fake: _Fake, request: Any) -> Any:
    return retry_pb2.AcknowledgeHealthAlertResponse(acknowledgement=await fake.write("health_alert_ack"))


async def _alert_dashboard(fake: _Fake, request: Any) -> Any:
    return retry_pb2.GetHealthAlertDashboardResponse(generated_at=timestamp(NOW), alert_level="healthy")


async def _playbook(fake: _Fake, request: Any) -> Any:
    return recovery_pb2.CreatePlaybookResponse(playbook=await fake.write("playbook"))


async def _close(fake: _Fake, request: Any) -> Any:
    return recovery_pb2.CloseRecoveryResponse(closure=await fake.write("closure"))


async def _summary(fake: _Fake, request: Any) -> Any:
    return delivery_pb2.SummarizeFailuresResponse()


async def _work(fake: _Fake, request: Any) -> Any:
    policy = retry_pb2.ApprovalPolicy(
        require_retry_ack=True, required_approvals=1, expires_in_minutes=240, separation_of_duties=True
    )
    return retry_pb2.ListWorkResponse(policy=policy, attempt_ceiling=5)


async def _recoveries(fake: _Fake, request: Any) -> Any:
    return recovery_pb2.ListRecoveriesResponse()


_DELIVERY = _answers(
    delivery_pb2_grpc.DeliveryServiceServicer,
    GetDrillSchedule=_schedule,
    NotifyDrill=_notify,
    AcknowledgeDrill=_acknowledge,
    BatchAcknowledgeDrills=_batch,
    CreateAuditPackage=_package,
    DeliverAudit=_deliver,
    PlanEscalation=_escalate,
    ListRoutes=_routes,
    GetSuppressionTrend=_trend,
    ListOutstandingAcknowledgements=_outstanding,
    ListConnectors=_connectors,
    SummarizeFailures=_summary,
)
_RETRY = _answers(
    retry_pb2_grpc.RetryServiceServicer,
    PlanRetries=_plan_retries,
    AcknowledgeRetry=_acknowledge_retry,
    PlanApproval=_plan_approval,
    DecideApproval=_decide,
    ListWork=_work,
    RunWorker=_run,
    ResolveExecution=_resolve,
    ListWorkerRuns=_runs,
    GetWorkerDashboard=_worker_dashboard,
    GetWorkerHealth=_health,
    DeliverHealthAlert=_alert,
    AcknowledgeHealthAlert=_acknowledge_alert,
    GetHealthAlertDashboard=_alert_dashboard,
)
_RECOVERY = _answers(
    recovery_pb2_grpc.RecoveryServiceServicer,
    CreatePlaybook=_playbook,
    CloseRecovery=_close,
    ListRecoveries=_recoveries,
)
_ALL: dict[str, tuple[str, Any, Any]] = {
    "delivery": (
        "cavra.delivery.v1.DeliveryService",
        delivery_pb2_grpc.add_DeliveryServiceServicer_to_server,
        _DELIVERY,
    ),
    "retry": ("cavra.retry.v1.RetryService", retry_pb2_grpc.add_RetryServiceServicer_to_server, _RETRY),
    "recovery": (
        "cavra.recovery.v1.RecoveryService",
        recovery_pb2_grpc.add_RecoveryServiceServicer_to_server,
        _RECOVERY,
    ),
}


class FakeServices:
    """The three services and the gateway in front of them, as one running installation."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.installation = Installation(folder, **settings)
        self.script = Script()
        self.stores: dict[str, Store] = {}
        self.url = ""
        self._running: dict[str, AsyncExitStack] = {}
        self._http: aiohttp.ClientSession | None = None

    async def write(self, service: str, *drafts: Draft) -> list[evidence_pb2.Record]:
        """Commit records to a service's log; gives them as the service serves them."""
        entries = await self.stores[service].commit(Commit(drafts))
        return [record_of_entry(entry, self.stores[service].origin) for entry in entries]

    async def stop(self, service: str) -> None:
        """Take one service down."""
        await self._running.pop(service).aclose()

    async def request(
        self, method: str, path: str, *, roles: tuple[str, ...] = ("operator",), **options: Any
    ) -> tuple[int, Any, Any]:
        """(status, parsed body, headers) of a call as alice; no roles: without a token."""
        assert self._http is not None
        headers = dict(options.pop("headers", {}))
        if roles:
            headers.setdefault("authorization", f"Bearer {self.installation.token('alice', *roles)}")
        async with self._http.request(method, self.url + path, headers=headers, **options) as response:
            body = await response.read()
            parsed = json.loads(body) if "json" in response.content_type and body else None
            return response.status, parsed, response.headers

    async def start(self, service: str, address: str = "127.0.0.1:0") -> None:
        """Bring one service up, by default at a free port."""
        async with AsyncExitStack() as stack:
            settings = self.installation.settings
            store = await open_store(settings, service)
            stack.push_async_callback(store.close)
            name, add, servicer = _ALL[service]
            evidence = await stack.enter_async_context(log_kept(store, settings, service, own_records=False))
            servicers = [Servicer(name, add, servicer(store, self.script)), evidence]
            in_use = await stack.enter_async_context(
                serving(
                    servicers,
                    TokenVerifier.of(settings),
                    address,
                    0.1,
                    Keys(store, utc_now),
                    open_to_all=PUBLIC_LOG if settings.public_log else frozenset(),
                )
            )
            self.stores[service] = store
            self.installation.settings = settings.model_copy(update={f"{service}_address": in_use})
            self._running[service] = stack.pop_all()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["FakeServices"]:
        """All services and the gateway, up."""
        async with AsyncExitStack() as stack:
            for name in NAMES:
                await self.start(name)
            stack.push_async_callback(self._stop_all)
            self.url = await stack.enter_async_context(SERVICE.start(self.installation.settings))
            self._http = await stack.enter_async_context(aiohttp.ClientSession())
            yield self

    async def _stop_all(self) -> None:
        for name in list(self._running):
            await self.stop(name)


def cause(record: evidence_pb2.Record) -> Cause:
    """A record as a cause."""
    return Cause(record.id, record.kind, record.record_hash.hex())
