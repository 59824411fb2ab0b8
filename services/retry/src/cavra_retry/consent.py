"""Whether an approval is what the signed records say it is: rows find the records, and authorise nothing themselves."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import orjson
from cavra_evidence.records.retry import ApprovalDecision, ApprovalPlan, RetryAck, RetryIntent
from cavra_service.keys import ServiceKeys
from cavra_service.store.protocol import Row, Store
from cavra_verify.merkle import leaf_hash
from cavra_verify.signatures import SignatureError

from cavra_retry.domain.items import Item, Person
from cavra_retry.domain.plans import SATISFYING

_DECISION: Final = ApprovalDecision.KIND
_INTENT: Final = RetryIntent.KIND
_PLAN: Final = ApprovalPlan.KIND


class _Mismatch(Exception):
    """The log does not show the consent that the rows claim."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """What a plan's bytes say."""

    record_hash: str
    author: Person
    digests: frozenset[str]
    """Of the items that it shows, where it is an approval plan."""


async def verified(store: Store, keys: ServiceKeys, items: Sequence[Item]) -> frozenset[str]:
    """Ids of the items whose quorum the log itself shows. `keys` are this service's own.

    The delivery's chain lacks no record, and none of them is an intent that has used the approval. Every decision that the log holds
    on such a failure is signed by this service. Those on the item's digest are the ones that its rows name, in number, person and
    verdict; none of them ends it. The approvals rest on the plans and the acknowledgement that the item names, by hash, and whoever
    made one of those gave none.
    """
    found = await store.each("trace_records", [{"trace_id": item.key.delivery_id} for item in items])
    wanted = {item.item_id: _wanted(item, rows) for item, rows in zip(items, found, strict=True)}
    ids = list({one: None for named in wanted.values() for one in named})
    rows = await store.each("record", [{"id": one} for one in ids])
    records = {one: row[0] for one, row in zip(ids, rows, strict=True) if row}
    return frozenset(
        item.item_id for item, trace in zip(items, found, strict=True) if _holds(item, trace, records, keys)
    )


def _wanted(item: Item, trace: Sequence[Row]) -> list[str]:
    kinds = (_DECISION.kind, _INTENT.kind, _PLAN.kind)
    review = item.review
    named = [review.retry_plan_id, *filter(None, [review.acknowledgement_id])]
    return [*named, *(row["id"] for row in trace if row["kind"] in kinds)]


def _holds(item: Item, trace: Sequence[Row], records: Mapping[str, Row], keys: ServiceKeys) -> bool:
    try:
        _check_trace(item, trace, records)
        _check_consent(item, _Review.of(item, trace, records), trace, records, keys)
    except (_Mismatch, SignatureError, ValueError, KeyError, TypeError):
        # KeyError: what is named is gone. TypeError: somebody wrote text where the log keeps bytes.
        return False
    return True


def _check_trace(item: Item, trace: Sequence[Row], records: Mapping[str, Row]) -> None:
    """The delivery's chain is as long as its head says, and nothing in it has used the approval."""
    _expect(bool(trace) and len(trace) == trace[0]["head"] + 1)
    for row in _of(_INTENT.kind, trace, records):
        _expect(orjson.loads(row["canonical"])[_INTENT.key]["item_digest"] != item.digest)


