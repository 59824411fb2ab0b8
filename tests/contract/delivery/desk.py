"""An operator's desk in front of a real delivery service: its files, its connectors, and calls to it."""

import hashlib
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import orjson
import yaml
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.delivery.v1 import delivery_pb2_grpc as rpc
from cavra.evidence.v1 import evidence_pb2
from cavra.evidence.v1 import evidence_pb2_grpc as log_rpc
from cavra_evidence.ids import new_id
from cavra_evidence.times import text
from cavra_service.client import Caller
from cavra_service.errors import Refused
from cavra_service.identity import load_signer
from cavra_verify.envelope import served
from cavra_verify.kinds import BY_NOUN
from cavra_verify.permits import Permit, sign_permit
from cavra_verify.signatures import Signer

from tests.support.installation import Installation


class Desk:
    """Files and calls of one test. The service is up inside `open`."""

    def __init__(self, folder: Path, set_variable: Callable[[str, str], None]) -> None:
        self.folder = folder
        self.set_variable = set_variable
        self.installation = Installation(folder / "data")
        self.operator: Caller = self.installation.caller("olga", "operator")
        self.service: Caller = self.installation.caller("service:retry", "service")
        self.stub: Any = None
        self.log: Any = None
        set_variable("CAVRA_CONNECTOR_CONFIG", str(folder / "connectors.yaml"))
        set_variable("CAVRA_GO_ROLLBACK_DRILL_SCHEDULE", str(folder / "schedule.yaml"))

    def connectors(self, **connectors: Any) -> None:
        """Write the connector file."""
        (self.folder / "connectors.yaml").write_text(yaml.safe_dump({"connectors": connectors}))

    def schedule(self, due_in_days: float = 3, **fields: Any) -> None:
        """Write the schedule file."""
        document = {
            "schedule_id": "production-rollback",
            "status": "active",
            "interval_days": 30,
            "next_due_at": (datetime.now(UTC) + timedelta(days=due_in_days)).isoformat(),
            "owners": ["platform"],
            "notification_providers": ["webhook"],
            **fields,
        }
        (self.folder / "schedule.yaml").write_text(yaml.safe_dump(document))

    @asynccontextmanager
    async def open(self) -> AsyncIterator["Desk"]:
        """The service, up."""
        async with (
            self.installation.running("delivery") as address,
            self.installation.channel(address) as channel,
        ):
            self.connect(channel)
            yield self

    def connect(self, channel: grpc.aio.Channel) -> None:
        """Call through `channel` from now on."""
        self.stub, self.log = rpc.DeliveryServiceStub(channel), log_rpc.EvidenceLogStub(channel)

    async def call(self, method: str, request: Any, caller: Caller | None = None) -> Any:
        """One call, as the operator unless another caller is given."""
        return await (caller or self.operator).unary(getattr(self.stub, method), request)

    async def refusal(self, method: str, request: Any, caller: Caller | None = None) -> tuple[str, str]:
        """(reason, field) of a call that must be refused, and must leave the log as it was."""
        before = await self.log_size()
        try:
            answer = await self.call(method, request, caller)
        except Refused as refused:
            assert await self.log_size() == before, f"{method} wrote a record although it refused"
            return refused.reason, refused.field
        raise AssertionError(f"{method} was not refused but answered {answer}")

    async def log_size(self) -> int:
        """How many records there are."""
        return int((await self.counters("none"))[1])

    async def counters(self, prefix: str) -> tuple[dict[str, int], int]:
        """(the counters under a prefix that are not 0, the log's size)."""
        request = evidence_pb2.GetCountersRequest(prefix=prefix)
        answer = await self.operator.unary(self.log.GetCounters, request)
        return {name: value for name, value in answer.counters.items() if value}, answer.tree_size

    async def gauges(self) -> dict[str, int]:
        """The gauges that are not 0, by their own names."""
        counters, _ = await self.counters("gauge:")
        return {name.removeprefix("gauge:"): value for name, value in counters.items()}

    async def deliver(self, *providers: str, retries: int = 0, timeout_seconds: int = 5) -> Any:
        """Deliver an audit package of everything."""
        request = pb.DeliverAuditRequest(
            providers=providers, retries=retries, timeout_seconds=timeout_seconds
        )
        return await self.call("DeliverAudit", request)

    async def failures(self) -> list[pb.Failure]:
        """The open failures."""
        return list((await self.call("ListFailures", pb.ListFailuresRequest())).failures)

    async def claim(self, failure: pb.Failure, **changed: Any) -> pb.RetrySend:
        """A claim of the failure's next attempt, as it would have been approved now."""
        request = pb.DescribeRetriesRequest(keys=[failure.key])
        described = (await self.call("DescribeRetries", request, self.service)).descriptions[0]
        fields = {
            "execution_id": new_id("gordackretryexec"),
            "key": failure.key,
            "attempt_number": failure.next_attempt_number,
            "payload_hash": described.payload_hash,
            "destination_fingerprint": described.destination_fingerprint,
            "intent": cause("retry_intent"),
            "run_id": new_id("gordackworker"),
            "retry_plan_id": new_id("gordackretry"),
            **changed,
        }
        send = pb.RetrySend(**fields)
        if "permit" not in changed:
            send.permit = sign_permit(permit_for(send), self.retry_signer)
        return send

    @property
    def retry_signer(self) -> Signer:
        """The key that the retry service signs with."""
        return load_signer(self.installation.settings, "retry")

    async def retry(
        self, *sends: pb.RetrySend, timeout_seconds: int = 5
    ) -> list[pb.SendRetriesResponse.Result]:
        """Send claims; results in the order they came."""
        request = retry_request(*sends, timeout_seconds=timeout_seconds)
        stream = self.service.stream(self.stub.SendRetries, request)
        return [result async for response in stream for result in response.results]

    async def records(self, **filters: str) -> list[dict[str, Any]]:
        """Envelopes that match, oldest first."""
        request = evidence_pb2.ListRecordsRequest(
            filters=[evidence_pb2.Filter(name=name, value=value) for name, value in filters.items()],
            page_size=500,
        )
        answer = await self.operator.unary(self.log.ListRecords, request)
        return [envelope(record) for record in reversed(answer.records)]

    def let_pass(self, seconds: float, provider: str) -> None:
        """Let a provider's circuit have opened so long before it did. The service is down meanwhile."""
        with closing(sqlite3.connect(self.folder / "data" / "delivery.sqlite3")) as store, store:
            found = store.execute("SELECT opened_at FROM circuits WHERE provider = ?", [provider])
            earlier = text(datetime.fromisoformat(found.fetchone()[0]) - timedelta(seconds=seconds))
            store.execute("UPDATE circuits SET opened_at = ? WHERE provider = ?", [earlier, provider])

    def store_bytes(self) -> bytes:
        """All that the store holds, as bytes on disk."""
        return b"".join(path.read_bytes() for path in (self.folder / "data").glob("delivery.sqlite3*"))


