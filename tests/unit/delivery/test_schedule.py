"""What the drill schedule and history files say, by table."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cavra_delivery.domain.history import history_check, judge_history
from cavra_delivery.domain.schedule import Schedule, checks, judge_schedule

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def document(**fields: Any) -> dict[str, Any]:
    """A schedule that is ready."""
    return {
        "schedule_id": "production",
        "status": "active",
        "interval_days": 30,
        "next_due_at": (NOW + timedelta(days=20)).isoformat(),
        "owners": ["platform", "payments"],
        "notification_providers": ["webhook", "slack"],
        **fields,
    }


def due(**offset: float) -> str:
    """A due date so far from now."""
    return (NOW + timedelta(**offset)).isoformat()


@pytest.mark.parametrize(
    ("fields", "status", "level", "days"),
    [
        ({}, "ready", "healthy", 20),
        ({"next_due_at": due(days=14, seconds=1)}, "ready", "healthy", 14),
        ({"next_due_at": due(days=14)}, "due_soon", "warning", 14),
        ({"next_due_at": due(seconds=1)}, "due_soon", "warning", 0),
        ({"next_due_at": due(seconds=0)}, "due_soon", "warning", 0),
        ({"next_due_at": due(seconds=-1)}, "needs_attention", "critical", -1),
        ({"next_due_at": due(days=-2)}, "needs_attention", "critical", -2),
        ({"status": "paused"}, "needs_attention", "critical", 20),
        ({"interval_days": 0}, "needs_attention", "critical", 20),
        ({"interval_days": "30"}, "needs_attention", "critical", 20),
        ({"interval_days": True}, "needs_attention", "critical", 20),
        ({"owners": []}, "needs_attention", "critical", 20),
        ({"notification_providers": []}, "needs_attention", "critical", 20),
    ],
)
def test_the_status_follows_the_due_date_and_what_makes_a_schedule_whole(
    fields: dict[str, Any], status: str, level: str, days: int
) -> None:
    schedule = judge_schedule(document(**fields), "", NOW)
    assert schedule.file is not None, schedule.message
    assert (schedule.status, schedule.alert_level, schedule.days_until_due) == (status, level, days)


@pytest.mark.parametrize(
    "fields",
    [
        {"schedule_id": "two words"},
        {"schedule_id": 7},
        {"owners": ["<script>"]},
        {"owners": [f"owner-{n}" for n in range(51)]},
        {"notification_providers": ["Not A Provider"]},
        {"owner_routes": {"a": {"providers": [f"p{n}" for n in range(50)]}, "b": {"providers": ["q"]}}},
        {"owner_routes": {"a": {"acknowledgement_minutes": 0}}},
        {"owner_routes": "everybody"},
        {"maintenance_windows": [{"window_id": "w", "start_at": "now", "end_at": "then"}]},
        {"owner_calendars": {"a": {"unavailable": [{}]}}},
        {"next_due_at": 1_800_000_000},
        {"next_due_at": None},
        {"runbook_ref": "https://user:secret@example.org"},
    ],
)
def test_a_file_of_another_shape_is_not_valid_and_says_why_without_its_values(fields: dict[str, Any]) -> None:
    schedule = judge_schedule(document(**fields), "", NOW)
    assert schedule.file is None
    assert schedule.status == "needs_attention"
    name, value = next(iter(fields.items()))
    assert name in schedule.message or "more than 50 providers" in schedule.message
    assert str(value) not in schedule.message


@pytest.mark.parametrize(
    "written",
    ["2026-12-13T12:00:00Z", "2026-12-13T12:00:00", "2026-12-13T14:00:00+02:00", datetime(2026, 12, 13, 12)],  # noqa: DTZ001
)
def test_a_time_is_utc_unless_it_names_its_zone(written: object) -> None:
    schedule = judge_schedule(document(next_due_at=written), "", NOW)
    assert schedule.file is not None
    assert schedule.file.next_due_at == NOW + timedelta(days=20)


@pytest.mark.parametrize(
    ("owner_routes", "expected"),
    [
        ({}, {("platform", p, 60, "") for p in ("webhook", "slack")} | {("payments", p, 60, "") for p in ("webhook", "slack")}),
        (
            {"payments": {"providers": ["slack"], "acknowledgement_minutes": 5, "escalation_owner": "cto"}},
            {("platform", "webhook", 60, ""), ("platform", "slack", 60, ""), ("payments", "slack", 5, "cto")},
        ),
        (
            {"platform": {"acknowledgement_minutes": 9}, "payments": {"providers": ["jira"]}},
            {("platform", "webhook", 9, ""), ("platform", "slack", 9, ""), ("payments", "jira", 60, "")},
        ),
        (
            [
                {"provider": "slack", "owner": "payments", "acknowledgement_minutes": 7},
                {"provider": "jira", "owner": "platform"},
            ],
            {("payments", "slack", 7, ""), ("platform", "jira", 60, "")},
        ),
        ({"sre": {}}, {(o, p, 60, "") for o in ("platform", "payments", "sre") for p in ("webhook", "slack")}),
    ],
)  # fmt: skip
def test_owner_routes_may_be_a_mapping_or_a_list_and_others_get_every_provider(
    owner_routes: Any, expected: set[tuple[str, str, int, str]]
) -> None:
    schedule = judge_schedule(document(owner_routes=owner_routes), "", NOW)
    rules = [(r.owner, r.provider, r.acknowledgement_minutes, r.escalation_owner) for r in schedule.rules]
    assert set(rules) == expected
    assert len(rules) == len(expected), "no route stands twice"


def test_every_check_has_its_line() -> None:
    healthy = {check.id: check.status for check in checks(judge_schedule(document(), "", NOW))}
    assert healthy == dict.fromkeys(
        ("schedule_valid", "schedule_active", "cadence_valid", "notification_routes", "drill_due"), "pass"
    )
    overdue = judge_schedule(document(next_due_at=due(days=-1), status="", owners=[]), "", NOW)
    failed = {check.id for check in checks(overdue) if check.status == "fail"}
    assert failed == {"schedule_active", "notification_routes", "drill_due"}
    assert [check.status for check in checks(Schedule(None, "gone"))] == ["fail"]
    unused = Schedule(None, "not used", applies=False)
    assert (unused.status, [check.id for check in checks(unused)]) == ("ready", ["schedule_used"])


def drill(days_ago: float, **fields: Any) -> dict[str, Any]:
    """A drill of some days ago."""
    return {"drill_id": f"d-{days_ago}", "executed_at": due(days=-days_ago), **fields}


def test_the_latest_drill_speaks_for_the_history() -> None:
    latest = drill(3, recovery_minutes=12, max_recovery_minutes=30, fallback_verified=True)
    history = judge_history({"drills": [drill(40), latest, drill(10)]}, "", 30, NOW)
    assert history.latest is not None
    assert (history.latest.drill_id, history.age_days, history.fresh) == ("d-3", 3, True)
    assert history.recovery_sla_met
    assert history_check(history).status == "pass"


@pytest.mark.parametrize(
    ("content", "fresh", "met"),
    [
        ({"drills": [drill(30)]}, False, True),
        ({"drills": [drill(1, recovery_minutes=31, max_recovery_minutes=30)]}, True, False),
        ({"drills": []}, False, False),
        ({"drills": "many"}, False, False),
        (None, False, False),
    ],
)
def test_an_old_slow_or_missing_drill_is_told(content: dict[str, Any] | None, fresh: bool, met: bool) -> None:
    history = judge_history(content, "no file is configured", 30, NOW)
    assert (history.fresh, history.recovery_sla_met) == (fresh, met)
    assert fresh or history_check(history).status == "warn"
