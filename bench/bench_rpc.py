"""One RPC that writes one record: AcknowledgeRetry, asked of a retry service in a process of its own."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import uvloop
from cavra.delivery.v1 import delivery_pb2
from cavra.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from cavra.retry.v1 import retry_pb2
from cavra.retry.v1.retry_pb2_grpc import RetryServiceStub

from bench.processes import running
from bench.row import Row, latencies, millis

CALLERS = 32
CALLS = 6_000


def rows() -> Iterator[Row]:
    """Calls a second, p50 and p99 at 32 callers; client and service share the machine."""
    yield from uvloop.run(_acknowledge())


async def _acknowledge() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), "delivery", "retry") as processes:
            installation = processes.installation
            operator = installation.caller("olga", "operator")
            async with (
                installation.channel(processes.addresses["delivery"]) as to_delivery,
                installation.channel(processes.addresses["retry"]) as to_retry,
            ):
                delivery, retry = DeliveryServiceStub(to_delivery), RetryServiceStub(to_retry)
                request = delivery_pb2.DeliverAuditRequest(providers=["webhook"], retries=0)
                await operator.unary(delivery.DeliverAudit, request)
                plan = await operator.unary(retry.PlanRetries, retry_pb2.PlanRetriesRequest())
                acknowledge = retry_pb2.AcknowledgeRetryRequest(
                    retry_plan_id=plan.plan.id,
                    provider="webhook",
                    external_ref="CHG-1042",
                    notes="Receiver is back.",
                )

                async def call() -> None:
                    await operator.unary(retry.AcknowledgeRetry, acknowledge)

                await latencies(call, CALLERS, CALLS // 10)
                used = processes.cpu_seconds("retry")
                seconds, taken = await latencies(call, CALLERS, CALLS)
                used = processes.cpu_seconds("retry") - used
    return [
        Row(f"acknowledge retry, {CALLERS} callers", CALLS / seconds, "/s", "at least 1,000"),
        Row("acknowledge retry, p50", millis(taken, 0.5), "ms"),
        Row("acknowledge retry, p99", millis(taken, 0.99), "ms", "under 60"),
        Row("acknowledge retry, processor time of the service", used / CALLS * 1e6, "us"),
    ]
