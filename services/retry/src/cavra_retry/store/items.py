"""Approval items, their decisions and executions, as rows."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import structlog
from cavra_evidence.draft import Actor, Cause
from cavra_evidence.records.retry import ExecutionRecord, ItemPolicy, ItemState
from cavra_evidence.times import moment, text
from cavra_service.store.protocol import Row, Statement, Store

from cavra_retry.domain.executions import Claim, Status
from cavra_retry.domain.failures import Content, FailureKey
from cavra_retry.domain.items import ENDED, Decision, Item, Review, Standing
from cavra_retry.domain.resolutions import Execution

log = structlog.get_logger()


def open_item(item: Item) -> Statement:
    """A new item. Another one of the same attempt and generation is a Conflict."""
    review, acknowledger = item.review, item.review.acknowledger or ("", "")
    params: dict[str, Any] = {
        "item_id": item.item_id,
        **item.key._asdict(),
        "attempt_number": item.attempt_number,
        "generation": item.generation,
        "state": item.state,
        "retry_plan_id": review.retry_plan_id,
        "plan_hash": review.plan_hash,
        "plan_index": review.plan_index,
        "planner_iss": review.planner[0],
        "planner_sub": review.planner[1],
        "acknowledgement_id": review.acknowledgement_id,
        "acknowledger_iss": acknowledger[0],
        "acknowledger_sub": acknowledger[1],
        "opened_plan_id": item.opened_plan_id,
        "opener_iss": item.opener[0],
        "opener_sub": item.opener[1],
        "failed_id": item.failed.id,
        "failed_kind": item.failed.kind,
        "failed_hash": item.failed.record_hash,
        "audit_package_hash": item.content.audit_package_hash,
        "payload_hash": item.content.payload_hash,
        "destination_fingerprint": item.content.destination_fingerprint,
        "required_approvals": item.policy.required_approvals,
        "separation_of_duties": int(item.policy.separation_of_duties),
        "require_retry_ack": int(item.policy.require_retry_ack),
        "expires_at": text(item.expires_at),
    }
    return Statement("add_item", params)


def move(item: Item | Standing, state: ItemState) -> Statement:
    """An item in its new state; a Conflict unless it still has the version that was decided on."""
    params = {"item_id": item.item_id, "version": item.version, "state": state}
    return Statement("set_item_state", params, expect=1)


def approve(item_id: str, approval_plan_id: str, decision_id: str) -> Statement:
    """The decision that completes an item's quorum."""
    params = {
        "item_id": item_id,
        "approval_plan_id": approval_plan_id,
        "approval_decision_id": decision_id,
    }
    return Statement("set_item_approved", params)


def keep_decision(item: Item, decision: Decision) -> Statement:
    """A further decision on an item."""
    return Statement(
        "add_item_decision",
        {
            "item_id": item.item_id,
            "position": len(item.decisions),
            "decision_id": decision.decision_id,
            "state": decision.state,
            "iss": decision.person[0],
            "sub": decision.person[1],
            "name": decision.name,
            "decided_at": decision.decided_at,
        },
    )


def keep_refusal(item: Item, person: tuple[str, str], reason: str) -> Statement:
    """That a refusal is recorded; a Conflict when one of the same item, person and reason is."""
    return Statement(
        "add_refusal", {"item_id": item.item_id, "iss": person[0], "sub": person[1], "reason": reason}
    )


async def not_refused(
    store: Store, item_ids: Sequence[str], person: tuple[str, str], reason: str
) -> list[str]:
    """Those of these items from which no refusal of the person is recorded under the reason."""
    params = [{"item_id": one, "iss": person[0], "sub": person[1], "reason": reason} for one in item_ids]
    found = await store.each("refusal", params)
    return [one for one, kept in zip(item_ids, found, strict=True) if not kept]


async def item(store: Store, item_id: str) -> Item:
    """One item with its decisions. The id comes from another row, so it exists."""
    found = await full(store, [item_id])
    if not found:
        raise LookupError("the store lacks an item that it names")
    return found[0]


async def full(store: Store, item_ids: Sequence[str]) -> list[Item]:
    """Items with their decisions, in the order asked."""
    params = [{"item_id": item_id} for item_id in item_ids]
    # Decisions come second: one that is made between the reads moves its item's version, and a claim of it is a conflict.
    rows = await store.each("item", params)
    decisions = await store.each("item_decisions", params)
    return [
        replace(_item(row), decisions=tuple(map(_decision, made)))
        for found, made in zip(rows, decisions, strict=True)
        for row in found
    ]


async def ended(store: Store, keys: Sequence[FailureKey]) -> dict[FailureKey, Standing]:
    """Of failures without a live item, how the newest one ended, where there was one."""
    rows = await store.each("newest_item", [key._asdict() for key in keys])
    found = [_item(row) for newest in rows for row in newest]
    return {one.key: one.standing() for one in found if one.state in ENDED}


