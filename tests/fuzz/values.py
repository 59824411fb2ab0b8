"""Values that break programs, and a generator of requests that are wrong in a few places."""

import json
import random
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final
from urllib.parse import quote

TEXTS: Final[Sequence[str]] = (
    "", " ", "\t\n", "\x00", "a\x00b", "\x1b[31m", "\x7f", "\u0085", "\u200b", "\u202eabc", "\ufeff", "\ufffd", "\uffff",
    "\ud800", "\udfff", "\ud83d", "\ude00\ud83d", "\U0010ffff", "\U0001f600" * 40, "e\u0301" * 60, "\u0130", "\u1e9e", "\u00df",
    "x" * 64, "x" * 65, "x" * 128, "x" * 129, "x" * 256, "x" * 257, "x" * 2000, "x" * 2001, "\u00e9" * 2000, "x" * 70_000,
    "null", "true", "NaN", "Infinity", "-1", "0x10", "1e3", "1_000", "\u0661\u0662", "\uff11", "[]", "{}", "undefined",
    "' OR '1'='1", "'; DROP TABLE records; --", "%", "_", "%s%n", "{0}", "${jndi:ldap://x}", "../../etc/passwd", "..", ".", "/", "//",
    "\\",
    "<script>", "a,b", ",", ",,,", "all", "ALL", " All ", "webhook", "broken", "WEBHOOK", "webhook,broken", "webhook,webhook",
    "nobody", "a=b", "a:b",
    "OPS-1", "https://example.com/a", "https://user:pw@example.com/", "https://example.com/?q=1", "http://[::1",
    "https://\u00e4.example/", "file:///x",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345", "Bearer eyJhbGciOiJub25lIn0.e30.", "-----BEGIN PRIVATE KEY-----",
    "2026-11-23T09:30:00Z", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-13-01", "2026-11-23T24:00:00Z",
    "2026-11-23T09:30:00.1234567Z",
    "20261123", "2026-W47-1", "2026-11-23 09:30", "2026-11-23T09:30:60Z", "2026-11-23T09:30:00+25:00", "0000-00-00", "-0001-01-01",
    "acknowledged", "ACCEPTED", "resolved", "approved", "denied", "deferred", "escalated", "revoked", "expired", "mitigated",
    "reopened", "delivered",
    "not-delivered", "on-demand", "daily", "0" * 64, "f" * 64, "F" * 64, "f" * 63,
)  # fmt: skip
NUMBERS: Final[Sequence[Any]] = (
    0, -1, 1, 2, 3, 10, 11, 25, 26, 60, 100, 101, 120, 121, 500, 501, 10_000, 10_001, 2**31 - 1, 2**31, -(2**31), -(2**31) - 1, 2**32,
    2**53 - 1,
    2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, 2**63, 2**64, -(2**63) - 1, 10**40, 10**400, 0.0, -0.0, 0.5, 1.5, 1.001, 1.0005, 1e-7,
    1e15, 1e16, 1e21, 1e308,
    5e-324, float("nan"), float("inf"), float("-inf"),
)  # fmt: skip
OTHERS: Final[Sequence[Any]] = (
    None,
    True,
    False,
    [],
    {},
    [[]],
    [None],
    {"": 1},
    {"a": {"b": []}},
    [{}],
    ["webhook"],
    {"\ud800": 1},
    {"\x00": 1},
)
_ALIKE: Final[Mapping[type, Sequence[Any]]] = {
    str: TEXTS,
    bool: (True, False),
    int: [one for one in NUMBERS if isinstance(one, int)],
    float: NUMBERS,
}
"""Of a value's own type, so that the change is seen where its meaning is."""
KEYS: Final[Sequence[str]] = (
    "id",
    "",
    "\x00",
    "__proto__",
    "constructor",
    "x" * 300,
    "\ud800",
    "actor",
    "signer",
    "Provider",
    "provider ",
    "a.b",
    "$ref",
)


def deep(levels: int, *, lists: bool = False) -> Any:
    """A value in a value, so many times."""
    found: Any = 1
    for _ in range(levels):
        found = [found] if lists else {"a": found}
    return found


def odd(rng: random.Random) -> Any:
    """Any value."""
    kind = rng.random()
    if kind < 0.5:
        return rng.choice(TEXTS)
    if kind < 0.75:
        return rng.choice(NUMBERS)
    if kind < 0.95:
        return deepcopy(rng.choice(OTHERS))
    return deep(rng.choice((5, 20, 31, 32, 33, 64, 99, 101, 200)), lists=rng.random() < 0.5)


def spoiled(document: Any, rng: random.Random, changes: int) -> Any:
    """The document with so many changes, each at some place in it."""
    document = deepcopy(document)
    for _ in range(changes):
        holder = rng.choice(_holders(document))
        if isinstance(holder, list):
            _spoil_list(holder, rng)
        else:
            _spoil_object(holder, rng)
    return document


