"""Approved retries executed live, end to end: HTTP run request, claim, intent, permit, gRPC, POST to a receiver, records.

Each service runs in a process of its own; receiver and callers share the machine with them. What is approved is prepared through the
RPCs, in rounds, because a plan lists no more failures than fit into its record; only the runs are timed.
"""

import asyncio
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Self

import aiohttp
import uvloop
from cavra.delivery.v1 import delivery_pb2
from cavra.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra.evidence.v1.evidence_pb2_grpc import EvidenceLogStub
from cavra.retry.v1 import retry_pb2 as pb
from cavra.retry.v1.retry_pb2_grpc import RetryServiceStub
from cavra_evidence.records.retry import RetryIntent
from cavra_evidence.times import moment
from cavra_verify.canonical import parse

from bench.processes import SERVICES, Processes, running
from bench.row import Row, millis

ITEMS: Final = 2_000
ROUND: Final = 28
"""Approvals of one round: what fits into one approval plan."""
RUNS_AT_ONCE: Final = 2
RUN: Final = {
    "execute": True,
    "max_retry_deliveries": ROUND // RUNS_AT_ONCE,
    "retry_policy": {"allow_immediate_retry": True},
}
PATH: Final = "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-run"


def rows() -> Iterator[Row]:
    """Delivered a second over the timed runs, latency from claim to receiver, records and processor time of each delivery."""
    yield from uvloop.run(_measure(ITEMS))


async def _measure(items: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), *SERVICES) as processes, Bench(processes) as bench:
            for _ in range(items // ROUND):
                await bench.round()
            return await bench.figures()


class Bench:
    """The people who prepare, the callers who run, and what is measured."""

    def __init__(self, processes: Processes) -> None:
        installation = processes.installation
        self._processes = processes
        self._planner = installation.caller("paula", "operator")
        self._approver = installation.caller("bob", "approver")
        self._auditor = installation.caller("ada", "auditor")
        self._token = installation.token("erin", "operator")
        self._open = AsyncExitStack()
        self._seconds = 0.0
        self._delivered = 0
        self._records = 0
        self._used = dict.fromkeys(SERVICES, 0.0)

    async def __aenter__(self) -> Self:
        channels = {
            name: await self._open.enter_async_context(self._processes.installation.channel(address))
            for name, address in self._processes.addresses.items()
            if name in ("delivery", "retry")
        }
        self._delivery: Any = DeliveryServiceStub(channels["delivery"])
        self._retry: Any = RetryServiceStub(channels["retry"])
        self._logs: list[Any] = [EvidenceLogStub(channel) for channel in channels.values()]
        headers = {"authorization": f"Bearer {self._token}"}
        http = aiohttp.ClientSession(self._processes.addresses["gateway"], headers=headers)
        self._http = await self._open.enter_async_context(http)
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._open.aclose()

    async def round(self) -> None:
        """Prepare a plan's worth of approvals, then run them."""
        self._processes.receiver.status = 503
        await self._approve()
        self._processes.receiver.status = 200
        size, used, start = await self._size(), self._cpu(), time.perf_counter()
        results = await asyncio.gather(*(self._run() for _ in range(RUNS_AT_ONCE)))
        self._seconds += time.perf_counter() - start
        for name, now in self._cpu().items():
            self._used[name] += now - used[name]
        self._records += await self._size() - size
        self._delivered += sum(results)

    async def _approve(self) -> None:
        deliver = delivery_pb2.DeliverAuditRequest(providers=["webhook"], retries=0)
        await asyncio.gather(
            *(self._planner.unary(self._delivery.DeliverAudit, deliver) for _ in range(ROUND))
        )
        plan = (await self._planner.unary(self._retry.PlanRetries, pb.PlanRetriesRequest())).plan
        listed = parse(plan.canonical)["acknowledgement_audit_delivery_retry_plan"]["retry_decisions"]
        names = [{"provider": "webhook", "delivery_id": one["delivery_id"]} for one in listed]
        acknowledgements = [pb.AcknowledgeRetryRequest(retry_plan_id=plan.id, **name) for name in names]
        await asyncio.gather(
            *(self._planner.unary(self._retry.AcknowledgeRetry, one) for one in acknowledgements)
        )
        approval = (await self._planner.unary(self._retry.PlanApproval, pb.PlanApprovalRequest())).plan
        decisions = [pb.DecideApprovalRequest(approval_plan_id=approval.id, **name) for name in names]
        await asyncio.gather(*(self._approver.unary(self._retry.DecideApproval, one) for one in decisions))

    async def _run(self) -> int:
        async with self._http.post(PATH, json=RUN) as answer:
            answer.raise_for_status()
            results = (await answer.json())["retry_results"]
        return sum(one["execution_record"]["execution_status"] == "delivered" for one in results)

    async def _size(self) -> int:
        request = evidence.GetCheckpointRequest()
        return sum([(await self._auditor.unary(log.GetCheckpoint, request)).tree_size for log in self._logs])

    def _cpu(self) -> dict[str, float]:
        return {name: self._processes.cpu_seconds(name) for name in SERVICES}

    async def figures(self) -> list[Row]:
        """What all rounds add up to."""
        taken = sorted(await self._latencies())
        found = [
            Row(
                f"retries executed live, {RUNS_AT_ONCE} callers",
                self._delivered / self._seconds,
                "/s",
                "at least 500",
            ),
            Row("claim to receiver, p50", millis(taken, 0.5), "ms"),
            Row("claim to receiver, p99", millis(taken, 0.99), "ms"),
            Row("records of each delivery", self._records / self._delivered, "records"),
        ]
        for name, seconds in self._used.items():
            found.append(Row(f"processor time of {name}, each", seconds / self._delivered * 1e6, "us"))
        return found

    async def _latencies(self) -> list[float]:
        """Seconds from each claim to the arrival of its request."""
        arrived = {one.headers.get("cavra-execution-id"): one.at for one in self._processes.receiver.received}
        kind = evidence.Filter(name="metadata_kind", value=RetryIntent.KIND.kind)
        request = evidence.ListRecordsRequest(filters=[kind], page_size=500)
        taken: list[float] = []
        while True:
            page = await self._auditor.unary(self._logs[1].ListRecords, request)
            for record in page.records:
                said = RetryIntent.read(record.canonical)
                if said.execution_id in arrived:
                    taken.append((arrived[said.execution_id] - moment(said.claimed_at)).total_seconds())
            request.page_token = page.next_page_token
            if not request.page_token:
                return taken
