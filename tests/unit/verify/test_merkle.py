"""The tree and its proofs against RFC 6962: published vectors, a naive tree, and everything a proof must be refused for."""

import random
from functools import cache
from hashlib import sha256

import pytest
from cavra_verify.merkle import (
    EMPTY_ROOT,
    Frontier,
    ProofError,
    consistency_path,
    inclusion_path,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import naive_merkle as naive

CT_LEAVES = [
    bytes.fromhex(text)
    for text in [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    ]
]
"""The tree that Certificate Transparency's implementations are tested with."""

CT_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]

CT_INCLUSION = [
    (0, 1, []),
    (0, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (5, 8, ["bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 3, ["fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"]),
    (1, 5, ["6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip

CT_CONSISTENCY = [
    (1, 1, []),
    (1, 8, ["96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
            "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"]),
    (6, 8, ["0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"]),
    (2, 5, ["5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"]),
]  # fmt: skip


@cache
def hashes(size: int) -> tuple[bytes, ...]:
    return tuple(leaf_hash(b"leaf %d" % number) for number in range(size))


@cache
def root_of(start: int, end: int) -> bytes:
    return naive.root(hashes(end)[start:])


def grown(leaves: list[bytes]) -> Frontier:
    frontier = Frontier()
    for leaf in leaves:
        frontier, _ = frontier.append(leaf)
    return frontier


@pytest.mark.parametrize("size", range(1, 9))
def test_roots_are_those_of_the_certificate_transparency_tree(size: int) -> None:
    frontier = grown([leaf_hash(data) for data in CT_LEAVES[:size]])
    assert frontier.root().hex() == CT_ROOTS[size - 1]
    assert frontier.size == size


@pytest.mark.parametrize(("index", "size", "proof"), CT_INCLUSION)
def test_published_inclusion_proofs_verify(index: int, size: int, proof: list[str]) -> None:
    path = [bytes.fromhex(text) for text in proof]
    assert naive.inclusion(index, [leaf_hash(data) for data in CT_LEAVES[:size]]) == path
    verify_inclusion(leaf_hash(CT_LEAVES[index]), index, size, path, bytes.fromhex(CT_ROOTS[size - 1]))


@pytest.mark.parametrize(("first", "second", "proof"), CT_CONSISTENCY)
def test_published_consistency_proofs_verify(first: int, second: int, proof: list[str]) -> None:
    path = [bytes.fromhex(text) for text in proof]
    assert naive.consistency(first, [leaf_hash(data) for data in CT_LEAVES[:second]]) == path
    roots = bytes.fromhex(CT_ROOTS[first - 1]), bytes.fromhex(CT_ROOTS[second - 1])
    verify_consistency(first, second, path, *roots)


def test_the_empty_tree_has_the_hash_of_nothing_as_root() -> None:
    assert Frontier().root() == EMPTY_ROOT == naive.root([])


def test_a_leaf_is_hashed_apart_from_a_node() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    frontier = grown([left, right])
    assert frontier.root() != leaf_hash(left + right)


@pytest.mark.parametrize("size", range(1, 131))
def test_a_growing_tree_has_the_root_and_the_nodes_of_the_whole_one(size: int) -> None:
    frontier, completed = grown(list(hashes(size - 1))).append(hashes(size)[-1])
    assert frontier.root() == root_of(0, size)
    for node in completed:
        start = node.index << node.level
        assert node.hash == root_of(start, start + (1 << node.level)), (node.level, node.index)


@pytest.mark.parametrize("size", range(1, 131))
def test_every_inclusion_proof_of_a_tree_is_that_of_the_rfc_and_verifies(size: int) -> None:
    for index in range(size):
        proof = [root_of(*span) for span in inclusion_path(index, size)]
        assert proof == naive_inclusion(index, size), (index, size)
        verify_inclusion(hashes(size)[index], index, size, proof, root_of(0, size))


def naive_inclusion(index: int, size: int) -> list[bytes]:
    # For every index of every size the plain recursion is cubic: recursion over cached ranges says the same.
    def path(start: int, end: int) -> list[bytes]:
        if end - start == 1:
            return []
        cut = start + (1 << (end - start - 1).bit_length() - 1)
        if index < cut:
            return [*path(start, cut), root_of(cut, end)]
        return [*path(cut, end), root_of(start, cut)]

    return path(0, size)


@pytest.mark.parametrize("second", range(1, 131))
def test_every_consistency_proof_of_a_tree_verifies(second: int) -> None:
    for first in range(1, second + 1):
        proof = [root_of(*span) for span in consistency_path(first, second)]
        verify_consistency(first, second, proof, root_of(0, first), root_of(0, second))


LARGEST = 2_000


@cache
def whole(start: int, end: int) -> bytes:
    """As `naive.root`, over cached halves: all trees up to the largest have some twenty thousand of them in common."""
    if end - start == 1:
        return hashes(LARGEST)[start]
    cut = start + (1 << (end - start - 1).bit_length() - 1)
    return sha256(b"\x01" + whole(start, cut) + whole(cut, end)).digest()


def test_a_tree_of_any_size_up_to_two_thousand_has_its_root_and_proofs_that_verify() -> None:
    drawn, frontier = random.Random(6962), Frontier()
    for size in range(1, LARGEST + 1):
        leaf = hashes(LARGEST)[size - 1]
        frontier, _ = frontier.append(leaf)
        root = whole(0, size)
        assert frontier.root() == root, size
        for index in {0, size - 1, drawn.randrange(size)}:
            proof = [whole(*span) for span in inclusion_path(index, size)]
            verify_inclusion(hashes(LARGEST)[index], index, size, proof, root)
        for first in {1, drawn.randrange(size) + 1}:
            proof = [whole(*span) for span in consistency_path(first, size)]
            verify_consistency(first, size, proof, whole(0, first), root)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_proofs_of_larger_trees_equal_the_naive_ones(data: st.DataObject) -> None:
    size = data.draw(st.integers(131, 2_000), label="size")
    index = data.draw(st.integers(0, size - 1), label="index")
    first = data.draw(st.integers(1, size), label="first")
    leaves = hashes(size)
    proof = [naive.root(leaves[start:end]) for start, end in inclusion_path(index, size)]
    assert proof == naive.inclusion(index, leaves)
    root = naive.root(leaves)
    verify_inclusion(leaves[index], index, size, proof, root)
    proof = [naive.root(leaves[start:end]) for start, end in consistency_path(first, size)]
    assert proof == naive.consistency(first, leaves)
    verify_consistency(first, size, proof, naive.root(leaves[:first]), root)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_tampered_proof_is_refused(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 130), label="size")
    index = data.draw(st.integers(0, size - 1), label="index")
    proof = [root_of(*span) for span in inclusion_path(index, size)]
    at = data.draw(st.integers(0, len(proof) - 1), label="at")
    byte, bit = data.draw(st.integers(0, 31)), data.draw(st.integers(0, 7))
    changed = bytearray(proof[at])
    changed[byte] ^= 1 << bit
    forged = [*proof[:at], bytes(changed), *proof[at + 1 :]]
    with pytest.raises(ProofError, match="expected"):
        verify_inclusion(hashes(size)[index], index, size, forged, root_of(0, size))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_proof_serves_one_index_and_one_size_alone(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 130), label="size")
    index = data.draw(st.integers(0, size - 1), label="index")
    other = data.draw(st.integers(0, size - 1).filter(lambda value: value != index), label="other")
    proof = [root_of(*span) for span in inclusion_path(index, size)]
    with pytest.raises(ProofError):
        verify_inclusion(hashes(size)[index], other, size, proof, root_of(0, size))
    with pytest.raises(ProofError):
        verify_inclusion(hashes(size)[other], index, size, proof, root_of(0, size))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_a_tampered_consistency_proof_is_refused(data: st.DataObject) -> None:
    second = data.draw(st.integers(2, 130), label="second")
    first = data.draw(st.integers(1, second - 1), label="first")
    proof = [root_of(*span) for span in consistency_path(first, second)]
    at = data.draw(st.integers(0, len(proof) - 1), label="at")
    forged = [*proof[:at], bytes(32), *proof[at + 1 :]]
    for wrong in (forged, proof[:-1], [*proof, bytes(32)], [*proof, proof[-1]]):
        with pytest.raises(ProofError):
            verify_consistency(first, second, wrong, root_of(0, first), root_of(0, second))
    with pytest.raises(ProofError):
        verify_consistency(first, second, proof, bytes(32), root_of(0, second))
    with pytest.raises(ProofError):
        verify_consistency(first, second, proof, root_of(0, first), bytes(32))


LEAF, ROOT = hashes(4)[0], naive.root(hashes(4))
PROOF = naive.inclusion(0, hashes(4))


@pytest.mark.parametrize(
    ("index", "size", "proof", "leaf", "root"),
    [
        pytest.param(0, 0, [], LEAF, EMPTY_ROOT, id="a tree of size 0"),
        pytest.param(0, 0, [], EMPTY_ROOT, EMPTY_ROOT, id="the empty root in a tree of size 0"),
        pytest.param(4, 4, PROOF, LEAF, ROOT, id="an index beyond the tree"),
        pytest.param(-1, 4, PROOF, LEAF, ROOT, id="a negative index"),
        pytest.param(0, -4, PROOF, LEAF, ROOT, id="a negative size"),
        pytest.param(0, 4, [], ROOT, ROOT, id="an empty path where the leaf is the root"),
        pytest.param(0, 4, PROOF[:1], LEAF, ROOT, id="a path that is too short"),
        pytest.param(0, 4, [*PROOF, PROOF[0]], LEAF, ROOT, id="a path that is too long"),
        pytest.param(0, 1, [PROOF[0]], LEAF, LEAF, id="a path in a tree of one leaf"),
        pytest.param(0, 4, [PROOF[0][:31], PROOF[1]], LEAF, ROOT, id="a sibling of 31 bytes"),
        pytest.param(0, 4, [PROOF[0] + b"\0", PROOF[1]], LEAF, ROOT, id="a sibling of 33 bytes"),
        pytest.param(0, 4, [b"", PROOF[1]], LEAF, ROOT, id="an empty sibling"),
        pytest.param(0, 4, PROOF, LEAF[:20], ROOT, id="a short leaf"),
        pytest.param(0, 4, PROOF, LEAF, ROOT[:20], id="a short root"),
        pytest.param(0, 4, PROOF[::-1], LEAF, ROOT, id="a path in the wrong order"),
    ],
)
def test_an_inclusion_proof_is_refused(
    index: int, size: int, proof: list[bytes], leaf: bytes, root: bytes
) -> None:
    with pytest.raises(ProofError):
        verify_inclusion(leaf, index, size, proof, root)


@pytest.mark.parametrize(
    ("first", "second", "proof", "first_root", "second_root"),
    [
        pytest.param(0, 4, [], EMPTY_ROOT, ROOT, id="from the empty tree"),
        pytest.param(0, 0, [], EMPTY_ROOT, EMPTY_ROOT, id="between empty trees"),
        pytest.param(4, 2, [ROOT], ROOT, ROOT, id="a tree that shrinks"),
        pytest.param(-1, 4, [ROOT], ROOT, ROOT, id="a negative size"),
        pytest.param(4, 4, [], ROOT, LEAF, id="two roots of one size"),
        pytest.param(4, 4, [ROOT], ROOT, ROOT, id="a proof where none is needed"),
        pytest.param(2, 4, [], ROOT, ROOT, id="an empty proof between different sizes"),
        pytest.param(3, 4, [], ROOT, ROOT, id="an empty proof from a size that is no power of two"),
        pytest.param(2, 4, [b""], ROOT, ROOT, id="an empty hash"),
        pytest.param(2, 4, [ROOT[:31]], ROOT, ROOT, id="a short hash"),
    ],
)
def test_a_consistency_proof_is_refused(
    first: int, second: int, proof: list[bytes], first_root: bytes, second_root: bytes
) -> None:
    with pytest.raises(ProofError):
        verify_consistency(first, second, proof, first_root, second_root)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (1, 1), (-1, 3)])
def test_there_is_no_path_to_a_leaf_outside_the_tree(index: int, size: int) -> None:
    with pytest.raises(ProofError):
        inclusion_path(index, size)


@pytest.mark.parametrize(("first", "second"), [(0, 0), (0, 3), (4, 3)])
def test_there_is_no_consistency_between_impossible_sizes(first: int, second: int) -> None:
    with pytest.raises(ProofError):
        consistency_path(first, second)
