"""Refusals that are evidence: somebody who is known was turned away from an item that exists."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final, Literal

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.retry import ApprovalPlan, ItemState, RetryRefusal
from cavra_evidence.times import text
from cavra_verify.grammar import BOUNDS

from cavra_retry.domain.items import Item, Standing, Verb

Reason = Literal["self_approval", "approval_used", "approval_expired", "content_changed", "policy_floor"]

_BY_REFUSAL: Final[Mapping[str, Reason]] = {
    "self_approval": "self_approval",
    "content_changed": "content_changed",
}
_BY_STATE: Final[Mapping[ItemState, Reason]] = {
    "claimed": "approval_used",
    "settled": "approval_used",
    "expired": "approval_expired",
    "changed": "content_changed",
}
"""Why an item that has ended takes no decision, where trying it says something of who tried."""


_HELD: Final[Mapping[Reason, str]] = {
    "self_approval": "separation_of_duties",
    "approval_used": "single_use",
    "approval_expired": "expiry_held",
    "content_changed": "content_bound",
    "policy_floor": "policy_floor_held",
}
"""The control that turned the person away."""

_DECIDABLE: Final[frozenset[ItemState]] = frozenset({"open", "approved"})


def recorded_as(refused: str, item: Item, now: datetime) -> Reason | None:
    """Under which reason a decision that was refused as `refused` (a reason code) is recorded; None where nothing is written."""
    if refused == "item_closed":
        return _BY_STATE.get(item.state_at(now))
    return _BY_REFUSAL.get(refused)


def asked_for(standings: Iterable[Standing], now: datetime) -> list[str]:
    """Ids of the items that a plan of weaker approval is about: all that may still be decided on, oldest first, as many as a plan lists."""
    found = sorted(one.item_id for one in standings if one.state_at(now) in _DECIDABLE)
    return found[: BOUNDS["items"]]


def record_refusal(
    refusal_id: str,
    approval_plan_id: str,
    item: Item,
    verb: Verb | Literal[""],
    named_digest: str,
    reason: Reason,
    actor: Actor,
    now: datetime,
) -> Draft:
    """The record that somebody was turned away from an item. What they wrote about it is not in it."""
    record = RetryRefusal(
        refusal_id=refusal_id,
        approval_plan_id=approval_plan_id,
        retry_plan_id=item.review.retry_plan_id,
        delivery_id=item.key.delivery_id,
        audit_id=item.key.audit_id,
        provider=item.key.provider,
        reason=reason,
        approval_state=verb,
        refused_person=actor.name,
        refused_at=text(now),
        item_digest=item.digest,
        named_digest=named_digest,
        item_state=item.state_at(now),
        attempt_number=item.attempt_number,
        controls=[_HELD[reason]],
    )
    causes = (Cause(approval_plan_id, ApprovalPlan.KIND.kind), *item.review.causes)
    return Draft(record, actor, causes=causes, trace_ids=(item.key.delivery_id,))
