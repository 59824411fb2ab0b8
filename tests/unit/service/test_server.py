"""The gate in front of every RPC: who may call, for how long, and what an error looks like outside."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from cavra.delivery.v1 import delivery_pb2
from cavra.evidence.v1 import evidence_pb2, evidence_pb2_grpc
from cavra.recovery.v1 import recovery_pb2
from cavra.retry.v1 import retry_pb2
from cavra_evidence.log import RecordTooLarge
from cavra_evidence.refusal import Refusal
from cavra_service import server as server_module
from cavra_service.client import Caller
from cavra_service.errors import REASONS, Refused
from cavra_service.identity import TokenVerifier, caller
from cavra_service.roles import REQUIRED
from cavra_service.server import Servicer, serving
from cavra_service.store.protocol import Conflict, StoreClosed, StoreFailed
from cavra_verify.canonical import CanonicalError
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from structlog.testing import capture_logs

from tests.support.evidence_server import EvidenceServer, evidence_server
from tests.support.installation import Installation
from tests.support.records import record

GET = "/cavra.evidence.v1.EvidenceLog/GetRecord"
REQUEST = evidence_pb2.GetRecordRequest(id="rcd-unknown")
CONTRACTS = (delivery_pb2, evidence_pb2, recovery_pb2, retry_pb2)


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[EvidenceServer]:
    async with evidence_server(tmp_path) as server:
        yield server


async def refusal_of(served: EvidenceServer, *, token: str) -> str:
    with pytest.raises(Refused) as refused:
        await Caller(lambda: token, 10.0).unary(served.stub.GetRecord, REQUEST)
    assert token == "" or token not in refused.value.message
    return refused.value.reason


async def test_a_caller_without_a_token_is_not_served(served: EvidenceServer) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.stub.GetRecord(REQUEST, timeout=10)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert await refusal_of(served, token="") == "unauthenticated"


@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", "bearer", "token"])
async def test_another_scheme_is_no_token(served: EvidenceServer, header: str) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await served.stub.GetRecord(REQUEST, metadata=(("authorization", header),), timeout=10)
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_token_that_nobody_here_signed_is_refused(served: EvidenceServer, tmp_path: Path) -> None:
    stranger = Installation(tmp_path / "elsewhere")
    assert await refusal_of(served, token=stranger.token("ann", "auditor")) == "invalid_token"
    assert await refusal_of(served, token="not-a-token") == "invalid_token"


async def test_a_token_that_names_many_groups_is_served(served: EvidenceServer) -> None:
    groups = [f"{number:040}" for number in range(260)]
    token = served.installation.token("ann", "auditor", *groups)
    assert len(token) > 14_000
    assert await refusal_of(served, token=token) == "unknown_record"


async def test_bytes_that_are_no_message_are_refused_once_it_is_known_whose_they_are(
    served: EvidenceServer,
) -> None:
    async def refused(caller_of: Caller) -> tuple[str, str]:
        unary: Any = served.channel.unary_unary(GET)
        stream: Any = served.channel.unary_stream("/cavra.evidence.v1.EvidenceLog/WatchRecords")
        with pytest.raises(Refused) as of_one:
            await caller_of.unary(unary, b"\xff")
        with pytest.raises(Refused) as of_many:
            await anext(aiter(caller_of.stream(stream, b"\xff")))
        return of_one.value.reason, of_many.value.reason

    assert await refused(served.auditor) == ("invalid_body", "invalid_body")
    assert await refused(Caller(str, 10.0)) == ("unauthenticated", "unauthenticated")


@pytest.mark.parametrize("role", ["operator", "approver", "auditor", "service"])
async def test_every_role_may_read_evidence(served: EvidenceServer, role: str) -> None:
    assert await refusal_of(served, token=served.installation.token("ann", role)) == "unknown_record"


@pytest.mark.parametrize("roles", [(), ("admin",), ("Auditor",)])
async def test_a_caller_without_the_role_is_not_served(
    served: EvidenceServer, roles: tuple[str, ...]
) -> None:
    assert await refusal_of(served, token=served.installation.token("ann", *roles)) == "role_required"


async def test_an_rpc_that_the_table_of_roles_lacks_is_served_to_nobody(
    served: EvidenceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(REQUIRED, GET)
    everything = served.installation.token("root", "operator", "approver", "auditor", "service")
    assert await refusal_of(served, token=everything) == "role_required"
    assert await refusal_of(served, token="") == "unauthenticated"


async def test_a_stream_has_the_same_gate(served: EvidenceServer) -> None:
    request = evidence_pb2.WatchRecordsRequest()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        _ = [response async for response in served.stub.WatchRecords(request, timeout=10)]
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    nobody = served.installation.caller("ann")
    with pytest.raises(Refused) as without_role:
        _ = [response async for response in nobody.stream(served.stub.WatchRecords, request)]
    assert without_role.value.reason == "role_required"


def test_every_rpc_has_a_row_of_roles_and_no_row_is_stale() -> None:
    served = {
        f"/{service.full_name}/{method.name}"
        for contract in CONTRACTS
        for service in contract.DESCRIPTOR.services_by_name.values()
        for method in service.methods
    }
    assert {name for name in REQUIRED if not name.startswith("/grpc.")} == served
    assert all(REQUIRED[name] for name in served), "an RPC of ours is open to callers without a token"


async def test_health_is_told_to_everyone(served: EvidenceServer) -> None:
    stub: Any = health_pb2_grpc.HealthStub(served.channel)
    for name in ("", "cavra.evidence.v1.EvidenceLog"):
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=name), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_caller_with_reflection_alone_finds_the_contract(served: EvidenceServer) -> None:
    stub: Any = reflection_pb2_grpc.ServerReflectionStub(served.channel)  # type: ignore[arg-type]
    asked = [
        reflection_pb2.ServerReflectionRequest(list_services=""),
        reflection_pb2.ServerReflectionRequest(file_containing_symbol="cavra.evidence.v1.EvidenceLog"),
    ]
    services, file = [answer async for answer in stub.ServerReflectionInfo(iter(asked), timeout=10)]
    names = {service.name for service in services.list_services_response.service}
    assert {"cavra.evidence.v1.EvidenceLog", "grpc.health.v1.Health"} <= names
    assert any(b"ListRecords" in found for found in file.file_descriptor_response.file_descriptor_proto)


class Raising(evidence_pb2_grpc.EvidenceLogServicer):
    """Answers every GetRecord with one error, or never."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.answer: Any = None
        self.cancelled = asyncio.Event()
        self.asked = asyncio.Event()
        self.callers: list[str] = []

    async def GetRecord(self, request: Any, context: Any) -> Any:
        self.callers.append(caller().actor.sub)
        self.asked.set()
        if self.error is not None:
            raise self.error
        if self.answer is not None:
            return self.answer
        try:
            await asyncio.Event().wait()
        finally:
            self.cancelled.set()


