"""Drill notifications over gRPC: who is told, what is suppressed, and what is acknowledged."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_verify.kinds import BY_NOUN, NOTIFICATION_SOURCE
from google.protobuf.struct_pb2 import Struct

from tests.contract.delivery.desk import Desk, body, envelope, webhook
from tests.support.receiver import Receiver

SCHEDULE = "production-rollback"


def moment(days: float) -> str:
    """A time so many days from now."""
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def window_now() -> list[dict[str, str]]:
    """A maintenance window that holds now."""
    return [{"window_id": "freeze", "start_at": moment(-1), "end_at": moment(1), "reason": "Year end"}]


async def notify(desk: Desk, **fields: Any) -> Any:
    """Notify, and give the answer."""
    return await desk.call("NotifyDrill", pb.NotifyDrillRequest(retries=0, **fields))


async def acknowledge(desk: Desk, **fields: Any) -> Any:
    """Acknowledge the webhook's route, and give the record."""
    request = pb.AcknowledgeDrillRequest(**{"schedule_id": SCHEDULE, "provider": "webhook", **fields})
    return envelope((await desk.call("AcknowledgeDrill", request)).acknowledgement)


async def test_a_drill_that_is_due_soon_is_notified_planned_first(desk: Desk, receiver: Receiver) -> None:
    answer = await notify(desk)
    plan, delivery = envelope(answer.plan), envelope(answer.delivery)
    assert answer.success
    assert answer.schedule.status == plan["plan"]["status"] == "due_soon"
    assert plan["log"]["index"] < delivery["log"]["index"]
    assert delivery["connector_delivery_source"] == NOTIFICATION_SOURCE
    assert plan["trace_ids"] == delivery["trace_ids"] == [plan["plan_id"]]
    event = body(receiver.received[0].body)
    assert event["event_id"] == answer.event_id == delivery["event_id"]
    assert event["data"]["plan_id"] == plan["plan_id"]
    assert [route["owner"] for route in event["data"]["routes"]] == ["platform"]
    assert set(BY_NOUN["notification_plan"].top) <= plan.keys()
    assert await desk.gauges() == {"outstanding_acknowledgements": 1}


async def test_a_healthy_schedule_tells_nobody_unless_forced(desk: Desk, receiver: Receiver) -> None:
    desk.schedule(due_in_days=20)
    answer = await notify(desk)
    assert answer.success
    assert not answer.HasField("delivery")
    assert answer.event_id == ""
    assert envelope(answer.plan)["plan"]["reason"] == "healthy_schedule"
    assert receiver.received == []
    forced = await notify(desk, force=True)
    assert envelope(forced.plan)["plan"]["reason"] == "forced"
    assert len(receiver.received) == 1


async def test_windows_and_calendars_suppress_even_what_is_forced(desk: Desk, receiver: Receiver) -> None:
    desk.schedule(maintenance_windows=window_now())
    windowed = envelope((await notify(desk, force=True)).plan)
    assert windowed["maintenance_suppressed_count"] == 1
    desk.schedule(owner_calendars={"platform": {"available": False, "reason": "Holiday"}})
    absent = envelope((await notify(desk, force=True)).plan)
    assert absent["calendar_suppressed_count"] == 1
    assert receiver.received == []
    trend = await desk.call("GetSuppressionTrend", pb.GetSuppressionTrendRequest())
    assert dict(trend.category_counts) == {"maintenance_window": 1, "owner_calendar": 1}
    assert trend.alert_level == "warning"
    assert [one.category for one in trend.latest_events] == ["owner_calendar", "maintenance_window"]
    assert trend.latest_events[1].maintenance_window_reason == "Year end"


async def test_a_request_overrides_the_routing_of_the_file(desk: Desk, receiver: Receiver) -> None:
    policy = Struct()
    policy.update({"maintenance_windows": window_now()})
    assert envelope((await notify(desk, routing_policy=policy)).plan)["maintenance_suppressed_count"] == 1
    policy = Struct()
    policy.update({"owner_routes": {"sre": {"providers": ["webhook"], "acknowledgement_minutes": 5}}})
    routes = envelope((await notify(desk, routing_policy=policy)).plan)["plan"]["owner_routes"]
    assert {route["owner"]: route["acknowledgement_minutes"] for route in routes} == {
        "sre": 5,
        "platform": 60,
    }
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "policy",
    [
        {"<unknown>": 1},
        {"owner_routes": {"sre": {"acknowledgement_minutes": 0}}},
        {"owner_routes": {"<sre>": {}}},
        {"maintenance_windows": [{"window_id": "x"}]},
        {"owner_calendars": {"sre": {"available": "perhaps"}}},
    ],
)
async def test_a_routing_policy_of_another_shape_is_refused(desk: Desk, policy: dict[str, Any]) -> None:
    struct = Struct()
    struct.update(policy)
    name = next(iter(policy))
    field = "routing_policy" if name == "<unknown>" else f"routing_policy.{name}"
    request = pb.NotifyDrillRequest(routing_policy=struct)
    assert await desk.refusal("NotifyDrill", request) == ("invalid_value", field), "and no name is echoed"


