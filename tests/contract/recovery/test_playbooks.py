"""CreatePlaybook over gRPC."""

from datetime import timedelta
from typing import Any

import pytest
from cavra.recovery.v1 import recovery_pb2 as pb
from cavra.recovery.v1.recovery_pb2_grpc import RecoveryServiceStub
from cavra_service.runtime import utc_now


async def test_a_playbook_names_who_failed_often_enough_and_what_to_do(recovery: Any) -> None:
    recovery.peers.categories["splunk"] = "siem"
    failed = [await recovery.peers.deliver("splunk", "auth", 401) for _ in range(3)]
    await recovery.peers.deliver("jira", "timeout")
    envelope = await recovery.playbook()
    record = envelope["connector_recovery_playbook"]
    assert (record["alert_level"], record["provider_count"], record["failure_count"]) == ("critical", 1, 3)
    assert (record["lookback_hours"], record["min_failure_count"]) == (24, 2)
    assert record["generated_by"] == envelope["signer"] == "oscar"
    (item,) = record["provider_playbooks"]
    assert (item["provider"], item["category"], item["failure_count"]) == ("splunk", "siem", 3)
    assert (item["status_codes"], item["reasons"]) == ([401], ["auth"])
    steps = [step["step_id"] for step in item["recovery_steps"]]
    assert steps == ["search_siem", "rotate_credential", "verify_by_approved_retry"]
    assert item["private_connector_boundary"]
    assert {cause["id"] for cause in envelope["causes"]} == {entry.id for entry in failed}
    assert len(envelope["trace_ids"]) == 3
    assert {
        name: envelope[name] for name in ("playbook_id", "alert_level", "provider_count", "failure_count")
    }


async def test_a_playbook_names_the_hashes_it_computed_not_those_it_was_told(recovery: Any) -> None:
    failed = [await recovery.peers.deliver("splunk", "timeout") for _ in range(2)]
    recovery.peers.misstate("splunk")
    envelope = await recovery.playbook()
    assert {cause["record_hash"] for cause in envelope["causes"]} == {
        entry.record_hash.hex() for entry in failed
    }
    assert "failure_records_hashed" in envelope["connector_recovery_playbook"]["controls"]


async def test_an_empty_playbook_is_recorded_too(recovery: Any) -> None:
    envelope = await recovery.playbook()
    assert (envelope["alert_level"], envelope["provider_count"], envelope["causes"]) == ("healthy", 0, [])
    assert await recovery.gauges() == {}


async def test_failures_outside_the_look_back_do_not_count(recovery: Any) -> None:
    for hours in (1, 3, 5):
        await recovery.peers.deliver("splunk", "timeout", at=utc_now() - timedelta(hours=hours))
    assert (await recovery.playbook(lookback_hours=2))["provider_count"] == 0
    assert (await recovery.playbook(lookback_hours=4))["failure_count"] == 2
    assert (await recovery.playbook(lookback_hours=2, min_failure_count=1))["failure_count"] == 1


async def test_a_newer_playbook_supersedes_the_open_recoveries_of_its_providers_alone(recovery: Any) -> None:
    await recovery.peers.deliver("jira", "timeout")
    await recovery.peers.deliver("jira", "timeout", at=utc_now() - timedelta(hours=3))
    older = await recovery.failing()
    assert await recovery.gauges() == {"open": 2}
    newer = (await recovery.playbook(lookback_hours=1))["session_id"]
    assert await recovery.gauges() == {"open": 2, "superseded": 1}
    await recovery.refused(recovery.close(older, "deferred"), "superseded", "playbook_id")
    await recovery.close(older, "deferred", provider="jira")
    await recovery.close(newer, "escalated")
    assert await recovery.gauges() == {"open": 2, "superseded": 1}


async def test_a_closed_recovery_is_not_superseded_and_a_reopened_one_is(recovery: Any) -> None:
    older = await recovery.failing()
    await recovery.close(older, "mitigated", external_ref="OPS-1")
    await recovery.playbook()
    assert await recovery.gauges() == {"open": 1, "closed": 1}
    await recovery.close(older, "reopened")
    assert await recovery.gauges() == {"open": 1, "reopened": 1}
    await recovery.playbook()
    assert await recovery.gauges() == {"open": 1, "superseded": 2}


@pytest.mark.parametrize(
    ("field", "value"),
    [("min_failure_count", 0), ("min_failure_count", 1001), ("lookback_hours", 0), ("lookback_hours", 8761)],
)
async def test_a_playbook_out_of_bounds_is_refused(recovery: Any, field: str, value: int) -> None:
    await recovery.refused(recovery.playbook(**{field: value}), "invalid_value", field)


async def test_without_delivery_there_is_no_playbook(recovery: Any) -> None:
    await recovery.peers.stop("delivery")
    await recovery.refused(recovery.playbook(), "service_unavailable")


@pytest.mark.parametrize("role", ["auditor", "approver"])
async def test_only_operators_make_playbooks_and_closures(recovery: Any, role: str) -> None:
    stub: RecoveryServiceStub = recovery._stub
    caller = recovery.installation.caller("somebody", role)
    for method, request in (
        (stub.CreatePlaybook, pb.CreatePlaybookRequest()),
        (stub.CloseRecovery, pb.CloseRecoveryRequest()),
    ):
        await recovery.refused(caller.unary(method, request), "role_required")