class Scripted:
    """A server whose one servicer does as the test says."""

    def __init__(self, installation: Installation, servicer: Raising, stub: Any, address: str) -> None:
        self.servicer = servicer
        self.stub = stub
        self.address = address
        self.installation = installation

    async def refused_with(self, error: Exception) -> Refused:
        self.servicer.error = error
        with pytest.raises(Refused) as refused:
            await self.installation.caller("ann", "auditor").unary(self.stub.GetRecord, REQUEST)
        return refused.value


@asynccontextmanager
async def serving_one(installation: Installation, drain_seconds: float) -> AsyncIterator[tuple[Raising, str]]:
    servicer = Raising()  # type: ignore[abstract]  # the other RPCs are not asked
    add = evidence_pb2_grpc.add_EvidenceLogServicer_to_server
    wired = Servicer("cavra.evidence.v1.EvidenceLog", add, servicer)
    verifier = TokenVerifier.of(installation.settings)
    async with serving([wired], verifier, "127.0.0.1:0", drain_seconds) as address:
        yield servicer, address


@pytest.fixture
async def scripted(tmp_path: Path) -> AsyncIterator[Scripted]:
    installation = Installation(tmp_path)
    async with (
        serving_one(installation, 0.1) as (servicer, address),
        installation.channel(address) as channel,
    ):
        yield Scripted(installation, servicer, evidence_pb2_grpc.EvidenceLogStub(channel), address)


@pytest.mark.parametrize("reason", REASONS)
@pytest.mark.parametrize("field", ["", "provider"])
async def test_a_refusal_arrives_with_its_reason_message_and_field(
    scripted: Scripted, reason: str, field: str
) -> None:
    with capture_logs():
        found = await scripted.refused_with(Refused(reason, "what was wrong", field))
    assert (found.reason, found.field) == (reason, field)
    assert found.http_status == REASONS[reason][1]
    assert found.message == "what was wrong"


def invalid_record() -> Exception:
    try:
        record("retry_ack", notes="".join(["pass", "word=", "correcthorse"]))
    except ValueError as error:
        return error
    raise AssertionError("the record was made")


