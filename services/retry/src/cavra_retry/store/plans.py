"""Retry plans, their acknowledgement and approval plans, as rows."""

from collections.abc import Sequence
from typing import Any

from cavra_evidence.draft import Actor
from cavra_evidence.records.retry import RetryPlan
from cavra_service.store import listing
from cavra_service.store.protocol import Row, Statement, Store

from cavra_retry.domain.approvals import PlannedApproval
from cavra_retry.domain.failures import FailureKey
from cavra_retry.domain.plans import Acknowledgement, AckState, PlanItem, Planned


def keep_retry_plan(planned: Planned) -> list[Statement]:
    """What a retry plan lists, and who made it."""
    plan_id, actor = planned.record.retry_plan_id, planned.draft.actor
    plan = {
        "retry_plan_id": plan_id,
        "planner_iss": actor.iss,
        "planner_sub": actor.sub,
        "omitted_count": planned.omitted_count,
    }
    items = [
        Statement(
            "add_retry_plan_item",
            {
                "retry_plan_id": plan_id,
                **one.failure.key._asdict(),
                "position": position,
                "attempt_number": one.failure.next_attempt_number,
                "action": one.decision.action,
                "next_retry_at": one.decision.next_retry_at,
            },
        )
        for position, one in enumerate(planned.listed)
    ]
    return [Statement("add_retry_plan", plan), *items]


async def plan_items(
    store: Store, plan_id: str, provider: str = "", delivery_id: str = "", audit_id: str = ""
) -> list[PlanItem]:
    """Items of a retry plan, oldest failure first, narrowed by what is not empty."""
    rows = await store.rows(
        "retry_plan_items",
        retry_plan_id=plan_id,
        provider=provider,
        delivery_id=delivery_id,
        audit_id=audit_id,
    )
    return [
        PlanItem(
            row["retry_plan_id"],
            row["plan_hash"].hex(),
            row["plan_index"],
            (row["planner_iss"], row["planner_sub"]),
            _key(row),
            row["attempt_number"],
            row["action"],
            row["next_retry_at"],
        )
        for row in rows
    ]


async def newest_retry_plan(store: Store) -> tuple[str, int]:
    """Id of the newest retry plan (empty: there is none), and how many failures it would retry but does not list."""
    rows, _ = await listing.page(
        store, [("metadata_kind", RetryPlan.KIND.kind)], first=0, before=2**62, limit=1, keys_only=True
    )
    row = await store.row("retry_plan", retry_plan_id=rows[0]["id"]) if rows else None
    return ("", 0) if row is None else (row["retry_plan_id"], row["omitted_count"])


def keep_acknowledgement(ack_id: str, item: PlanItem, state: AckState, actor: Actor) -> Statement:
    """An acknowledgement as the newest of its failure."""
    return Statement(
        "set_retry_ack",
        {
            **item.key._asdict(),
            "acknowledgement_id": ack_id,
            "retry_plan_id": item.retry_plan_id,
            "attempt_number": item.attempt_number,
            "state": state,
            "iss": actor.iss,
            "sub": actor.sub,
        },
    )


async def newest_ack(store: Store, key: FailureKey) -> Acknowledgement | None:
    """The newest acknowledgement of a failure."""
    row = await store.row("retry_ack", **key._asdict())
    if row is None:
        return None
    return Acknowledgement(
        row["acknowledgement_id"],
        row["retry_plan_id"],
        row["plan_hash"].hex(),
        row["plan_index"],
        (row["planner_iss"], row["planner_sub"]),
        row["attempt_number"],
        row["state"],
        (row["iss"], row["sub"]),
    )


def check_ack(key: FailureKey, ack_id: str) -> Statement:
    """Conflict unless this acknowledgement still is the newest of its failure."""
    return Statement("check_retry_ack", {**key._asdict(), "acknowledgement_id": ack_id}, expect=1)


def keep_approval_plan(planned: PlannedApproval) -> list[Statement]:
    """What an approval plan lists, and who made it."""
    plan_id, actor = planned.draft.record.record_id, planned.draft.actor
    plan = {"approval_plan_id": plan_id, "planner_iss": actor.iss, "planner_sub": actor.sub}
    items: Sequence[dict[str, Any]] = [
        {
            "approval_plan_id": plan_id,
            **one.candidate.failure.key._asdict(),
            "retry_plan_id": one.shown.retry_plan_id,
            "item_id": one.item.item_id if one.item else "",
        }
        for one in planned.entries
    ]
    return [
        Statement("add_approval_plan", plan),
        *(Statement("add_approval_plan_item", item) for item in items),
    ]


def _key(row: Row) -> FailureKey:
    return FailureKey(row["delivery_id"], row["audit_id"], row["provider"])
