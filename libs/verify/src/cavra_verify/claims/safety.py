"""Claims about what records say of people and keep of secrets."""

from collections.abc import Iterator
from typing import Final

from cavra_verify.chain import Chain
from cavra_verify.claims.base import Claim
from cavra_verify.public_safe import check

_NAMED: Final = {
    "retry_plan": "generated_by",
    "retry_ack": "acknowledged_by",
    "approval_plan": "generated_by",
    "approval_decision": "decided_by",
    "retry_intent": "claimed_by",
    "execution_record": "executed_by",
    "execution_resolution": "resolved_by",
    "playbook": "generated_by",
    "closure": "closed_by",
}
"""The field in which a record of a kind names who acted."""
_ROLES: Final = {
    "approval_decision": "approver",
    "retry_plan": "operator",
    "retry_ack": "operator",
    "approval_plan": "operator",
    "retry_intent": "operator",
    "execution_resolution": "operator",
    "playbook": "operator",
    "closure": "operator",
}
"""The role that it takes to make a record of a kind. An execution record is by who made its intent, as `ordered` says."""


def _people(chain: Chain) -> Iterator[str]:
    for item in chain.items:
        actor = item.document["actor"]
        if actor["iss"] not in chain.policy.issuers:
            yield f"{item}: got an actor of issuer {actor['iss']!r:.80}, which you do not trust for who people are"
        names = {item.document["signer"], item.body.get(_NAMED.get(item.kind.noun, ""), actor["name"])}
        if names != {actor["name"]}:
            yield f"{item}: got another name in the record than its actor's"
        role = _ROLES.get(item.kind.noun, "")
        if item.person not in chain.policy.roles.get(role, (item.person,)):
            yield f"{item}: got it by {item.person[1]!r:.80}, whom your policy does not name as {role}"


def _public_safe(chain: Chain) -> Iterator[str]:
    for item in chain.items:
        for path, rule in check(item.document):
            yield f"{item}: got what rule {rule} refuses at {path or 'its envelope'}"


CLAIMS = (
    Claim("people", "Who acted is named by an issuer that you trust, by one name, and in the role that you gave.", _people),
    Claim("public_safe", "No text is outside its grammar or looks like a credential.", _public_safe),
)  # fmt: skip
