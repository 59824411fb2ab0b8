"""Worker health, its alerts and their acknowledgement over gRPC."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from cavra.retry.v1 import retry_pb2 as pb
from cavra_service.errors import Refused

from tests.support.retry_desk import envelope

PLAN = "worker_health_alert_plan"


async def health(retry: Any, **request: Any) -> Any:
    """The report."""
    asked = pb.GetWorkerHealthRequest(**request)
    return (await retry.call("GetWorkerHealth", asked, "ada", "auditor")).health


async def alert(retry: Any, who: str = "oscar", **request: Any) -> Any:
    """The answer to an alert delivery."""
    return await retry.call("DeliverHealthAlert", pb.DeliverHealthAlertRequest(**request), who)


async def acknowledge(retry: Any, sent: Any, **request: Any) -> dict[str, Any]:
    """An alert acknowledgement's envelope."""
    asked = pb.AcknowledgeHealthAlertRequest(
        **{"health_id": sent.health.health_id, "provider": "hook", **request}
    )
    return envelope((await retry.call("AcknowledgeHealthAlert", asked, "oscar")).acknowledgement)


async def dashboard(retry: Any) -> Any:
    """The alert counts."""
    return await retry.call("GetHealthAlertDashboard", pb.GetHealthAlertDashboardRequest(), "ada", "auditor")


def plan_of(answer: Any) -> dict[str, Any]:
    found: dict[str, Any] = envelope(answer.plan)[PLAN]
    return found


async def test_health_is_about_now_and_clears(retry: Any) -> None:
    calm = await health(retry)
    assert (calm.alert_level, calm.run_count, calm.HasField("latest_run_age_minutes")) == (
        "healthy",
        0,
        False,
    )
    assert (calm.expected_interval_minutes, calm.missed_after_minutes, calm.stale_metadata_minutes) == (
        30,
        60,
        120,
    )
    failure = await retry.fail()
    report = await health(retry)
    categories = [one.category for one in report.alerts]
    assert categories == ["missed_worker_run", "retryable_deliveries", "connector_failure"]
    assert (report.alert_level, report.missed_run_count, report.retryable_count) == ("critical", 1, 1)
    assert [one.delivery_id for one in report.failed_deliveries] == [failure.key[0]]
    await retry.approved()
    retry.fake.script = ["failed"]
    await retry.run()
    report = await health(retry)
    assert (report.failed_job_count, report.alerts[0].category) == (1, "failed_worker_run")
    assert (report.latest_run_age_minutes, report.latest_retry_plan_age_minutes) == (0, 0)
    await retry.approved()
    await retry.run()
    report = await health(retry)
    assert (report.alert_level, list(report.alerts), report.failed_job_count) == ("healthy", [], 0)
    assert len(report.latest) == report.run_count == 2


async def test_health_says_what_is_late_or_disabled(retry: Any) -> None:
    await retry.fail()
    await retry.run(execute=False, schedule=pb.WorkerSchedule(enabled=False))
    retry.now += timedelta(minutes=11)
    report = await health(retry, expected_interval_minutes=5, stale_metadata_minutes=10)
    assert {one.category for one in report.alerts} == {
        "missed_worker_run",
        "retryable_deliveries",
        "connector_failure",
        "stale_retry_plan",
        "disabled_schedule",
    }
    assert (report.latest_run_age_minutes, report.disabled_schedule_count) == (11, 1)
    assert report.alerts[0].severity == "critical"


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        ({"expected_interval_minutes": 0}, "expected_interval_minutes"),
        ({"expected_interval_minutes": 10_081}, "expected_interval_minutes"),
        ({"stale_metadata_minutes": 0}, "stale_metadata_minutes"),
    ],
)
async def test_a_wrong_threshold_is_refused_by_field(
    retry: Any, request_: dict[str, Any], field: str
) -> None:
    await retry.refused(health(retry, **request_), "invalid_value", field)
    await retry.refused(alert(retry, **request_), "invalid_value", field)


