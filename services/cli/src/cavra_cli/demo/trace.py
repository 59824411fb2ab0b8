"""A trace as text: one line per record, and every hash in it checked from the bytes."""

from collections.abc import Sequence
from typing import Any

from cavra_verify.envelope import stripped
from cavra_verify.kinds import BY_KIND
from cavra_verify.merkle import leaf_hash


def lines(envelopes: Sequence[dict[str, Any]]) -> list[str]:
    """Time, kind, id, actor, short hash, and what the record rests on: by number where it stands above, else by id."""
    numbers = {envelope["session_id"]: number for number, envelope in enumerate(envelopes, 1)}
    return [
        "{number:>2}  {time}  {kind:<18} {id:<56} {actor:<17} {hash}  {causes}".format(
            number=numbers[envelope["session_id"]],
            time=envelope["created_at"][11:23],
            kind=BY_KIND[envelope["metadata_kind"]].noun,
            id=envelope["session_id"],
            actor=envelope["actor"]["name"],
            hash=envelope["record_hash"][:8],
            causes=" ".join(str(numbers.get(cause["id"], cause["id"])) for cause in envelope["causes"])
            or "-",
        )
        for envelope in envelopes
    ]


def faults(envelopes: Sequence[dict[str, Any]]) -> list[str]:
    """What does not hold: each record's hash recomputed from its bytes, and each cause against the record that it names."""
    found: list[str] = []
    hashes: dict[str, str] = {}
    for envelope in envelopes:
        record_id = envelope["session_id"]
        kind = BY_KIND[envelope["metadata_kind"]]
        digest = hashes[record_id] = leaf_hash(stripped(envelope)).hex()
        said = [envelope["record_hash"]]
        if kind.hash_field:
            said += [envelope[kind.hash_field], envelope[kind.key][kind.hash_field]]
        found += [
            f"{record_id}: says hash {one[:8]}, its bytes have {digest[:8]}" for one in said if one != digest
        ]
    for envelope in envelopes:
        found += [
            f"{envelope['session_id']}: rests on {cause['id']} with another hash"
            for cause in envelope["causes"]
            if hashes.get(cause["id"], cause["record_hash"]) != cause["record_hash"]
        ]
    return found
