"""Retry plans, their acknowledgement and approval plans, as rows."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from cavra_evidence.draft import Actor
from cavra_evidence.times import moment
from cavra_service.store.protocol import Row, Statement, Store
from cavra_verify.grammar import BOUNDS

from cavra_retry.domain.approvals import PlannedApproval, View, is_live, review
from cavra_retry.domain.failures import FailureKey
from cavra_retry.domain.items import Standing
from cavra_retry.domain.plans import Acknowledgement, AckState, PlanItem, Planned
from cavra_retry.domain.policy import Judged

_LOOKED_AT: Final = 200
"""Failures looked at in one trip."""


def keep_retry_plan(planned: Planned) -> list[Statement]:
    """What a retry plan lists, and who made it."""
    plan_id, actor = planned.record.retry_plan_id, planned.draft.actor
    plan = {"retry_plan_id": plan_id, "planner_iss": actor.iss, "planner_sub": actor.sub}
    statements = [Statement("add_retry_plan", plan)]
    for position, (one, shown) in enumerate(zip(planned.listed, planned.record.retry_decisions, strict=True)):
        item = {
            "retry_plan_id": plan_id,
            **one.failure.key._asdict(),
            "attempt_number": one.failure.next_attempt_number,
            "action": shown.action,
            "next_retry_at": shown.next_retry_at,
        }
        statements.append(Statement("add_retry_plan_item", {**item, "position": position}))
        statements.append(Statement("set_planned", item))
    return statements


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


async def views(store: Store, keys: Sequence[FailureKey]) -> dict[FailureKey, View]:
    """What is known here of these failures; those that no plan has listed are left out."""
    rows = await store.each("view", [key._asdict() for key in keys])
    return {key: _view(key, row) for key, found in zip(keys, rows, strict=True) for row in found}


async def reviewed(
    store: Store,
    judged: Sequence[Judged],
    live: Mapping[FailureKey, Standing],
    require_retry_ack: bool,
    now: datetime,
) -> set[FailureKey]:
    """Failures whose next item has what it rests on, or is there already.

    Looks no further than to the 50th that still needs a review: a plan lists no more.
    """
    found: set[FailureKey] = set()
    others = []
    for one in judged:
        if one.action != "suppress":
            if is_live(live.get(one.failure.key), one.failure, now):
                found.add(one.failure.key)
            else:
                others.append(one.failure)
    needed = 0
    for at in range(0, len(others), _LOOKED_AT):
        batch = others[at : at + _LOOKED_AT]
        known = await views(store, [failure.key for failure in batch])
        for failure in batch:
            view = known.get(failure.key)
            if view is not None and review(view, failure, require_retry_ack) is not None:
                found.add(failure.key)
            else:
                needed += 1
        if needed >= BOUNDS["items"]:
            break
    return found


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


def _view(key: FailureKey, row: Row) -> View:
    planned = PlanItem(
        row["retry_plan_id"],
        row["plan_hash"].hex(),
        row["plan_index"],
        (row["planner_iss"], row["planner_sub"]),
        key,
        row["attempt_number"],
        row["action"],
        row["next_retry_at"],
    )
    ack, item = None, None
    if row["acknowledgement_id"] is not None:
        ack = Acknowledgement(
            row["acknowledgement_id"],
            row["ack_plan_id"],
            row["ack_plan_hash"].hex(),
            row["ack_plan_index"],
            (row["ack_planner_iss"], row["ack_planner_sub"]),
            row["ack_attempt_number"],
            row["ack_state"],
            (row["ack_iss"], row["ack_sub"]),
        )
    if row["item_id"] is not None:
        item = Standing(
            row["item_id"],
            row["item_attempt_number"],
            row["item_state"],
            row["item_version"],
            row["item_failed_hash"],
            row["item_plan_index"],
            moment(row["item_expires_at"]),
            frozenset(),
        )
    return View(planned, ack, item)


def _key(row: Row) -> FailureKey:
    return FailureKey(row["delivery_id"], row["audit_id"], row["provider"])
