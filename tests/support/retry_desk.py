"""The people who retry, in front of a real retry service: each call is made by whoever the flow takes."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import grpc
import pytest
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra.evidence.v1.evidence_pb2_grpc import EvidenceLogStub
from cavra.retry.v1 import retry_pb2 as pb
from cavra.retry.v1.retry_pb2_grpc import RetryServiceStub
from cavra_retry.bootstrap import start
from cavra_service.errors import Refused
from cavra_verify.kinds import BY_NOUN

from tests.support.installation import Installation

PLANNER, REVIEWER, SCHEDULER, APPROVER, EXECUTOR = "paula", "rita", "sam", "bob", "erin"
"""Five people: separation of duties asks for no fewer than three."""


class RetryDesk:
    """Calls retry; time is the test's."""

    def __init__(self, installation: Installation, delivery_address: str) -> None:
        self.installation = installation
        self.now = datetime.now(UTC)
        settings = installation.settings
        self.settings = settings.model_copy(update={"delivery_address": delivery_address})
        self.stub: Any = None
        self._log: Any = None

    def clock(self) -> datetime:
        """What the service takes for now."""
        return self.now

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The service, while this context is open; it may be opened again."""
        async with (
            start(self.settings, self.clock) as address,
            self.installation.channel(address) as channel,
        ):
            self.use(channel)
            yield

    def use(self, channel: grpc.aio.Channel) -> None:
        """Call the retry service at the other end of `channel`."""
        self.stub, self._log = RetryServiceStub(channel), EvidenceLogStub(channel)

    async def call(self, method: str, request: Any, who: str = PLANNER, *roles: str) -> Any:
        """One call of an operator (or of whoever holds `roles`)."""
        caller = self.installation.caller(who, *(roles or ("operator",)))
        return await caller.unary(getattr(self.stub, method), request)

    async def plan(self, who: str = PLANNER, **policy: Any) -> dict[str, Any]:
        """A retry plan's envelope."""
        request = pb.PlanRetriesRequest(retry_policy=pb.RetryPolicy(**policy))
        return envelope((await self.call("PlanRetries", request, who)).plan)

    async def acknowledge(
        self, plan: dict[str, Any], state: str = "", who: str = REVIEWER, provider: str = "hook", **more: Any
    ) -> dict[str, Any]:
        """An acknowledgement's envelope."""
        request = pb.AcknowledgeRetryRequest(
            retry_plan_id=plan["session_id"],
            provider=provider,
            acknowledgement_state=f"RETRY_ACKNOWLEDGEMENT_STATE_{state.upper() or 'UNSPECIFIED'}",
            **more,
        )
        return envelope((await self.call("AcknowledgeRetry", request, who)).acknowledgement)

    async def plan_approval(self, who: str = SCHEDULER, **policy: Any) -> dict[str, Any]:
        """An approval plan's envelope."""
        request = pb.PlanApprovalRequest(approval_policy=pb.ApprovalPolicy(**policy))
        return envelope((await self.call("PlanApproval", request, who)).plan)

    async def decide(
        self, plan: dict[str, Any], state: str = "", who: str = APPROVER, provider: str = "hook", **more: Any
    ) -> Any:
        """The answer to a decision."""
        request = pb.DecideApprovalRequest(
            approval_plan_id=plan["session_id"],
            provider=provider,
            approval_state=f"APPROVAL_STATE_{state.upper() or 'UNSPECIFIED'}",
            **more,
        )
        return await self.call("DecideApproval", request, who, "approver")

    async def reviewed(self, provider: str = "hook", **policy: Any) -> dict[str, Any]:
        """An approval plan in which the provider's failure is open for approval."""
        await self.acknowledge(await self.plan(), provider=provider)
        return await self.plan_approval(**policy)

    async def approved(self, provider: str = "hook") -> Any:
        """An approval of the provider's failure."""
        return await self.decide(await self.reviewed(provider), provider=provider)

    async def run(self, who: str = EXECUTOR, execute: bool = True, **request: Any) -> Any:
        """The answer to a run; live unless said otherwise."""
        return await self.call("RunWorker", pb.RunWorkerRequest(execute=execute, **request), who)

    async def resolve(
        self,
        execution_id: str,
        outcome: str = "DELIVERED",
        who: str = PLANNER,
        role: str = "operator",
        **more: Any,
    ) -> dict[str, Any]:
        """A resolution's envelope."""
        request = pb.ResolveExecutionRequest(
            execution_id=execution_id,
            outcome=f"RESOLUTION_OUTCOME_{outcome.upper()}",
            **{"external_ref": "OPS-7", **more},
        )
        return envelope((await self.call("ResolveExecution", request, who, role)).resolution)

    async def raw(self, **filters: str) -> list[evidence.Record]:
        """The log's records, newest first."""
        request = evidence.ListRecordsRequest(
            filters=[evidence.Filter(name=name, value=value) for name, value in filters.items()],
            page_size=500,
        )
        response = await self.installation.caller("ada", "auditor").unary(self._log.ListRecords, request)
        return list(response.records)

    async def records(self, **filters: str) -> list[dict[str, Any]]:
        """Their envelopes."""
        return [envelope(record) for record in await self.raw(**filters)]

    async def next_execution(self) -> dict[str, Any]:
        """The first execution record's envelope, as soon as it is in the log."""
        caller = self.installation.caller("ada", "auditor")
        async for response in caller.stream(self._log.WatchRecords, evidence.WatchRecordsRequest()):
            for record in response.records:
                if record.kind == BY_NOUN["execution_record"].kind:
                    return envelope(record)
        raise AssertionError("the log ended before an execution was recorded")

    async def counters(self) -> dict[str, int]:
        """Every counter, and the log's size."""
        caller = self.installation.caller("ada", "auditor")
        response = await caller.unary(self._log.GetCounters, evidence.GetCountersRequest())
        return {"size": response.tree_size, **response.counters}

    async def refused(self, call: Any, reason: str, field: str = "") -> None:
        """`call` is refused with this reason and field, and nothing was written."""
        before = await self.counters()
        with pytest.raises(Refused) as refused:
            await call
        assert (refused.value.reason, refused.value.field) == (reason, field)
        assert await self.counters() == before

    async def turned_away(self, call: Any, reason: str, field: str = "") -> dict[str, Any]:
        """`call` is refused with this reason and field, and all that was written is the refusal: its envelope."""
        before = await self.counters()
        with pytest.raises(Refused) as refused:
            await call
        assert (refused.value.reason, refused.value.field) == (reason, field)
        kind = BY_NOUN["retry_refusal"].kind
        name, after = f"metadata_kind={kind}", await self.counters()
        assert after == {**before, "size": before["size"] + 1, name: before.get(name, 0) + 1}
        return (await self.records(metadata_kind=kind))[0]


def envelope(record: evidence.Record) -> dict[str, Any]:
    """A record's envelope."""
    found: dict[str, Any] = json.loads(record.canonical)
    return found
