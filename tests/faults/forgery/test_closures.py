"""Nothing is closed on the strength of a record that its service did not sign, nor because a row says so."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from cavra.evidence.v1 import evidence_pb2
from cavra.evidence.v1.evidence_pb2_grpc import EvidenceLogStub
from cavra.recovery.v1 import recovery_pb2 as pb
from cavra.recovery.v1.recovery_pb2_grpc import RecoveryServiceStub
from cavra_evidence.ids import new_id
from cavra_evidence.records.delivery import ConnectorDelivery
from cavra_evidence.records.retry import ExecutionRecord
from cavra_service.errors import Refused
from cavra_verify.kinds import AUDIT_SOURCE
from structlog.testing import capture_logs

from tests.support.chain import Chain, execution
from tests.support.forger import Forger
from tests.support.installation import Installation
from tests.support.receiver import Receiver
from tests.support.records import draft


class Recovery:
    """A playbook for the webhook, whose delivery and retry have both failed."""

    def __init__(self, chain: Chain, channel: Any) -> None:
        self.chain = chain
        self._stub: Any = RecoveryServiceStub(channel)
        self._log: Any = EvidenceLogStub(channel)
        self._caller = chain.installation.caller("oscar", "operator")
        self.playbook_id = ""

    async def open(self) -> None:
        """Make the playbook."""
        asked = pb.CreatePlaybookRequest(min_failure_count=1)
        self.playbook_id = (await self._caller.unary(self._stub.CreatePlaybook, asked)).playbook.id

    async def close(self, state: str = "RESOLVED", *refs: str, **more: Any) -> str:
        """Id of a closure."""
        asked = pb.CloseRecoveryRequest(
            playbook_id=self.playbook_id,
            provider="hook",
            closure_state=f"CLOSURE_STATE_{state}",
            verification_refs=refs,
            **more,
        )
        return str((await self._caller.unary(self._stub.CloseRecovery, asked)).closure.id)

    async def size(self) -> int:
        """How many records there are."""
        answer = await self._caller.unary(self._log.GetCounters, evidence_pb2.GetCountersRequest())
        return int(answer.tree_size)

    async def refuses(self, reason: str, field: str, state: str, *refs: str, **more: Any) -> list[Any]:
        """A closure is refused, and nothing is written; gives what was logged."""
        before = await self.size()
        with capture_logs() as logs, pytest.raises(Refused) as refused:
            await self.close(state, *refs, **more)
        assert (refused.value.reason, refused.value.field) == (reason, field)
        assert await self.size() == before
        return logs


@pytest.fixture
async def failed(chain: Chain, receiver: Receiver) -> dict[str, Any]:
    """The execution record of a retry that failed too."""
    receiver.script = [503, 503]
    await chain.deliver()
    await chain.approved()
    return execution(await chain.live())


@pytest.fixture
async def recovery(
    installation: Installation, chain: Chain, failed: dict[str, Any]
) -> AsyncIterator[Recovery]:
    """The recovery service, over delivery and a retry service that has just started."""
    async with (
        installation.running("retry"),
        installation.running("recovery") as address,
        installation.channel(address) as channel,
    ):
        found = Recovery(chain, channel)
        await found.open()
        yield found


def unproven(logs: list[Any], service: str) -> bool:
    """Whether it was logged that this service's record is not genuine."""
    return any((one["event"], one.get("service")) == ("record_not_genuine", service) for one in logs)


@pytest.mark.parametrize("state", ["RESOLVED", "MITIGATED"])
@pytest.mark.parametrize("by", ["nobody", "garbage", "stranger", "delivery", "recovery"])
async def test_an_execution_that_retry_did_not_sign_verifies_nothing(
    recovery: Recovery, failed: dict[str, Any], by: str, state: str
) -> None:
    said = {name: failed[name] for name in ExecutionRecord.model_fields}
    said |= {"execution_id": new_id("gordackretryexec"), "execution_status": "delivered"}
    said["delivery_success"] = True
    forged = draft("execution_record", by="erin", traces=(failed["delivery_id"],), **said)
    reference = await Forger(recovery.chain.settings, "retry").append(forged, by)
    logs = await recovery.refuses("unknown_reference", "verification_refs[0]", state, reference)
    assert unproven(logs, "retry")


