"""Claims about recovery: that a closure rests on records which show what it says."""

from collections.abc import Iterator
from typing import Final

from cavra_verify.chain import Chain, Item
from cavra_verify.claims.base import Claim
from cavra_verify.kinds import kind_of_id

_FROM_OPEN: Final = frozenset({"deferred", "escalated", "mitigated", "resolved"})
_FOLLOWING: Final = {
    "open": _FROM_OPEN,
    "deferred": _FROM_OPEN,
    "escalated": _FROM_OPEN,
    "reopened": _FROM_OPEN,
    "mitigated": frozenset({"resolved", "reopened"}),
    "resolved": frozenset({"reopened"}),
}
"""State -> closure states that may follow."""


def _proven(chain: Chain) -> Iterator[str]:
    for closure in chain.of("closure"):
        body = closure.body
        playbooks = [one for one in chain.causes(closure, "playbook") if one.id == body["playbook_id"]]
        if len(playbooks) != 1:
            yield f"{closure}: got no playbook {body['playbook_id']} among its causes"
        elif all(one["provider"] != body["provider"] for one in playbooks[0].body["provider_playbooks"]):
            yield f"{closure}: got provider {body['provider']}, expected one that its playbook names"
        yield from _named(closure)
        if body["closure_state"] == "resolved":
            yield from _resolved(chain, closure)
        if body["closure_state"] == "mitigated" and not (body["verification_refs"] or body["external_ref"]):
            yield f"{closure}: got mitigated without a verification or an external reference"


def _named(closure: Item) -> Iterator[str]:
    """What speaks against every record that a closure refers to being among its causes."""
    causes = {cause["id"] for cause in closure.document["causes"]}
    for reference in closure.body["verification_refs"]:
        record_id = reference.rpartition("://")[2]
        if kind_of_id(record_id) is not None and record_id not in causes:
            yield f"{closure}: got {record_id} as a verification, expected it among the causes"


def _resolved(chain: Chain, closure: Item) -> Iterator[str]:
    """A connector is recovered when it took a delivery after its last failure: by delivery's own log, and its index there."""
    provider = closure.body["provider"]
    accepted = max(
        (one.index for one in chain.causes(closure, "connector_delivery") if _took(one, provider)), default=-1
    )
    if accepted < 0:
        yield f"{closure}: got resolved without a delivery that {provider} took among its causes"
        return
    for failed in chain.ancestors(closure):
        if (
            failed.kind.noun == "connector_delivery"
            and _refused(failed, provider)
            and failed.index > accepted
        ):
            yield f"{closure}: got a delivery at {accepted} as its proof, expected one after {failed} at {failed.index}"


def _took(sent: Item, provider: str) -> bool:
    return any(part["provider"] == provider and part["success"] for part in sent.body["deliveries"])


def _refused(sent: Item, provider: str) -> bool:
    return any(part["provider"] == provider and not part["success"] for part in sent.body["deliveries"])


def _followed(chain: Chain) -> Iterator[str]:
    newest: dict[tuple[str, str], Item] = {}
    for closure in chain.of("closure"):
        body = closure.body
        key = (body["playbook_id"], body["provider"])
        before = newest.get(key)
        state = "open" if before is None else before.body["closure_state"]
        if body["previous_state"] != state:
            yield f"{closure}: got {body['previous_state']} as the state before, expected {state}"
        if body["closure_state"] not in _FOLLOWING[state]:
            yield f"{closure}: got {body['closure_state']} after {state}, which does not follow"
        if before is not None and before not in chain.causes(closure, "closure"):
            yield f"{closure}: got a closure that does not name the one before it, {before.id}"
        newest[key] = closure


CLAIMS = (
    Claim("proven", "A recovery called resolved rests on a delivery taken after the last failure shown.", _proven),
    Claim("followed", "Closures of one recovery follow each other as they may.", _followed),
)  # fmt: skip
