"""Proofs out of stored nodes: only nodes that a log keeps are asked for, and they make the hash of the range."""

from cavra_evidence.proofs import hash_of, nodes_of
from cavra_verify.merkle import Frontier, consistency_path, inclusion_path, leaf_hash
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support import naive_merkle as naive

LEAVES = [leaf_hash(b"%d" % number) for number in range(700)]
NODES: dict[tuple[int, int], bytes] = {}
_frontier = Frontier()
for _leaf in LEAVES:
    _frontier, _completed = _frontier.append(_leaf)
    NODES |= {(node.level, node.index): node.hash for node in _completed}


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_every_range_of_a_proof_is_made_of_stored_nodes(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, len(LEAVES)))
    index, first = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size))
    for start, end in [*inclusion_path(index, size), *consistency_path(first, size), (0, size), (0, first)]:
        assert hash_of((start, end), NODES) == naive.root(LEAVES[start:end])
        assert len(nodes_of((start, end))) <= 10