def _holders(value: Any) -> list[Any]:
    found = []
    if isinstance(value, dict | list):
        found.append(value)
        for item in value.values() if isinstance(value, dict) else value:
            found += _holders(item)
    return found


def _spoil_object(holder: dict[str, Any], rng: random.Random) -> None:
    how = rng.random()
    if how < 0.1 or not holder:
        holder[rng.choice(KEYS)] = odd(rng)
        return
    name = rng.choice(sorted(holder))
    if how < 0.2:
        del holder[name]
    elif how < 0.25:
        holder[rng.choice((name.upper(), name + " ", name + "\x00"))] = holder.pop(name)
    elif how < 0.75 and (others := _ALIKE.get(type(holder[name]))):
        holder[name] = rng.choice(others)
    else:
        holder[name] = odd(rng)


def _spoil_list(holder: list[Any], rng: random.Random) -> None:
    if holder and rng.random() < 0.5:
        holder[rng.randrange(len(holder))] = odd(rng)
    else:
        holder.extend(deepcopy(holder) * rng.choice((1, 1, 1, 99, 120)) or [odd(rng)])


_LONGEST: Final = 200_000
"""Of a body: the largest that is read is tried elsewhere."""


def encoded(document: Any, rng: random.Random) -> bytes:
    """A body: mostly JSON."""
    text = json.dumps(document, ensure_ascii=rng.random() < 0.7)[:_LONGEST]
    if rng.random() < 0.9:
        return text.encode("utf-8", "surrogatepass")
    return rng.choice(_SPOILERS)(text, rng)


def _twice(text: str, rng: random.Random) -> bytes:
    return text.replace("{", '{"provider": "webhook", "force": true, "provider": "broken", ', 1).encode(
        "utf-8", "replace"
    )


def _cut(text: str, rng: random.Random) -> bytes:
    return text.encode("utf-8", "replace")[: rng.randrange(len(text))]


def _flipped(text: str, rng: random.Random) -> bytes:
    raw = bytearray(text.encode("utf-8", "replace"))
    for _ in range(rng.choice((1, 1, 3, 10))):
        raw[rng.randrange(len(raw))] = rng.randrange(256)
    return bytes(raw)


def _number(text: str, rng: random.Random) -> bytes:
    written = rng.choice(
        (
            "1e400",
            "-1e400",
            "1E5",
            "1.0",
            "01",
            "+1",
            ".5",
            "1.",
            "0x1",
            "1e",
            "--1",
            "9" * 5000,
            "1e-400",
            "1" + "0" * 50 + ".5",
        )
    )
    return ('{"retries": ' + written + "}").encode()


_SPOILERS: Final[Sequence[Callable[[str, random.Random], bytes]]] = (
    _twice, _cut, _flipped, _number,
    lambda text, rng: text.encode("utf-16", "surrogatepass"),
    lambda text, rng: text.encode("utf-16-le", "surrogatepass"),
    lambda text, rng: text.encode("utf-16-be", "surrogatepass"),
    lambda text, rng: text.encode("utf-32", "surrogatepass"),
    lambda text, rng: b"\xef\xbb\xbf" + text.encode("utf-8", "replace"),
    lambda text, rng: text.encode("utf-8", "replace") + rng.choice((b"\x00", b"{}", b" x", b"\n\n", b",")),
    lambda text, rng: rng.choice((b"[" * 100_000, b'{"a":' * 100_000, b"null", b"0", b'""', b"[]", b"true", b"\x00", b"\xff\xfe",
    b"nul", b"{", b"'a'")),
)  # fmt: skip


def query(names: Sequence[str], known: Callable[[str], str], rng: random.Random) -> str:
    """A query string of some of the names, some of them twice, with odd values among good ones."""
    parts = []
    for _ in range(rng.choice((0, 1, 1, 2, 2, 3, 6))):
        name = rng.choice([*names, "unknown", "limit"])
        value = (
            known(name)
            if rng.random() < 0.4
            else str(rng.choice(TEXTS) if rng.random() < 0.6 else rng.choice(NUMBERS))
        )
        parts.append(f"{quote(name)}={escaped(value[:3000], rng)}")
    return rng.choice(("&", "&", "&", "&&", ";")).join(parts)


def escaped(text: str, rng: random.Random) -> str:
    """As part of a URL; now and then with bytes that are no UTF-8."""
    if rng.random() < 0.05:
        text += rng.choice(("%FF", "%C0%80", "%ED%A0%80", "%", "%zz", "%u0041", "%00"))
        return quote(text.encode("utf-8", "surrogatepass"), safe="%")
    return quote(text.encode("utf-8", "surrogatepass"), safe="")