async def test_a_provider_that_the_schedule_does_not_name_is_refused(desk: Desk) -> None:
    request = pb.NotifyDrillRequest(providers=["splunk"])
    assert await desk.refusal("NotifyDrill", request) == ("provider_not_configured", "providers")


async def test_a_provider_without_a_connector_fails_alone(desk: Desk, receiver: Receiver) -> None:
    desk.schedule(notification_providers=["webhook", "splunk"])
    answer = await notify(desk)
    parts = {part["provider"]: part["error"] for part in envelope(answer.delivery)["delivery"]["deliveries"]}
    assert parts == {"webhook": "", "splunk": "connector_config_not_configured"}
    assert not answer.success
    assert await desk.failures() == [], "only audit deliveries are retried"
    summary = await desk.call("SummarizeFailures", pb.SummarizeFailuresRequest(since={"seconds": 0}))
    assert summary.providers == [], "notifications call for no playbook"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the file cannot be read (FileNotFoundError)"),
        ("a: [", "the file is no valid JSON or YAML"),
        ("- 1", "the file holds no mapping"),
        ("schedule_id: 'two words'\nnext_due_at: 2026-12-01\n", "schedule_id is refused by rule"),
        ("schedule_id: x\nnext_due_at: soon\n", "next_due_at is refused by rule"),
        ("schedule_id: x\nnext_due_at: 0001-01-01T00:00:00+14:00\n", "next_due_at is refused by rule"),
    ],
)
async def test_a_missing_or_invalid_schedule_needs_attention_and_is_no_error(
    desk: Desk, text: str | None, message: str
) -> None:
    file = desk.folder / "schedule.yaml"
    file.unlink()
    if text is not None:
        file.write_text(text)
    report = (await desk.call("GetDrillSchedule", pb.GetDrillScheduleRequest())).report
    assert report.status == "needs_attention"
    assert not report.schedule.valid
    assert message in report.schedule.message
    answer = await notify(desk)
    assert answer.success
    assert envelope(answer.plan)["plan"]["reason"] == "no_routes"


async def test_the_report_shows_the_file_by_its_name_alone(desk: Desk) -> None:
    desk.schedule(owner_routes={"payments": {"providers": ["slack"]}}, runbook_ref="https://run.example/x?y")
    report = (await desk.call("GetDrillSchedule", pb.GetDrillScheduleRequest())).report
    assert report.rollback_drill_schedule_path == "schedule.yaml"
    assert (report.mode, report.status) == ("promoted", "due_soon")
    assert list(report.schedule.notification_providers) == ["webhook", "slack"]
    assert list(report.schedule.owners) == ["platform", "payments"]
    assert report.schedule.owner_routes["payments"]["providers"][0] == "slack"
    assert {check.id: check.status for check in report.checks}["drill_history"] == "warn"


async def test_the_first_acknowledgement_takes_a_route_off_and_the_newest_counts(desk: Desk) -> None:
    plan = envelope((await notify(desk)).plan)
    ack = await acknowledge(desk, external_ref="OPS-12", notes="On it.")
    assert ack["plan_id"] == plan["plan_id"]
    assert ack["signer"] == ack["acknowledgement"]["acknowledged_by"] == "olga"
    assert [cause["id"] for cause in ack["causes"]] == [plan["plan_id"]]
    assert await desk.gauges() == {}
    again = await acknowledge(desk, acknowledgement_state=pb.ACKNOWLEDGEMENT_STATE_ESCALATED)
    assert await desk.gauges() == {}
    package = envelope((await desk.call("CreateAuditPackage", pb.CreateAuditPackageRequest())).audit_package)
    content = package["acknowledgement_audit_package"]
    assert (content["route_count"], content["acknowledged_count"], content["escalated_count"]) == (1, 0, 1)
    assert content["alert_level"] == "critical"
    assert content["routes"][0]["acknowledgement_id"] == again["acknowledgement_id"]
    assert package["trace_ids"] == [plan["plan_id"]]