def retry_request(*sends: pb.RetrySend, timeout_seconds: int = 5) -> pb.SendRetriesRequest:
    """Asks for sends, on behalf of an operator."""
    return pb.SendRetriesRequest(
        sends=sends,
        executed_by=evidence_pb2.Actor(issuer="cavra-local", subject="erin", name="Erin"),
        retries=0,
        timeout_seconds=timeout_seconds,
    )


def permit_for(send: pb.RetrySend, expires_in: timedelta = timedelta(minutes=1)) -> Permit:
    """Leave to send exactly this."""
    return Permit(
        execution_id=send.execution_id,
        intent_id=send.intent.id,
        intent_hash=send.intent.record_hash.hex(),
        item_digest="d" * 64,
        delivery_id=send.key.delivery_id,
        audit_id=send.key.audit_id,
        provider=send.key.provider,
        attempt_number=send.attempt_number,
        payload_hash=send.payload_hash.hex(),
        destination_fingerprint=send.destination_fingerprint.hex(),
        expires_at=text(datetime.now(UTC) + expires_in),
    )


def cause(noun: str) -> evidence_pb2.Cause:
    """A record of another log."""
    kind = BY_NOUN[noun]
    record_id = new_id(kind.prefix)
    return evidence_pb2.Cause(
        id=record_id, kind=kind.kind, record_hash=hashlib.sha256(record_id.encode()).digest()
    )


def envelope(record: evidence_pb2.Record) -> dict[str, Any]:
    """A record as the API serves it."""
    return served(record.canonical, record.origin, record.index)


def webhook(url: str, **more: Any) -> dict[str, Any]:
    """The entry of a webhook on this machine."""
    return {"url": url, "allow_private_networks": True, "circuit_failures": 0, **more}


def body(data: bytes) -> dict[str, Any]:
    """A received event."""
    document: dict[str, Any] = orjson.loads(data)
    return document
