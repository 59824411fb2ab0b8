"""Inclusion and consistency proofs out of stored nodes: which nodes are needed, and the proof from them."""

from collections.abc import Mapping

from cavra_verify.merkle import Span, node_hash

Coordinate = tuple[int, int]
"""(level, index) of a stored node; level 0 are the leaves."""


def nodes_of(span: Span) -> list[Coordinate]:
    """The complete subtrees that a leaf range [start, end) of an RFC 6962 tree is made of, left to right."""
    start, end = span
    found: list[Coordinate] = []
    while start < end:
        # Ranges in a proof start at a multiple of their largest power of two, so the largest that fits is aligned.
        level = (end - start).bit_length() - 1
        found.append((level, start >> level))
        start += 1 << level
    return found


def hash_of(span: Span, nodes: Mapping[Coordinate, bytes]) -> bytes:
    """The RFC 6962 hash of a leaf range, from the stored nodes that `nodes_of` names."""
    hashes = [nodes[coordinate] for coordinate in nodes_of(span)]
    result = hashes.pop()
    while hashes:
        result = node_hash(hashes.pop(), result)
    return result
