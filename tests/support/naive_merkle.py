"""RFC 6962 written down as it is defined, by recursion over whole lists: what the real tree and its proofs are held against."""

from collections.abc import Sequence
from hashlib import sha256


def leaf(data: bytes) -> bytes:
    """MTH({d}), section 2.1."""
    return sha256(b"\x00" + data).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """MTH(D[n]) over leaf hashes, section 2.1."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    cut = _cut(len(leaves))
    return sha256(b"\x01" + root(leaves[:cut]) + root(leaves[cut:])).digest()


def inclusion(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH(m, D[n]), section 2.1.1."""
    if len(leaves) == 1:
        return []
    cut = _cut(len(leaves))
    if index < cut:
        return [*inclusion(index, leaves[:cut]), root(leaves[cut:])]
    return [*inclusion(index - cut, leaves[cut:]), root(leaves[:cut])]


def consistency(first: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PROOF(m, D[n]), section 2.1.2."""
    return _subproof(first, leaves, known=True)


def _subproof(first: int, leaves: Sequence[bytes], known: bool) -> list[bytes]:
    if first == len(leaves):
        return [] if known else [root(leaves)]
    cut = _cut(len(leaves))
    if first <= cut:
        return [*_subproof(first, leaves[:cut], known), root(leaves[cut:])]
    return [*_subproof(first - cut, leaves[cut:], known=False), root(leaves[:cut])]


def _cut(size: int) -> int:
    cut = 1
    while cut * 2 < size:
        cut *= 2
    return cut
