"""Delivery and retry as recovery meets them: real gRPC servers over real logs, whose history a test writes."""

from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Self

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.delivery.v1.delivery_pb2_grpc import (
    DeliveryServiceServicer,
    add_DeliveryServiceServicer_to_server,
)
from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.log import Entry
from cavra_evidence.records.base import Record
from cavra_evidence.records.delivery import ConnectorDelivery
from cavra_evidence.records.retry import ExecutionRecord
from cavra_evidence.times import text
from cavra_service.identity import TokenVerifier
from cavra_service.keeping import log_kept
from cavra_service.runtime import open_store, utc_now
from cavra_service.server import Servicer, serving
from cavra_service.store.protocol import Commit, Store
from cavra_service.wire import from_timestamp, timestamp
from cavra_verify.kinds import AUDIT_SOURCE

from tests.support.installation import Installation

HASH = "0" * 64


@dataclass(frozen=True)
class _Failed:
    at: datetime
    provider: str
    reason: str
    status: int | None
    delivery_id: str
    entry: Entry


class FakePeers(DeliveryServiceServicer):
    """Both services of one installation, whose settings name their addresses while this context is open.

    Of delivery it serves what recovery calls; everything else is unimplemented, as in the generated base.
    """

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.categories: dict[str, str] = {}
        """Category of each provider; webhook for others."""
        self.stores: dict[str, Store] = {}
        self._failed: list[_Failed] = []
        self._running = {service: AsyncExitStack() for service in ("delivery", "retry")}

    async def __aenter__(self) -> Self:
        settings = self.installation.settings
        delivery = Servicer("cavra.delivery.v1.DeliveryService", add_DeliveryServiceServicer_to_server, self)
        for service, own in (("delivery", [delivery]), ("retry", [])):
            store = self.stores[service] = await open_store(settings, service)
            self._running[service].push_async_callback(store.close)
            evidence = await self._running[service].enter_async_context(
                log_kept(store, settings, service, own_records=False)
            )
            servers = serving([*own, evidence], TokenVerifier.of(settings), "127.0.0.1:0", 0)
            address = await self._running[service].enter_async_context(servers)
            known = self.installation.settings
            self.installation.settings = known.model_copy(update={f"{service}_address": address})
        return self

    async def __aexit__(self, *exc: object) -> None:
        for service in self._running:
            await self.stop(service)

    async def stop(self, service: str) -> None:
        """Take a service down."""
        await self._running[service].aclose()

    async def deliver(
        self,
        provider: str,
        reason: str = "",
        status: int | None = None,
        *,
        delivery_id: str = "",
        execution_id: str = "",
        at: datetime | None = None,
    ) -> Entry:
        """Record one connector delivery: a failure when `reason` says why, else a success."""
        delivery_id = delivery_id or new_id("gordackdelivery")
        record = ConnectorDelivery.model_validate(_delivery(provider, reason, status, execution_id))
        top = {
            "connector_delivery_source": AUDIT_SOURCE,
            "delivery_success": record.success,
            "providers": [provider],
            "delivery_id": delivery_id,
        }
        entry = await self.append("delivery", record, traces=(delivery_id,), top=top)
        if reason:
            self._failed.append(_Failed(at or utc_now(), provider, reason, status, delivery_id, entry))
        return entry

    async def execute(self, provider: str, status: str = "delivered") -> Entry:
        """Record one executed retry and, unless it was skipped, its delivery."""
        execution_id, delivery_id = new_id("gordackretryexec"), new_id("gordackdelivery")
        causes: list[Cause] = []
        if status != "skipped":
            reason = "" if status == "delivered" else "server_error"
            sent = await self.deliver(provider, reason, delivery_id=delivery_id, execution_id=execution_id)
            causes.append(Cause(sent.id, sent.kind, sent.record_hash.hex()))
        body = _execution(execution_id, provider, status, causes[0].id if causes else "")
        record = ExecutionRecord.model_validate(body | {"delivery_id": delivery_id})
        return await self.append("retry", record, causes=tuple(causes), traces=(delivery_id,))

    async def append(
        self,
        service: str,
        record: Record,
        *,
        causes: tuple[Cause, ...] = (),
        traces: tuple[str, ...] = (),
        top: dict[str, Any] | None = None,
    ) -> Entry:
        """Append any record to a service's log."""
        actor = Actor("cavra-local", f"service:{service}", service)
        (entry,) = await self.stores[service].commit(
            Commit([Draft(record, actor, causes, traces, top or {})])
        )
        return entry

    async def forge(self, entry: Entry) -> Entry:
        """Append a copy of a delivery under a key that is not delivery's, as somebody with the database would."""
        store = self.stores["delivery"]
        record = ConnectorDelivery.read(entry.canonical).model_copy(update={"session_id": new_id("rcd")})
        top = {"connector_delivery_source": AUDIT_SOURCE, "delivery_success": True, "providers": []}
        genuine, other = store.signer, self.stores["retry"].signer
        groups = store._groups  # type: ignore[attr-defined]
        groups._signer = other
        try:
            forged = await self.append("delivery", record, top=top)
        finally:
            groups._signer = genuine
        assert forged.key_id == other.key_id
        return forged

    async def SummarizeFailures(
        self, request: pb.SummarizeFailuresRequest, context: Any
    ) -> pb.SummarizeFailuresResponse:
        """See the contract."""
        since = from_timestamp(request.since)
        by_provider: defaultdict[str, list[_Failed]] = defaultdict(list)
        for failed in sorted(self._failed, key=lambda failed: failed.entry.index):
            if failed.at >= since and request.provider in ("", failed.provider):
                by_provider[failed.provider].append(failed)
        return pb.SummarizeFailuresResponse(
            providers=[self._summary(provider, by_provider[provider]) for provider in sorted(by_provider)]
        )

    def _summary(self, provider: str, failed: list[_Failed]) -> pb.SummarizeFailuresResponse.ProviderFailures:
        latest = failed[-1]
        return pb.SummarizeFailuresResponse.ProviderFailures(
            provider=provider,
            category=self.categories.get(provider, "webhook"),
            failure_count=len(failed),
            latest_failure_at=timestamp(latest.at),
            status_codes=sorted({one.status for one in failed if one.status}),
            reasons=sorted({one.reason for one in failed}),
            delivery_ids=list(dict.fromkeys(one.delivery_id for one in failed))[-50:],
            records=[_cause(one.entry) for one in failed][-50:],
            latest_failure_index=latest.entry.index,
        )

    def misstate(self, provider: str) -> None:
        """From now on state a wrong hash for the failures of a provider."""
        self._failed = [
            replace(one, entry=replace(one.entry, record_hash=b"\xff" * 32))
            if one.provider == provider
            else one
            for one in self._failed
        ]


