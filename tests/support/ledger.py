"""The whole of a log, read back and recomputed from its records alone."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from cavra_evidence.index import terms
from cavra_service.store.protocol import Row, Store
from cavra_verify.audit import Audit, Report
from cavra_verify.canonical import parse
from cavra_verify.kinds import BY_KIND, KINDS
from cavra_verify.merkle import Frontier, leaf_hash
from cavra_verify.policy import Floors, PinnedKey, PinnedLog, Policy

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a log holds, once it has been found to be whole."""

    ids: list[str]
    documents: list[dict[str, Any]]
    root: bytes


async def all_records(store: Store) -> list[Row]:
    """Every record of a log, in its order."""
    found: list[Row] = []
    while True:
        rows = await store.rows("records_page", from_index=len(found), limit=_PAGE)
        found += rows
        if len(rows) < _PAGE:
            return found


async def audited(store: Store) -> Ledger:
    """The log of `store`. Fails unless it is dense, its root, chains, times and counters are those of its records."""
    rows = await all_records(store)
    assert [row["idx"] for row in rows] == list(range(len(rows))), "the log has a gap"
    documents = [parse(row["canonical"]) for row in rows]
    frontier = Frontier()
    for row in rows:
        assert row["record_hash"] == leaf_hash(row["canonical"]), (
            f"record {row['idx']} has another hash than its bytes"
        )
        frontier, _ = frontier.append(row["record_hash"])
    state = await store.row("log_state")
    assert state is not None
    assert (state["size"], bytes(state["frontier"] or b"")) == (frontier.size, b"".join(frontier.roots)), (
        "the stored frontier is not that of the records"
    )
    stamps = [document["created_at"] for document in documents]
    assert stamps == sorted(stamps), "time runs backwards"
    _check_chains(rows, documents)
    await _check_counters(store, documents)
    return Ledger([row["id"] for row in rows], documents, frontier.root())


async def replayed(store: Store, checkpoint: str) -> Report:
    """What an auditor finds in the log of `store`, which may hold any kind."""
    kinds = frozenset(kind.noun for kind in KINDS)
    log = PinnedLog(store.origin, "retry", (PinnedKey(store.signer.public),), kinds)
    audit = Audit(Policy({store.origin: log}, frozenset(), Floors()))
    rows = await all_records(store)
    audit.replay(store.origin, ((row["idx"], row["canonical"], row["signature"]) for row in rows), checkpoint)
    return audit.report()


def _check_chains(rows: list[Row], documents: list[dict[str, Any]]) -> None:
    heads: dict[str, tuple[int, str]] = {}
    for row, document in zip(rows, documents, strict=True):
        assert list(document["trace_ids"]) == document["trace_ids"]
        assert set(document["chains"]) == set(document["trace_ids"])
        for trace, link in document["chains"].items():
            seq, previous = heads.get(trace, (-1, ""))
            assert (link["seq"], link["prev"]) == (seq + 1, previous), f"the chain of {trace} is not dense"
            heads[trace] = (link["seq"], row["record_hash"].hex())


async def _check_counters(store: Store, documents: list[dict[str, Any]]) -> None:
    expected: Counter[str] = Counter()
    for document in documents:
        _, counted = terms(BY_KIND[document["metadata_kind"]], document)
        expected.update(f"{name}={value}" for name, value in counted)
    rows = await store.rows("counters", prefix="", after="\U0010ffff")
    stored = {row["name"]: row["value"] for row in rows if row["name"] is not None}
    assert {name: value for name, value in stored.items() if not name.startswith("gauge:")} == expected, (
        "the counters are not those of the records"
    )


async def gauge(store: Store, name: str) -> int:
    """A gauge of open state."""
    row = await store.row("counter", name=f"gauge:{name}")
    return 0 if row is None else int(row["value"])
