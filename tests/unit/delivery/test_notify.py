"""Which routes a notification delivers and which it suppresses."""

from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from cavra_delivery.domain.notify import Notification, plan_notification, routing_of
from cavra_delivery.domain.routes import RouteCount, RouteFilter, keys_of, suppression_trend
from cavra_delivery.domain.schedule import judge_schedule
from cavra_evidence.draft import Actor
from cavra_evidence.ids import new_id
from cavra_evidence.log import LogState, append
from cavra_evidence.refusal import Refusal
from cavra_verify.signatures import Signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OLGA = Actor("cavra-local", "olga", "olga")


def planned(
    days: float = 20,
    force: bool = False,
    providers: tuple[str, ...] = (),
    overrides: Any = None,
    **fields: Any,
) -> Notification:
    """A notification of a schedule that is due in some days."""
    document = {
        "schedule_id": "production",
        "status": "active",
        "interval_days": 30,
        "next_due_at": (NOW + timedelta(days=days)).isoformat(),
        "owners": ["platform"],
        "notification_providers": ["webhook"],
        **fields,
    }
    schedule = judge_schedule(document, "", NOW)
    routing = routing_of(schedule, overrides or {}, providers)
    ids = [new_id("gordroute") for _ in routing.rules]
    return plan_notification(schedule, routing, force, OLGA, new_id("gordn"), ids, NOW)


def span(start: timedelta, end: timedelta, **more: Any) -> dict[str, Any]:
    """A time from `start` to `end`, from now."""
    return {"start_at": (NOW + start).isoformat(), "end_at": (NOW + end).isoformat(), **more}


@pytest.mark.parametrize(
    ("days", "force", "window", "absent"),
    list(product((20, 3, -1), (False, True), (False, True), (False, True))),
)
def test_something_due_or_forced_is_delivered_unless_a_window_or_a_calendar_suppresses_it(
    days: int, force: bool, window: bool, absent: bool
) -> None:
    hour = timedelta(hours=1)
    notification = planned(
        days,
        force,
        maintenance_windows=[span(-hour, hour, window_id="w")] if window else [],
        owner_calendars={"platform": {"available": not absent}},
    )
    due = {3: "due_soon", -1: "needs_attention"}.get(days, "")
    cause = due or ("forced" if force else "")
    expected = (
        "healthy_schedule"
        if not cause
        else "maintenance_window"
        if window
        else "owner_calendar"
        if absent
        else "deliver"
    )
    [route] = notification.routes
    assert route.category == expected
    assert notification.plan.reason == route.reason == (cause if expected == "deliver" else expected)
    assert notification.plan.deliverable_route_count == (expected == "deliver")
    assert notification.plan.suppressed_route_count == (expected != "deliver")
    assert bool(notification.plan.selected_providers) != bool(notification.plan.suppressed_providers)


@pytest.mark.parametrize(
    ("start", "end", "holds"),
    [(-1, 1, True), (0, 1, True), (-1, 0, False), (1, 2, False), (-2, -1, False)],
)
def test_windows_and_absences_hold_from_their_start_until_before_their_end(
    start: int, end: int, holds: bool
) -> None:
    time = span(timedelta(seconds=start), timedelta(seconds=end))
    windowed = planned(3, maintenance_windows=[{"window_id": "w", **time}])
    assert (windowed.routes[0].category == "maintenance_window") is holds
    absent = planned(3, owner_calendars={"platform": {"unavailable": [time]}})
    assert (absent.routes[0].category == "owner_calendar") is holds


def test_only_the_absent_owner_is_spared() -> None:
    notification = planned(
        3,
        owners=["platform", "payments"],
        owner_calendars={"payments": {"available": False, "reason": "Away"}},
    )
    assert {route.owner: route.category for route in notification.routes} == {
        "platform": "deliver",
        "payments": "owner_calendar",
    }
    assert notification.plan.calendar_suppressed_count == 1
    assert notification.plan.selected_providers == ["webhook"], "one owner is still told"
    assert notification.plan.suppressed_providers == []
    assert [route.owner for route in notification.routes_to("webhook")] == ["platform"]


def test_routes_to_some_providers_alone_can_be_asked_for() -> None:
    notification = planned(3, providers=("slack",), notification_providers=["webhook", "slack"])
    assert [route.provider for route in notification.routes] == ["slack"]
    assert notification.plan.eligible_providers == ["webhook", "slack"]
    with pytest.raises(Refusal) as refused:
        planned(3, providers=("jira",))
    assert refused.value.reason == "provider_not_configured"


def test_an_override_takes_the_place_of_the_files_own_and_may_take_it_away() -> None:
    hour = timedelta(hours=1)
    windows = [span(-hour, hour, window_id="w", reason="Freeze")]
    notification = planned(3, overrides={"maintenance_windows": []}, maintenance_windows=windows)
    assert notification.routes[0].category == "deliver"


def test_a_plan_lists_50_routes_at_most_and_counts_them_all() -> None:
    notification = planned(
        3, owners=[f"o{n}" for n in range(50)], notification_providers=["webhook", "slack"]
    )
    plan = notification.plan
    assert plan.deliverable_route_count == len(notification.routes) == 100
    assert len(plan.route_decisions) == len(plan.owner_routes) <= 50
    assert plan.omitted_count == 100 - len(plan.route_decisions)
    assert len(plan.model_dump_json().encode()) < 48 * 1024


def test_the_longest_texts_still_fit_one_record() -> None:
    hour = timedelta(hours=1)
    window = span(-hour, hour, window_id="w" * 128, reason="r" * 256)
    notification = planned(
        3,
        owners=["ö" * 120 + str(n) for n in range(50)],
        notification_providers=["p" * 62 + f"{n:02}" for n in range(50)],
        maintenance_windows=[window],
    )
    signer = Signer.of(Ed25519PrivateKey.generate())
    append(
        LogState(), [notification.draft], NOW, signer, {}, {}
    )  # Raises RecordTooLarge when it does not fit.
    assert notification.plan.route_decisions


def test_a_route_is_found_under_every_combination_that_matches_it_and_no_other() -> None:
    [route] = planned(3, owners=["a|b"]).routes
    keys = keys_of(route)
    assert len(set(keys)) == len(keys)
    for schedule_id, provider, owner, action, category in product(
        ("", "production", "other"),
        ("", "webhook", "slack"),
        ("", "a|b", "b"),
        ("", "deliver", "suppress"),
        ("", "deliver", "owner_calendar"),
    ):
        wanted = RouteFilter(schedule_id, provider, owner, action, category)
        matches = (
            schedule_id in ("", "production")
            and provider in ("", "webhook")
            and owner in ("", "a|b")
            and action in ("", "deliver")
            and category in ("", "deliver")
        )
        assert (wanted.key in keys and not wanted.contradictory) is matches, wanted


def test_a_trend_counts_what_was_suppressed_by_everything_it_can_be_seen_by() -> None:
    counts = [
        RouteCount("s", "webhook", "a", "deliver", "", 9),
        RouteCount("s", "webhook", "a", "healthy_schedule", "", 2),
        RouteCount("t", "slack", "b", "healthy_schedule", "", 1),
    ]
    trend = suppression_trend(counts)
    assert (trend.total, trend.alert_level) == (3, "healthy")
    assert (trend.by_owner, trend.by_provider, trend.by_schedule) == (
        {"a": 2, "b": 1},
        {"webhook": 2, "slack": 1},
        {"s": 2, "t": 1},
    )
    due = suppression_trend([*counts, RouteCount("s", "webhook", "a", "owner_calendar", "", 1)])
    assert due.alert_level == "warning"