@pytest.mark.parametrize(
    ("error", "reason", "field"),
    [
        (Refusal("self_approval", "not you", "actor"), "self_approval", "actor"),
        (invalid_record(), "credential_found", "notes"),
        (RecordTooLarge("x"), "record_too_large", ""),
        (CanonicalError("x"), "invalid_value", ""),
        (Conflict("items: secret row"), "conflict", ""),
        (StoreClosed(), "service_unavailable", ""),
        (StoreFailed("SQLITE_FULL"), "service_unavailable", ""),
        (TimeoutError(), "deadline_exceeded", ""),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
async def test_an_error_of_the_house_becomes_a_reason(
    scripted: Scripted, error: Exception, reason: str, field: str
) -> None:
    found = await scripted.refused_with(error)
    assert (found.reason, found.field) == (reason, field)
    assert "secret" not in found.message
    assert "correcthorse" not in found.message


async def test_what_nobody_foresaw_says_nothing_outside_and_is_logged(scripted: Scripted) -> None:
    with capture_logs() as logs:
        found = await scripted.refused_with(RuntimeError("row 17 of items"))
    assert found.reason == "internal"
    assert "row 17" not in found.message
    assert [(entry["event"], entry["method"], entry["error"]) for entry in logs] == [
        ("call_failed", GET, "RuntimeError")
    ]


async def test_a_request_that_is_too_large_for_grpc_is_said_to_be_so(scripted: Scripted) -> None:
    large = evidence_pb2.GetRecordRequest(id="x" * server_module.MAX_REQUEST_BYTES)
    with pytest.raises(Refused) as refused:
        await scripted.installation.caller("ann", "auditor").unary(scripted.stub.GetRecord, large)
    assert (refused.value.reason, refused.value.http_status) == ("body_too_large", 413)
    assert not scripted.servicer.callers


async def test_an_answer_that_is_too_large_for_grpc_is_too_much_at_once(scripted: Scripted) -> None:
    large = evidence_pb2.Record(canonical=b"x" * server_module.MAX_RESPONSE_BYTES)
    scripted.servicer.answer = evidence_pb2.GetRecordResponse(record=large)
    with pytest.raises(Refused) as refused:
        await scripted.installation.caller("ann", "auditor").unary(scripted.stub.GetRecord, REQUEST)
    assert (refused.value.reason, refused.value.message) == ("resource_exhausted", "Too much at once")


async def test_a_service_that_does_not_know_an_rpc_yet_is_no_fault_of_the_caller(scripted: Scripted) -> None:
    async with scripted.installation.channel(scripted.address) as channel:
        newer: Any = channel.unary_unary(GET + "Anew", evidence_pb2.GetRecordRequest.SerializeToString)
        with pytest.raises(Refused) as refused:
            await scripted.installation.caller("ann", "auditor").unary(newer, REQUEST)
    assert (refused.value.reason, refused.value.message) == ("service_unavailable", "A service is down")


def test_a_reason_that_is_in_no_table_cannot_be_given() -> None:
    with pytest.raises(KeyError):
        Refused("because", "x")


async def test_a_call_without_a_deadline_has_one(scripted: Scripted, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_module, "DEFAULT_DEADLINE_SECONDS", 0.05)
    token = scripted.installation.token("ann", "auditor")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await scripted.stub.GetRecord(REQUEST, metadata=(("authorization", f"Bearer {token}"),))
    assert refused.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    await asyncio.wait_for(scripted.servicer.cancelled.wait(), 10)


async def test_a_callers_own_deadline_ends_the_call(scripted: Scripted) -> None:
    ann = scripted.installation.caller("ann", "auditor")
    with pytest.raises(Refused) as refused:
        await ann.unary(scripted.stub.GetRecord, REQUEST, timeout=0.2)
    assert refused.value.reason == "deadline_exceeded"


async def test_each_call_is_its_own_callers(scripted: Scripted) -> None:
    scripted.servicer.error = Refused("unknown_record", "x")
    people = [f"user{number}" for number in range(20)]
    callers = [scripted.installation.caller(name, "auditor") for name in people]
    calls = [one.unary(scripted.stub.GetRecord, REQUEST) for one in callers]
    await asyncio.gather(*calls, return_exceptions=True)
    assert sorted(scripted.servicer.callers) == sorted(people)


async def test_a_peer_that_is_down_is_said_to_be_down_without_its_address(tmp_path: Path) -> None:
    async with evidence_server(tmp_path) as server:
        address = server.address
        installation = server.installation
    async with installation.channel(address) as channel:
        stub = evidence_pb2_grpc.EvidenceLogStub(channel)
        with pytest.raises(Refused) as refused:
            await installation.caller("ann", "auditor").unary(stub.GetRecord, REQUEST)
    assert refused.value.reason == "service_unavailable"
    assert address.rpartition(":")[2] not in refused.value.message


async def test_a_stopping_server_turns_probes_away_and_lets_calls_finish(tmp_path: Path) -> None:
    installation = Installation(tmp_path)
    running = AsyncExitStack()
    servicer, address = await running.enter_async_context(serving_one(installation, 5.0))
    async with installation.channel(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        watched = health.Watch(health_pb2.HealthCheckRequest(), timeout=20)
        assert (await watched.read()).status == health_pb2.HealthCheckResponse.SERVING
        stub = evidence_pb2_grpc.EvidenceLogStub(channel)
        ann = installation.caller("ann", "auditor")
        call = asyncio.create_task(ann.unary(stub.GetRecord, REQUEST, timeout=1.0))
        await asyncio.wait_for(servicer.asked.wait(), 10)
        stopping = asyncio.create_task(running.aclose())
        assert (await watched.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
        watched.cancel()
        with pytest.raises(Refused) as ended:
            await call
        assert ended.value.reason == "deadline_exceeded", "the call ran until its own deadline"
        await asyncio.wait_for(stopping, 10)
