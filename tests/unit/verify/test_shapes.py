"""A reader that knows shapes takes and refuses exactly the bytes that the one without takes and refuses."""

import json
from typing import Any

import pytest
from cavra_verify.canonical import CanonicalError, canonical, parse
from cavra_verify.kinds import BY_NOUN
from cavra_verify.shapes import Shapes
from hypothesis import example, given
from hypothesis import strategies as st

KIND = BY_NOUN["retry_plan"].kind
RECORD: dict[str, Any] = {
    "causes": [{"id": "a-1", "kind": "k"}, {"id": "a-2", "kind": "k"}],
    "chains": {"t-1": {"prev": "", "seq": 0}, "t-2": {"prev": "ab", "seq": 10}},
    "metadata_kind": KIND,
    "none": None,
    "plan": {"codes": [1, 22, 333], "dry": False, "mixed": ["a", 1], "notes": "Said so.", "of": []},
    "z": -7,
}
DATA = canonical(RECORD)


def outcome(read: Any, data: bytes) -> Any:
    """What comes of reading, in a form that tells true from 1."""
    try:
        return json.dumps(read(data))
    except CanonicalError:
        return CanonicalError


def learned() -> Shapes:
    """A reader that has seen a record."""
    shapes = Shapes()
    shapes.parse(DATA)
    return shapes


SHAPES = learned()


def agrees(data: bytes) -> None:
    """Both readers say the same of it, and the second time too."""
    assert outcome(SHAPES.parse, data) == outcome(parse, data)
    assert outcome(learned().parse, data) == outcome(parse, data)


def test_every_byte_that_could_be_another_is_told_as_before() -> None:
    for at in range(len(DATA)):
        for byte in b'\x00\n "\\,:{}[]-+.01eaz~\x7f\x80\xc3':
            agrees(DATA[:at] + bytes([byte]) + DATA[at + 1 :])
            agrees(DATA[:at] + bytes([byte]) + DATA[at:])
        agrees(DATA[:at] + DATA[at + 1 :])


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('"seq":10', '"seq":010'),
        ('"seq":10', '"seq":-0'),
        ('"seq":10', '"seq":9007199254740991'),
        ('"seq":10', '"seq":9007199254740992'),
        ('"seq":10', '"seq":10.0'),
        ('"seq":10', '"seq":1e1'),
        ('"seq":10', '"seq":10,"seq":11'),
        ("t-2", "t-1"),
        ("t-2", "t-0"),
        ("t-1", "t-2!"),
        ('"t-2"', '"t-1!"'),
        ('"t-1"', '"t-1\\u0021"'),
        ('"t-1"', '""'),
        ("[1,22,333]", "[1,22,333,]"),
        ("[1,22,333]", "[,1]"),
        ("[1,22,333]", "[1 ,2]"),
        ("[1,22,333]", "[]"),
        ("[1,22,333]", "[,]"),
        ('"of":[]', '"of":[1]'),
        ("false", "true"),
        ("false", "False"),
        ("null", "0"),
        ("Said so.", "Gesagt\u00fc"),
        ("Said so.", "\\u0041"),
        ('"z":-7', '"z":-7,"z":-7'),
        ('"z":-7', '"z":--7'),
    ],
)
def test_what_looks_alike_and_is_not_is_told_as_before(before: str, after: str) -> None:
    data = DATA.decode().replace(before, after)
    assert data.encode() != DATA
    agrees(data.encode())


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab!~ ", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
_LINKS = st.dictionaries(
    st.text("ab!~ ", min_size=1, max_size=3),
    st.fixed_dictionaries({"prev": st.text("ab", max_size=2), "seq": st.integers(0, 20)}),
    max_size=3,
)


@given(st.lists(st.tuples(_VALUES, _LINKS | _VALUES), min_size=1, max_size=4), st.data())
@example([({"a": 1}, {"a!": {"prev": "", "seq": 0}, "a": {"prev": "", "seq": 0}})], None)
def test_documents_of_any_shapes_are_read_alike(records: list[tuple[Any, Any]], draws: Any) -> None:
    shapes = Shapes()
    for value, links in records:
        data = canonical({"chains": links, "metadata_kind": KIND, "plan": value})
        assert shapes.parse(data) == parse(data) == shapes.parse(data)
        if draws is None:
            continue
        at = draws.draw(st.integers(0, len(data)))
        changed = data[:at] + draws.draw(st.binary(max_size=2)) + data[at + draws.draw(st.integers(0, 2)) :]
        assert outcome(shapes.parse, changed) == outcome(parse, changed)


def test_a_thousand_shapes_are_read_and_few_remembered() -> None:
    shapes = Shapes()
    for number in range(1000):
        data = canonical({"chains": {}, "metadata_kind": KIND, f"field-{number}": number})
        assert shapes.parse(data) == parse(data)
    assert sum(len(known) for known in shapes._known.values()) < 20