async def test_an_alert_is_planned_durably_then_sent_as_planned(retry: Any) -> None:
    await retry.fail()
    answer = await alert(retry)
    record = plan_of(answer)
    assert (record["selected_providers"], record["requested_provider"]) == (["chat", "hook"], "all")
    assert (record["health_id"], record["alert_level"]) == (answer.health.health_id, "critical")
    assert [one["category"] for one in record["alerts"]] == [one.category for one in answer.health.alerts]
    assert answer.success
    assert answer.event_id
    (send,) = retry.fake.sends
    assert (send.plan_canonical, send.plan.record_hash) == (
        answer.plan.canonical,
        answer.plan.record_hash,
    )
    assert envelope(answer.plan)["trace_ids"] == [record["plan_id"]]
    assert envelope(answer.delivery)["causes"][0]["id"] == record["plan_id"]


async def test_an_alert_goes_to_as_many_connectors_as_are_named(retry: Any) -> None:
    await retry.fail()
    retry.fake.connectors = sorted(f"collector-{number:02}" for number in range(40))
    record = plan_of(await alert(retry, providers=retry.fake.connectors))
    assert record["selected_providers"] == retry.fake.connectors
    assert record["requested_provider"] == "several"


async def test_the_same_cause_is_suppressed_within_the_window_whatever_its_id(retry: Any) -> None:
    await retry.fail()
    first = await alert(retry, providers=["hook"])
    again = await alert(retry)
    assert first.health.health_id != again.health.health_id
    assert (plan_of(again)["selected_providers"], plan_of(again)["suppressed_providers"]) == (
        ["chat"],
        ["hook"],
    )
    quiet = await alert(retry)
    assert (quiet.success, quiet.event_id, quiet.HasField("delivery")) == (True, "", False)
    assert plan_of(await alert(retry, force=True))["selected_providers"] == ["chat", "hook"]
    retry.now += timedelta(minutes=60)
    assert plan_of(await alert(retry))["selected_providers"] == ["chat", "hook"]
    await retry.fail()
    assert plan_of(await alert(retry))["selected_providers"] == ["chat", "hook"]


async def test_parallel_alerts_of_one_cause_tell_a_provider_once(retry: Any) -> None:
    await retry.fail()
    answers = await asyncio.gather(*(alert(retry, f"oscar{number}") for number in range(6)))
    assert sorted(len(plan_of(one)["selected_providers"]) for one in answers) == [0, 0, 0, 0, 0, 2]


async def test_an_alert_that_did_not_arrive_suppresses_nothing(retry: Any) -> None:
    await retry.fail()
    retry.fake.alert_success = False
    assert not (await alert(retry)).success
    retry.fake.alert_success = True
    assert plan_of(await alert(retry))["selected_providers"] == ["chat", "hook"]


