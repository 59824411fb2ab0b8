"""The log's Merkle tree as its store keeps it: the frontier, and hashes of any range of leaves. No read passes over more than it needs."""

from collections.abc import Iterable, Sequence
from typing import Final

from cavra_evidence.proofs import Coordinate, hash_of, nodes_of
from cavra_verify.merkle import HASH_SIZE, Frontier, Span, leaf_hash

from cavra_service.store.protocol import Store

_PAGE: Final = 4096
_RECORDS_PAGE: Final = 256


class TreeBroken(Exception):
    """The store lacks part of its own log."""


async def frontier(store: Store) -> Frontier:
    """The log's head."""
    row = await store.row("log_state")
    if row is None:
        raise TreeBroken("the store has no log state")
    roots = bytes(row["frontier"] or b"")
    return Frontier(row["size"], tuple(roots[at : at + HASH_SIZE] for at in range(0, len(roots), HASH_SIZE)))


async def hashes(store: Store, spans: Sequence[Span]) -> list[bytes]:
    """The RFC 6962 hash of each leaf range, from stored nodes."""
    nodes = await _nodes(store, {coordinate for span in spans for coordinate in nodes_of(span)})
    return [hash_of(span, nodes) for span in spans]


async def frontier_at(store: Store, size: int) -> Frontier:
    """The frontier as it was at an earlier size, from stored nodes."""
    coordinates = nodes_of((0, size))
    nodes = await _nodes(store, coordinates)
    return Frontier(size, tuple(nodes[coordinate] for coordinate in coordinates))


async def grown(store: Store, start: Frontier, size: int) -> Frontier:
    """`start`, grown to `size` by the hashes of the leaves that follow it."""
    while start.size < size:
        last = min(size, start.size + _PAGE)
        rows = await store.rows("leaf_hashes", first=start.size, last=last)
        start = _appended(start, last, [_bytes(row["hash"]) for row in rows])
    return start


async def regrown(store: Store, start: Frontier, size: int) -> Frontier:
    """As `grown`, but from the bytes of the records themselves."""
    while start.size < size:
        last = min(size, start.size + _RECORDS_PAGE)
        rows = await store.rows("entries", first=start.size, last=last)
        start = _appended(start, last, [leaf_hash(_bytes(row["canonical"])) for row in rows])
    return start


def _appended(start: Frontier, size: int, leaves: Sequence[bytes]) -> Frontier:
    for leaf in leaves:
        start, _ = start.append(leaf)
    if start.size != size:
        raise TreeBroken(f"the store lacks records before {size}")
    return start


async def tile(store: Store, level: int, first: int, last: int) -> list[bytes]:
    """Nodes `first` to `last` - 1 of a level."""
    rows = await (
        store.rows("leaf_hashes", first=first, last=last)
        if level == 0
        else store.rows("nodes", level=level, first=first, last=last)
    )
    return [_bytes(row["hash"]) for row in rows]


def _bytes(value: object) -> bytes:
    # Who writes into an SQLite file may leave a text where bytes were.
    if not isinstance(value, bytes):
        raise TreeBroken("the store holds a text in place of bytes")
    return value


async def _nodes(store: Store, coordinates: Iterable[Coordinate]) -> dict[Coordinate, bytes]:
    """Stored nodes, in one trip for leaves and one for what is above them."""
    leaves = [(0, index) for level, index in coordinates if level == 0]
    above = [(level, index) for level, index in coordinates if level]
    found = await store.each(
        "leaf_hashes", [{"first": index, "last": index + 1} for _, index in leaves]
    ) + await store.each(
        "nodes", [{"level": level, "first": index, "last": index + 1} for level, index in above]
    )
    if not all(found):
        raise TreeBroken("the store lacks a node of its tree")
    return {
        coordinate: _bytes(rows[0]["hash"]) for coordinate, rows in zip(leaves + above, found, strict=True)
    }
