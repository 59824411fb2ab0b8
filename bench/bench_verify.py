"""What it costs an auditor: a bundle out of large logs, and whole logs replayed. Both on one core, with the standard library's JSON."""

import asyncio
import random
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import pytest
from cavra_evidence.proofs import hash_of, nodes_of
from cavra_verify.audit import Audit
from cavra_verify.bundle import LogPart, Shown, SignedHead, build
from cavra_verify.heads import TraceHead
from cavra_verify.merkle import Span, inclusion_path, leaf_hash, node_hash
from cavra_verify.signatures import Checkpoint, sign_checkpoint
from cavra_verify.verify import verify

from bench.row import Row
from tests.support.bundles import Forger, bundle_of, checkpoint_of, first, policy_of, size_after
from tests.support.closed_chain import ClosedChain, Kept, KeptLog, closed_chain

_LEAVES: Final = 1_000_000
_COPIES: Final = 650
_MOMENT: Final = "2026-11-23T09:30:00.000000+00:00"


def rows() -> Iterator[Row]:
    """Figures of one core, in this process; times are CPU times."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        chain = asyncio.run(closed_chain(Path(folder), patch))
    yield from _bundle(chain)
    yield from _audit(chain)


def _bundle(chain: ClosedChain) -> Iterator[Row]:
    """A chain up to its last approval: 9 records and a cause from another trace, spread at random over logs of a million leaves."""
    delivery, retry = chain.logs["delivery"], chain.logs["retry"]
    logs = {
        "delivery": first(delivery, size_after(delivery, "connector_delivery", 1)),
        "retry": first(retry, size_after(retry, "retry_plan", 1)),
        "recovery": first(chain.logs["recovery"], 0),
    }
    begun = replace(chain, logs=logs)
    bundle = bundle_of(begun)
    large = replace(bundle, logs=tuple(_spread(part, logs, chain.trace_id) for part in bundle.logs))
    data, policy = build(large), policy_of(chain.logs)
    count = sum(len(part.records) for part in large.logs)
    assert (count, verify(data, policy).exit_code) == (10, 0)
    yield Row("bundle of 10 records from a million leaves", len(data) / 1000, "KB", "under 40")
    seconds = min(_cpu(lambda: verify(data, policy)) for _ in range(20))
    yield Row("verify it, CPU", seconds * 1000, "ms", "under 20")


@dataclass(frozen=True, slots=True)
class _Tree:
    """All complete nodes of a tree, by level."""

    levels: list[list[bytes]]

    @classmethod
    def of(cls, leaves: list[bytes]) -> "_Tree":
        levels = [leaves]
        while len(levels[-1]) > 1:
            below = levels[-1]
            levels.append([node_hash(below[at], below[at + 1]) for at in range(0, len(below) - 1, 2)])
        return cls(levels)

    def hash(self, span: Span) -> bytes:
        return hash_of(span, {(level, at): self.levels[level][at] for level, at in nodes_of(span)})


def _spread(part: LogPart, logs: dict[str, KeptLog], trace_id: str) -> LogPart:
    """The same records, far apart in a log of a million."""
    log = next(one for one in logs.values() if one.origin == part.origin)
    leaves = [at.to_bytes(32, "big") for at in range(_LEAVES)]
    places = sorted(random.Random(3).sample(range(_LEAVES), len(part.records)))
    for place, shown in zip(places, part.records, strict=True):
        leaves[place] = leaf_hash(shown.canonical)
    tree = _Tree.of(leaves)
    records = tuple(
        Shown(
            place,
            shown.canonical,
            shown.signature,
            tuple(tree.hash(span) for span in inclusion_path(place, _LEAVES)),
        )
        for place, shown in zip(places, part.records, strict=True)
    )
    head = TraceHead(part.origin, trace_id, _LEAVES, part.head.count, part.head.record_hash)
    signed = SignedHead(_LEAVES, head.count, head.record_hash, head.signed(log.signer))
    note = sign_checkpoint(Checkpoint(part.origin, _LEAVES, tree.hash((0, _LEAVES))), log.signer)
    return LogPart(part.origin, note, signed, records)


def _audit(chain: ClosedChain) -> Iterator[Row]:
    """Three logs of many chains, from failed delivery to closure: one record in two is signed."""
    many = _multiplied(chain)
    policy = policy_of(chain.logs)
    count = sum(len(log.records) for log in many.logs.values())
    notes = {log.origin: checkpoint_of(log) for log in many.logs.values()}

    def replay(signatures: bool) -> None:
        audit = Audit(policy, signatures=signatures)
        for log in many.logs.values():
            entries = ((index, one.canonical, one.signature) for index, one in enumerate(log.records))
            audit.replay(log.origin, entries, notes[log.origin])
        assert audit.report().exit_code == 0

    signatures = sum(bool(one.signature) for log in many.logs.values() for one in log.records)
    size = sum(len(one.canonical) for log in many.logs.values() for one in log.records) / count
    every = min(_cpu(lambda: replay(True)) for _ in range(3))
    alone = min(_cpu(lambda: replay(False)) for _ in range(3))
    what = f"({size:,.0f} B each, {100 * signatures / count:.0f}% signed)"
    yield Row(f"audit, every signature {what}", count / every, "records/s", "at least 40,000")
    yield Row("audit, by the signed checkpoints", count / alone, "records/s", "at least 40,000")


def _multiplied(chain: ClosedChain) -> ClosedChain:
    """The chain many times over, under ids of its own each time."""
    grown: dict[str, list[Kept]] = {name: [] for name in chain.logs}
    for copy in range(_COPIES):
        forger = Forger(chain, rename=(b"-01a2", b"-%04d" % copy))
        for page in forger.pages:
            page.document["created_at"] = _MOMENT
        for intent in forger.all("retry_intent"):
            intent.set(item_digest=f"{copy:04x}{intent.body['item_digest'][4:]}")
        for name, log in forger.forged().logs.items():
            grown[name] += log.records
    logs = {name: replace(log, records=tuple(grown[name])) for name, log in chain.logs.items()}
    return replace(chain, logs=logs)


def _cpu(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start
