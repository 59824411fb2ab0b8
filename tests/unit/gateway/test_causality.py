"""A trace is read in the order in which things rest on each other."""

from cavra_gateway.domain.causality import causal_order
from hypothesis import given
from hypothesis import strategies as st

graphs = st.integers(1, 12).flatmap(
    lambda size: st.tuples(
        st.lists(st.integers(0, 3), min_size=size, max_size=size),
        st.lists(st.sets(st.integers(0, size - 1), max_size=3), min_size=size, max_size=size),
    )
)


@given(graphs)
def test_every_record_stands_once_and_after_its_causes(graph: tuple[list[int], list[set[int]]]) -> None:
    times, named = graph
    keys = {str(n): (time, 0, "log", n) for n, time in enumerate(times)}
    causes = {str(n): [str(cause) for cause in some if cause < n] for n, some in enumerate(named)}
    ordered = causal_order(keys, causes)
    assert sorted(ordered) == sorted(keys)
    assert all(ordered.index(cause) < ordered.index(name) for name in keys for cause in causes[name])


def test_without_causes_the_oldest_stands_first() -> None:
    keys = {"b": (2, 0, "x", 0), "a": (1, 0, "y", 5), "c": (2, 0, "w", 9)}
    assert causal_order(keys, {}) == ["a", "c", "b"]


def test_a_clock_that_runs_behind_does_not_put_an_effect_before_its_cause() -> None:
    keys = {"effect": (1, 0, "x", 0), "cause": (9, 0, "y", 0), "other": (5, 0, "x", 1)}
    assert causal_order(keys, {"effect": ["cause", "elsewhere"]}) == ["other", "cause", "effect"]


def test_records_that_name_each_other_are_shown_last() -> None:
    keys = {"a": (1, 0, "x", 0), "b": (2, 0, "x", 1), "c": (3, 0, "x", 2)}
    assert causal_order(keys, {"a": ["b"], "b": ["a"]}) == ["c", "a", "b"]
