"""Canonical bytes known by their shape: what was parsed and encoded again once tells of all its like by a single match.

A shape is the bytes of a document with every text and number left open, and every list of likes of any length. Its keys stand as they
stood in canonical bytes, each once and in order, so whatever matches is canonical too.
"""

import json
import re
from itertools import pairwise
from typing import Any, Final

from cavra_verify.canonical import parse
from cavra_verify.kinds import KINDS

_MOST: Final = 8
"""Shapes of one kind, and how long each may be: what goes beyond is read without."""
_LONGEST: Final = 32_000
_HINT: Final = re.compile(rb'"metadata_kind":"([a-z-]{1,100})"')

# Printable ASCII but for what has to be escaped, and integers that are safe whatever their digits.
_TEXT: Final = rb'"[ !#-\[\]-~]*+"'
_INTEGER: Final = rb"(?:0|-?[1-9][0-9]{0,14}+)"

_LINKS: Final = "chains"
_LINK_KEY: Final = re.compile(rb'"([ !#-\[\]-~]++)":\{')
_LINKS_SHAPE: Final = (
    rb'\{(?:"[ !#-\[\]-~]++":\{"prev":' + _TEXT + b',"seq":' + _INTEGER + rb"\}(?:,(?!\})|(?=\})))*+\}"
)

_decode = json.JSONDecoder().decode


class Shapes:
    """The shapes that were seen; one reader's, of one log or many."""

    def __init__(self) -> None:
        self._known: dict[bytes, list[re.Pattern[bytes]]] = {kind.kind.encode(): [] for kind in KINDS}

    def parse(self, data: bytes) -> dict[str, Any]:
        """As `canonical.parse`, for all bytes; faster for those of a shape that was seen. Raises CanonicalError."""
        hint = _HINT.search(data)
        known = self._known.get(hint[1] if hint else b"", [])
        for shape in known:
            found = shape.fullmatch(data)
            if found and _in_order(found["links"]):
                document: dict[str, Any] = _decode(data.decode("ascii"))
                return document
        document = parse(data)
        if len(known) < _MOST and isinstance(document.get(_LINKS), dict):
            pattern = _shape(document)
            if len(pattern) <= _LONGEST:
                known.append(re.compile(pattern))
        return document


def _in_order(links: bytes) -> bool:
    if links.count(b":{") < 2:
        return True
    keys = _LINK_KEY.findall(links)
    return all(before < after for before, after in pairwise(keys))


def _shape(document: dict[str, Any]) -> bytes:
    """The shape of a record: its links are a list of likes too, under keys that are looked at apart."""
    members = (
        _escaped(name) + (b":(?P<links>" + _LINKS_SHAPE + b")" if name == _LINKS else b":" + _pattern(value))
        for name, value in document.items()
    )
    return rb"\{" + b",".join(members) + rb"\}"


def _pattern(value: Any) -> bytes:
    match value:
        case str():
            return _TEXT
        case bool():
            return b"(?:true|false)"
        case int():
            return _INTEGER
        case list():
            likes = list(dict.fromkeys(_pattern(item) for item in value))
            return (
                _repeated(likes[0]) if len(likes) == 1 else rb"\[" + b",".join(map(_pattern, value)) + rb"\]"
            )
        case dict():
            members = (_escaped(key) + b":" + _pattern(item) for key, item in value.items())
            return rb"\{" + b",".join(members) + rb"\}"
    return b"null"


def _escaped(key: str) -> bytes:
    return re.escape(json.dumps(key).encode())


def _repeated(item: bytes) -> bytes:
    return rb"\[(?:" + item + rb"(?:,(?!\])|(?=\])))*+\]"
