"""Whether an approval is what the signed records say it is: rows find the records, and authorise nothing themselves."""

from collections.abc import Mapping, Sequence
from typing import Any

from cavra_evidence.records.retry import ApprovalDecision, RetryAck
from cavra_service.keys import ServiceKeys
from cavra_service.store.protocol import Row, Store
from cavra_verify.canonical import parse
from cavra_verify.merkle import leaf_hash
from cavra_verify.signatures import SignatureError

from cavra_retry.domain.items import Item
from cavra_retry.domain.plans import SATISFYING


async def verified(store: Store, keys: ServiceKeys, items: Sequence[Item]) -> frozenset[str]:
    """Ids of the items whose quorum the log itself shows. `keys` are this service's own.

    Every decision that the log holds on such a failure is signed by this service. Those on the item's digest are the ones that its rows
    name, in number, person and verdict; none of them ends it; and the approvals rest on the plan and the acknowledgement that the item
    names, whose bytes are still there.
    """
    deliveries = [{"kind": ApprovalDecision.KIND.kind, "delivery_id": item.key.delivery_id} for item in items]
    decisions = await store.each("signed_decisions", deliveries)
    acknowledged = await store.each("record", [{"id": item.review.acknowledgement_id} for item in items])
    return frozenset(
        item.item_id
        for item, made, found in zip(items, decisions, acknowledged, strict=True)
        if _holds(item, made, found[0] if found else None, keys)
    )


def _holds(item: Item, rows: Sequence[Row], acknowledgement: Row | None, keys: ServiceKeys) -> bool:
    try:
        return _consent(item, rows, acknowledgement, keys)
    except (SignatureError, ValueError, TypeError):
        # TypeError: somebody wrote text where the log keeps bytes.
        return False


def _consent(item: Item, rows: Sequence[Row], acknowledgement: Row | None, keys: ServiceKeys) -> bool:
    named = {one.decision_id: (one.state, one.person) for one in item.decisions}
    signed, approvers = {}, set()
    for row in rows:
        keys.verify(row["signature"], row["canonical"], row["idx"])
        envelope = parse(row["canonical"])
        said, actor = envelope[ApprovalDecision.KIND.key], envelope["actor"]
        if said["item_digest"] != item.digest:
            continue
        person, state = (actor["iss"], actor["sub"]), said["approval_state"]
        signed[said["decision_id"]] = (state, person)
        if state == "approved":
            if not _rests(item, envelope["causes"], acknowledgement):
                return False
            approvers.add(person)
        elif state != "deferred":
            return False
    return (
        signed == named
        and signed.get(item.approval_decision_id, ("",))[0] == "approved"
        and len(approvers) >= item.policy.required_approvals
    )


def _rests(item: Item, causes: Sequence[Mapping[str, Any]], acknowledgement: Row | None) -> bool:
    """Whether a decision with these causes rests on the item's review."""
    hashes = {cause["id"]: cause["record_hash"] for cause in causes}
    if hashes.get(item.review.retry_plan_id) != item.review.plan_hash:
        return False
    if not item.review.acknowledgement_id:
        return not item.policy.require_retry_ack
    if acknowledgement is None:
        return False
    # It is not signed itself: the signed decision names its hash.
    if hashes.get(item.review.acknowledgement_id) != leaf_hash(acknowledgement["canonical"]).hex():
        return False
    envelope = parse(acknowledgement["canonical"])
    said, actor = envelope[RetryAck.KIND.key], envelope["actor"]
    return (
        said["acknowledgement_state"] in SATISFYING
        and (said["delivery_id"], said["audit_id"], said["provider"]) == item.key
        and said["retry_plan_id"] == item.review.retry_plan_id
        and (actor["iss"], actor["sub"]) == item.review.acknowledger
    )