async def test_outstanding_acknowledgements_are_listed_oldest_first(desk: Desk) -> None:
    plans = [envelope((await notify(desk)).plan)["plan_id"] for _ in range(2)]
    request = pb.ListOutstandingAcknowledgementsRequest(limit=1)
    answer = await desk.call("ListOutstandingAcknowledgements", request)
    assert ([item.plan_id for item in answer.items], answer.total) == ([plans[0]], 2)
    await acknowledge(desk)
    answer = await desk.call("ListOutstandingAcknowledgements", request)
    assert ([item.plan_id for item in answer.items], answer.total) == ([plans[0]], 1), (
        "the newest plan is meant"
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"schedule_id": "other"}, ("unknown_schedule", "schedule_id")),
        ({"schedule_id": ""}, ("unknown_schedule", "schedule_id")),
        ({"plan_id": "gordn-" + "0" * 28}, ("unknown_plan", "plan_id")),
        ({"provider": "splunk"}, ("unknown_route", "provider")),
        ({"external_ref": "not a reference"}, ("invalid_reference", "external_ref")),
        ({"external_ref": "https://user:pass@example.org"}, ("credential_found", "external_ref")),
        ({"notes": "Authorization: Bearer abcdefghijkl"}, ("credential_found", "notes")),
        ({"notes": "n" * 2001}, ("too_long", "notes")),
        ({"acknowledgement_state": 9}, ("invalid_value", "acknowledgement_state")),
    ],
)
async def test_an_acknowledgement_that_cannot_stand_is_refused(
    desk: Desk, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    await notify(desk)
    route = {"schedule_id": SCHEDULE, "provider": "webhook", **fields}
    assert await desk.refusal("AcknowledgeDrill", pb.AcknowledgeDrillRequest(**route)) == expected


async def test_a_suppressed_route_cannot_be_acknowledged(desk: Desk) -> None:
    desk.schedule(due_in_days=20)
    await notify(desk)
    request = pb.AcknowledgeDrillRequest(schedule_id=SCHEDULE, provider="webhook")
    assert await desk.refusal("AcknowledgeDrill", request) == ("unknown_route", "provider")


async def test_a_batch_of_acknowledgements_is_all_or_nothing(desk: Desk, receiver: Receiver) -> None:
    desk.connectors(webhook=webhook(receiver.url), slack=webhook(receiver.url))
    desk.schedule(notification_providers=["webhook", "slack"])
    await notify(desk)
    good = [pb.DrillRoute(schedule_id=SCHEDULE, provider=name) for name in ("webhook", "slack")]
    bad = pb.DrillRoute(schedule_id=SCHEDULE, provider="webhook", notes="password = hunter2hunter2")
    request = pb.BatchAcknowledgeDrillsRequest(routes=[*good, bad])
    assert await desk.refusal("BatchAcknowledgeDrills", request) == ("credential_found", "routes[2].notes")
    assert await desk.gauges() == {"outstanding_acknowledgements": 2}
    request = pb.BatchAcknowledgeDrillsRequest(routes=[*good, good[0]], external_ref="OPS-1")
    answer = await desk.call("BatchAcknowledgeDrills", request)
    records = [envelope(record) for record in answer.acknowledgements]
    assert [record["provider"] for record in records] == ["webhook", "slack", "webhook"]
    assert {record["acknowledgement"]["external_ref"] for record in records} == {"OPS-1"}
    assert answer.bulk_id.startswith("gordackbulk-")
    assert await desk.gauges() == {}


@pytest.mark.parametrize("count", [0, 101])
async def test_a_batch_takes_1_to_100_routes(desk: Desk, count: int) -> None:
    routes = [pb.DrillRoute(schedule_id=SCHEDULE, provider="webhook")] * count
    request = pb.BatchAcknowledgeDrillsRequest(routes=routes)
    assert await desk.refusal("BatchAcknowledgeDrills", request) == ("invalid_value", "routes")


async def test_acknowledgements_at_once_leave_exact_counts(desk: Desk) -> None:
    await notify(desk)
    states = [pb.ACKNOWLEDGEMENT_STATE_RESOLVED, pb.ACKNOWLEDGEMENT_STATE_DISMISSED] * 2
    await asyncio.gather(*(acknowledge(desk, acknowledgement_state=state) for state in states))
    assert await desk.gauges() == {}
    package = envelope((await desk.call("CreateAuditPackage", pb.CreateAuditPackageRequest())).audit_package)
    content = package["acknowledgement_audit_package"]
    assert content["resolved_count"] + content["dismissed_count"] == content["route_count"] == 1
    assert len(await desk.records(metadata_kind=BY_NOUN["notification_ack"].kind)) == 4


async def test_a_package_holds_50_routes_at_most_and_counts_all(desk: Desk) -> None:
    desk.schedule(owners=[f"owner-{n:02}" for n in range(40)])
    first = envelope((await notify(desk)).plan)["plan_id"]
    await notify(desk)
    package = envelope((await desk.call("CreateAuditPackage", pb.CreateAuditPackageRequest())).audit_package)
    content = package["acknowledgement_audit_package"]
    assert content["route_count"] == content["outstanding_count"] == 80
    listed = content["routes"]
    assert 40 < len(listed) <= 50
    assert content["omitted_count"] == 80 - len(listed)
    assert [route["plan_id"] for route in listed[:40]] == [first] * 40, "the oldest stand first"


async def test_a_package_is_filtered_by_schedule_provider_and_part_of_the_owner(
    desk: Desk, receiver: Receiver
) -> None:
    desk.connectors(webhook=webhook(receiver.url), slack=webhook(receiver.url))
    desk.schedule(owners=["Platform", "payments"], notification_providers=["webhook", "slack"])
    await notify(desk)

    async def routes(**filters: str) -> list[tuple[str, str]]:
        request = pb.CreateAuditPackageRequest(filters=pb.AuditFilters(**filters))
        content = envelope((await desk.call("CreateAuditPackage", request)).audit_package)[
            "acknowledgement_audit_package"
        ]
        assert content["route_count"] == len(content["routes"])
        return sorted((route["owner"], route["provider"]) for route in content["routes"])

    assert len(await routes()) == 4
    assert await routes(owner="PLAT") == [("Platform", "slack"), ("Platform", "webhook")]
    assert await routes(provider="slack", owner="pay") == [("payments", "slack")]
    assert await routes(schedule_id="other") == []


async def test_routes_are_listed_newest_first_under_any_combination_of_filters(desk: Desk) -> None:
    desk.schedule(owners=["a", "b"])
    delivered = envelope((await notify(desk)).plan)["plan_id"]
    desk.schedule(owners=["a", "b"], due_in_days=20)
    suppressed = envelope((await notify(desk)).plan)["plan_id"]

    async def listed(**filters: Any) -> tuple[list[tuple[str, str]], int]:
        answer = await desk.call("ListRoutes", pb.ListRoutesRequest(**filters))
        return [(one.plan_id, one.owner) for one in answer.routes], answer.total

    everything = [(suppressed, "b"), (suppressed, "a"), (delivered, "b"), (delivered, "a")]
    assert await listed() == (everything, 4)
    assert await listed(limit=2, offset=1) == (everything[1:3], 4)
    assert await listed(action="suppress", owner="a") == ([(suppressed, "a")], 1)
    assert await listed(category=pb.ROUTE_CATEGORY_DELIVER, provider="webhook") == (everything[2:], 2)
    assert await listed(category=pb.ROUTE_CATEGORY_DELIVER, action="suppress") == ([], 0)
    assert await listed(schedule_id=SCHEDULE, category=pb.ROUTE_CATEGORY_HEALTHY_SCHEDULE) == (
        everything[:2],
        2,
    )
    assert await listed(owner="c") == ([], 0)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"offset": 10_001}, ("use_cursor", "offset")),
        ({"offset": -1}, ("invalid_value", "offset")),
        ({"limit": 501}, ("invalid_value", "limit")),
        ({"action": "drop"}, ("invalid_value", "action")),
        ({"category": 77}, ("invalid_value", "category")),
    ],
)
async def test_a_list_of_routes_refuses_what_it_cannot_serve(
    desk: Desk, fields: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert await desk.refusal("ListRoutes", pb.ListRoutesRequest(**fields)) == expected


async def test_an_escalation_plan_says_what_is_overdue(desk: Desk) -> None:
    desk.schedule(owners=["a", "b"], owner_routes={"b": {"escalation_owner": "cto"}})
    await notify(desk)

    async def plan(**fields: int) -> Any:
        answer = await desk.call("PlanEscalation", pb.PlanEscalationRequest(**fields))
        return envelope(answer.plan)["escalation_plan"]

    content = await plan()
    assert (content["route_count"], content["outstanding_count"], content["breached_count"]) == (2, 2, 0)
    assert content["alert_level"] == "warning"
    assert {route["recommended_action"] for route in content["routes"]} == {"await_acknowledgement"}
    await acknowledge(desk)
    content = await plan(acknowledgement_minutes=30)
    assert (content["outstanding_count"], content["acknowledgement_minutes"]) == (0, 30)
    assert content["alert_level"] == "healthy"
    assert {route["recommended_action"] for route in content["routes"]} == {"none"}
    request = pb.PlanEscalationRequest(acknowledgement_minutes=0)
    assert await desk.refusal("PlanEscalation", request) == ("invalid_value", "acknowledgement_minutes")
