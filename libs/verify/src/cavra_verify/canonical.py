"""RFC 8785 JSON for the closed set of values that a record may hold."""

import json
import re
from functools import lru_cache
from typing import Any

MAX_SAFE_INTEGER = 2**53 - 1
"""Largest integer that every JSON reader keeps apart from its neighbours (RFC 8785, section 3.2.2.3)."""

_ASCII_KEY = re.compile(r"[\x20-\x7e]+")


class CanonicalError(ValueError):
    """The value or the bytes are outside what a record may hold; the message says why."""


def canonical(value: Any) -> bytes:
    """Encode `value` as RFC 8785 JSON.

    Dicts with printable ASCII keys, lists, tuples, str, bool, None and integers within +-(2**53 - 1) are taken.
    Raises CanonicalError for anything else: floats have more than one plausible text, and larger integers collide in readers.
    """
    _check(value)
    return _encoded(value)


def parse(data: bytes) -> dict[str, Any]:
    """Read the canonical bytes of one record.

    Raises CanonicalError unless `data` is a JSON object, without duplicate keys, floats or wide integers, whose canonical
    encoding is `data` itself, byte for byte.
    """
    try:
        # What follows the first value is not looked at here: it shows in the encoding, as a duplicate key does.
        value, _ = (_read if _is_plain(data) else _read_strictly)(data.decode("utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise CanonicalError(
            f"got bytes that are not JSON ({type(error).__name__}), expected a JSON object"
        ) from None
    if not isinstance(value, dict):
        raise CanonicalError(f"got {type(value).__name__}, expected a JSON object")
    if _encoded(value) != data:
        raise CanonicalError("got bytes that differ from their canonical form")
    return value


# With ASCII keys, code point order is the UTF-16 order that RFC 8785 asks for; the escapes of `json` are those of RFC 8785.
_encode = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"), check_circular=False
).encode


def _encoded(value: Any) -> bytes:
    try:
        return _encode(value).encode("utf-8")
    except UnicodeEncodeError:
        raise CanonicalError("got a lone surrogate, expected Unicode text") from None
    except RecursionError:
        raise CanonicalError("got a value nested too deep") from None


def _check(value: Any) -> None:
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return
    if kind is int:
        _bound(value)
    elif kind is dict:
        for key, item in value.items():
            _check_key(key)
            _check(item)
    elif kind is list or kind is tuple:
        for item in value:
            _check(item)
    else:
        raise CanonicalError(f"got {kind.__name__}, which no record may hold")


@lru_cache(maxsize=4096, typed=True)  # Records share few keys. What is refused is not kept.
def _check_key(key: Any) -> None:
    if type(key) is not str or not _ASCII_KEY.fullmatch(key):
        raise CanonicalError("got a key that is not printable ASCII text")


def _bound(value: int) -> int:
    if not -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        raise CanonicalError("got an integer beyond 2**53 - 1")
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise CanonicalError("got a duplicate key")
    for key in document:
        _check_key(key)
    return document


@lru_cache(maxsize=4096)  # Counts, codes and sequence numbers come again and again.
def _integer(text: str) -> int:
    # Seventeen characters hold every safe integer; more would only cost time to convert.
    return _bound(int(text)) if len(text) <= 17 else _refuse_number(text)


def _refuse_number(text: str) -> Any:
    raise CanonicalError("got a number that is not a safe integer")


def _is_plain(data: bytes) -> bool:
    """Whether no key can be other than printable ASCII: then C reads all but the numbers, three times as fast."""
    return data.isascii() and b"\\" not in data and b"\x7f" not in data and b'"":' not in data


_NUMBERS: Any = {"parse_int": _integer, "parse_float": _refuse_number, "parse_constant": _refuse_number}
_read = json.JSONDecoder(**_NUMBERS).raw_decode
_read_strictly = json.JSONDecoder(object_pairs_hook=_object, **_NUMBERS).raw_decode
