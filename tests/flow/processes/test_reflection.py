"""The operator flow by someone who has addresses, tokens and reflection, and not one line of generated code."""

import asyncio
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import grpc
import orjson
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from tests.flow.processes.conftest import Quartet
from tests.flow.processes.running import SERVICES
from tests.support.installation import Installation
from tests.support.receiver import Receiver

NOW = {"allow_immediate_retry": True}


class Reflected:
    """Calls a server by what it says of itself."""

    def __init__(self, address: str, tokens: dict[str, str]) -> None:
        self.channel = grpc.insecure_channel(address)
        self._database = ProtoReflectionDescriptorDatabase(self.channel)
        self._pool = DescriptorPool(self._database)
        self._tokens = tokens

    def services(self) -> list[str]:
        """Full names of what the server serves."""
        return list(self._database.get_services())

    async def call(self, who: str, service: str, method: str, **fields: Any) -> Any:
        """The response of one call. The receiver lives in this event loop, so the call waits in a thread."""
        described = self._pool.FindServiceByName(service).methods_by_name[method]
        request = GetMessageClass(described.input_type)(**fields)
        call: Callable[..., Any] = self.channel.unary_unary(
            f"/{service}/{method}",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=GetMessageClass(described.output_type).FromString,
        )
        metadata = (("authorization", f"Bearer {self._tokens[who]}"),)
        return await asyncio.to_thread(call, request, timeout=20, metadata=metadata)


@pytest.fixture
def served(quartet: Quartet) -> Iterator[dict[str, Reflected]]:
    """The three services, each behind its own port."""
    tokens = {person: quartet.home.token(person) for person in ("olga", "anna", "axel")}
    clients = {name: Reflected(quartet.addresses[name], tokens) for name in ("delivery", "retry", "recovery")}
    yield clients
    for client in clients.values():
        client.channel.close()


def envelope(record: Any) -> dict[str, Any]:
    """A record's document, once its hash is found to be that of its bytes."""
    assert sha256(b"\x00" + record.canonical).digest() == record.record_hash
    document: dict[str, Any] = orjson.loads(record.canonical)
    return document


async def test_every_service_tells_what_it_serves(served: dict[str, Reflected]) -> None:
    for name, client in served.items():
        assert set(await asyncio.to_thread(client.services)) == {
            f"cavra.{name}.v1.{name.title()}Service",
            "cavra.evidence.v1.EvidenceLog",
            "grpc.health.v1.Health",
            "grpc.reflection.v1alpha.ServerReflection",
        }


async def test_reflection_alone_is_enough_to_walk_the_flow(
    quartet: Quartet, served: dict[str, Reflected], receiver: Receiver
) -> None:
    quartet.home.send_to(receiver.url)

    async def call(who: str, name: str, method: str, **fields: Any) -> Any:
        return await served[name].call(who, f"cavra.{name}.v1.{name.title()}Service", method, **fields)

    notified = await call("olga", "delivery", "NotifyDrill", providers=["webhook"])
    assert notified.success
    await call(
        "olga", "delivery", "AcknowledgeDrill", schedule_id="production-rollback", provider="webhook",
        acknowledgement_state="ACKNOWLEDGEMENT_STATE_RESOLVED",
    )  # fmt: skip

    receiver.status = 503
    failed = await call("olga", "delivery", "DeliverAudit", providers=["webhook"], retries=0)
    assert not failed.success
    item = {"provider": "webhook", "delivery_id": failed.delivery_plan.id}

    plan = (await call("olga", "retry", "PlanRetries")).plan
    await call("olga", "retry", "AcknowledgeRetry", retry_plan_id=plan.id, **item)
    approval = (await call("olga", "retry", "PlanApproval")).plan
    wanted = envelope(approval)["retry_execution_approval_plan"]["approval_decisions"]
    [digest] = [one["item_digest"] for one in wanted if one["delivery_id"] == item["delivery_id"]]
    decided = await call(
        "anna", "retry", "DecideApproval", approval_plan_id=approval.id, item_digest=digest,
        approval_state="APPROVAL_STATE_APPROVED", **item,
    )  # fmt: skip
    assert decided.item_state == "approved"

    receiver.status = 200
    ran = await call("olga", "retry", "RunWorker", execute=True, retry_policy=NOW)
    [result] = ran.results
    execution = envelope(result.execution)
    assert (execution["execution_status"], execution["delivery_id"]) == ("delivered", item["delivery_id"])

    playbook = (await call("olga", "recovery", "CreatePlaybook", min_failure_count=1)).playbook
    closed = await call(
        "olga", "recovery", "CloseRecovery", playbook_id=playbook.id, provider="webhook",
        closure_state="CLOSURE_STATE_RESOLVED", verification_refs=[result.execution.id],
    )  # fmt: skip
    assert envelope(closed.closure)["connector_recovery_closure"]["closure_state"] == "resolved"

    told = await served["recovery"].call(
        "axel", "cavra.evidence.v1.EvidenceLog", "GetRecord", id=closed.closure.id
    )
    assert told.record.canonical == closed.closure.canonical


async def test_without_a_token_reflection_opens_nothing_else(served: dict[str, Reflected]) -> None:
    served["retry"]._tokens["nobody"] = ""
    with pytest.raises(grpc.RpcError) as refused:
        await served["retry"].call("nobody", "cavra.retry.v1.RetryService", "PlanRetries")
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_that_is_told_not_to_reflect_tells_nobody_what_it_serves(
    tmp_path: Path, service: str
) -> None:
    installation = Installation(tmp_path / "data", reflection=False)
    async with installation.running(service) as address, installation.channel(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        answer = await health.Check(health_pb2.HealthCheckRequest(), timeout=10)
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        stub: Any = reflection_pb2_grpc.ServerReflectionStub(channel)  # type: ignore[arg-type]
        asked = [reflection_pb2.ServerReflectionRequest(list_services="")]
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            _ = [one async for one in stub.ServerReflectionInfo(iter(asked), timeout=10)]
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
