"""Alert plans, whom they told, and when each provider was last told of a cause."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from cavra_evidence.records.retry import HealthAlertPlan
from cavra_evidence.times import moment, text
from cavra_service.store.protocol import Row, Statement, Store

_END = datetime.max.replace(tzinfo=UTC)


def keep_plan(plan: HealthAlertPlan, cause: str, suppressed_since: datetime) -> list[Statement]:
    """An alert plan and whom it tells. A Conflict when somebody has told one of them of the same cause meanwhile."""
    unless_after = text(_END if plan.force else suppressed_since)
    waiting = int(bool(plan.selected_providers))
    kept = {"plan_id": plan.plan_id, "health_id": plan.health_id, "waiting": waiting}
    statements = [Statement("add_alert_plan", kept)]
    for provider in plan.selected_providers:
        route = {"plan_id": plan.plan_id, "provider": provider, "health_id": plan.health_id}
        send = {
            "provider": provider,
            "cause": cause,
            "plan_id": plan.plan_id,
            "sent_at": plan.generated_at,
            "unless_after": unless_after,
        }
        statements += [Statement("add_alert_route", route), Statement("set_alert_send", send, expect=1)]
    return statements


def end_plan(plan_id: str, missed: Sequence[str]) -> list[Statement]:
    """What became of a plan's sends is known. What did not arrive suppresses nothing."""
    forgotten = [Statement("forget_alert_send", {"provider": name, "plan_id": plan_id}) for name in missed]
    return [*forgotten, Statement("end_alert_plan", {"plan_id": plan_id})]


async def waiting(store: Store) -> list[str]:
    """Plans of which it is not known what became of their sends, oldest first."""
    return [row["plan_id"] for row in await store.rows("waiting_alert_plans")]


async def last_sent(store: Store, cause: str, providers: Iterable[str]) -> dict[str, datetime]:
    """When each of the providers was last told of a cause, where it was."""
    rows = {name: await store.row("alert_send", provider=name, cause=cause) for name in providers}
    return {name: moment(row["sent_at"]) for name, row in rows.items() if row is not None}


async def plan_of(store: Store, health_id: str) -> str:
    """The alert plan of a health report; empty when there is none."""
    row = await store.row("alert_plan", health_id=health_id)
    return "" if row is None else row["plan_id"]


async def was_told(store: Store, plan_id: str, provider: str) -> Row | None:
    """Whether a plan told a provider (None: it did not), and whether that was acknowledged."""
    return await store.row("alert_route", plan_id=plan_id, provider=provider)


def acknowledge(plan_id: str, provider: str) -> Statement:
    """The first acknowledgement of an alert; a Conflict when there is one already."""
    params = {"plan_id": plan_id, "provider": provider}
    return Statement("acknowledge_alert_route", params, expect=1)


async def outstanding(store: Store, limit: int) -> Sequence[Row]:
    """Alerts that wait for an acknowledgement, oldest first."""
    return await store.rows("outstanding_alert_routes", limit=limit)