@pytest.mark.parametrize("form", ["{}", "connector-delivery://{}"])
@pytest.mark.parametrize("by", ["nobody", "garbage", "stranger", "retry", "recovery"])
async def test_a_delivery_that_delivery_did_not_sign_verifies_nothing(
    recovery: Recovery, failed: dict[str, Any], by: str, form: str
) -> None:
    forger = Forger(recovery.chain.settings, "delivery")
    (row,) = forger.rows("SELECT canonical FROM records WHERE id = ?", failed["delivery_metadata_id"])
    genuine = ConnectorDelivery.read(row["canonical"])
    parts = [one.model_copy(update={"success": True, "outcome": "delivered"}) for one in genuine.deliveries]
    said = {"session_id": new_id("rcd"), "success": True, "deliveries": parts}
    forged = draft(
        "connector_delivery",
        traces=(failed["delivery_id"],),
        top={"connector_delivery_source": AUDIT_SOURCE, "delivery_success": True, "providers": ["hook"]},
        **{**dict(genuine), **said},
    )
    reference = form.format(await forger.append(forged, by))
    logs = await recovery.refuses("unknown_reference", "verification_refs[0]", "RESOLVED", reference)
    assert unproven(logs, "delivery")


async def test_a_failed_execution_that_was_rewritten_as_delivered_verifies_nothing(
    recovery: Recovery, failed: dict[str, Any]
) -> None:
    delivery = Forger(recovery.chain.settings, "delivery")
    delivery.rewrite(failed["delivery_metadata_id"], '"success":false', '"success":true')
    logs = await recovery.refuses(
        "unknown_reference", "verification_refs[0]", "RESOLVED", failed["delivery_metadata_id"]
    )
    assert unproven(logs, "delivery")
    retry = Forger(recovery.chain.settings, "retry")
    retry.rewrite(failed["execution_id"], '"execution_status":"failed"', '"execution_status":"delivered"')
    logs = await recovery.refuses(
        "unknown_reference", "verification_refs[0]", "RESOLVED", failed["execution_id"]
    )
    assert unproven(logs, "retry")


async def test_a_genuine_execution_over_a_rewritten_delivery_resolves_nothing(
    recovery: Recovery, receiver: Receiver
) -> None:
    await recovery.chain.approved()
    delivered = execution(await recovery.chain.live())
    assert delivered["execution_status"] == "delivered"
    forger = Forger(recovery.chain.settings, "delivery")
    forger.rewrite(delivered["delivery_metadata_id"], '"attempt_count":1', '"attempt_count":2')
    await recovery.refuses(
        "verification_required", "verification_refs", "RESOLVED", delivered["execution_id"]
    )


@pytest.mark.parametrize("by", ["nobody", "garbage", "stranger", "delivery", "retry"])
async def test_a_closure_that_recovery_did_not_sign_closes_nothing(recovery: Recovery, by: str) -> None:
    forged = draft("closure", by="oscar", playbook_id=recovery.playbook_id, provider="hook")
    said: Any = forged.record
    forger = Forger(recovery.chain.settings, "recovery")
    await forger.append(forged, by)
    forger.sql("UPDATE recoveries SET state = ?, closure_id = ?", said.closure_state, said.closure_id)
    await recovery.refuses("evidence_mismatch", "playbook_id", "REOPENED")
    await recovery.refuses("evidence_mismatch", "playbook_id", "DEFERRED", said.closure_id)
    await recovery.open()
    logs = await recovery.refuses("unknown_reference", "verification_refs[0]", "DEFERRED", said.closure_id)
    assert unproven(logs, "recovery")


async def test_a_row_alone_closes_nothing_and_takes_no_closure_back(recovery: Recovery) -> None:
    forger = Forger(recovery.chain.settings, "recovery")
    forger.sql("UPDATE recoveries SET state = 'resolved'")
    await recovery.refuses("evidence_mismatch", "playbook_id", "REOPENED")
    forger.sql("UPDATE recoveries SET state = 'open'")
    await recovery.close("MITIGATED", external_ref="OPS-1")
    forger.sql("UPDATE recoveries SET state = 'open', closure_id = ''")
    await recovery.refuses("evidence_mismatch", "playbook_id", "DEFERRED")


async def test_a_closure_whose_bytes_were_changed_holds_nothing(recovery: Recovery) -> None:
    closure = await recovery.close("DEFERRED")
    forger = Forger(recovery.chain.settings, "recovery")
    forger.rewrite(closure, '"closure_state":"deferred"', '"closure_state":"resolved"')
    forger.sql("UPDATE recoveries SET state = 'resolved'")
    await recovery.refuses("evidence_mismatch", "playbook_id", "REOPENED")


async def test_a_genuine_closure_of_another_recovery_closes_nothing(recovery: Recovery) -> None:
    closure = await recovery.close("MITIGATED", external_ref="OPS-1")
    first = recovery.playbook_id
    await recovery.open()
    forger = Forger(recovery.chain.settings, "recovery")
    forger.sql(
        "UPDATE recoveries SET state = 'mitigated', closure_id = ? WHERE playbook_id <> ?", closure, first
    )
    forger.sql(
        "INSERT INTO terms SELECT 'playbook_id', ?, idx FROM records WHERE id = ?",
        recovery.playbook_id,
        closure,
    )
    await recovery.refuses("evidence_mismatch", "playbook_id", "REOPENED")
