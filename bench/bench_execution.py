"""Approved retries executed live, end to end: HTTP run request, claim, intent, permit, gRPC, POST to a receiver, records.

Each service runs in a process of its own, and so does the receiver; they and the callers share the machine. All failures are acknowledged
and approved through the RPCs first; only the runs are timed.
"""

import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import aiohttp
import orjson
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

from bench.processes import SERVICES, Processes, cpu_seconds, running
from bench.row import Row, millis

ITEMS: Final = 2_000
CALLERS: Final = 12
AT_ONCE: Final = 16
"""Callers who prepare."""
RUN: Final = {
    "execute": True,
    "max_retry_deliveries": 25,
    "retry_policy": {"allow_immediate_retry": True},
}
PATH: Final = "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/worker-run"

T = TypeVar("T")


def rows() -> Iterator[Row]:
    """Delivered a second over the timed runs, latency from claim to receiver, records and processor time of each delivery."""
    yield from uvloop.run(_measure(ITEMS))


async def _measure(items: int) -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), *SERVICES) as processes, Bench(processes) as bench:
            await bench.prepare(items)
            return await bench.run(items)


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

    async def prepare(self, items: int) -> None:
        """So many failures, acknowledged and approved."""
        deliver = delivery_pb2.DeliverAuditRequest(providers=["webhook"], retries=0)
        await _each(range(items), lambda _: self._planner.unary(self._delivery.DeliverAudit, deliver))
        acknowledged: set[str] = set()
        while len(acknowledged) < items:
            policy = pb.RetryPolicy(allow_immediate_retry=True)
            request = pb.PlanRetriesRequest(retry_policy=policy)
            plan = (await self._planner.unary(self._retry.PlanRetries, request)).plan
            listed = parse(plan.canonical)["acknowledgement_audit_delivery_retry_plan"]["retry_decisions"]
            fresh = {one["delivery_id"] for one in listed} - acknowledged
            await _each(fresh, partial(self._acknowledge, plan.id))
            acknowledged |= fresh
        approved = 0
        while approved < items:
            approval = (await self._planner.unary(self._retry.PlanApproval, pb.PlanApprovalRequest())).plan
            shown = parse(approval.canonical)["retry_execution_approval_plan"]["approval_decisions"]
            asked = [one["delivery_id"] for one in shown if one["action"] == "request_approval"]
            await _each(asked, partial(self._approve, approval.id))
            approved += len(asked)

    async def _acknowledge(self, plan_id: str, name: str) -> None:
        request = pb.AcknowledgeRetryRequest(retry_plan_id=plan_id, provider="webhook", delivery_id=name)
        await self._planner.unary(self._retry.AcknowledgeRetry, request)

    async def _approve(self, plan_id: str, name: str) -> None:
        request = pb.DecideApprovalRequest(approval_plan_id=plan_id, provider="webhook", delivery_id=name)
        await self._approver.unary(self._retry.DecideApproval, request)

    async def run(self, items: int) -> list[Row]:
        """Run until nothing is left, and say what it took."""
        await self._processes.receiver.answer(200)
        size, used, start = await self._size(), self._cpu(), time.perf_counter()
        ended = await asyncio.gather(*(self._caller() for _ in range(CALLERS)))
        spent = {name: now - used[name] for name, now in self._cpu().items()}
        seconds = max(at for _, at in ended) - start
        # What callers make of their answers is their own affair, and not timed.
        delivered = sum(_delivered(body) for bodies, _ in ended for body in bodies)
        if delivered != items:
            raise RuntimeError(f"delivered {delivered} of {items}")
        arrivals, sizes = await self._processes.receiver.arrivals()
        taken = sorted(await self._latencies(arrivals))
        rate = Row(f"retries executed live, {CALLERS} callers", delivered / seconds, "/s", "at least 500")
        return [
            rate,
            Row("claim to receiver, p50", millis(taken, 0.5), "ms"),
            Row("claim to receiver, p99", millis(taken, 0.99), "ms"),
            Row("records of each delivery", (await self._size() - size) / delivered, "records"),
            Row("body of each delivery", sum(sizes) / len(sizes), "bytes"),
            *(
                Row(f"processor time of {name}, each", seconds / delivered * 1e6, "us")
                for name, seconds in spent.items()
            ),
        ]

    async def _caller(self) -> tuple[list[bytes], float]:
        """Runs until one finds nothing to send: (the answers of those that did, when the last of them came)."""
        bodies, at = list[bytes](), 0.0
        while True:
            async with self._http.post(PATH, json=RUN) as answer:
                answer.raise_for_status()
                body = await answer.read()
            if b'"retry_results":[]' in body:
                return bodies, at
            bodies.append(body)
            at = time.perf_counter()

    async def _size(self) -> int:
        request = evidence.GetCheckpointRequest()
        return sum([(await self._auditor.unary(log.GetCheckpoint, request)).tree_size for log in self._logs])

    def _cpu(self) -> dict[str, float]:
        found = {name: self._processes.cpu_seconds(name) for name in SERVICES}
        return found | {
            "the receiver": cpu_seconds(self._processes.receiver.pid),
            "the callers": time.process_time(),
        }

    async def _latencies(self, arrivals: dict[str, float]) -> list[float]:
        """Seconds from each claim to the arrival of its request."""
        kind = evidence.Filter(name="metadata_kind", value=RetryIntent.KIND.kind)
        request = evidence.ListRecordsRequest(filters=[kind], page_size=500)
        taken: list[float] = []
        while True:
            page = await self._auditor.unary(self._logs[1].ListRecords, request)
            for record in page.records:
                said = RetryIntent.read(record.canonical)
                taken.append(arrivals[said.execution_id] - moment(said.claimed_at).timestamp())
            request.page_token = page.next_page_token
            if not request.page_token:
                return taken


def _delivered(body: bytes) -> int:
    """How many retries a run's answer tells of as delivered."""
    results = orjson.loads(body)["retry_results"]
    return sum(one["execution_record"]["execution_status"] == "delivered" for one in results)


async def _each(things: Iterable[T], call: Callable[[T], Awaitable[object]]) -> None:
    """Call with each, some at once."""
    waiting = iter(things)

    async def one_after_another() -> None:
        for thing in waiting:
            await call(thing)

    await asyncio.gather(*(one_after_another() for _ in range(AT_ONCE)))
