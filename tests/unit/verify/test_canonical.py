"""Canonical bytes: three encoders agree on every document, and a reader takes nothing but the canonical form."""

import json
from typing import Any

import pytest
import rfc8785
from cavra_evidence.log import encoded
from cavra_verify.canonical import MAX_SAFE_INTEGER, CanonicalError, canonical, parse
from hypothesis import given, settings
from hypothesis import strategies as st

KEYS = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), min_size=1, max_size=12)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-MAX_SAFE_INTEGER, MAX_SAFE_INTEGER)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
)
VALUES = st.recursive(
    SCALARS,
    lambda children: st.lists(children, max_size=6) | st.dictionaries(KEYS, children, max_size=6),
    max_leaves=20,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=10)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS)
def test_all_encoders_agree_with_rfc_8785(document: dict[str, Any]) -> None:
    reference = rfc8785.dumps(document)
    assert canonical(document) == reference
    assert encoded(document) == reference


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS)
def test_what_was_encoded_is_read_back(document: dict[str, Any]) -> None:
    assert parse(canonical(document)) == document


@settings(max_examples=100, deadline=None)
@given(DOCUMENTS.filter(bool), st.data())
def test_another_layout_of_the_same_document_is_refused(
    document: dict[str, Any], data: st.DataObject
) -> None:
    layouts: list[dict[str, Any]] = [{"indent": 1}, {"separators": (", ", ":")}, {"separators": (",", ": ")}]
    layout = data.draw(st.sampled_from(layouts), label="layout")
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, **layout).encode()
    if text != canonical(document):
        with pytest.raises(CanonicalError):
            parse(text)


def test_control_characters_are_escaped_as_the_rfc_says() -> None:
    text = "".join(map(chr, range(0x20))) + '"\\\x7f\u2028\U0001f600'
    assert canonical({"a": text}) == rfc8785.dumps({"a": text}) == encoded({"a": text})


@pytest.mark.parametrize("value", [MAX_SAFE_INTEGER, -MAX_SAFE_INTEGER])
def test_the_widest_safe_integers_are_kept(value: int) -> None:
    assert parse(canonical({"n": value})) == {"n": value}


@pytest.mark.parametrize(
    "value",
    [
        1.0,
        0.5,
        float("nan"),
        2**53,
        -(2**53),
        10**30,
        b"bytes",
        {1: "x"},
        {"é": 1},
        {"": 1},
        {"\n": 1},
        {"a": {1, 2}},
        frozenset(),
    ],
    ids=repr,
)
def test_what_no_record_may_hold_is_not_encoded(value: Any) -> None:
    with pytest.raises(CanonicalError):
        canonical({"a": value} if not isinstance(value, dict) else value)


@pytest.mark.parametrize("text", ["\ud800", "\udc00x", "a\ud83d"])
def test_a_lone_surrogate_is_not_encoded(text: str) -> None:
    with pytest.raises(CanonicalError):
        canonical({"a": text})


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b'{"a":1,"a":1}', id="a duplicate key"),
        pytest.param(b'{"a":{"b":1,"b":2}}', id="a duplicate key further down"),
        pytest.param(b'{"a":1.0}', id="a float"),
        pytest.param(b'{"a":1e2}', id="an exponent"),
        pytest.param(b'{"a":-0}', id="minus zero"),
        pytest.param(b'{"a":01}', id="a leading zero"),
        pytest.param(b'{"a":9007199254740992}', id="2**53"),
        pytest.param(b'{"a":-9007199254740992}', id="-2**53"),
        pytest.param(b'{"a":' + b"9" * 5000 + b"}", id="a number of 5,000 digits"),
        pytest.param(b'{"a":NaN}', id="NaN"),
        pytest.param(b'{"a":Infinity}', id="Infinity"),
        pytest.param(b'{"a": 1}', id="a space"),
        pytest.param(b'{"a":1}\n', id="a line end"),
        pytest.param(b' {"a":1}', id="a leading space"),
        pytest.param(b'{"b":1,"a":1}', id="keys out of order"),
        pytest.param(b'{"a":"\\u0041"}', id="a needless escape"),
        pytest.param(b'{"a":"\\/"}', id="an escaped slash"),
        pytest.param(b'{"a":"\\u001F"}', id="an upper-case escape"),
        pytest.param(b'{"a":"\\ud800"}', id="a lone surrogate"),
        pytest.param(b'{"a":"\\ud83d\\ude00"}', id="a surrogate pair as escapes"),
        pytest.param(b'{"a":"\xed\xa0\x80"}', id="a surrogate in UTF-8"),
        pytest.param(b'{"a":"\xff"}', id="no UTF-8"),
        pytest.param(b'\xef\xbb\xbf{"a":1}', id="a byte order mark"),
        pytest.param('{"é":1}'.encode(), id="a key that is not ASCII"),
        pytest.param(b'{"":1}', id="an empty key"),
        pytest.param(b'{"\\n":1}', id="a control character in a key"),
        pytest.param(b"[1]", id="a list"),
        pytest.param(b"1", id="a number"),
        pytest.param(b"null", id="null"),
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"a":1}{"a":1}', id="two documents"),
        pytest.param(b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep nesting"),
        pytest.param(b'{"a":' * 100_000 + b"1" + b"}" * 100_000, id="deep nesting of objects"),
    ],
)
def test_bytes_that_are_not_canonical_are_refused(data: bytes) -> None:
    with pytest.raises(CanonicalError) as refused:
        parse(data)
    assert len(str(refused.value)) < 120, "a refusal does not echo what it was given"