@dataclass(frozen=True, slots=True)
class _Review:
    """What an item's approvals must rest on, and who may therefore not give them."""

    causes: Mapping[str, str]
    """Record hashes of the records that each approval names, by id."""
    plans: Mapping[str, _Plan]
    """The approval plans that show the item, by id."""
    involved: frozenset[Person]

    @classmethod
    def of(cls, item: Item, trace: Sequence[Row], records: Mapping[str, Row]) -> "_Review":
        """From the bytes of the records that the item's rows name."""
        review, digest = item.review, item.digest
        retry_plan = _plan(records[review.retry_plan_id]["canonical"])
        approval_plans = {row["id"]: _plan(row["canonical"]) for row in _of(_PLAN.kind, trace, records)}
        showing = {one: plan for one, plan in approval_plans.items() if digest in plan.digests}
        # The first that shows an item is the one that opened it.
        _expect(next(iter(showing), "") == item.opened_plan_id)
        _expect((retry_plan.author, showing[item.opened_plan_id].author) == (review.planner, item.opener))
        causes = {
            review.retry_plan_id: retry_plan.record_hash,
            item.opened_plan_id: showing[item.opened_plan_id].record_hash,
        }
        _expect(retry_plan.record_hash == review.plan_hash)
        involved = {retry_plan.author, item.opener}
        if review.acknowledgement_id:
            acknowledgement = records[review.acknowledgement_id]["canonical"]
            causes[review.acknowledgement_id] = leaf_hash(acknowledgement).hex()
            involved.add(_acknowledger(item, acknowledgement))
        else:
            _expect(not item.policy.require_retry_ack)
        return cls(causes, showing, frozenset(involved))


def _acknowledger(item: Item, acknowledgement: bytes) -> Person:
    envelope = orjson.loads(acknowledgement)
    said = envelope[RetryAck.KIND.key]
    _expect(said["acknowledgement_state"] in SATISFYING)
    _expect((said["delivery_id"], said["audit_id"], said["provider"]) == item.key)
    _expect(said["retry_plan_id"] == item.review.retry_plan_id)
    person = _person(envelope)
    _expect(person == item.review.acknowledger)
    return person


def _check_consent(
    item: Item, review: _Review, trace: Sequence[Row], records: Mapping[str, Row], keys: ServiceKeys
) -> None:
    """The signed decisions on the item's digest are the rows' own, end nothing, and make its quorum."""
    signed, approvers, completed_in = {}, set(), ""
    digest = item.digest
    for row in _of(_DECISION.kind, trace, records):
        keys.verify(row["signature"], row["canonical"], row["idx"])
        envelope = orjson.loads(row["canonical"])
        said, person = envelope[_DECISION.key], _person(envelope)
        if said["item_digest"] != digest:
            continue
        state = said["approval_state"]
        signed[said["decision_id"]] = (state, person)
        _expect(state in ("approved", "deferred"))
        if state == "approved":
            _check_approval(item, review, envelope)
            approvers.add(person)
            if said["decision_id"] == item.approval_decision_id:
                completed_in = said["approval_plan_id"]
    _expect(signed == {one.decision_id: (one.state, one.person) for one in item.decisions})
    _expect(completed_in != "" and completed_in == item.approval_plan_id)
    _expect(len(approvers) >= item.policy.required_approvals)


def _check_approval(item: Item, review: _Review, envelope: Mapping[str, Any]) -> None:
    hashes = {cause["id"]: cause["record_hash"] for cause in envelope["causes"]}
    named = envelope[_DECISION.key]["approval_plan_id"]
    plan = review.plans[named]
    expected = {**review.causes, named: plan.record_hash}
    _expect(all(hashes.get(one) == record_hash for one, record_hash in expected.items()))
    if item.policy.separation_of_duties:
        _expect(_person(envelope) not in {*review.involved, plan.author})


def _of(kind: str, trace: Sequence[Row], records: Mapping[str, Row]) -> list[Row]:
    return [records[row["id"]] for row in trace if row["kind"] == kind]


@lru_cache(64)
def _plan(canonical: bytes) -> _Plan:
    """What a plan says. It is asked again for each of the 50 items that it shows."""
    envelope = orjson.loads(canonical)
    shown = envelope.get(_PLAN.key, {}).get("approval_decisions", [])
    digests = frozenset(one["item_digest"] for one in shown)
    return _Plan(leaf_hash(canonical).hex(), _person(envelope), digests)


def _person(envelope: Mapping[str, Any]) -> Person:
    actor = envelope["actor"]
    return (actor["iss"], actor["sub"])


def _expect(held: bool) -> None:
    if not held:
        raise _Mismatch
