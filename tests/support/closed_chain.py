"""A whole chain, from a failed delivery to its closure, out of real services in this process: the bytes of their three logs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
from cavra.delivery.v1.delivery_pb2 import DeliverAuditRequest
from cavra.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from cavra.evidence.v1.evidence_pb2 import WatchRecordsRequest
from cavra.evidence.v1.evidence_pb2_grpc import EvidenceLogStub
from cavra.recovery.v1 import recovery_pb2 as recovery
from cavra.recovery.v1.recovery_pb2_grpc import RecoveryServiceStub
from cavra.retry.v1 import retry_pb2 as retry
from cavra_service.identity import load_signer
from cavra_verify.signatures import Signer

from tests.support.installation import Installation
from tests.support.receiver import Receiver
from tests.support.retry_desk import RetryDesk

SERVICES: Final = ("delivery", "retry", "recovery")
_IMMEDIATE: Final = retry.RetryPolicy(allow_immediate_retry=True)


@dataclass(frozen=True, slots=True)
class Kept:
    """One record as a log holds it."""

    canonical: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class KeptLog:
    """One service's whole log, and the key that a forger of it would need."""

    origin: str
    service: str
    signer: Signer
    records: tuple[Kept, ...]


@dataclass(frozen=True, slots=True)
class ClosedChain:
    """Three logs and the delivery whose chain they hold."""

    trace_id: str
    logs: dict[str, KeptLog]


class _Walk:
    def __init__(self, installation: Installation, receiver: Receiver) -> None:
        self.installation = installation
        self.receiver = receiver
        self.oscar = installation.caller("oscar", "operator")

    async def deliver(self, address: str, provider: str) -> Any:
        async with self.installation.channel(address) as channel:
            request = DeliverAuditRequest(providers=[provider], retries=0, timeout_seconds=5)
            return await self.oscar.unary(DeliveryServiceStub(channel).DeliverAudit, request)

    async def close(self, address: str, execution_id: str) -> None:
        async with self.installation.channel(address) as channel:
            stub = RecoveryServiceStub(channel)
            asked = recovery.CreatePlaybookRequest(min_failure_count=1)
            playbook = (await self.oscar.unary(stub.CreatePlaybook, asked)).playbook
            for state, refs in (("DEFERRED", []), ("RESOLVED", [execution_id])):
                closing = recovery.CloseRecoveryRequest(
                    playbook_id=playbook.id,
                    provider="hook",
                    closure_state=f"CLOSURE_STATE_{state}",
                    verification_refs=refs,
                )
                await self.oscar.unary(stub.CloseRecovery, closing)


async def log_of(installation: Installation, service: str, address: str) -> KeptLog:
    """A running service's log, up to 200 records."""
    async with installation.channel(address) as channel:
        ada = installation.caller("ada", "auditor")
        watched = ada.stream(EvidenceLogStub(channel).WatchRecords, WatchRecordsRequest())
        answer = await anext(aiter(watched))
    settings = installation.settings
    records = tuple(Kept(record.canonical, record.signature) for record in answer.records)
    return KeptLog(settings.origin(service), service, load_signer(settings, service), records)


async def closed_chain(folder: Path, monkeypatch: pytest.MonkeyPatch) -> ClosedChain:
    """A delivery fails, two people approve its retry, which fails too; the next attempt is delivered, and the recovery closed with it.

    Another delivery, to another connector, fails as well, and stays so.
    """
    monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", str(folder / "connectors.json"))
    installation = Installation(folder / "data")
    async with Receiver(503) as receiver:
        hook = {"kind": "webhook", "url": f"{receiver.url}/hook", "allow_private_networks": True}
        (folder / "connectors.json").write_text(json.dumps({"connectors": {"hook": hook, "other": hook}}))
        walk = _Walk(installation, receiver)
        async with installation.running("delivery") as delivery_address:
            failed = await walk.deliver(delivery_address, "hook")
            await walk.deliver(delivery_address, "other")
            desk = RetryDesk(installation, delivery_address)
            async with (
                installation.running("retry") as retry_address,
                installation.channel(retry_address) as channel,
            ):
                desk.use(channel)
                executed = []
                for status in (503, 200):
                    receiver.status = status
                    plan = await desk.reviewed(required_approvals=2)
                    for approver in ("bob", "carol"):
                        await desk.decide(plan, who=approver)
                    ran = await desk.run(retry_policy=_IMMEDIATE, retries=0, timeout_seconds=5)
                    executed.append(ran.results[0].execution.id)
                async with installation.running("recovery") as recovery_address:
                    await walk.close(recovery_address, executed[-1])
                    addresses = (delivery_address, retry_address, recovery_address)
                    logs = {
                        service: await log_of(installation, service, address)
                        for service, address in zip(SERVICES, addresses, strict=True)
                    }
    return ClosedChain(failed.delivery_plan.id, logs)
