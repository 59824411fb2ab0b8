"""Delivery and retry in processes of their own, which a test kills or holds at a step of the machine; the receiver is the oracle."""

import asyncio
import signal
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import orjson
from cavra.delivery.v1 import delivery_pb2
from cavra.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from cavra.evidence.v1 import evidence_pb2
from cavra.evidence.v1.evidence_pb2_grpc import EvidenceLogStub
from cavra.retry.v1 import retry_pb2 as pb
from cavra.retry.v1.retry_pb2_grpc import RetryServiceStub
from cavra_service.client import Caller, connect
from cavra_service.errors import Refused
from cavra_verify.kinds import BY_NOUN

from tests.flow.processes.running import Home, Process
from tests.support.receiver import Receiver

PATIENCE: Final = 30.0
"""Seconds in which everything that a test waits for has long happened."""
_STUBS: Final = {"delivery": DeliveryServiceStub, "retry": RetryServiceStub}
_IMMEDIATE: Final = pb.RetryPolicy(allow_immediate_retry=True, max_retry_attempts=20)


class World:
    """The two processes, which come back where they were."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self._order = home.folder / "fault"
        home.environment |= {
            "CAVRA_FAULT": str(self._order),
            "CAVRA_RECONCILE_INTERVAL_SECONDS": "0.2",
            "CAVRA_WORKER_INTERVAL_SECONDS": "0.2",
            "CAVRA_LOG_LEVEL": "error",
        }
        self.processes: dict[str, Process] = {}
        self.addresses: dict[str, str] = {}
        self._ports = {name: _reserved() for name in _STUBS}
        self.start("delivery")
        self.start("retry")

    def start(self, *names: str) -> None:
        """Start services at the same time."""
        for name in names:
            port = self._ports[name].getsockname()[1]
            known = {f"CAVRA_{one.upper()}_ADDRESS": at for one, at in self.addresses.items()}
            self.processes[name] = self.home.start("serve", name, "--port", str(port), **known)
        for name in names:
            self.processes[name].ready()
            self.addresses |= self.processes[name].addresses

    def start_in_vain(self, name: str) -> None:
        """Start a service that dies before it serves."""
        with suppress(AssertionError):
            self.start(name)
            raise RuntimeError("it serves")

    @contextmanager
    def sibling(self, *options: str, looks_every: str = "0.2") -> Iterator[str]:
        """A second retry process on the same store, started with these options, while this is open; gives its address."""
        known = {f"CAVRA_{one.upper()}_ADDRESS": at for one, at in self.addresses.items()}
        known["CAVRA_RECONCILE_INTERVAL_SECONDS"] = looks_every
        process = self.home.start("serve", "retry", "--port", "0", *options, **known)
        process.ready()
        try:
            yield process.addresses["retry"]
        finally:
            process.kill()

    def order(self, *faults: tuple[str, str]) -> None:
        """At these steps, one after the other, that happens: (step, action)."""
        ready = self._order.with_suffix(".new")
        ready.write_text("\n".join(map(":".join, faults)))
        ready.replace(self._order)

    def kill(self, *names: str) -> None:
        """End services as a power cut does."""
        for name in names:
            self.processes[name].kill()

    def release(self, name: str) -> None:
        """Let a held service go on."""
        self.processes[name].signal(signal.SIGUSR1)

    async def held(self, name: str) -> None:
        """Return once the service holds at the step that was ordered."""
        line = await asyncio.wait_for(asyncio.to_thread(self.processes[name].line), PATIENCE)
        assert line.startswith("held "), f"{name} did not come to the step"

    async def ended(self, name: str) -> None:
        """Return once the service has killed itself."""
        await asyncio.wait_for(asyncio.to_thread(self.processes[name].ended), PATIENCE)

    def close(self) -> None:
        """Give the ports back."""
        for port in self._ports.values():
            port.close()

    def mend(self) -> None:
        """Forget orders, and start what is down, whatever a test left."""
        self._order.unlink(missing_ok=True)
        for process in self.processes.values():
            process.kill()
        self.start(*self.processes)


def _reserved() -> socket.socket:
    """A port that nobody's connection gets while the service is down that listens there: bound, which leaves others to listen."""
    port = socket.socket()
    port.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    port.bind(("127.0.0.1", 0))
    return port


