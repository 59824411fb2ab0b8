"""From a connector that keeps failing to its proven recovery: real delivery, real recovery, a real receiver."""

import json
from pathlib import Path
from typing import Any

import pytest
from cavra.delivery.v1.delivery_pb2 import DeliverAuditRequest, DeliverAuditResponse
from cavra.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from cavra.recovery.v1 import recovery_pb2 as pb
from cavra.recovery.v1.recovery_pb2_grpc import RecoveryServiceStub
from cavra_service.errors import Refused
from cavra_service.wire import cause_of

from tests.support.installation import Installation
from tests.support.receiver import Receiver


async def test_a_failing_connector_gets_a_playbook_and_closes_with_a_later_delivery(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installation = Installation(tmp_path)
    oscar = installation.caller("oscar", "operator")
    async with Receiver(503) as receiver:
        connectors = {"webhook": {"url": receiver.url, "allow_private_networks": True}}
        config = tmp_path / "connectors.json"
        config.write_text(json.dumps({"connectors": connectors}))
        monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", str(config))
        async with (
            installation.running("delivery") as delivery_address,
            installation.running("recovery") as recovery_address,
            installation.channel(delivery_address) as to_delivery,
            installation.channel(recovery_address) as to_recovery,
        ):
            recovery = RecoveryServiceStub(to_recovery)

            async def deliver() -> DeliverAuditResponse:
                asked = DeliverAuditRequest(providers=["webhook"], retries=0)
                answer: DeliverAuditResponse = await oscar.unary(
                    DeliveryServiceStub(to_delivery).DeliverAudit, asked
                )
                return answer

            async def close(playbook: str, reference: str) -> Any:
                asked = pb.CloseRecoveryRequest(
                    playbook_id=playbook, provider="webhook", verification_refs=[reference]
                )
                return (await oscar.unary(recovery.CloseRecovery, asked)).closure

            failed = [await deliver() for _ in range(2)]
            answer = await oscar.unary(recovery.CreatePlaybook, pb.CreatePlaybookRequest())
            playbook = json.loads(answer.playbook.canonical)
            (item,) = playbook["connector_recovery_playbook"]["provider_playbooks"]
            assert (item["failure_count"], item["status_codes"], item["reasons"]) == (
                2,
                [503],
                ["server_error"],
            )
            assert {(cause["id"], cause["record_hash"]) for cause in playbook["causes"]} == {
                (one.delivery.id, cause_of(one.delivery).record_hash) for one in failed
            }
            assert set(playbook["trace_ids"]) == {one.delivery_plan.id for one in failed}

            with pytest.raises(Refused) as refused:
                await close(answer.playbook.id, failed[-1].delivery.id)
            assert refused.value.reason == "verification_required"

            receiver.status = 200
            delivered = (await deliver()).delivery
            closure = json.loads(
                (await close(answer.playbook.id, f"connector-delivery://{delivered.id}")).canonical
            )
            assert closure["closure_state"] == "resolved"
            assert [cause["id"] for cause in closure["causes"]] == [answer.playbook.id, delivered.id]
            assert set(closure["trace_ids"]) == set(playbook["trace_ids"])
