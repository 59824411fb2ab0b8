"""A delivery service whose failures and outcomes a test scripts: real contract, gRPC and records, no sends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.delivery.v1 import delivery_pb2_grpc as rpc
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.records.base import Record
from cavra_evidence.records.delivery import AuditFilters, ConnectorDelivery, DeliveryPlan, ProviderDelivery
from cavra_evidence.records.retry import ExecutionResolution
from cavra_evidence.times import text
from cavra_service.errors import Refused
from cavra_service.identity import TokenVerifier
from cavra_service.keeping import log_kept
from cavra_service.runtime import open_store
from cavra_service.server import Servicer, serving
from cavra_service.settings import Settings
from cavra_service.store.protocol import Commit, Store
from cavra_service.wire import actor_from_wire, cause_from_wire, cause_to_wire, record_of_entry, timestamp
from cavra_verify.kinds import ALERT_SOURCE, AUDIT_SOURCE

Key = tuple[str, str, str]
"""(delivery_id, audit_id, provider)."""

_OUTCOMES = {
    "delivered": pb.SEND_OUTCOME_DELIVERED,
    "failed": pb.SEND_OUTCOME_FAILED,
    "unknown": pb.SEND_OUTCOME_UNKNOWN,
}
_SYSTEM = Actor("cavra-local", "service:delivery", "service:delivery")


@dataclass(slots=True)
class FakeFailure:
    """One failure; a test changes what it likes."""

    key: Key
    at: datetime
    record: Cause
    count: int = 1
    open: bool = True
    in_flight: bool = False
    unknown: bool = False
    payload: str = "payload"
    unavailable: str = ""
    latest_at: datetime = field(init=False)

    def __post_init__(self) -> None:
        self.latest_at = self.at

    @property
    def hashes(self) -> tuple[bytes, bytes, bytes]:
        """Audit package hash, payload hash, destination fingerprint."""
        return (
            sha256(self.key[1].encode()).digest(),
            sha256(self.payload.encode()).digest(),
            sha256(self.key[2].encode()).digest(),
        )

    def wire(self) -> pb.Failure:
        """As the contract has it."""
        return pb.Failure(
            key=pb.FailureKey(delivery_id=self.key[0], audit_id=self.key[1], provider=self.key[2]),
            open=self.open,
            failure_count=self.count,
            next_attempt_number=self.count + 1,
            first_failed_at=timestamp(self.at),
            latest_failed_at=timestamp(self.latest_at),
            latest_delivery_id=self.key[0],
            failed_status_codes=[503] * min(self.count, 50),
            latest_record=cause_to_wire(self.record),
            original_record=cause_to_wire(self.record),
            in_flight=self.in_flight,
            outcome_unknown=self.unknown,
        )


class FakeDelivery(rpc.DeliveryServiceServicer):
    """Answers each send with the next of `script`, then with "delivered" for ever."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.failures: dict[Key, FakeFailure] = {}
        self.circuits: dict[str, str] = {}
        """Of connectors that are left alone for now."""
        self.script: list[str] = []
        """delivered, failed, unknown, or a reason code: skipped."""
        self.sends: list[Any] = []
        """Every RetrySend and SendAlertRequest that arrived."""
        self.connectors = ["chat", "hook"]
        self.arrived = asyncio.Event()
        """Set once a send has arrived."""
        self.hold: asyncio.Event | None = None
        """While set and not fired, sends wait before they begin."""
        self.lose_answers = False
        """Record outcomes and break the stream instead of answering."""
        self.resolutions: list[ExecutionResolution] = []
        """Every resolution that arrived."""
        self.told = asyncio.Event()
        """Set once one has."""
        self.deaf = ""
        """Refuse resolutions for this reason."""
        self.in_progress = 0
        """So many settlements are answered with `in_progress` first."""
        self.results: dict[str, Any] = {}
        """What became of each execution."""
        self.alert_success = True
        self.alert_refusals: list[str] = []
        """Refuse the next alerts for these reasons, after they have arrived."""
        self.alerted = asyncio.Event()
        """Set once an alert is recorded."""

    async def fail(self, provider: str = "hook", at: datetime | None = None, **more: Any) -> FakeFailure:
        """An audit delivery to `provider` that failed, with its record."""
        key = (new_id("gordackdelivery"), new_id("gordackaudit"), provider)
        record = await self._record(key[0], provider, "failed", {}, (), _SYSTEM)
        cause = Cause(record.id, record.kind, record.record_hash.hex())
        failure = FakeFailure(key, at or datetime.now(UTC), cause, **more)
        self.failures[key] = failure
        return failure

    async def ListChangedFailures(
        self, request: pb.ListChangedFailuresRequest, context: Any
    ) -> pb.ListChangedFailuresResponse:
        """Begins anew each time, since a test changes failures as it likes. Pages by position."""
        found = [one for one in self.failures.values() if one.open]
        start, size = int(request.cursor or 0), request.page_size or 500
        more = start + size < len(found)
        return pb.ListChangedFailuresResponse(
            failures=[one.wire() for one in found[start : start + size]],
            next_cursor=str(start + size) if more else "",
            more=more,
            begins=start == 0,
            circuits=self.circuits,
        )

    async def DescribeRetries(
        self, request: pb.DescribeRetriesRequest, context: Any
    ) -> pb.DescribeRetriesResponse:
        """Unknown keys are left out."""
        if not 1 <= len(request.keys) <= 100:
            raise Refused("invalid_value", "1 to 100 keys", "keys")
        response = pb.DescribeRetriesResponse()
        for key in request.keys:
            failure = self.failures.get(_key(key))
            if failure is not None and failure.unavailable:
                response.descriptions.add(key=key, unavailable_reason=failure.unavailable)
            elif failure is not None:
                package, payload, fingerprint = failure.hashes
                response.descriptions.add(
                    key=key,
                    audit_package_hash=package,
                    payload_hash=payload,
                    destination_fingerprint=fingerprint,
                )
        return response

    async def SendRetries(
        self, request: pb.SendRetriesRequest, context: Any
    ) -> AsyncIterator[pb.SendRetriesResponse]:
        """One answer for each send, in the order asked."""
        self.sends += request.sends
        self.arrived.set()
        if self.hold is not None:
            await self.hold.wait()
        for send in request.sends:
            result = await self._send(send, actor_from_wire(request.executed_by))
            self.results[send.execution_id] = result
            if self.lose_answers:
                raise Refused("service_unavailable", "the answer is lost")
            yield pb.SendRetriesResponse(results=[result])

    async def _send(self, send: pb.RetrySend, actor: Actor) -> Any:
        failure = self.failures[_key(send.key)]
        outcome = self.script.pop(0) if self.script else "delivered"
        if send.payload_hash != failure.hashes[1]:
            outcome = "content_changed"
        if send.attempt_number != failure.count + 1:
            outcome = "attempt_conflict"
        if outcome not in _OUTCOMES:
            return pb.SendRetriesResponse.Result(
                execution_id=send.execution_id, outcome=pb.SEND_OUTCOME_SKIPPED, skipped_reason=outcome
            )
        delivery_id, intent = failure.key[0], cause_from_wire(send.intent)
        plan_record = _plan(failure.key, actor)
        plan = await self._commit(Draft(plan_record, actor, causes=(intent,), trace_ids=(delivery_id,)))
        more = {"execution_id": send.execution_id, "delivery_plan_id": plan_record.delivery_id}
        causes = (intent, Cause(plan.id, plan.kind))
        record = await self._record(delivery_id, failure.key[2], outcome, more, causes, actor)
        if outcome == "delivered":
            failure.open = False
        else:
            failure.count += 1
            failure.unknown = outcome == "unknown"
            failure.record = Cause(record.id, record.kind, record.record_hash.hex())
        return pb.SendRetriesResponse.Result(
            execution_id=send.execution_id, outcome=_OUTCOMES[outcome], delivery_plan=plan, delivery=record
        )

    async def Settle(self, request: pb.SettleRequest, context: Any) -> pb.SettleResponse:
        """What is not known is fenced."""
        response = pb.SettleResponse()
        for execution_id in request.execution_ids:
            if self.in_progress:
                self.in_progress -= 1
                response.settlements.add(execution_id=execution_id, in_progress=True)
                continue
            fenced = pb.SendRetriesResponse.Result(
                execution_id=execution_id, outcome=pb.SEND_OUTCOME_SKIPPED, skipped_reason="fenced"
            )
            response.settlements.add(
                execution_id=execution_id, result=self.results.setdefault(execution_id, fenced)
            )
        return response

    async def ResolveFailure(
        self, request: pb.ResolveFailureRequest, context: Any
    ) -> pb.ResolveFailureResponse:
        """Does as it is told, unless it is to refuse."""
        if self.deaf:
            raise Refused(self.deaf, "not now")
        said = ExecutionResolution.read(request.resolution.canonical)
        failure = self.failures[(said.delivery_id, said.audit_id, said.provider)]
        failure.open, failure.unknown = said.outcome != "delivered", False
        self.resolutions.append(said)
        self.told.set()
        return pb.ResolveFailureResponse(failure=failure.wire())

    async def SendAlert(self, request: pb.SendAlertRequest, context: Any) -> pb.SendAlertResponse:
        """One record over all providers."""
        self.sends.append(request)
        if self.alert_refusals:
            raise Refused(self.alert_refusals.pop(0), "not now")
        outcome = "delivered" if self.alert_success else "failed"
        event = new_id("gordackalertevent")
        draft = _delivery(list(request.providers), outcome, event, {}, ALERT_SOURCE)
        top = {**draft.top, "health_id": request.health_id, "plan_id": request.plan.id}
        causes = (cause_from_wire(request.plan),)
        draft = Draft(
            draft.record, actor_from_wire(request.requested_by), causes, (request.plan.id,), top=top
        )
        record = await self._commit(draft)
        self.alerted.set()
        return pb.SendAlertResponse(delivery=record, success=self.alert_success, event_id=event)

    async def ListConnectors(
        self, request: pb.ListConnectorsRequest, context: Any
    ) -> pb.ListConnectorsResponse:
        """All enabled and ready."""
        response = pb.ListConnectorsResponse()
        for name in self.connectors:
            response.connectors.add(name=name, kind="webhook", category="webhook", enabled=True, ready=True)
        return response

    async def _record(
        self,
        delivery_id: str,
        provider: str,
        outcome: str,
        more: dict[str, str],
        causes: tuple[Cause, ...],
        actor: Actor,
    ) -> evidence.Record:
        draft = _delivery([provider], outcome, delivery_id, more, AUDIT_SOURCE)
        top = {**draft.top, "delivery_id": delivery_id}
        return await self._commit(Draft(draft.record, actor, causes, (delivery_id,), top=top))

    async def _commit(self, draft: Draft) -> evidence.Record:
        entries = await self.store.commit(Commit([draft]))
        return record_of_entry(entries[0], self.store.origin)


