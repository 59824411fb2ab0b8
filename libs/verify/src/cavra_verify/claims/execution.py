"""Claims about effects: intent, send, outcome, each once and in this order, and what nobody knows never taken for proof."""

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from cavra_verify.chain import Chain, Item
from cavra_verify.claims.base import Claim, Unchecked
from cavra_verify.permits import Permit
from cavra_verify.reconciliation import GRACE, moment

_SKEW = timedelta(seconds=5)
"""How far the clocks of the two services may be apart: what delivery allows a permit."""
_SHARED = ("execution_id", "delivery_id", "audit_id", "provider", "attempt_number", "item_digest", "run_id")
"""What an execution record repeats of its intent."""


def permit_of(intent: Item) -> Permit:
    """The permit that was given for an intent."""
    body = intent.body
    names = (name for name in Permit.__dataclass_fields__ if name not in ("intent_hash", "expires_at"))
    return Permit(
        **{name: body[name] for name in names}, intent_hash=intent.hash, expires_at=body["permit_expires_at"]
    )


def _retries(chain: Chain) -> list[Item]:
    """The deliveries of the trace that are effects of an execution."""
    return [one for one in chain.of("connector_delivery") if one.body["execution_id"]]


def _ordered(chain: Chain) -> Iterator[str]:
    for sent in chain.of("connector_delivery"):
        if not sent.body["execution_id"]:
            if any(part["attempt_number"] != 1 for part in sent.body["deliveries"]):
                yield f"{sent}: got a later attempt without an execution, expected an approval for it"
            continue
        if len(_intents(chain, sent)) != 1:
            yield f"{sent}: got a retry that was sent without its intent among its causes"
    for record in chain.of("execution_record"):
        intents = _intents(chain, record)
        if len(intents) != 1:
            yield f"{record}: got an execution without its intent among its causes"
            continue
        for name in _SHARED:
            if record.body[name] != intents[0].body[name]:
                yield f"{record}: got {name} {record.body[name]!r:.80}, expected {intents[0].body[name]!r:.80}"
        if record.person != intents[0].person:
            yield f"{record}: got {record.person[1]} as executor, expected {intents[0].person[1]}, who claimed it"
        yield from _outcome(chain, record)


def _intents(chain: Chain, item: Item) -> list[Item]:
    """The intents among the causes of an effect that are of the same execution."""
    wanted = item.body["execution_id"]
    return [one for one in chain.causes(item, "retry_intent") if one.body["execution_id"] == wanted]


def _outcome(chain: Chain, record: Item) -> Iterator[str]:
    """What speaks against an execution record telling what delivery recorded."""
    body = record.body
    sent = chain.causes(record, "connector_delivery")
    if body["execution_status"] == "skipped":
        if sent or body["delivery_success"] or not body["skipped"]:
            yield f"{record}: got a skipped execution with a delivery, or without a reason"
        return
    if len(sent) != 1 or sent[0].id != body["delivery_metadata_id"]:
        yield f"{record}: got {body['execution_status']} without the delivery that says so among its causes"
        return
    (one,) = sent
    if one.body["execution_id"] != body["execution_id"]:
        yield f"{record}: got the delivery of another execution, {one.body['execution_id']}"
    outcomes = [part["outcome"] for part in one.body["deliveries"]]
    successes = [part["success"] for part in one.body["deliveries"]]
    delivered = body["execution_status"] == "delivered"
    if outcomes != [body["execution_status"]] or {*successes, body["delivery_success"]} != {delivered}:
        yield f"{record}: got {body['execution_status']}, expected {', '.join(outcomes)}, which {one} says"


def _ended(chain: Chain) -> Iterator[str]:
    told = {record.body["execution_id"] for record in chain.of("execution_record")}
    begun = [intent for intent in chain.of("retry_intent") if intent.body["execution_id"] not in told]
    newest = max((moment(item.document["created_at"]) for item in chain.items), default=None)
    late = [one for one in begun if newest and newest - moment(one.document["created_at"]) > GRACE]
    for intent in late:
        yield f"{intent}: got no execution record, and records of more than an hour later, expected one by then"
    if begun and not late:
        names = ", ".join(str(intent) for intent in begun[:3])
        raise Unchecked(
            f"{len(begun)} under way at the heads that are shown ({names}): ask for a newer bundle"
        )


