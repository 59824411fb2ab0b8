"""Every route of the contract: its path, the shape of its answer, and what it asks of the service behind it."""

from typing import Any

import pytest
from cavra_verify.envelope import stripped
from cavra_verify.merkle import leaf_hash

from tests.support.fake_services import FakeServices

R = "/runtime/go-pilot/rollback-drill-notifications"
AD = R + "/acknowledgements/audit-delivery"
JSON = {"content-type": "application/json"}
RECORDED = {"metadata", "actor"}
PAGE = {"items", "total", "limit", "offset"}

ROUTES: list[tuple[str, str, Any, str, set[str]]] = [
    ("GET", "/runtime/go-pilot/rollback-drill-schedule", None,
     "operator", {"schema_version", "mode", "status", "checks", "schedule", "history"}),
    ("POST", R + "/deliver", {}, "operator", {"schedule", "plan", "delivery", "plan_metadata", "metadata", "success", "event_id"}),
    ("POST", R + "/prod-rollback-drill/acknowledgements", {"provider": "webhook"}, "operator", {"acknowledgement", *RECORDED}),
    ("POST", R + "/acknowledgements/bulk", {"routes": [{"schedule_id": "s", "provider": "webhook"}]}, "operator",
     {"bulk_id", "acknowledgement_state", "acknowledgement_count", "acknowledgements", *RECORDED}),
    ("POST", R + "/acknowledgements/audit-package", {}, "operator", {"audit_package", *RECORDED}),
    ("POST", AD, {}, "operator", {"audit_package", "audit_metadata", "delivery_plan", "plan_metadata", "delivery", "success", *RECORDED}),
    ("POST", AD + "/retry-plan", {}, "operator", {"plan", *RECORDED}),
    ("POST", AD + "/retry-plans/gordackretry-1/acknowledgements", {"provider": "webhook"}, "operator", {"acknowledgement", *RECORDED}),
    ("POST", AD + "/retry-execution-approval-plan", {}, "operator", {"plan", *RECORDED}),
    ("POST", AD + "/retry-execution-approval-plans/gordackretryapproval-1/decisions", {"provider": "webhook"},
     "approver", {"decision", *RECORDED}),
    ("POST", AD + "/worker-run", {}, "operator", {"run", "retry_metadata", "retry_results", *RECORDED}),
    ("POST", AD + "/retry-executions/gordackretryexec-1/resolutions", {"outcome": "not-delivered", "external_ref": "OPS-7"},
     "operator", {"resolution", *RECORDED}),
    ("GET", AD + "/worker-runs", None, "auditor", PAGE),
    ("GET", AD + "/worker-dashboard", None, "auditor",
     {"generated_at", "alert_level", "run_count", "dry_run_count", "executed_count", "retryable_count", "selected_retry_count", "latest"}),
    ("GET", AD + "/worker-health", None,
     "auditor", {"health_id", "alert_level", "missed_run_count", "latest_run_at", "alerts", "latest"}),
    ("POST", AD + "/worker-health-alerts/deliver", {}, "operator",
     {"health", "plan", "delivery", "plan_metadata", "success", "event_id", *RECORDED}),
    ("POST", AD + "/worker-health-alerts/gordackhealth-1/acknowledgements", {"provider": "webhook"},
     "operator", {"acknowledgement", *RECORDED}),
    ("GET", AD + "/worker-health-alerts", None, "auditor", PAGE),
    ("GET", AD + "/worker-health-alert-dashboard", None,
     "auditor", {"generated_at", "alert_level", "plan_count", "outstanding_acknowledgements"}),
    ("POST", AD + "/connector-recovery-playbook", {}, "operator", {"playbook", *RECORDED}),
    ("POST", AD + "/connector-recovery-playbooks/gordackrecovery-1/closures", {"provider": "webhook"},
     "operator", {"closure", *RECORDED}),
    ("GET", R, None, "auditor", {"schema_version", "product", "sources", "next_cursor", *PAGE}),
    ("GET", R + "/dashboard", None, "auditor", {"schema_version", "generated_at", "alert_level", "latest", "sources"}),
    ("GET", R + "/routes", None, "auditor", {"filters", *PAGE}),
    ("GET", R + "/suppression-trends", None, "auditor", {"trend"}),
    ("POST", R + "/escalation-plan", {}, "operator", {"plan", "metadata"}),
    ("GET", "/console/config", None, "auditor", {"endpoints", "connector_delivery", "metadata_mode"}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("method", "path", "body", "role", "names"), ROUTES, ids=[f"{one[0]} {one[1]}" for one in ROUTES]
)
async def test_a_route_answers_as_the_contract_says(
    fakes: FakeServices, method: str, path: str, body: Any, role: str, names: set[str]
) -> None:
    status, answer, headers = await fakes.request(method, path, roles=(role,), json=body)
    assert (status, headers["content-type"]) == (200, "application/json"), answer
    assert names <= answer.keys()
    if "actor" in answer:
        assert answer["actor"] == {
            "actor": "alice",
            "subject": "alice",
            "issuer": "cavra-local",
            "groups": [],
        }
    for served in _envelopes(answer):
        assert leaf_hash(stripped(served)).hex() == served["record_hash"]
    unauthenticated, problem, headers = await fakes.request(method, path, roles=(), json=body)
    assert (unauthenticated, problem["reason"]) == (401, "unauthenticated")
    assert headers["www-authenticate"] == "Bearer"


def _envelopes(value: Any) -> list[dict[str, Any]]:
    """Every metadata envelope in an answer."""
    if isinstance(value, list):
        return [found for item in value for found in _envelopes(item)]
    if not isinstance(value, dict):
        return []
    if "metadata_kind" in value:
        return [value]
    return [found for item in value.values() for found in _envelopes(item)]


async def test_health_and_version_are_open_to_all(fakes: FakeServices) -> None:
    assert (await fakes.request("GET", "/health", roles=()))[:2] == (
        200,
        {"status": "ok", "product": "CAVRA", "services": {"delivery": "ok", "recovery": "ok", "retry": "ok"}},
    )
    status, answer, headers = await fakes.request("GET", "/version", roles=())
    assert (status, answer["product"], answer["api"]) == (200, "CAVRA", "v1")
    assert "server" not in headers


async def test_health_is_503_while_a_service_is_down(fakes: FakeServices) -> None:
    await fakes.stop("recovery")
    status, answer, headers = await fakes.request("GET", "/health", roles=())
    assert (status, answer["status"], headers["retry-after"]) == (503, "degraded", "1")
    assert answer["services"] == {"delivery": "ok", "recovery": "unavailable", "retry": "ok"}


async def test_a_run_shows_its_plan_while_its_envelope_keeps_what_was_hashed(fakes: FakeServices) -> None:
    _, answer, _ = await fakes.request("POST", AD + "/worker-run", json={"execute": True})
    plan = answer["retry_metadata"]["acknowledgement_audit_delivery_retry_plan"]
    assert answer["run"]["retry_plan"] == {**plan, "record_hash": answer["retry_metadata"]["record_hash"]}
    kept = answer["metadata"]["acknowledgement_audit_delivery_worker_run"]["retry_plan"]
    assert kept.keys() == {"retry_plan_id", "record_hash"}
    sent, skipped = answer["retry_results"]
    assert sent.keys() == {
        "decision", "delivery_plan", "plan_metadata", "delivery", "delivery_metadata", "execution_record", "execution_metadata", "skipped",
    }  # fmt: skip
    assert sent["decision"] == answer["run"]["selected_retries"][0]
    assert sent["execution_record"]["execution_hash"] == sent["execution_metadata"]["record_hash"]
    assert (skipped["skipped"], skipped["delivery"], skipped["execution_record"]) == (
        "content_changed",
        None,
        None,
    )


@pytest.mark.parametrize(
    ("body", "execute"),
    [
        ({}, False),
        ({"execute": True}, True),
        ({"dry_run": True, "execute": True}, False),
        ({"dry_run": False}, True),
        ({"dry_run": None, "execute": False}, False),
    ],
)
async def test_a_worker_run_is_dry_unless_it_is_asked_to_execute(
    fakes: FakeServices, body: dict[str, Any], execute: bool
) -> None:
    await fakes.request("POST", AD + "/worker-run", json=body)
    assert fakes.script.requests["RunWorker"].execute is execute


@pytest.mark.parametrize(
    ("text", "multiplier"),
    [("1.1", "1.1"), ("2", "2"), ('"1.250"', "1.25"), ("2.0", "2"), ("1e0", "1"), ("10", "10")],
)
async def test_a_multiplier_arrives_digit_for_digit(fakes: FakeServices, text: str, multiplier: str) -> None:
    body = f'{{"retry_policy": {{"max_retries": 4, "delay_minutes": 0, "multiplier": {text}}}}}'
    status, answer, _ = await fakes.request("POST", AD + "/retry-plan", data=body, headers=JSON)
    assert status == 200, answer
    policy = fakes.script.requests["PlanRetries"].retry_policy
    assert (policy.backoff_multiplier, policy.max_retry_attempts, policy.retry_delay_minutes) == (
        multiplier,
        4,
        0,
    )


async def test_what_is_left_out_is_left_to_the_service(fakes: FakeServices) -> None:
    await fakes.request("POST", AD + "/retry-plan")
    policy = fakes.script.requests["PlanRetries"].retry_policy
    assert not any(
        policy.HasField(name) for name in ("max_retry_attempts", "retry_delay_minutes", "backoff_multiplier")
    )
    await fakes.request(
        "POST", AD + "/retry-execution-approval-plan", json={"approval_policy": {"required_approvals": 2}}
    )
    asked = fakes.script.requests["PlanApproval"].approval_policy
    assert asked.required_approvals == 2
    assert not asked.HasField("require_retry_ack")


async def test_a_cadence_is_read_the_same_wherever_it_stands(fakes: FakeServices) -> None:
    await fakes.request("POST", AD, json={"cadence": " On-Demand "})
    assert fakes.script.requests["DeliverAudit"].cadence == "on_demand"
    await fakes.request("POST", AD + "/worker-run", json={"schedule": {"cadence": " On-Demand "}})
    assert fakes.script.requests["RunWorker"].schedule.cadence == "on_demand"


async def test_older_names_are_understood(fakes: FakeServices) -> None:
    await fakes.request("POST", R + "/escalation-plan", json={"default_slo": {"acknowledgement_minutes": 5}})
    assert fakes.script.requests["PlanEscalation"].acknowledgement_minutes == 5
    await fakes.request("POST", AD + "/worker-run", json={"schedule": {"schedule_interval_minutes": 15}})
    assert fakes.script.requests["RunWorker"].schedule.interval_minutes == 15
    body = {
        "provider": " Splunk ",
        "approved_by": "mallory",
        "approval_state": " DENIED ",
        "actor_claims": {"sub": "x"},
    }
    status, answer, _ = await fakes.request(
        "POST", AD + "/retry-execution-approval-plans/p/decisions", roles=("approver",), json=body
    )
    assert (status, answer["actor"]["actor"], answer["decision"]["item_state"]) == (200, "alice", "denied")
    assert fakes.script.requests["DecideApproval"].provider == "splunk"
    assert answer["metadata"]["signer"] == "alice"


@pytest.mark.parametrize(
    ("body", "providers", "requested"),
    [
        ({}, [], "all"),
        ({"delivery_provider": "all", "provider": "splunk"}, [], "all"),
        ({"delivery_provider": " Splunk, archive,splunk "}, ["splunk", "archive"], "splunk,archive"),
        ({"provider": "webhook"}, ["webhook"], "webhook"),
    ],
)
async def test_a_delivery_goes_to_the_named_providers_or_to_all(
    fakes: FakeServices, body: dict[str, Any], providers: list[str], requested: str
) -> None:
    await fakes.request("POST", AD, json={**body, "next_delivery_at": "2026-12-01T09:00:00Z"})
    asked = fakes.script.requests["DeliverAudit"]
    assert (list(asked.providers), asked.requested_provider) == (providers, requested)
    assert asked.next_delivery_at.ToJsonString() == "2026-12-01T09:00:00Z"


async def test_reports_keep_zeros_and_nulls_and_numbers(fakes: FakeServices) -> None:
    _, health, _ = await fakes.request("GET", AD + "/worker-health")
    assert health["run_count"] == 2**40
    assert health["latest_run_age_minutes"] is None
    assert health["latest_run_at"] is None
    assert health["missed_run_count"] == 0
    assert health["generated_at"] == "2026-11-23T09:30:00.000000+00:00"
    _, trend, _ = await fakes.request("GET", R + "/suppression-trends?owner=a")
    assert trend["trend"]["owner_counts"] == {"a": 0, "b": 2}
    assert trend["trend"]["filters"] == {"schedule_id": "", "provider": "", "owner": "a"}
    _, schedule, _ = await fakes.request("GET", "/runtime/go-pilot/rollback-drill-schedule")
    assert schedule["schedule"]["owner_routes"] == {"platform-team": {"acknowledgement_minutes": 30}}
    assert schedule["history"] is None


async def test_the_console_learns_where_everything_is_and_no_secret(fakes: FakeServices) -> None:
    _, config, _ = await fakes.request("GET", "/console/config")
    assert config["endpoints"]["run_worker"] == AD + "/worker-run"
    assert config["metadata_mode"] == "service"
    (webhook,) = config["connector_delivery"]["connectors"]
    assert (webhook["ready"], webhook["missing_variable"]) == (False, "WEBHOOK_URL")
    assert config["connector_delivery"]["file_problem"] == "not a mapping"


async def test_head_answers_the_headers_of_get(fakes: FakeServices) -> None:
    status, body, headers = await fakes.request("HEAD", R)
    assert (status, body) == (200, None)
    assert int(headers["content-length"]) > 100