def _key(key: pb.FailureKey) -> Key:
    return (key.delivery_id, key.audit_id, key.provider)


def _plan(key: Key, actor: Actor) -> DeliveryPlan:
    return DeliveryPlan(
        delivery_id=new_id("gordackdelivery"),
        audit_id=key[1],
        generated_at=text(datetime.now(UTC)),
        generated_by=actor.name,
        cadence="on_demand",
        schedule_ref="",
        next_delivery_at=None,
        requested_provider=key[2],
        requested_providers=[key[2]],
        selected_providers=[key[2]],
        destination_count=1,
        route_count=0,
        outstanding_count=0,
        escalated_count=0,
        alert_level="warning",
        filters=AuditFilters(schedule_id="", provider="", owner=""),
        controls=[],
    )


def _delivery(providers: list[str], outcome: str, event_id: str, more: dict[str, str], source: str) -> Draft:
    success, now = outcome == "delivered", text(datetime.now(UTC))
    parts = [
        ProviderDelivery(
            provider=provider,
            success=success,
            status_code=200 if success else 503,
            attempt_count=1,
            started_at=now,
            completed_at=now,
            error="" if success else "server_error",
            outcome=outcome,
            message_id=f"msg-{sha256(event_id.encode()).hexdigest()[:28]}",
            attempt_number=1,
            request=None,
        )
        for provider in providers
    ]
    record: Record = ConnectorDelivery(
        event_type="audit_delivery",
        event_id=event_id,
        session_id=new_id("rcd"),
        generated_at=now,
        success=success,
        deliveries=parts,
        controls=[],
        **more,
    )
    top = {
        "connector_delivery_source": source,
        "delivery_success": success,
        "providers": providers,
        "failed_providers": [] if success else providers,
        "attempt_count": len(providers),
        "max_attempt_count": 1,
        "status_codes": [parts[0].status_code],
    }
    return Draft(record, _SYSTEM, top=top)


@asynccontextmanager
async def fake_delivery(settings: Settings) -> AsyncIterator[tuple[FakeDelivery, str]]:
    """A fake in this process and its address."""
    store = await open_store(settings, "delivery")
    fake = FakeDelivery(store)  # type: ignore[abstract] # what retry does not call stays unimplemented
    name = "cavra.delivery.v1.DeliveryService"
    own = Servicer(name, rpc.add_DeliveryServiceServicer_to_server, fake)
    try:
        async with (
            log_kept(store, settings, "delivery", own_records=False) as evidence,
            serving([own, evidence], TokenVerifier.of(settings), "127.0.0.1:0", 0.1) as address,
        ):
            yield fake, address
    finally:
        await store.close()