@pytest.mark.parametrize("reason", ["service_unavailable", "deadline_exceeded", "internal", "conflict"])
async def test_an_alert_that_delivery_could_not_answer_for_is_sent_as_planned_and_suppresses_meanwhile(
    opened: Any, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    monkeypatch.setenv("CAVRA_RECONCILE_INTERVAL_SECONDS", "0.05")
    retry = await opened()
    retry.fake.alert_refusals = [reason]
    async with retry.running():
        await retry.fail()
        with pytest.raises(Refused):
            await alert(retry)
        again = plan_of(await alert(retry))
        assert (again["selected_providers"], again["suppressed_providers"]) == ([], ["chat", "hook"])
        await retry.fake.alerted.wait()
    lost, sent = retry.fake.sends
    assert (sent.plan_canonical, list(sent.providers)) == (lost.plan_canonical, list(lost.providers))
    assert sent.requested_by == lost.requested_by


async def test_an_alert_that_delivery_refuses_is_not_sent_again_and_suppresses_nothing(
    opened: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAVRA_RECONCILE_INTERVAL_SECONDS", "0.05")
    retry = await opened()
    retry.fake.alert_refusals = ["invalid_value"]
    async with retry.running():
        await retry.fail()
        with pytest.raises(Refused):
            await alert(retry)
        assert plan_of(await alert(retry))["selected_providers"] == ["chat", "hook"]
    async with retry.running():
        assert await health(retry)
    assert len(retry.fake.sends) == 2


async def test_a_healthy_worker_sends_no_alert_unless_forced(retry: Any) -> None:
    answer = await alert(retry)
    assert (plan_of(answer)["selected_providers"], retry.fake.sends) == ([], [])
    assert plan_of(await alert(retry, force=True))["selected_providers"] == ["chat", "hook"]


@pytest.mark.parametrize(
    ("change", "reason", "field"),
    [
        ({"providers": ["other"]}, "provider_not_configured", "provider"),
        ({"suppression_window_minutes": -1}, "invalid_value", "suppression_window_minutes"),
        ({"suppression_window_minutes": 10_081}, "invalid_value", "suppression_window_minutes"),
        ({"max_alerts": 0}, "invalid_value", "max_alerts"),
        ({"max_alerts": 101}, "invalid_value", "max_alerts"),
        ({"retries": -1}, "invalid_value", "retries"),
        ({"requested_provider": "<b>"}, "invalid_value", "requested_provider"),
    ],
)
async def test_a_wrong_alert_is_refused_by_field_and_writes_nothing(
    retry: Any, change: dict[str, Any], reason: str, field: str
) -> None:
    await retry.fail()
    await retry.refused(alert(retry, **change), reason, field)
    assert retry.fake.sends == []


@pytest.mark.parametrize("state", ["", "acknowledged", "dismissed", "escalated", "resolved"])
async def test_an_alert_is_acknowledged_for_a_provider_that_was_told(retry: Any, state: str) -> None:
    await retry.fail()
    sent = await alert(retry)
    found = await acknowledge(
        retry,
        sent,
        acknowledgement_state=f"HEALTH_ACKNOWLEDGEMENT_STATE_{state.upper() or 'UNSPECIFIED'}",
        external_ref="OPS-2",
        notes="seen",
    )
    record = found["acknowledgement"]
    assert (record["acknowledgement_state"], record["provider"]) == (state or "acknowledged", "hook")
    assert (record["plan_id"], record["health_id"]) == (plan_of(sent)["plan_id"], sent.health.health_id)
    assert [cause["id"] for cause in found["causes"]] == [record["plan_id"]]


async def test_a_wrong_alert_acknowledgement_is_refused_by_field(retry: Any) -> None:
    await retry.fail()
    sent = await alert(retry, providers=["hook"])
    for change, reason, field in (
        ({"health_id": "gordackhealth-" + "0" * 28}, "unknown_health", "health_id"),
        ({"plan_id": "gordackhealthalert-" + "0" * 28}, "unknown_plan", "plan_id"),
        ({"provider": "chat"}, "unknown_provider", "provider"),
        ({"provider": ""}, "invalid_value", "provider"),
        ({"acknowledgement_state": 9}, "invalid_value", "acknowledgement_state"),
        ({"notes": "pass" + "word=hunter2hunter2"}, "credential_found", "notes"),
        ({"external_ref": "?"}, "invalid_reference", "external_ref"),
    ):
        await retry.refused(acknowledge(retry, sent, **change), reason, field)


async def test_the_alert_dashboard_counts_what_waits(retry: Any) -> None:
    empty = await dashboard(retry)
    assert (empty.alert_level, empty.plan_count, empty.delivery_count) == ("healthy", 0, 0)
    await retry.fail()
    sent = await alert(retry)
    await alert(retry)
    counts = await dashboard(retry)
    assert (counts.alert_level, counts.plan_count, counts.delivery_count) == ("critical", 2, 1)
    assert (counts.outstanding_acknowledgement_count, counts.suppressed_provider_count) == (2, 2)
    assert [one.provider for one in counts.outstanding_acknowledgements] == ["chat", "hook"]
    await asyncio.gather(*(acknowledge(retry, sent) for _ in range(3)))
    await acknowledge(retry, sent, provider="chat")
    counts = await dashboard(retry)
    assert (counts.acknowledgement_count, counts.outstanding_acknowledgement_count) == (4, 0)
    assert (counts.alert_level, len(counts.latest)) == ("healthy", 2)
    retry.fake.alert_success = False
    await alert(retry, force=True)
    assert (await dashboard(retry)).failed_delivery_count == 1


async def test_alerts_take_an_operator(retry: Any) -> None:
    for method in ("DeliverHealthAlert", "AcknowledgeHealthAlert"):
        request = getattr(pb, f"{method}Request")()
        await retry.refused(retry.call(method, request, "ann", "approver"), "role_required")