async def any_approved(store: Store, now: datetime) -> bool:
    """Whether an item may be claimed."""
    return await store.row("approved_item", now=text(now)) is not None


def _item(row: Row) -> Item:
    acknowledged = bool(row["acknowledgement_id"])
    return Item(
        item_id=row["item_id"],
        key=FailureKey(row["delivery_id"], row["audit_id"], row["provider"]),
        attempt_number=row["attempt_number"],
        generation=row["generation"],
        state=row["state"],
        version=row["version"],
        review=Review(
            row["retry_plan_id"],
            row["plan_hash"],
            row["plan_index"],
            (row["planner_iss"], row["planner_sub"]),
            row["acknowledgement_id"],
            (row["acknowledger_iss"], row["acknowledger_sub"]) if acknowledged else None,
        ),
        opened_plan_id=row["opened_plan_id"],
        opener=(row["opener_iss"], row["opener_sub"]),
        failed=Cause(row["failed_id"], row["failed_kind"], row["failed_hash"]),
        content=Content(row["audit_package_hash"], row["payload_hash"], row["destination_fingerprint"]),
        policy=ItemPolicy(
            required_approvals=row["required_approvals"],
            separation_of_duties=bool(row["separation_of_duties"]),
            require_retry_ack=bool(row["require_retry_ack"]),
        ),
        expires_at=moment(row["expires_at"]),
        approval_plan_id=row["approval_plan_id"],
        approval_decision_id=row["approval_decision_id"],
    )


def _decision(row: Row) -> Decision:
    return Decision(
        row["decision_id"], row["state"], (row["iss"], row["sub"]), row["name"], row["decided_at"]
    )


def keep_claim(claim: Claim) -> Statement:
    """A claim. A second one of the same item, or of an attempt that was executed, is a Conflict."""
    return Statement(
        "add_execution",
        {
            "execution_id": claim.execution_id,
            "item_id": claim.item.item_id,
            **claim.item.key._asdict(),
            "attempt_number": claim.item.attempt_number,
            "run_id": claim.run_id,
            "intent_id": claim.intent_id,
            "executor_iss": claim.executor.iss,
            "executor_sub": claim.executor.sub,
            "executor_name": claim.executor.name,
            "claimed_at": text(claim.claimed_at),
        },
    )


def settle(execution_id: str, status: Status) -> Statement:
    """The one outcome of an execution; a Conflict when it has one."""
    return Statement("settle_execution", {"execution_id": execution_id, "state": status}, expect=1)


async def claims_without_outcome(store: Store) -> list[Claim]:
    """Claims whose outcome is not recorded, oldest first."""
    found = []
    for row in await store.rows("claimed_executions"):
        try:
            item = await full(store, [row["item_id"]])
            # Between the two reads the outcome may have come.
            found += [_claim(row, one) for one in item if one.state == "claimed"]
        except (ValueError, TypeError) as error:
            # Rows that no code of ours has written must not keep the others waiting.
            log.error("claim_unreadable", execution_id=row["execution_id"], error=type(error).__name__)
    return found


def _claim(row: Row, item: Item) -> Claim:
    executor = Actor(row["executor_iss"], row["executor_sub"], row["executor_name"])
    # It names a record; delivery refuses a whole look that asks for anything else.
    Cause(row["execution_id"], ExecutionRecord.KIND.kind)
    return Claim(
        row["execution_id"], row["intent_id"], row["run_id"], item, executor, moment(row["claimed_at"])
    )


async def execution(store: Store, execution_id: str) -> Execution | None:
    """One execution as it stands."""
    row = await store.row("execution", execution_id=execution_id)
    if row is None:
        return None
    return Execution(
        execution_id,
        FailureKey(row["delivery_id"], row["audit_id"], row["provider"]),
        row["attempt_number"],
        (row["executor_iss"], row["executor_sub"]),
        row["state"],
        row["resolution_id"] or "",
    )


def keep_resolution(execution_id: str, resolution_id: str) -> Statement:
    """The one resolution of an execution; a Conflict when it has one."""
    return Statement("add_resolution", {"execution_id": execution_id, "resolution_id": resolution_id})


def told(execution_id: str, resolution_id: str) -> Statement:
    """That delivery has heard of a resolution, and will not be told again."""
    return Statement("set_resolution_told", {"execution_id": execution_id, "resolution_id": resolution_id})


async def failed_retries(store: Store, run_id: str) -> list[FailureKey]:
    """The retries of one run that failed or whose outcome is unknown."""
    rows = await store.rows("failed_executions", run_id=run_id)
    return [FailureKey(row["delivery_id"], row["audit_id"], row["provider"]) for row in rows]
