"""Bundles of kept logs, as services would collect them; and of logs that somebody who holds the keys has rewritten."""

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cavra_verify.bundle import Bundle, Earlier, LogPart, Shown, SignedHead, build, causes_to_add
from cavra_verify.canonical import canonical, parse
from cavra_verify.heads import TraceHead
from cavra_verify.kinds import BY_KIND
from cavra_verify.merkle import (
    EMPTY_ROOT,
    Span,
    consistency_path,
    inclusion_path,
    leaf_hash,
    node_hash,
    split,
)
from cavra_verify.policy import Policy, read_policy
from cavra_verify.signatures import RECORD_TYPE, Checkpoint, Signer, sign_checkpoint

from tests.support.closed_chain import ClosedChain, Kept, KeptLog


def policy_document(logs: Mapping[str, KeptLog], **floors: Any) -> dict[str, Any]:
    """What an auditor of these logs would write down."""
    return {
        "schema_version": "cavra.policy.v1",
        "logs": [
            {
                "origin": log.origin,
                "service": log.service,
                "keys": [{"public_key": base64.b64encode(log.signer.public).decode()}],
            }
            for log in logs.values()
        ],
        "issuers": ["cavra-local"],
        "floors": {"required_approvals": 2, **floors},
    }


def policy_of(logs: Mapping[str, KeptLog], **floors: Any) -> Policy:
    """The same, read."""
    return read_policy(json.dumps(policy_document(logs, **floors)).encode())


def root_of(leaves: Sequence[bytes], span: Span) -> bytes:
    """The RFC 6962 hash of a leaf range."""
    start, end = span
    if end == start:
        return EMPTY_ROOT
    if end - start == 1:
        return leaves[start]
    middle = start + split(end - start)
    return node_hash(root_of(leaves, (start, middle)), root_of(leaves, (middle, end)))


def checkpoint_of(log: KeptLog, size: int | None = None, signer: Signer | None = None) -> str:
    """The signed note of a log's head, or of an earlier one."""
    leaves = [leaf_hash(one.canonical) for one in log.records]
    size = len(leaves) if size is None else size
    head = Checkpoint(log.origin, size, root_of(leaves, (0, size)))
    return sign_checkpoint(head, signer or log.signer)


def size_after(log: KeptLog, noun: str, at: int = -1) -> int:
    """How many records the log held with the last record of a kind, or the one at a place among them."""
    sizes = [
        index + 1
        for index, one in enumerate(log.records)
        if BY_KIND[parse(one.canonical)["metadata_kind"]].noun == noun
    ]
    return sizes[at]


def first(log: KeptLog, size: int) -> KeptLog:
    """The log as it was at a size."""
    return replace(log, records=log.records[:size])


def part_of(log: KeptLog, trace_id: str, context: Sequence[str], since: int = 0) -> LogPart:
    """What a log shows of a trace, with the records named in `context`."""
    leaves = [leaf_hash(one.canonical) for one in log.records]
    size, newest, count, shown = len(leaves), "", 0, []
    for index, one in enumerate(log.records):
        document = json.loads(one.canonical)
        of_trace = trace_id in document["trace_ids"]
        if of_trace:
            count, newest = count + 1, leaves[index].hex()
        if of_trace or document["session_id"] in context:
            proof = tuple(root_of(leaves, span) for span in inclusion_path(index, size))
            shown.append(Shown(index, one.canonical, one.signature, proof))
    head = TraceHead(log.origin, trace_id, size, count, newest)
    signed = SignedHead(size, count, newest, head.signed(log.signer))
    earlier: tuple[Earlier, ...] = ()
    if since:
        path = tuple(root_of(leaves, span) for span in consistency_path(since, size))
        earlier = (Earlier(since, root_of(leaves, (0, since)), path),)
    return LogPart(log.origin, checkpoint_of(log), signed, tuple(shown), earlier)


def bundle_of(
    chain: ClosedChain, since: Mapping[str, int] | None = None, asked: ClosedChain | None = None
) -> Bundle:
    """The bundle of a chain, with consistency from these sizes (by service).

    Which records are shown as causes is read out of `asked` when the chain's own bytes can't be read.
    """
    trace = [
        one.canonical
        for log in (asked or chain).logs.values()
        for one in log.records
        if chain.trace_id in parse(one.canonical)["trace_ids"]
    ]
    context = [one for ids in causes_to_add(trace, chain.trace_id).values() for one in ids]
    parts = (
        part_of(log, chain.trace_id, context, (since or {}).get(name, 0)) for name, log in chain.logs.items()
    )
    return Bundle(chain.trace_id, tuple(parts))


def file_of(
    chain: ClosedChain, since: Mapping[str, int] | None = None, asked: ClosedChain | None = None
) -> bytes:
    """The bundle's bytes."""
    return build(bundle_of(chain, since, asked))


