"""The verdict on a bundle: every claim decided on the bytes alone, by the keys and floors of the auditor's policy."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from cavra_verify.bundle import Bundle, BundleError, read
from cavra_verify.chain import chain_of
from cavra_verify.claims import approval, closure, execution, integrity, safety
from cavra_verify.claims.base import Claim, Judged, Status, judge
from cavra_verify.policy import Policy

VERDICT_SCHEMA: Final = "cavra.verdict.v1"

CLAIMS: Final[tuple[Claim, ...]] = (
    *integrity.CLAIMS,
    *approval.CLAIMS,
    *execution.CLAIMS,
    *closure.CLAIMS,
    *safety.CLAIMS,
)
"""All that is decided, in the order in which it is told."""

NOT_CHECKED: Final = (
    "Anything recorded after the heads that the bundle shows, and records of other traces: `cavra audit` replays whole logs.",
    "What happened outside of the logs: whether the receiver kept what it said it took, and sends that no service recorded.",
    "Who people are, beyond the word of the issuers that you trust; two accounts of one person are two people here.",
    "Who may approve and who may operate, unless your policy names them: the records say who did, not who was allowed to.",
    "Clocks: order comes from hashes and log indexes; expiry is judged by the times that the services wrote down.",
    "What a service claims falsely with its own key where no other log says otherwise.",
    "Whether a log showed others another history, unless you kept a checkpoint and give it with --since.",
    "Failures of a connector in other deliveries, beyond those that the playbook names.",
)
"""What no verdict says, whatever it is."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of every claim."""

    status: Status
    """holds (verified), refuted, or unchecked: the worst of the claims, refuted before unchecked."""
    trace_id: str
    claims: tuple[Judged, ...]
    heads: tuple[tuple[str, int, int], ...] = ()
    """(origin, records of the trace, size of the log that they are complete up to)."""

    @property
    def exit_code(self) -> int:
        """0 verified, 1 refuted, 2 could not check."""
        return {"holds": 0, "refuted": 1, "unchecked": 2}[self.status]

    def document(self) -> dict[str, Any]:
        """The verdict for programs."""
        return {
            "schema_version": VERDICT_SCHEMA,
            "status": {"holds": "verified"}.get(self.status, self.status),
            "trace_id": self.trace_id,
            "claims": [
                {"name": one.name, "says": one.says, "status": one.status, "details": list(one.details)}
                for one in self.claims
            ],
            "heads": [
                {"origin": origin, "records": count, "tree_size": size} for origin, count, size in self.heads
            ],
            "not_checked": list(NOT_CHECKED),
        }


def verify(data: bytes, policy: Policy, since: Sequence[str] = ()) -> Verdict:
    """The verdict on the file `data`, held against `policy` and against earlier heads (signed notes) that the auditor kept.

    Never raises for what stands in the file: what is no bundle at all is a verdict too.
    """
    try:
        bundle = read(data)
    except BundleError as error:
        return _unchecked("readable", "The file is a bundle.", str(error))
    unknown = sorted({part.origin for part in bundle.logs} - policy.logs.keys())
    if unknown:
        why = f"the policy pins no key of {', '.join(unknown)}"
        return _unchecked("pinned", "Every log of the bundle is one that you pinned.", why, bundle.trace_id)
    return _judged(bundle, policy, since)


def _judged(bundle: Bundle, policy: Policy, since: Sequence[str]) -> Verdict:
    chain = chain_of(bundle, policy, since)
    judged = tuple(judge(claim, chain) for claim in CLAIMS)
    statuses = {one.status for one in judged}
    status: Status = (
        "refuted" if "refuted" in statuses else "unchecked" if "unchecked" in statuses else "holds"
    )
    heads = tuple((part.origin, part.head.count, part.head.tree_size) for part in bundle.logs)
    return Verdict(status, bundle.trace_id, judged, heads)


def _unchecked(name: str, says: str, why: str, trace_id: str = "") -> Verdict:
    return Verdict("unchecked", trace_id, (Judged(name, says, "unchecked", (why,)),))
