"""The Merkle log as a pure function: state and drafts in, entries and new state out. A store makes it durable.

Every record of a service passes here, once. The caller holds the only writer of the store and commits all that is returned, with
the state that the records speak of, in one transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import orjson
from cavra_verify.grammar import BOUNDS
from cavra_verify.kinds import ENVELOPE_SCHEMA, PRODUCT, Kind
from cavra_verify.merkle import Frontier, Node, leaf_hash
from cavra_verify.signatures import RECORD_TYPE, Signer

from cavra_evidence.draft import Actor, Draft
from cavra_evidence.index import terms
from cavra_evidence.times import text


class RecordTooLarge(ValueError):
    """A record would exceed 48 KiB."""


class UnknownCause(ValueError):
    """A record names a cause that this log does not hold, without its hash."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a trace's chain ends in one log."""

    seq: int
    record_hash: str


@dataclass(frozen=True, slots=True)
class LogState:
    """What a log needs to grow."""

    frontier: Frontier = field(default_factory=Frontier)
    last_created_at: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record as committed."""

    index: int
    id: str
    kind: str
    created_at: str
    canonical: bytes
    record_hash: bytes
    signature: bytes
    """Empty on a kind that is not signed, as `key_id`."""
    key_id: str
    terms: tuple[tuple[str, str], ...]
    counted: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Appended:
    """What one append makes, to be committed as a whole."""

    state: LogState
    entries: list[Entry]
    nodes: list[Node]
    """Completed nodes above the leaves."""
    heads: dict[str, Head]
    """Chain heads that moved."""


def encoded(document: dict[str, Any]) -> bytes:
    """Canonical bytes of what record models make: equal to RFC 8785 as long as there are no floats and keys are ASCII."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_STRICT_INTEGER)


def append(
    state: LogState,
    drafts: Sequence[Draft],
    now: datetime,
    signer: Signer,
    heads: Mapping[str, Head],
    hashes: Mapping[str, str],
) -> Appended:
    """Append `drafts` in order.

    `heads` holds the chain heads of all traces that the drafts name, where there are any; `hashes` the record hashes of causes that
    this log holds, by id. Causes may also name earlier drafts of the same call. Raises RecordTooLarge or UnknownCause; then nothing
    is to be written.
    """
    frontier, created_at = state.frontier, max(text(now), state.last_created_at)
    moved: dict[str, Head] = {}
    known: dict[str, str] = dict(hashes)
    entries: list[Entry] = []
    nodes: list[Node] = []
    for draft in drafts:
        kind = draft.record.KIND
        chains = {trace: _link(moved.get(trace) or heads.get(trace)) for trace in draft.trace_ids}
        document = _document(kind, draft, created_at, chains, known)
        canonical = encoded(document)
        if len(canonical) > BOUNDS["record_bytes"]:
            raise RecordTooLarge(f"a {kind.noun} of {len(canonical)} bytes exceeds {BOUNDS['record_bytes']}")
        record_hash = leaf_hash(canonical)
        index, record_id, digest = frontier.size, draft.record.record_id, record_hash.hex()
        frontier, completed = frontier.append(record_hash)
        nodes += completed[1:]
        known[record_id] = digest
        moved.update((trace, Head(link["seq"], digest)) for trace, link in chains.items())
        signature, key_id = (signer.sign(RECORD_TYPE, canonical), signer.key_id) if kind.signed else (b"", "")
        found, counted = terms(kind, document)
        entry = Entry(
            index,
            record_id,
            kind.kind,
            created_at,
            canonical,
            record_hash,
            signature,
            key_id,
            tuple(found),
            tuple(counted),
        )
        entries.append(entry)
    return Appended(LogState(frontier, created_at), entries, nodes, moved)


def _link(head: Head | None) -> dict[str, Any]:
    """A record's place in one trace's chain: dense from 0, each naming the hash of the one before."""
    return {"seq": 0, "prev": ""} if head is None else {"seq": head.seq + 1, "prev": head.record_hash}


def _document(
    kind: Kind, draft: Draft, created_at: str, chains: dict[str, Any], known: Mapping[str, str]
) -> dict[str, Any]:
    body = draft.record.body()
    causes = []
    for cause in draft.causes:
        digest = cause.record_hash or known.get(cause.id)
        if digest is None:
            raise UnknownCause(f"a {kind.noun} rests on {cause.id}, which this log does not hold")
        causes.append({"id": cause.id, "kind": cause.kind, "record_hash": digest})
    top = {name: body[name] for name in kind.top if name in body}
    return {
        "schema_version": ENVELOPE_SCHEMA,
        "product": PRODUCT,
        "session_id": draft.record.record_id,
        "created_at": created_at,
        "signer": draft.actor.name,
        "actor": _actor(draft.actor),
        "decision_count": draft.decision_count,
        "blocked_count": draft.blocked_count,
        "approval_required_count": draft.approval_required_count,
        "metadata_kind": kind.kind,
        **top,
        **draft.top,
        kind.key: body,
        "causes": causes,
        "trace_ids": list(chains),
        "chains": chains,
    }


def _actor(actor: Actor) -> dict[str, str]:
    return {"iss": actor.iss, "sub": actor.sub, "name": actor.name}
