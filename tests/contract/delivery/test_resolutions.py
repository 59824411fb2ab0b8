"""A resolution that retry signed closes or reopens the failure of an unknown execution; nothing else does."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.draft import Actor, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.records.retry import ExecutionResolution
from cavra_evidence.times import text
from cavra_service.errors import Refused
from cavra_service.runtime import open_store
from cavra_service.store.protocol import Commit, Store
from cavra_service.wire import record_of_entry

from tests.contract.delivery.desk import Desk
from tests.support.receiver import Receiver


@dataclass(frozen=True, slots=True)
class Unknown:
    """A failure whose last retry got no answer, and a log that resolves it."""

    desk: Desk
    claim: pb.RetrySend
    log: Store

    async def resolution(self, outcome: str = "delivered", **changed: Any) -> evidence_pb2.Record:
        """A resolution's record."""
        key = self.claim.key
        record = ExecutionResolution(
            **{
                "resolution_id": new_id("gordackretryresolution"),
                "execution_id": self.claim.execution_id,
                "outcome": outcome,
                "basis": "asserted",
                "resolved_by": "paula",
                "resolved_at": text(datetime.now(UTC)),
                "delivery_id": key.delivery_id,
                "audit_id": key.audit_id,
                "provider": key.provider,
                "attempt_number": 2,
                "external_ref": "OPS-7",
                "notes": "",
                "controls": [],
                **changed,
            }
        )
        draft = Draft(record, Actor("cavra-local", "paula", "paula"), (), (key.delivery_id,))
        (entry,) = await self.log.commit(Commit([draft]))
        return record_of_entry(entry, self.log.origin)

    async def resolve(self, record: evidence_pb2.Record) -> pb.Failure:
        """The failure after it."""
        request = pb.ResolveFailureRequest(resolution=record)
        response = await self.desk.call("ResolveFailure", request, self.desk.service)
        found: pb.Failure = response.failure
        return found

    async def refused(self, record: evidence_pb2.Record, reason: str) -> None:
        """It is refused, and the failure is as it was."""
        before = await self.desk.failures()
        with pytest.raises(Refused) as refused:
            await self.resolve(record)
        assert (refused.value.reason, refused.value.field) == (reason, "resolution")
        assert await self.desk.failures() == before


@pytest.fixture
async def unknown(desk: Desk, receiver: Receiver) -> Any:
    """A retry whose bytes went out and that got no answer."""
    receiver.status = 503
    await desk.deliver()
    claim = await desk.claim((await desk.failures())[0])
    receiver.hold = asyncio.Event()
    await desk.retry(claim, timeout_seconds=1)
    receiver.hold.set()
    receiver.status, receiver.hold = 200, None
    log = await open_store(desk.installation.settings, "retry")
    yield Unknown(desk, claim, log)
    await log.close()


async def test_what_the_receiver_has_closes_the_failure(unknown: Unknown) -> None:
    record = await unknown.resolution("delivered")
    assert not (await unknown.resolve(record)).open
    assert await unknown.desk.failures() == []
    assert await unknown.desk.gauges() == {}
    [late] = await unknown.desk.retry(await unknown.desk.claim(await unknown.resolve(record)))
    assert late.skipped_reason == "already_delivered"


async def test_what_it_has_not_is_open_for_a_next_attempt(unknown: Unknown, receiver: Receiver) -> None:
    failure = await unknown.resolve(await unknown.resolution("not_delivered"))
    assert (failure.open, failure.outcome_unknown, failure.failure_count) == (True, False, 2)
    assert await unknown.desk.failures() == [failure]
    assert await unknown.desk.gauges() == {"open_failures": 1, "open_failures:2": 1}
    claim = await unknown.desk.claim(failure)
    assert claim.attempt_number == 3
    [result] = await unknown.desk.retry(claim)
    assert result.outcome == pb.SEND_OUTCOME_DELIVERED
    ids = receiver.count_by("cavra-execution-id")
    assert (ids[claim.execution_id], ids[unknown.claim.execution_id]) == (1, 1)


async def test_the_same_resolution_changes_nothing_again(unknown: Unknown) -> None:
    record = await unknown.resolution("not_delivered")
    first = await unknown.resolve(record)
    assert await unknown.resolve(record) == first
    await unknown.desk.retry(await unknown.desk.claim(first))
    after = await unknown.resolve(record)
    assert not after.open, "what came later stays"


async def test_another_resolution_of_the_same_execution_is_refused(unknown: Unknown) -> None:
    await unknown.resolve(await unknown.resolution("not_delivered"))
    await unknown.refused(await unknown.resolution("delivered"), "invalid_transition")


async def test_only_what_retry_signed_resolves(unknown: Unknown) -> None:
    record = await unknown.resolution()
    forged = evidence_pb2.Record(canonical=record.canonical, signature=b"x" * 64)
    await unknown.refused(forged, "invalid_value")
    forged.signature = unknown.desk.retry_signer.sign("application/vnd.cavra.permit+json", record.canonical)
    await unknown.refused(forged, "invalid_value")
    forged.canonical = b"{}"
    await unknown.refused(forged, "invalid_value")
    [other] = (await unknown.desk.call("ListFailures", pb.ListFailuresRequest())).failures
    assert other.outcome_unknown


async def test_a_resolution_of_another_execution_or_failure_resolves_nothing(unknown: Unknown) -> None:
    other = await unknown.resolution(execution_id=new_id("gordackretryexec"))
    await unknown.refused(other, "unknown_execution")
    await unknown.refused(await unknown.resolution(provider="chat"), "unknown_execution")


async def test_what_is_known_is_not_resolved(desk: Desk, unknown: Unknown, receiver: Receiver) -> None:
    receiver.status = 503
    await desk.deliver()
    failure = (await desk.failures())[-1]
    claim = await desk.claim(failure)
    await desk.retry(claim)
    known = Unknown(desk, claim, unknown.log)
    await known.refused(await known.resolution(), "invalid_transition")


async def test_only_a_service_resolves_failures(desk: Desk) -> None:
    assert await desk.refusal("ResolveFailure", pb.ResolveFailureRequest()) == ("role_required", "")