def _cause(entry: Entry) -> evidence_pb2.Cause:
    return evidence_pb2.Cause(id=entry.id, kind=entry.kind, record_hash=entry.record_hash)


def _delivery(provider: str, reason: str, status: int | None, execution_id: str) -> dict[str, Any]:
    now = text(datetime.now(UTC))
    part = {
        "provider": provider,
        "success": not reason,
        "status_code": status,
        "attempt_count": 1,
        "started_at": now,
        "completed_at": now,
        "error": reason,
        "outcome": "failed" if reason else "delivered",
        "message_id": new_id("msg"),
        "attempt_number": 2 if execution_id else 1,
        "request": None,
    }
    return {
        "event_type": "audit_delivery",
        "event_id": new_id("event"),
        "session_id": new_id("rcd"),
        "generated_at": now,
        "success": not reason,
        "deliveries": [part],
        "execution_id": execution_id,
        "controls": [],
    }


def _execution(execution_id: str, provider: str, status: str, delivery: str) -> dict[str, Any]:
    return {
        "execution_id": execution_id,
        "execution_status": status,
        "executed_at": text(datetime.now(UTC)),
        "executed_by": "oscar",
        "run_id": new_id("gordackworker"),
        "retry_plan_id": new_id("gordackretry"),
        "approval_decision_id": new_id("gordackretryapprovaldecision"),
        "approval_plan_id": new_id("gordackretryapproval"),
        "audit_id": new_id("gordackaudit"),
        "provider": provider,
        "skipped": "fenced" if status == "skipped" else "",
        "delivery_plan_id": "",
        "delivery_metadata_id": delivery,
        "delivery_success": status == "delivered",
        "attempt_number": 2,
        "item_digest": HASH,
        "selected_providers": [provider],
        "public_evidence_refs": [],
        "controls": [],
    }
