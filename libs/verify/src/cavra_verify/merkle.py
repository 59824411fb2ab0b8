"""RFC 6962 Merkle trees: leaf and node hashes, the growing tree, and the checks of inclusion and consistency proofs."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
"""Root of the tree without leaves (RFC 6962, section 2.1)."""


class ProofError(ValueError):
    """A proof does not show what it should; the message says what was got and what was expected."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 || data), 32 bytes."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 || left || right), 32 bytes."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Node:
    """The root of a complete subtree: 2**level leaves from index * 2**level on. Level 0 is the leaf itself."""

    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """All that a tree needs to grow: its size and the roots of its complete subtrees, largest first."""

    size: int = 0
    roots: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> tuple["Frontier", list[Node]]:
        """The tree with one more leaf hash, and the nodes that this completes, the leaf first."""
        roots = list(self.roots)
        level, index, node = 0, self.size, leaf
        completed = [Node(0, index, leaf)]
        while index & 1:
            node = node_hash(roots.pop(), node)
            level, index = level + 1, index >> 1
            completed.append(Node(level, index, node))
        roots.append(node)
        return Frontier(self.size + 1, tuple(roots)), completed

    def root(self) -> bytes:
        """The RFC 6962 root, 32 bytes."""
        if not self.roots:
            return EMPTY_ROOT
        node = self.roots[-1]
        for left in reversed(self.roots[:-1]):
            node = node_hash(left, node)
        return node


Span = tuple[int, int]
"""Leaves [start, end) whose RFC 6962 hash stands in a proof."""


def split(size: int) -> int:
    """The largest power of two smaller than `size` (size >= 2): where RFC 6962 cuts a tree."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_path(index: int, size: int) -> list[Span]:
    """Which leaf ranges the audit path of a leaf is made of, from the leaf up (RFC 6962, section 2.1.1)."""
    if not 0 <= index < size:
        raise ProofError(f"got index {index}, expected 0 to {size - 1}")
    path: list[Span] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + split(end - start)
        if index < middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start = middle
    return path[::-1]


def consistency_path(first: int, second: int) -> list[Span]:
    """Which leaf ranges the consistency proof between two sizes is made of (RFC 6962, section 2.1.2)."""
    if not 1 <= first <= second:
        raise ProofError(f"got sizes {first} and {second}, expected 1 <= first <= second")
    path: list[Span] = []
    start, end, known = 0, second, True
    while end > first:
        middle = start + split(end - start)
        if first <= middle:
            path.append((middle, end))
            end = middle
        else:
            path.append((start, middle))
            start, known = middle, False
    if not known:
        path.append((start, end))
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> None:
    """Return if `proof` shows that `leaf` stands at `index` in the tree of `size` leaves with this root, else raise ProofError.

    RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        raise ProofError(f"got index {index} in a tree of {size}, expected an index below the size")
    _check_hashes([leaf, root, *proof])
    node, position, last = leaf, index, size - 1
    for sibling in proof:
        if last == 0:
            raise ProofError("got a longer inclusion proof than the tree is high")
        if position & 1 or position == last:
            node = node_hash(sibling, node)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            node = node_hash(node, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofError("got a shorter inclusion proof than the tree is high")
    if node != root:
        raise ProofError(f"got root {node.hex()} from the inclusion proof, expected {root.hex()}")


def verify_consistency(  # noqa: C901 the RFC's algorithm, step by step
    first: int, second: int, proof: Sequence[bytes], first_root: bytes, second_root: bytes
) -> None:
    """Return if `proof` shows that the tree of `second` leaves extends that of `first`, else raise ProofError.

    RFC 9162, section 2.1.4.2.
    """
    if not 1 <= first <= second:
        raise ProofError(f"got sizes {first} and {second}, expected 1 <= first <= second")
    _check_hashes([first_root, second_root, *proof])
    if first == second:
        if proof:
            raise ProofError("got a consistency proof between equal sizes, expected an empty one")
        if first_root != second_root:
            raise ProofError("got two roots for one size")
        return
    path = list(proof)
    if first & (first - 1) == 0:
        path.insert(0, first_root)
    if not path:
        raise ProofError("got an empty consistency proof between different sizes")
    position, last = first - 1, second - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise ProofError("got a longer consistency proof than the tree is high")
        if position & 1 or position == last:
            old, new = node_hash(sibling, old), node_hash(sibling, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, sibling)
        position, last = position >> 1, last >> 1
    if last != 0:
        raise ProofError("got a shorter consistency proof than the tree is high")
    if old != first_root:
        raise ProofError(
            f"got earlier root {old.hex()} from the consistency proof, expected {first_root.hex()}"
        )
    if new != second_root:
        raise ProofError(
            f"got later root {new.hex()} from the consistency proof, expected {second_root.hex()}"
        )


def _check_hashes(hashes: Sequence[bytes]) -> None:
    for value in hashes:
        if len(value) != HASH_SIZE:
            raise ProofError(f"got a hash of {len(value)} bytes, expected {HASH_SIZE}")
