"""Claims about consent: who reviewed and approved what was sent, that they were different people, and that it was exactly that."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from cavra_verify.canonical import canonical
from cavra_verify.chain import Chain, Item, Person
from cavra_verify.claims.base import Claim

_SATISFYING = ("accepted", "resolved")
_KEY = ("delivery_id", "audit_id", "provider")
_ENDING = ("denied", "revoked", "expired")


def item_digest(item: dict[str, Any], failed_hash: str, plan_hash: str) -> str:
    """What approvers consent to, 64 hex digits, made up again from an approval plan's item and the records that it rests on."""
    parts = ("delivery_id", "audit_id", "provider", "attempt_number", "audit_package_hash", "payload_hash")
    document = {
        **{name: item[name] for name in (*parts, "destination_fingerprint", "policy", "expires_at")},
        "failed_record_hash": failed_hash,
        "retry_plan_hash": plan_hash,
    }
    return sha256(b"cavra.item.v1\n" + canonical(document)).hexdigest()


def approvals(chain: Chain, intent: Item) -> list[Item]:
    """The approvals that an intent names."""
    named = chain.causes(intent, "approval_decision")
    return [one for one in named if one.body["approval_state"] == "approved"]


def approved_item(chain: Chain, intent: Item) -> dict[str, Any] | None:
    """The item that an intent executes, as the approval plan that its completing decision names shows it."""
    for decision in approvals(chain, intent):
        if decision.id != intent.body["approval_decision_id"]:
            continue
        for plan in chain.causes(decision, "approval_plan"):
            for item in plan.body["approval_decisions"]:
                if item["item_digest"] == intent.body["item_digest"] and _same_key(item, intent.body):
                    found: dict[str, Any] = item
                    return found
    return None


def opening_plan(chain: Chain, digest: str) -> Item | None:
    """The first approval plan that shows an item of this digest: who made it opened the item."""
    for plan in chain.of("approval_plan"):
        if any(item["item_digest"] == digest for item in plan.body["approval_decisions"]):
            return plan
    return None


def _same_key(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[name] == other[name] for name in _KEY)


def _acknowledged(chain: Chain) -> Iterator[str]:
    for intent in chain.of("retry_intent"):
        item = approved_item(chain, intent)
        if item is None or not item["policy"]["require_retry_ack"]:
            continue
        for decision in approvals(chain, intent):
            newest = _newest_ack(chain, decision)
            if newest is None or newest.body["acknowledgement_state"] not in _SATISFYING:
                state = "none" if newest is None else newest.body["acknowledgement_state"]
                yield f"{decision}: got {state} as the newest acknowledgement before it, expected a satisfying one"
            own = chain.causes(decision, "retry_ack")
            if not any(_reviews(ack, decision, intent) for ack in own):
                yield f"{decision}: got no acknowledgement of {intent.body['retry_plan_id']} among its causes"


def _reviews(ack: Item, decision: Item, intent: Item) -> bool:
    """Whether an acknowledgement is the review that a decision, and the intent on it, rest on."""
    body = ack.body
    return (
        ack.before(decision)
        and _same_key(body, decision.body)
        and body["acknowledgement_state"] in _SATISFYING
        and body["retry_plan_id"] == decision.body["retry_plan_id"] == intent.body["retry_plan_id"]
    )


def _newest_ack(chain: Chain, decision: Item) -> Item | None:
    newest = None
    for ack in chain.of("retry_ack"):
        if ack.before(decision) and _same_key(ack.body, decision.body):
            newest = ack
    return newest


def _quorum(chain: Chain) -> Iterator[str]:
    for intent in chain.of("retry_intent"):
        item = approved_item(chain, intent)
        if item is None:
            yield f"{intent}: got no approved item of its digest in the plan that its completing decision names"
            continue
        given = approvals(chain, intent)
        people = {decision.person for decision in given}
        needed = item["policy"]["required_approvals"]
        if len(people) < needed:
            yield f"{intent}: got approvals of {len(people)} people, expected {needed}"
        for decision in given:
            yield from _valid_approval(decision, intent)
        completing = [one for one in given if one.id == intent.body["approval_decision_id"]]
        if [one.body["item_state"] for one in completing] != ["approved"]:
            yield f"{intent}: got a completing decision that does not complete the quorum"
        if item["policy"]["separation_of_duties"]:
            yield from _separate(chain, intent, given)


def _valid_approval(decision: Item, intent: Item) -> Iterator[str]:
    if not decision.before(intent):
        yield f"{intent}: got {decision} as an approval, expected one that stands before it"
    said, done = decision.body, intent.body
    for name in (*_KEY, "attempt_number", "item_digest"):
        if said[name] != done[name]:
            yield f"{intent}: got {name} {done[name]!r:.80}, expected {said[name]!r:.80}, which {decision} approved"


def _separate(chain: Chain, intent: Item, given: list[Item]) -> Iterator[str]:
    """Who planned, acknowledged or opened a retry does not approve it, and who approved it does not execute it."""
    for decision in given:
        for part, people in _involved(chain, intent, decision).items():
            if decision.person in people:
                yield f"{decision}: got an approval by {decision.person[1]}, who {part}, expected somebody else"
        if decision.person == intent.person:
            yield f"{intent}: got {intent.person[1]} as executor, who approved it, expected somebody else"