def _once(chain: Chain) -> Iterator[str]:
    intents = chain.of("retry_intent")
    for name, records, what in (
        ("execution_id", intents, "intents"),
        ("item_digest", intents, "intents"),
        ("approval_decision_id", intents, "intents"),
        ("execution_id", _retries(chain), "deliveries"),
        ("execution_id", chain.of("execution_record"), "execution records"),
    ):
        for value, times in Counter(one.body[name] for one in records).items():
            if times > 1:
                yield f"got {times} {what} with {name} {value}, expected one"
    used = Counter(
        decision["record_hash"]
        for intent in intents
        for decision in intent.document["causes"]
        if (found := chain.cause(decision)) is not None and found.kind.noun == "approval_decision"
    )
    for record_hash, times in used.items():
        if times > 1:
            yield f"got decision {record_hash[:16]} used by {times} intents, expected one"
    sent = Counter(
        (part["provider"], part["attempt_number"])
        for one in chain.of("connector_delivery")
        if one.document["delivery_id"] == chain.bundle.trace_id
        for part in one.body["deliveries"]
    )
    for (provider, attempt), times in sent.items():
        if times > 1:
            yield f"got attempt {attempt} at {provider} sent {times} times, expected once"


def _permitted(chain: Chain) -> Iterator[str]:
    for sent in _retries(chain):
        for intent in _intents(chain, sent):
            permit = permit_of(intent)
            if sent.body["permit_hash"] != permit.hash:
                yield f"{sent}: got permit {sent.body['permit_hash'][:16]}, expected {permit.hash[:16]}, which {intent} gave"
            yield from _content(sent, permit)


def _content(sent: Item, permit: Permit) -> Iterator[str]:
    """What speaks against a delivery having sent what its permit says, in time."""
    if sent.document["delivery_id"] != permit.delivery_id or sent.document["audit_id"] != permit.audit_id:
        yield f"{sent}: got another delivery or package than the one permitted"
    parts: list[dict[str, Any]] = sent.body["deliveries"]
    if [(part["provider"], part["attempt_number"]) for part in parts] != [
        (permit.provider, permit.attempt_number)
    ]:
        yield f"{sent}: got another provider or attempt than the one permitted"
    for part in parts:
        if part.get("payload_hash", "") not in ("", permit.payload_hash):
            yield f"{sent}: got payload {part['payload_hash']}, expected {permit.payload_hash}, which was approved"
        late = moment(part["started_at"]) - moment(permit.expires_at)
        if late > _SKEW:
            yield f"{sent}: got a send at {part['started_at']}, expected one before {permit.expires_at}"


def _asserted(chain: Chain) -> Iterator[str]:
    resolved: Counter[str] = Counter()
    for said in chain.of("execution_resolution"):
        resolved[said.body["execution_id"]] += 1
        about = [one for one in chain.causes(said, "execution_record") if one.id == said.body["execution_id"]]
        if [one.body["execution_status"] for one in about] != ["unknown"]:
            yield f"{said}: got a resolution of an execution whose outcome is not unknown"
        if any(one.person == said.person for one in about):
            yield f"{said}: got {said.person[1]}, who executed it, expected somebody else"
        if said.body["basis"] != "asserted":
            yield f"{said}: got basis {said.body['basis']!r:.40}, expected asserted"
    for execution_id, times in resolved.items():
        if times > 1:
            yield f"got {times} resolutions of {execution_id}, expected one"
    for closure in chain.of("closure"):
        for one in chain.causes(closure, "execution_resolution"):
            yield f"{closure}: got {one} as a verification, which is asserted and proves nothing"


CLAIMS = (
    Claim("ordered", "Intent comes before the send, and the send before its outcome.", _ordered),
    Claim("ended", "Every execution that was begun has its record.", _ended),
    Claim("once", "One approval is one execution, and one execution is sent and recorded once.", _once),
    Claim("permitted", "What was sent is, by permit and payload hash, what the intent said, in time.", _permitted),
    Claim("asserted", "What nobody knows is unknown, and what people say of it stays an assertion.", _asserted),
)  # fmt: skip