@dataclass(slots=True)
class Page:
    """One record as a forger edits it."""

    service: str
    document: dict[str, Any]

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.document["session_id"])

    def rest_on(self, *pages: "Page") -> None:
        """Name these records as causes instead of the others of their kinds."""
        kinds = {page.document["metadata_kind"] for page in pages}
        kept = [cause for cause in self.document["causes"] if cause["kind"] not in kinds]
        named = [
            {"id": page.id, "kind": page.document["metadata_kind"], "record_hash": "0" * 64} for page in pages
        ]
        self.document["causes"] = kept + named

    def forget(self, noun: str) -> None:
        """Name no causes of a kind."""
        self.document["causes"] = [
            cause for cause in self.document["causes"] if BY_KIND[cause["kind"]].noun != noun
        ]

    @property
    def noun(self) -> str:
        """Its kind."""
        return BY_KIND[self.document["metadata_kind"]].noun

    @property
    def body(self) -> dict[str, Any]:
        """The full record."""
        found: dict[str, Any] = self.document[BY_KIND[self.document["metadata_kind"]].key]
        return found

    def set(self, **fields: Any) -> None:
        """Change fields of the record, and of its envelope where they stand there too."""
        for name, value in fields.items():
            self.body[name] = value
            if name in self.document:
                self.document[name] = value

    def act_as(self, subject: str, name: str = "") -> None:
        """Have somebody else do it."""
        self.document["actor"] |= {"sub": subject, "name": name or subject}
        self.document["signer"] = name or subject
        for field in (
            "decided_by",
            "claimed_by",
            "executed_by",
            "generated_by",
            "acknowledged_by",
            "closed_by",
        ):
            if field in self.body:
                self.body[field] = name or subject


class Forger:
    """Somebody who holds every service's key and rewrites the logs: all hashes, links and signatures hold again afterwards.

    So what refutes the result is the claim that the change breaks, and nothing cheaper.
    """

    def __init__(self, chain: ClosedChain, rename: tuple[bytes, bytes] = (b"", b"")) -> None:
        """`rename` replaces a part of every text, so that one chain serves as many."""
        self._chain = chain
        self.pages = [
            Page(service, json.loads(one.canonical.replace(*rename) if rename[0] else one.canonical))
            for service, one in _in_causal_order(chain)
        ]

    def all(self, noun: str) -> list[Page]:
        """Every record of a kind, in log order."""
        return [page for page in self.pages if page.noun == noun]

    def one(self, noun: str, at: int = -1) -> Page:
        """One record of a kind: the last, or the one at a place."""
        return self.all(noun)[at]

    def add(self, page: Page, record_id: str, after: Page, **fields: Any) -> Page:
        """A further record: a copy of `page` under another id, with these fields, right behind another record."""
        copy = Page(page.service, json.loads(json.dumps(page.document)))
        kind = BY_KIND[copy.document["metadata_kind"]]
        copy.document["session_id"] = record_id
        copy.set(**{kind.id_field: record_id, **fields})
        self.pages.insert(self.pages.index(after) + 1, copy)
        return copy

    def move(self, page: Page, after: Page) -> None:
        """Put a record right behind another one."""
        self.pages.remove(page)
        self.pages.insert(self.pages.index(after) + 1, page)

    def forged(self) -> ClosedChain:
        """The logs as rewritten: causes and links name the new hashes, and everything is signed anew."""
        records: dict[str, list[Kept]] = {service: [] for service in self._chain.logs}
        hashes: dict[str, str] = {}
        heads: dict[tuple[str, str], tuple[int, str]] = {}
        for page in self.pages:
            document, log = page.document, self._chain.logs[page.service]
            for cause in document["causes"]:
                cause["record_hash"] = hashes.get(cause["id"], cause["record_hash"])
            for trace in document["trace_ids"]:
                seq, prev = heads.get((page.service, trace), (0, ""))
                document["chains"][trace] = {"seq": seq, "prev": prev}
            data = canonical(document)
            digest = leaf_hash(data).hex()
            hashes[document["session_id"]] = digest
            for trace in document["trace_ids"]:
                heads[page.service, trace] = (document["chains"][trace]["seq"] + 1, digest)
            signed = BY_KIND[document["metadata_kind"]].signed
            records[page.service].append(Kept(data, log.signer.sign(RECORD_TYPE, data) if signed else b""))
        logs = {
            service: replace(log, records=tuple(records[service]))
            for service, log in self._chain.logs.items()
        }
        return replace(self._chain, logs=logs)


def _in_causal_order(chain: ClosedChain) -> list[tuple[str, Kept]]:
    """All records, none before its causes, each log in its order."""
    waiting = {service: list(log.records) for service, log in chain.logs.items()}
    found: list[tuple[str, Kept]] = []
    seen: set[str] = set()
    while any(waiting.values()):
        for service, records in waiting.items():
            while records:
                document = json.loads(records[0].canonical)
                if not {cause["id"] for cause in document["causes"]} <= seen:
                    break
                seen.add(document["session_id"])
                found.append((service, records.pop(0)))
    return found


Change = Callable[[Forger], None]
"""What a forger does."""


def forged(chain: ClosedChain, change: Change) -> ClosedChain:
    """The logs after one change by somebody who holds all keys."""
    forger = Forger(chain)
    change(forger)
    return forger.forged()
