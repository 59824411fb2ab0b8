"""What an audit package and an escalation plan say about delivered routes."""

from datetime import UTC, datetime, timedelta

import pytest
from cavra_delivery.domain.acknowledgements import Notice, Said, acknowledge
from cavra_delivery.domain.audit import audit_package, matching
from cavra_delivery.domain.escalation import Standing, plan_escalation
from cavra_delivery.domain.routes import DeliveredRoute, Route, RouteCount
from cavra_evidence.draft import Actor
from cavra_evidence.ids import new_id
from cavra_evidence.log import LogState, append
from cavra_evidence.records.delivery import AuditFilters, EscalationPlan
from cavra_verify.signatures import Signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OLGA = Actor("cavra-local", "olga", "olga")
ALL = AuditFilters(schedule_id="", provider="", owner="")


def delivered(
    minutes_ago: float = 1, state: str = "", notes: str = "", escalation_owner: str = ""
) -> DeliveredRoute:
    """A route that was delivered some minutes ago."""
    made = NOW - timedelta(minutes=minutes_ago)
    route = Route(
        new_id("gordroute"), made, new_id("gordn"), "production", "warning", "webhook", "platform", escalation_owner,
        "deliver", "due_soon", 60, "", "", True, "", NOW,
    )  # fmt: skip
    if not state:
        return DeliveredRoute(route)
    return DeliveredRoute(route, state, new_id("gordack"), "olga", NOW, "OPS-1", notes)


def counted(**states: int) -> list[RouteCount]:
    """Counts by state; `outstanding` stands for none."""
    return [
        RouteCount(
            "production", "webhook", "platform", "deliver", "" if state == "outstanding" else state, count
        )
        for state, count in states.items()
    ]


@pytest.mark.parametrize(
    ("states", "level"),
    [
        ({}, "healthy"),
        ({"acknowledged": 2, "resolved": 1, "dismissed": 1}, "healthy"),
        ({"acknowledged": 2, "outstanding": 1}, "warning"),
        ({"escalated": 1}, "critical"),
        ({"escalated": 1, "outstanding": 5}, "critical"),
    ],
)
def test_a_package_counts_every_route_and_sets_its_level(states: dict[str, int], level: str) -> None:
    _, package = audit_package(ALL, counted(**states), [], OLGA, new_id("gordackaudit"), "", NOW)
    assert package.alert_level == level
    assert package.route_count == sum(states.values())
    assert package.outstanding_count == states.get("outstanding", 0)
    assert package.acknowledgement_count == package.route_count - package.outstanding_count
    assert package.omitted_count == package.route_count


def test_a_package_rests_on_acknowledgements_and_on_plans_that_have_none() -> None:
    acked, waiting = delivered(state="resolved"), delivered()
    delivery_id = new_id("gordackdelivery")
    draft, _ = audit_package(
        ALL,
        counted(outstanding=1, resolved=1),
        [acked, waiting],
        OLGA,
        new_id("gordackaudit"),
        delivery_id,
        NOW,
    )
    assert [cause.id for cause in draft.causes] == [acked.acknowledgement_id, waiting.route.plan_id]
    assert draft.trace_ids == (delivery_id, acked.route.plan_id, waiting.route.plan_id)


def test_the_longest_notes_still_fit_one_record() -> None:
    routes = [delivered(state="resolved", notes="ü" * 2000) for _ in range(50)]
    draft, package = audit_package(
        ALL, counted(resolved=50), routes, OLGA, new_id("gordackaudit"), new_id("gordackdelivery"), NOW
    )
    assert 0 < len(package.routes) < 50
    assert package.omitted_count == 50 - len(package.routes)
    hashes = {cause.id: "0" * 64 for cause in draft.causes}
    signer = Signer.of(Ed25519PrivateKey.generate())
    append(LogState(), [draft], NOW, signer, {}, hashes)  # Raises RecordTooLarge when it does not fit.


def test_50_plain_routes_fit_one_record() -> None:
    routes = [delivered(state="resolved") for _ in range(50)]
    draft, package = audit_package(
        ALL, counted(resolved=50), routes, OLGA, new_id("gordackaudit"), new_id("gordackdelivery"), NOW
    )
    assert len(package.routes) >= 45
    signer = Signer.of(Ed25519PrivateKey.generate())
    append(LogState(), [draft], NOW, signer, {}, {cause.id: "0" * 64 for cause in draft.causes})


def test_an_owner_matches_by_any_part_in_any_case() -> None:
    counts = [
        RouteCount("production", "webhook", owner, "deliver", "", 1)
        for owner in ("Platform", "payments", "Straße")
    ]
    suppressed = RouteCount("production", "webhook", "Platform", "owner_calendar", "", 1)

    def owners(text: str) -> set[str]:
        filters = AuditFilters(schedule_id="", provider="", owner=text)
        return {one.owner for one in matching([*counts, suppressed], filters)}

    assert owners("PLAT") == {"Platform"}
    assert owners("p") == {"Platform", "payments"}
    assert owners("") == {"Platform", "payments", "Straße"}
    assert owners("strasse") == {"Straße"}
    assert len(matching([*counts, suppressed], ALL)) == 3, "what was suppressed is not packed"


@pytest.mark.parametrize(
    ("minutes_ago", "bound", "state", "escalation_owner", "breached", "action"),
    [
        (59, None, "", "", False, "await_acknowledgement"),
        (60, None, "", "", True, "notify_owner"),
        (60, None, "", "cto", True, "notify_escalation_owner"),
        (60, 61, "", "cto", False, "await_acknowledgement"),
        (5, 5, "", "", True, "notify_owner"),
        (500, 5, "dismissed", "cto", False, "none"),
    ],
)
def test_a_route_is_overdue_when_its_minutes_are_over_and_nobody_acknowledged(
    minutes_ago: int, bound: int | None, state: str, escalation_owner: str, breached: bool, action: str
) -> None:
    route = delivered(minutes_ago, state, escalation_owner=escalation_owner)
    standing = Standing(1, int(not state), int(breached), [route])
    plan = plan_escalation(standing, bound, OLGA, new_id("gordesc"), NOW).record
    assert isinstance(plan, EscalationPlan)
    [one] = plan.routes
    assert (one.breached, one.recommended_action, one.age_minutes) == (breached, action, minutes_ago)
    assert plan.alert_level == ("critical" if breached else "healthy" if state else "warning")


def test_only_the_first_acknowledgement_takes_a_notice_off() -> None:
    notice = Notice(new_id("gordn"), "webhook", "production", "", 0)
    first = acknowledge(notice, Said("acknowledged", "", ""), OLGA, new_id("gordack"), NOW)
    again = acknowledge(first.after, Said("resolved", "OPS-1", "Done."), OLGA, new_id("gordack"), NOW)
    assert (first.outstanding_delta, again.outstanding_delta) == (-1, 0)
    assert (again.after.acknowledgement_state, again.after.version) == ("resolved", 2)
    assert again.draft.trace_ids == (notice.plan_id,)
