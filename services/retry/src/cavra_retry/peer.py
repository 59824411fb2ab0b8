"""The delivery service as this one needs it: open failures, what would be sent, and the sends themselves."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import grpc
import orjson
import structlog
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.delivery.v1 import delivery_pb2_grpc as delivery_rpc
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra.evidence.v1 import evidence_pb2_grpc as evidence_rpc
from cavra_evidence.draft import Actor, Cause
from cavra_evidence.records.delivery import ConnectorDelivery
from cavra_service.client import Caller
from cavra_service.keys import ServiceKeys
from cavra_service.wire import actor_to_wire, cause_from_wire, cause_of, cause_to_wire, from_timestamp
from cavra_verify.signatures import SignatureError

from cavra_retry.domain.executions import Claim, Outcome, Status
from cavra_retry.domain.failures import Content, Description, Failure, FailureKey
from cavra_retry.mirror import Mirror

log = structlog.get_logger()

_BATCH: Final = 100
_SENDS_AT_ONCE: Final = 16
_WAIT_BETWEEN_TRIES_SECONDS: Final = 2

_STATUSES: Final[Mapping[str, Status]] = {
    "delivered": "delivered",
    "failed": "failed",
    "unknown": "unknown",
}
"""What a connector delivery may say of a retry that began."""


@dataclass(frozen=True, slots=True)
class Sending:
    """How long and how often one send is tried."""

    retries: int = 2
    """Further tries within one send."""
    timeout_seconds: int = 10
    """Seconds one try may take."""

    def deadline(self, sends: int) -> timedelta:
        """How long the outcome of so many sends is waited for."""
        waves = -(-sends // _SENDS_AT_ONCE)
        seconds = waves * (self.retries + 1) * (self.timeout_seconds + _WAIT_BETWEEN_TRIES_SECONDS) + 5
        return timedelta(seconds=seconds)


@dataclass(frozen=True, slots=True)
class Permitted:
    """A claim that may be sent."""

    claim: Claim
    intent: Cause
    """Its intent, with the hash."""
    permit: bytes
    """Signed."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What delivery answered to one claim."""

    execution_id: str
    outcome: Outcome
    delivery_plan: evidence.Record | None
    """The retry's own delivery plan; None when skipped."""
    delivery: evidence.Record | None
    """The connector delivery; None when skipped."""


