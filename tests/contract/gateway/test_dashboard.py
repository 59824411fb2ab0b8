"""The dashboard over three real logs."""

from cavra_verify.kinds import BY_NOUN

from tests.support.fake_services import FakeServices
from tests.support.samples import draft, sample

R = "/runtime/go-pilot/rollback-drill-notifications"
AD = "acknowledgement_audit_delivery_"

METRICS = (
    """generated_at alert_level plan_count delivery_count notification_delivery_count failed_delivery_count acknowledgement_count
acknowledgement_audit_package_count outstanding_acknowledgement_count outstanding_acknowledgements latest
failed_acknowledgement_audit_delivery_count sources""".split()
    + [
        AD + name
        for name in """plan_count count success_count success_rate providers health retry_plan_count retryable_count retry_ack_count
    retry_execution_approval_plan_count retry_execution_approval_decision_count retry_execution_approved_count
    retry_execution_record_count retry_execution_success_count retry_execution_failed_count retry_execution_skipped_count
    retry_execution_unknown_count connector_recovery_playbook_count connector_recovery_closure_count connector_recovery_closed_count
    connector_recovery_open_count connector_recovery_reopened_count worker_run_count worker_dry_run_count worker_executed_count
    worker_health_alert_count worker_health_alert_ack_count retry_refusal_count""".split()
    ]
)


async def test_the_dashboard_has_every_metric(fakes: FakeServices) -> None:
    for noun in (
        "retry_plan",
        "worker_run",
        "approval_decision",
        "execution_record",
        "notification_plan",
        "connector_delivery",
        "closure",
    ):
        await fakes.write(BY_NOUN[noun].log, draft(sample(noun)))
    status, answer, _ = await fakes.request("GET", R + "/dashboard", roles=("auditor",))
    assert status == 200
    assert set(METRICS) <= answer.keys()
    written = ("retry_plan", "worker_run", "retry_execution_record", "connector_recovery_closure")
    for name in ("plan_count", "delivery_count", *(f"{AD}{one}_count" for one in written)):
        assert answer[name] == 1, name
    assert len(answer["latest"]) == 7
    assert answer["outstanding_acknowledgements"][0].keys() == {"schedule_id", "provider", "plan_id"}


async def test_a_service_that_is_down_leaves_nulls_and_is_named(fakes: FakeServices) -> None:
    await fakes.write("retry", draft(sample("retry_plan")))
    await fakes.stop("delivery")
    status, answer, _ = await fakes.request("GET", R + "/dashboard")
    assert (status, answer["sources"]) == (200, {"delivery": "unavailable", "recovery": "ok", "retry": "ok"})
    assert answer["plan_count"] is None
    assert answer["outstanding_acknowledgements"] is None
    assert (answer[AD + "retry_plan_count"], len(answer["latest"])) == (1, 1)


async def test_with_every_service_down_there_is_no_dashboard(fakes: FakeServices) -> None:
    for name in ("delivery", "recovery", "retry"):
        await fakes.stop(name)
    status, problem, headers = await fakes.request("GET", R + "/dashboard")
    assert (status, problem["reason"], headers["retry-after"]) == (503, "service_unavailable", "1")
