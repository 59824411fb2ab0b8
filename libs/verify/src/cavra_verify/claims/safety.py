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


def _people(chain: Chain) -> Iterator[str]:
    for item in chain.items:
        actor = item.document["actor"]
        if actor["iss"] not in chain.policy.issuers:
            yield f"{item}: got an actor of issuer {actor['iss']!r:.80}, which you do not trust for who people are"
        names = {item.document["signer"], item.body.get(_NAMED.get(item.kind.noun, ""), actor["name"])}
        if names != {actor["name"]}:
            yield f"{item}: got another name in the record than its actor's"


def _public_safe(chain: Chain) -> Iterator[str]:
    for item in chain.items:
        for path, rule in check(item.document):
            yield f"{item}: got what rule {rule} refuses at {path or 'its envelope'}"


CLAIMS = (
    Claim("people", "Everybody who acted is named by an issuer that you trust, and by one name.", _people),
    Claim("public_safe", "No text is outside its grammar or looks like a credential.", _public_safe),
)  # fmt: skip