class Delivery:
    """Calls to the delivery service. Each raises Refused, `service_unavailable` when it is down."""

    def __init__(self, channel: grpc.aio.Channel, caller: Caller, keys: ServiceKeys) -> None:
        """`keys`: delivery's, by which its records are checked."""
        self._stub = delivery_rpc.DeliveryServiceStub(channel)
        self._log = evidence_rpc.EvidenceLogStub(channel)
        self._caller = caller
        self._keys = keys
        self._mirror = Mirror()
        self._reading = asyncio.Lock()
        self.circuits: Mapping[str, str] = {}
        """Of connectors whose circuit was not closed when failures were last asked for: "open" or "half_open", by provider."""

    async def open_failures(self) -> list[Failure]:
        """All open failures as they are now, oldest first. What has not changed since the last time is not sent again."""
        async with self._reading:
            while True:
                request = pb.ListChangedFailuresRequest(cursor=self._mirror.cursor)
                response = await self._caller.unary(self._stub.ListChangedFailures, request)
                self._mirror.take(map(_failure, response.failures), response.next_cursor, response.begins)
                self.circuits = dict(response.circuits)
                if not response.more:
                    return self._mirror.failures()

    async def describe(self, keys: Sequence[FailureKey]) -> dict[FailureKey, Description]:
        """What would be sent for each failure; unknown keys are left out."""
        found: dict[FailureKey, Description] = {}
        for batch in _batches(keys):
            request = pb.DescribeRetriesRequest(keys=batch)
            response = await self._caller.unary(self._stub.DescribeRetries, request)
            found |= {_key(one.key): _description(one) for one in response.descriptions}
        return found

    async def send(self, permitted: Sequence[Permitted], sending: Sending) -> AsyncIterator[Sent]:
        """Send claimed retries; each answer as soon as delivery has made it durable.

        Raises SignatureError for a record that delivery's key did not sign for this execution.
        """
        request = pb.SendRetriesRequest(
            sends=list(map(_send, permitted)),
            executed_by=actor_to_wire(permitted[0].claim.executor),
            retries=sending.retries,
            timeout_seconds=sending.timeout_seconds,
        )
        timeout = sending.deadline(len(permitted)).total_seconds()
        answers = self._caller.stream(self._stub.SendRetries, request, timeout=timeout)
        async for response in answers:
            for result in response.results:
                yield self._sent(result)

    async def settle(self, execution_ids: Sequence[str]) -> AsyncIterator[Sent]:
        """What became of executions, for good; those that delivery is still sending are left out.

        One that never began is fenced by this: `skipped`, for the reason "fenced". An outcome that delivery's key did not sign is left out
        and logged: it must not keep the others waiting.
        """
        for at in range(0, len(execution_ids), _BATCH):
            request = pb.SettleRequest(execution_ids=execution_ids[at : at + _BATCH])
            response = await self._caller.unary(self._stub.Settle, request)
            for one in response.settlements:
                if one.in_progress:
                    continue
                try:
                    sent = self._sent(one.result)
                except ValueError:
                    log.error("outcome_not_signed_by_delivery", execution_id=one.execution_id)
                else:
                    yield sent

    async def resolve(self, resolution: evidence.Record) -> None:
        """Close or reopen the failure of an unknown execution, as a resolution in our log says. Again, it changes nothing."""
        request = pb.ResolveFailureRequest(resolution=resolution)
        await self._caller.unary(self._stub.ResolveFailure, request)

    async def connectors(self) -> list[pb.Connector]:
        """The configured connectors, by name."""
        response = await self._caller.unary(self._stub.ListConnectors, pb.ListConnectorsRequest())
        return list(response.connectors)

    async def send_alert(
        self, plan: evidence.Record, health_id: str, providers: Sequence[str], actor: Actor, sending: Sending
    ) -> pb.SendAlertResponse:
        """Send an alert plan that is durable to its selected providers."""
        request = pb.SendAlertRequest(
            providers=providers,
            health_id=health_id,
            plan=cause_to_wire(cause_of(plan)),
            plan_canonical=plan.canonical,
            requested_by=actor_to_wire(actor),
            retries=sending.retries,
            timeout_seconds=sending.timeout_seconds,
        )
        response: pb.SendAlertResponse = await self._caller.unary(
            self._stub.SendAlert, request, timeout=sending.deadline(len(providers)).total_seconds()
        )
        return response

    async def counters(self, prefix: str) -> dict[str, int]:
        """Counters of delivery's log whose name starts so."""
        response = await self._caller.unary(self._log.GetCounters, evidence.GetCountersRequest(prefix=prefix))
        return dict(response.counters)

    def _sent(self, result: Any) -> Sent:
        if result.outcome == pb.SEND_OUTCOME_SKIPPED:
            return Sent(result.execution_id, Outcome("skipped", result.skipped_reason), None, None)
        # An effect is claimed on nobody else's word: what the signed record says counts, not the answer around it.
        record = result.delivery
        self._keys.verify(record.signature, record.canonical, record.index)
        # Its shape is what delivery's own models made of it.
        delivery: dict[str, Any] = orjson.loads(record.canonical).get(ConnectorDelivery.KIND.key, {})
        status = _STATUSES.get(delivery["deliveries"][0]["outcome"]) if delivery else None
        if status is None or delivery["execution_id"] != result.execution_id:
            raise SignatureError("got another record, expected the connector delivery of the execution")
        outcome = Outcome(status, "", delivery["delivery_plan_id"], cause_of(record))
        return Sent(result.execution_id, outcome, result.delivery_plan, record)


def _batches(keys: Sequence[FailureKey]) -> list[list[pb.FailureKey]]:
    wire = [pb.FailureKey(**key._asdict()) for key in keys]
    return [wire[at : at + _BATCH] for at in range(0, len(wire), _BATCH)]


def _key(key: pb.FailureKey) -> FailureKey:
    return FailureKey.shared(key.delivery_id, key.audit_id, key.provider)


def _failure(failure: pb.Failure) -> Failure:
    return Failure(
        key=_key(failure.key),
        open=failure.open,
        failure_count=failure.failure_count,
        next_attempt_number=failure.next_attempt_number,
        first_failed_at=from_timestamp(failure.first_failed_at),
        latest_failed_at=from_timestamp(failure.latest_failed_at),
        latest_delivery_id=failure.latest_delivery_id,
        failed_status_codes=tuple(failure.failed_status_codes),
        latest_record=cause_from_wire(failure.latest_record),
        in_flight=failure.in_flight,
        outcome_unknown=failure.outcome_unknown,
    )


def _description(one: Any) -> Description:
    if one.unavailable_reason:
        return Description(None, one.unavailable_reason)
    return Description(
        Content(one.audit_package_hash.hex(), one.payload_hash.hex(), one.destination_fingerprint.hex())
    )


def _send(permitted: Permitted) -> pb.RetrySend:
    claim, item = permitted.claim, permitted.claim.item
    return pb.RetrySend(
        execution_id=claim.execution_id,
        key=pb.FailureKey(**item.key._asdict()),
        attempt_number=item.attempt_number,
        payload_hash=bytes.fromhex(item.content.payload_hash),
        destination_fingerprint=bytes.fromhex(item.content.destination_fingerprint),
        intent=cause_to_wire(permitted.intent),
        run_id=claim.run_id,
        retry_plan_id=item.review.retry_plan_id,
        permit=permitted.permit,
    )
