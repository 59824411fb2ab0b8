"""A second reader of logs, written from RFC 6962, C2SP signed-note, tlog-checkpoint and tlog-tiles alone: it shares no code with ours.

It asks for nothing but a checkpoint, tiles and entries, as any reader of such a log does, and works every hash out from them.
"""

import base64
from collections.abc import Awaitable, Callable
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

Fetch = Callable[[str], Awaitable[bytes]]
"""(path below the log's prefix) -> the bytes there."""


def verified_note(note: str, vkey: str) -> str:
    """The text of a signed note (C2SP signed-note), if the key of `vkey` signed it. Raises ValueError or InvalidSignature."""
    name, key_id, encoded = vkey.split("+", 2)
    material = base64.b64decode(encoded, validate=True)
    assert material[0] == 1, "not an Ed25519 key"
    assert sha256(name.encode() + b"\n" + material).digest()[:4].hex() == key_id
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        mark, signer, signature = line.split(" ")
        blob = base64.b64decode(signature, validate=True)
        if (mark, signer, blob[:4].hex()) == ("—", name, key_id):
            Ed25519PublicKey.from_public_bytes(material[1:]).verify(blob[4:], text.encode())
            return text
    raise ValueError("no signature by that key")


def vkey_of(name: str, public: bytes) -> str:
    """The verifier key of a raw Ed25519 public key."""
    material = b"\x01" + public
    key_id = sha256(name.encode() + b"\n" + material).digest()[:4].hex()
    return f"{name}+{key_id}+{base64.b64encode(material).decode()}"


class LogReader:
    """A log's tree as its tiles of one signed size show it."""

    def __init__(self, fetch: Fetch, note: str, vkey: str) -> None:
        origin, size, root, *extensions = verified_note(note, vkey).splitlines()
        assert extensions == []
        assert size == str(int(size))
        self.origin, self.size, self.root = origin, int(size), base64.b64decode(root, validate=True)
        self._fetch = fetch
        self._tiles: dict[tuple[int, int], list[bytes]] = {}

    async def entry(self, index: int) -> bytes:
        """One entry, once its bundle agrees with the leaf hashes."""
        width = self._width(0, index // 256)
        bundle = await self._fetch("tile/entries/" + _number(index // 256, width))
        entries = []
        while bundle:
            length = int.from_bytes(bundle[:2], "big")
            entries.append(bundle[2 : 2 + length])
            bundle = bundle[2 + length :]
        assert [sha256(b"\x00" + entry).digest() for entry in entries] == await self._tile(0, index // 256)
        return entries[index % 256]

    async def check_root(self) -> None:
        """The tiles are those of the signed root."""
        assert await self.hash(0, self.size) == self.root

    async def inclusion(self, index: int) -> list[bytes]:
        """PATH(index, D[size]): RFC 6962, section 2.1.1."""
        proof: list[bytes] = []
        first, last = 0, self.size
        while last - first > 1:
            cut = first + _cut(last - first)
            if index < cut:
                proof.insert(0, await self.hash(cut, last))
                last = cut
            else:
                proof.insert(0, await self.hash(first, cut))
                first = cut
        return proof

    async def hash(self, first: int, last: int) -> bytes:
        """MTH(D[first:last]): RFC 6962, section 2.1, for the ranges that proofs are made of."""
        count = last - first
        if count == 0:
            return sha256(b"").digest()
        level = 0
        # A hash of a tile is the root of 256**level entries, where they are all there.
        while count >= (1 << 8 * (level + 1)) and first % (1 << 8 * (level + 1)) == 0:
            level += 1
        span = 1 << 8 * level
        if count == span:
            tile = await self._tile(level, first // span // 256)
            return tile[first // span % 256]
        cut = first + _cut(count)
        left, right = await self.hash(first, cut), await self.hash(cut, last)
        return sha256(b"\x01" + left + right).digest()

    def _width(self, level: int, index: int) -> int:
        return min(256, (self.size >> 8 * level) - index * 256)

    async def _tile(self, level: int, index: int) -> list[bytes]:
        if (level, index) not in self._tiles:
            width = self._width(level, index)
            data = await self._fetch(f"tile/{level}/" + _number(index, width))
            assert len(data) == 32 * width
            self._tiles[level, index] = [data[at : at + 32] for at in range(0, len(data), 32)]
        return self._tiles[level, index]


def check_inclusion(leaf: bytes, index: int, size: int, proof: list[bytes], root: bytes) -> None:
    """An audit path leads from a leaf to a root: RFC 6962, section 2.1.1, by recursion."""
    assert _climb(leaf, index, size, list(proof)) == root


def _climb(leaf: bytes, index: int, size: int, proof: list[bytes]) -> bytes:
    if size == 1:
        assert proof == []
        return leaf
    cut, sibling = _cut(size), proof.pop()
    if index < cut:
        return sha256(b"\x01" + _climb(leaf, index, cut, proof) + sibling).digest()
    return sha256(b"\x01" + sibling + _climb(leaf, index - cut, size - cut, proof)).digest()


def check_consistency(first: int, second: int, proof: list[bytes], old: bytes, new: bytes) -> None:
    """A proof shows that one root's tree begins with another's: RFC 6962, section 2.1.2, by recursion."""
    left = list(proof)
    assert _both(first, second, left, old, known=True) == (old, new)
    assert left == []


def _both(first: int, second: int, proof: list[bytes], old: bytes, known: bool) -> tuple[bytes, bytes]:
    """The roots of the first and of all leaves, taking the proof from its end."""
    if first == second:
        value = old if known else proof.pop()
        return value, value
    cut, sibling = _cut(second), proof.pop()
    if first <= cut:
        before, after = _both(first, cut, proof, old, known)
        return before, sha256(b"\x01" + after + sibling).digest()
    before, after = _both(first - cut, second - cut, proof, old, known=False)
    return sha256(b"\x01" + sibling + before).digest(), sha256(b"\x01" + sibling + after).digest()


def _cut(size: int) -> int:
    """The largest power of two smaller than `size`."""
    return 1 << (size - 1).bit_length() - 1


def _number(index: int, width: int) -> str:
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    path = "/".join([*("x" + group for group in groups[:-1]), groups[-1]])
    return path if width == 256 else f"{path}.p/{width}"
