"""A log's part of a bundle: its signed word on where a trace ends, and records with the proofs that they stand in it."""

from collections.abc import AsyncIterator, Sequence
from typing import Final

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_verify.bundle import MOST_RECORDS
from cavra_verify.heads import TraceHead
from cavra_verify.merkle import consistency_path, inclusion_path

from cavra_service.checkpoints import Signed
from cavra_service.errors import Refused
from cavra_service.store import tree
from cavra_service.store.protocol import Row, Store
from cavra_service.wire import record_of_row

_PIECE: Final = 200
"""Records of one message: with the largest records, a third of what a message may hold."""


async def trace_part(
    store: Store, signed: Signed, trace_id: str, earlier_sizes: Sequence[int]
) -> AsyncIterator[pb.GetTracePartResponse]:
    """What the log shows of a trace at a signed checkpoint, in pieces. Raises Refused."""
    size = signed.frontier.size
    leaves = [leaf for leaf in await _leaves(store, trace_id) if leaf["idx"] < size]
    if len(leaves) > MOST_RECORDS:
        raise Refused("trace_too_long", f"this log holds more than {MOST_RECORDS} records of it", "trace_id")
    newest = bytes(leaves[-1]["hash"]) if leaves else b""
    head = TraceHead(store.origin, trace_id, size, len(leaves), newest.hex())
    end = pb.TraceEnd(
        note=signed.note,
        origin=store.origin,
        tree_size=size,
        count=len(leaves),
        record_hash=newest,
        signature=head.signed(store.signer),
        earlier=[await _earlier(store, one, size) for one in earlier_sizes],
    )
    yield pb.GetTracePartResponse(end=end)
    for first in range(0, len(leaves), _PIECE):
        places = [{"idx": leaf["idx"]} for leaf in leaves[first : first + _PIECE]]
        rows = [row for found in await store.each("record_at", places) for row in found]
        yield pb.GetTracePartResponse(records=await proven(store, rows, size))


async def proven(store: Store, rows: Sequence[Row], size: int) -> list[pb.ProvenRecord]:
    """Records, each with its inclusion proof in the tree of `size` leaves."""
    paths = [inclusion_path(row["idx"], size) for row in rows]
    try:
        hashes = iter(await tree.hashes(store, [span for path in paths for span in path]))
    except tree.TreeBroken:
        raise _broken() from None
    return [
        pb.ProvenRecord(
            record=record_of_row(row, store.origin),
            hashes=[next(hashes) for _ in path],
        )
        for row, path in zip(rows, paths, strict=True)
    ]


async def _leaves(store: Store, trace_id: str) -> Sequence[Row]:
    """Where the trace's records stand. Raises Refused when the index of them lacks what the chain's head tells of."""
    # Before the index: what is appended meanwhile may stand in the index alone.
    chain = await store.row("chain_head", trace_id=trace_id)
    # One more than can be shown below the head shows by itself that there are too many.
    leaves = await store.rows("trace_leaves", trace_id=trace_id, limit=MOST_RECORDS + 1)
    if chain is not None and chain["seq"] <= MOST_RECORDS:
        told = leaves[chain["seq"]]["hash"] if chain["seq"] < len(leaves) else b""
        if not isinstance(told, bytes) or told.hex() != chain["record_hash"]:
            raise _broken()
    return leaves


async def _earlier(store: Store, first: int, second: int) -> pb.EarlierHead:
    try:
        *proof, root = await tree.hashes(store, [*consistency_path(first, second), (0, first)])
    except tree.TreeBroken:
        raise _broken() from None
    return pb.EarlierHead(size=first, root_hash=root, hashes=proof)


def _broken() -> Refused:
    return Refused("log_refused", "the store lacks part of its own log")
