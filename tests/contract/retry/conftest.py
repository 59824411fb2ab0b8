"""The retry service on a free port, over a delivery service whose failures a test scripts."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra.evidence.v1.evidence_pb2_grpc import EvidenceLogStub
from cavra.retry.v1 import retry_pb2 as pb
from cavra.retry.v1.retry_pb2_grpc import RetryServiceStub
from cavra_retry.bootstrap import start
from cavra_service.errors import Refused

from tests.support.fake_delivery import FakeDelivery, FakeFailure, fake_delivery
from tests.support.installation import Installation

PLANNER, REVIEWER, SCHEDULER, APPROVER, EXECUTOR = "paula", "rita", "sam", "bob", "erin"
"""Five people: separation of duties asks for no fewer than three."""

HOUR_AGO = timedelta(hours=1)


class Retry:
    """Calls retry as whoever the flow takes; time is the test's."""

    def __init__(self, installation: Installation, fake: FakeDelivery, delivery_address: str) -> None:
        self.installation = installation
        self.fake = fake
        self.now = datetime.now(UTC)
        settings = installation.settings
        self.settings = settings.model_copy(update={"delivery_address": delivery_address})
        self.stub: Any = None
        self._log: Any = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The service, while this context is open; it may be opened again."""
        async with (
            start(self.settings, lambda: self.now) as address,
            self.installation.channel(address) as channel,
        ):
            self.stub, self._log = RetryServiceStub(channel), EvidenceLogStub(channel)
            yield

    async def call(self, method: str, request: Any, who: str = PLANNER, *roles: str) -> Any:
        """One call of an operator (or of whoever holds `roles`)."""
        caller = self.installation.caller(who, *(roles or ("operator",)))
        return await caller.unary(getattr(self.stub, method), request)

    async def fail(self, provider: str = "hook", **more: Any) -> FakeFailure:
        """A delivery that failed an hour ago."""
        return await self.fake.fail(provider, self.now - HOUR_AGO, **more)

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

    async def records(self, **filters: str) -> list[dict[str, Any]]:
        """Envelopes of the log's records, newest first."""
        request = evidence.ListRecordsRequest(
            filters=[evidence.Filter(name=name, value=value) for name, value in filters.items()],
            page_size=500,
        )
        response = await self.installation.caller("ada", "auditor").unary(self._log.ListRecords, request)
        return [envelope(record) for record in response.records]

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


def envelope(record: evidence.Record) -> dict[str, Any]:
    """A record's envelope."""
    found: dict[str, Any] = json.loads(record.canonical)
    return found


Opener = Callable[..., Any]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens a harness whose service does not run yet, with installation settings of the test's choice."""
    async with AsyncExitStack() as stack:

        async def opener(**settings: Any) -> Retry:
            installation = Installation(tmp_path, **settings)
            fake, address = await stack.enter_async_context(fake_delivery(installation.settings))
            return Retry(installation, fake, address)

        yield opener


@pytest.fixture
async def retry(opened: Opener) -> AsyncIterator[Retry]:
    """The running service."""
    harness: Retry = await opened()
    async with harness.running():
        yield harness