def _approved(intents: list[dict[str, Any]], decisions: list[dict[str, Any]]) -> None:
    """Fail unless each intent rests on a decision of its own that approved the very item, at the very attempt."""
    same = ("delivery_id", "audit_id", "provider", "attempt_number", "item_digest")
    approvals = {
        one["decision_id"]: [one[name] for name in same]
        for one in decisions
        if one["approval_state"] == "approved"
    }
    for intent in intents:
        approved = approvals.pop(intent["approval_decision_id"], None)
        assert approved == [intent[name] for name in same], f"no approval of its own: {intent}"


class Case:
    """Some failed deliveries of one test, and what their chain must come to."""

    def __init__(self, world: World, receiver: Receiver) -> None:
        self.world = world
        self.receiver = receiver
        self.deliveries: list[str] = []
        self.keys: list[delivery_pb2.FailureKey] = []

    async def call(
        self,
        service: str,
        method: str,
        request: Any,
        who: str = "olga",
        role: str = "operator",
        timeout: float = PATIENCE,
        at: str = "",
        key: str = "",
    ) -> Any:
        """One call, over a connection of its own; to another address than the service's, and with an idempotency key, when given."""
        token = self.world.home.issuer.token(who, [role])
        channel = connect(at or self.world.addresses[service])
        try:
            stub: Any = _STUBS[service](channel)
            asked = getattr(stub, method, None) or getattr(EvidenceLogStub(channel), method)
            return await Caller(lambda: token, timeout, key).unary(asked, request)
        finally:
            await channel.close()

    async def patiently(self, call: Callable[[], Awaitable[Any]], *also: str) -> Any:
        """What `call` answers, once every service that it takes has found the others again. Refused for `also`, it asks again too."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    return await call()
                except Refused as refused:
                    if refused.reason not in ("service_unavailable", *also):
                        raise

    async def fail(self, count: int = 2) -> None:
        """Deliveries that the receiver refused; it is well again."""
        self.receiver.status = 503
        for _ in range(count):
            request = delivery_pb2.DeliverAuditRequest(retries=0, timeout_seconds=5)
            self.add((await self.call("delivery", "DeliverAudit", request)).delivery_plan)
        self.receiver.status = 200

    def add(self, plan: evidence_pb2.Record) -> None:
        """Count a delivery as this test's."""
        document = orjson.loads(plan.canonical)
        self.deliveries.append(document["delivery_id"])
        self.keys.append(
            delivery_pb2.FailureKey(
                delivery_id=document["delivery_id"], audit_id=document["audit_id"], provider="webhook"
            )
        )

    async def approve(self) -> None:
        """Plan, acknowledge and approve a retry of every open failure of this test."""
        asked = pb.PlanRetriesRequest(retry_policy=_IMMEDIATE)
        plan = (await self.patiently(lambda: self.call("retry", "PlanRetries", asked))).plan
        open_ones = [one.key.delivery_id for one in await self.failures() if one.open]
        for delivery_id in open_ones:
            ack = pb.AcknowledgeRetryRequest(
                retry_plan_id=plan.id, provider="webhook", delivery_id=delivery_id
            )
            await self.call("retry", "AcknowledgeRetry", ack)
        approval = (await self.call("retry", "PlanApproval", pb.PlanApprovalRequest())).plan
        items = orjson.loads(approval.canonical)[BY_NOUN["approval_plan"].key]["approval_decisions"]
        for item in items:
            if item["delivery_id"] in open_ones and item["item_state"] == "open":
                decision = pb.DecideApprovalRequest(
                    approval_plan_id=approval.id, provider="webhook", delivery_id=item["delivery_id"]
                )
                await self.call("retry", "DecideApproval", decision, "anna", "approver")

    async def run(self, timeout: float = PATIENCE, at: str = "", most: int = 25, key: str = "") -> Any:
        """A live run."""
        request = pb.RunWorkerRequest(
            execute=True, retry_policy=_IMMEDIATE, retries=0, timeout_seconds=5, max_retry_deliveries=most
        )
        return await self.call("retry", "RunWorker", request, timeout=timeout, at=at, key=key)

    async def failures(self) -> list[Any]:
        """This test's failures, open or not."""
        request = delivery_pb2.BatchGetFailuresRequest(keys=self.keys)
        return list((await self.call("delivery", "BatchGetFailures", request)).failures)

    async def records(self, service: str, noun: str) -> list[dict[str, Any]]:
        """This test's records of a kind."""
        found: dict[str, dict[str, Any]] = {}
        for delivery_id in self.deliveries:
            filters = {"trace": delivery_id, "metadata_kind": BY_NOUN[noun].kind}
            request = evidence_pb2.ListRecordsRequest(
                filters=[evidence_pb2.Filter(name=name, value=value) for name, value in filters.items()],
                page_size=100,
            )
            answer = await self.call(service, "ListRecords", request, "axel", "auditor")
            found |= {one.id: orjson.loads(one.canonical)[BY_NOUN[noun].key] for one in answer.records}
        return list(found.values())

    async def settled(self) -> list[dict[str, Any]]:
        """The execution records, once every intent has one."""
        waiting = {intent["execution_id"] for intent in await self.records("retry", "retry_intent")}
        if waiting:
            await asyncio.wait_for(self._recorded(waiting), PATIENCE)
        return await self.records("retry", "execution_record")

    async def _recorded(self, waiting: set[str]) -> None:
        """Return once all of these executions have their record."""
        token = self.world.home.issuer.token("axel", ["auditor"])
        channel = connect(self.world.addresses["retry"])
        try:
            watch: Any = EvidenceLogStub(channel).WatchRecords
            stream = Caller(lambda: token, PATIENCE).stream(watch, evidence_pb2.WatchRecordsRequest())
            async for response in stream:
                waiting -= {record.id for record in response.records}
                if not waiting:
                    return
        finally:
            await channel.close()

    async def proves_itself(self) -> list[dict[str, Any]]:
        """Every intent ends in one record, nothing is sent twice or without a record, and nothing is stuck; gives the executions."""
        executions = await self.settled()
        first = list(executions)
        await self._check(executions)
        async with asyncio.timeout(PATIENCE):
            while any(one.open for one in await self.failures()):
                await self._go_on(executions)
                executions = await self.settled()
                await self._check(executions)
        messages = self.receiver.count_by("webhook-id")
        assert set(messages.values()) == {2}, "each message was refused once and then taken once"
        return first

    async def _check(self, executions: list[dict[str, Any]]) -> None:
        intents = await self.records("retry", "retry_intent")
        assert Counter(one["execution_id"] for one in intents) == Counter(
            one["execution_id"] for one in executions
        )
        _approved(intents, await self.records("retry", "approval_decision"))
        sent = self.receiver.count_by("cavra-execution-id")
        sent.pop("")
        assert set(sent.values()) <= {1}, "an execution was sent twice"
        deliveries = [
            one for one in await self.records("delivery", "connector_delivery") if one["execution_id"]
        ]
        recorded = Counter(one["execution_id"] for one in deliveries)
        assert set(recorded.values()) <= {1}
        assert sent.keys() <= recorded.keys(), "something was sent without a record"
        skipped = {one["execution_id"] for one in executions if one["execution_status"] == "skipped"}
        assert not skipped & recorded.keys()
        assert recorded.keys() | skipped == {one["execution_id"] for one in executions}
        attempts = Counter(
            (one["delivery_id"], one["attempt_number"])
            for one in executions
            if one["execution_status"] != "skipped"
        )
        assert set(attempts.values()) <= {1}, "an attempt was retried twice"
        assert not any(one.in_flight for one in await self.failures())

    async def _go_on(self, executions: list[dict[str, Any]]) -> None:
        """What people do next: say what the receiver has, then review, approve and run again."""
        sent = self.receiver.count_by("cavra-execution-id")
        resolved = {one["execution_id"] for one in await self.records("retry", "execution_resolution")}
        for one in executions:
            if one["execution_status"] == "unknown" and one["execution_id"] not in resolved:
                await self.resolve(one["execution_id"], bool(sent[one["execution_id"]]))
        async with asyncio.timeout(PATIENCE):
            while any(one.outcome_unknown for one in await self.failures()):
                pass
        await self.approve()
        await self.patiently(self.run)

    async def settle(self, *execution_ids: str, at: str = "") -> list[Any]:
        """What delivery says became of executions; those that never began are fenced."""
        request = delivery_pb2.SettleRequest(execution_ids=execution_ids)
        answer = await self.call("delivery", "Settle", request, "service:retry", "service", at=at)
        return list(answer.settlements)

    async def resolve(self, execution_id: str, delivered: bool, timeout: float = PATIENCE) -> Any:
        """Say whether the receiver has it."""
        request = pb.ResolveExecutionRequest(
            execution_id=execution_id,
            outcome="RESOLUTION_OUTCOME_DELIVERED" if delivered else "RESOLUTION_OUTCOME_NOT_DELIVERED",
            external_ref="OPS-7",
        )
        return await self.call("retry", "ResolveExecution", request, "oscar", timeout=timeout)