def _involved(chain: Chain, intent: Item, decision: Item) -> dict[str, set[Person]]:
    plans = [*chain.causes(intent, "retry_plan"), *chain.causes(decision, "retry_plan")]
    acks = [*chain.causes(intent, "retry_ack"), *chain.causes(decision, "retry_ack")]
    newest = _newest_ack(chain, decision)
    if newest is not None:
        acks.append(newest)
        plans += chain.causes(newest, "retry_plan")
    opened = opening_plan(chain, intent.body["item_digest"])
    named = chain.causes(decision, "approval_plan")
    return {
        "planned the retry": {one.person for one in plans},
        "acknowledged it": {one.person for one in acks},
        "opened it for approval": {one.person for one in ([*named, opened] if opened else named)},
    }


def _undenied(chain: Chain) -> Iterator[str]:
    for intent in chain.of("retry_intent"):
        for decision in chain.of("approval_decision"):
            body = decision.body
            if (
                decision.before(intent)
                and body["item_digest"] == intent.body["item_digest"]
                and body["approval_state"] in _ENDING
            ):
                yield f"{intent}: got a claim of an item that {decision} had {body['approval_state']}"


def _digest(chain: Chain) -> Iterator[str]:
    for intent in chain.of("retry_intent"):
        item, body = approved_item(chain, intent), intent.body
        failed = chain.causes(intent, "connector_delivery")
        plans = [one for one in chain.causes(intent, "retry_plan") if one.id == body["retry_plan_id"]]
        if item is None or len(failed) != 1 or len(plans) != 1:
            yield f"{intent}: got not one failed delivery, one retry plan and one approved item that it rests on"
            continue
        made_up = item_digest(item, failed[0].hash, plans[0].hash)
        if made_up != body["item_digest"]:
            yield f"{intent}: got digest {body['item_digest']}, expected {made_up}, which the approved content has"
        shown = {"failed_record_hash": failed[0].hash, "retry_plan_hash": plans[0].hash}
        for name, expected in shown.items():
            if item[name] != expected:
                yield f"{intent}: got {name} {item[name]!r:.80} as approvers saw it, expected {expected}"
        for name in ("payload_hash", "destination_fingerprint", "attempt_number", "expires_at"):
            if item[name] != body[name]:
                yield f"{intent}: got {name} {body[name]!r:.80}, expected {item[name]!r:.80}, which was approved"
        yield from _package(chain, item, intent)


def _package(chain: Chain, item: dict[str, Any], intent: Item) -> Iterator[str]:
    for package in chain.items:
        if package.id == item["audit_id"] and package.hash != item["audit_package_hash"]:
            yield f"{intent}: got package {package.hash}, expected {item['audit_package_hash']}, which was approved"


def _expiry(chain: Chain) -> Iterator[str]:
    for intent in chain.of("retry_intent"):
        body = intent.body
        for decision in approvals(chain, intent):
            if decision.body["decided_at"] >= body["expires_at"]:
                yield f"{decision}: got an approval at {decision.body['decided_at']}, expected one before {body['expires_at']}"
        if body["claimed_at"] >= body["expires_at"]:
            yield f"{intent}: got a claim at {body['claimed_at']}, expected one before {body['expires_at']}"
        if body["permit_expires_at"] > body["expires_at"]:
            yield f"{intent}: got a permit until {body['permit_expires_at']}, expected {body['expires_at']} at the latest"


def _floors(chain: Chain) -> Iterator[str]:
    floors = chain.policy.floors
    for intent in chain.of("retry_intent"):
        item = approved_item(chain, intent)
        if item is None:
            yield f"{intent}: got no approved item whose policy could be looked at"
            continue
        policy = item["policy"]
        if policy["required_approvals"] < floors.required_approvals:
            yield f"{intent}: got {policy['required_approvals']} required approvals, expected {floors.required_approvals}"
        for name in ("separation_of_duties", "require_retry_ack"):
            if getattr(floors, name) and not policy[name]:
                yield f"{intent}: got {name} switched off, expected it on"
        if intent.body["attempt_number"] > floors.attempt_ceiling:
            yield f"{intent}: got attempt {intent.body['attempt_number']}, expected {floors.attempt_ceiling} at most"
        opened = opening_plan(chain, intent.body["item_digest"])
        if opened is not None:
            start, end = opened.body["generated_at"], item["expires_at"]
            if _moment(end) - _moment(start) > timedelta(minutes=floors.longest_expiry_minutes):
                yield f"{intent}: got an approval from {start} to {end}, expected {floors.longest_expiry_minutes} minutes at most"


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


CLAIMS = (
    Claim("acknowledged", "Every approval followed an acknowledgement that was not taken back.", _acknowledged),
    Claim("quorum", "Enough different people approved; none planned, acknowledged, opened or executed it.", _quorum),
    Claim("undenied", "Nothing that was denied, revoked or ended was executed.", _undenied),
    Claim("digest", "What was executed is, by its digest, exactly what was approved.", _digest),
    Claim("expiry", "Approvals were given, and used, before they expired.", _expiry),
    Claim("floors", "What approvals took, as recorded, is no less than your policy asks.", _floors),
)  # fmt: skip
