"""The bundle: one self-contained file of all that a delivery's chain left in the logs, with the proofs that it stands there.

Building is pure (bytes in, bytes out), reading is strict and bounded. Neither judges: what a bundle shows is for `verify` to say. Layout:

    {"schema_version", "trace_id", "logs": [
        {"origin", "checkpoint": signed note,
         "head": {"tree_size", "count", "record_hash", "signature"},       the log's signed word on where the trace's chain ends
         "earlier": [{"size", "root", "proof": [place]}],                  consistency from heads that somebody may have kept
         "hashes": [base64],                                               the nodes of all proofs of this log, sorted, each once
         "records": [{"index", "bytes", "signature", "proof": [place]}]}]} place: where a hash stands in "hashes"

All of it is canonical JSON, so one chain has one file. A record that is not of the trace itself is there because one that is names it as
a cause. What was permitted needs no part of its own: a permit is made up again from its intent, and the delivery's record has its hash.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeVar

from cavra_verify.canonical import CanonicalError, canonical, parse
from cavra_verify.grammar import BOUNDS
from cavra_verify.kinds import kind_of_id
from cavra_verify.merkle import HASH_SIZE

BUNDLE_SCHEMA: Final = "cavra.bundle.v1"
MOST_BYTES: Final = 64 * 1024 * 1024
_MOST_LOGS: Final = 8
MOST_RECORDS: Final = 20_000
"""Of one log."""
MOST_EARLIER: Final = 8
"""Sizes of one log that consistency is shown from."""
_MOST_NODES: Final = 128
"""Of one proof: more than any tree of 2**63 leaves asks for."""

T = TypeVar("T")


class BundleError(ValueError):
    """The file is no bundle; the message names the place, what was got and what was expected."""


@dataclass(frozen=True, slots=True)
class Shown:
    """One record as its log holds it."""

    index: int
    canonical: bytes
    signature: bytes
    """Empty on a kind that is not signed."""
    proof: tuple[bytes, ...]
    """Inclusion in the tree of the log's checkpoint."""


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A trace head (`heads.TraceHead`, less what the bundle says anyway) and the log's signature of it."""

    tree_size: int
    count: int
    record_hash: str
    signature: bytes


@dataclass(frozen=True, slots=True)
class Earlier:
    """That the log's checkpoint extends an earlier head."""

    size: int
    root: bytes
    proof: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class LogPart:
    """What one log has to show."""

    origin: str
    checkpoint: str
    """Signed note, with the log's own signature alone."""
    head: SignedHead
    records: tuple[Shown, ...]
    """In log order."""
    earlier: tuple[Earlier, ...] = ()


@dataclass(frozen=True, slots=True)
class Bundle:
    """One delivery's chain across the logs."""

    trace_id: str
    logs: tuple[LogPart, ...]
    """By origin."""


def causes_to_add(records: Iterable[bytes], trace_id: str) -> dict[str, list[str]]:
    """Ids of the records, by service, that those of the trace name as causes and that are not among `records` (canonical bytes).

    Who collects a bundle asks each service for these. Raises CanonicalError for bytes that are no record.
    """
    held: set[str] = set()
    named: dict[str, None] = {}
    for data in records:
        document = parse(data)
        held.add(document["session_id"])
        if trace_id in document["trace_ids"]:
            named.update((cause["id"], None) for cause in document["causes"])
    wanted: dict[str, list[str]] = {}
    for record_id in named:
        kind = kind_of_id(record_id)
        if kind is not None and kind.log and record_id not in held:
            wanted.setdefault(kind.log, []).append(record_id)
    return wanted


def build(bundle: Bundle) -> bytes:
    """The file. The same logs at the same heads give the same bytes, in whatever order they were collected."""
    logs = [_log_out(log) for log in sorted(bundle.logs, key=lambda log: log.origin)]
    return canonical({"schema_version": BUNDLE_SCHEMA, "trace_id": bundle.trace_id, "logs": logs})


def _log_out(log: LogPart) -> dict[str, Any]:
    proofs = [*(one.proof for one in log.records), *(one.proof for one in log.earlier)]
    hashes = sorted({node for proof in proofs for node in proof})
    place = {node: at for at, node in enumerate(hashes)}
    return {
        "origin": log.origin,
        "checkpoint": log.checkpoint,
        "head": {
            "tree_size": log.head.tree_size,
            "count": log.head.count,
            "record_hash": log.head.record_hash,
            "signature": _encoded(log.head.signature),
        },
        "earlier": [
            {"size": one.size, "root": _encoded(one.root), "proof": [place[node] for node in one.proof]}
            for one in sorted(log.earlier, key=lambda one: one.size)
        ],
        "hashes": [_encoded(node) for node in hashes],
        "records": [
            {
                "index": one.index,
                "bytes": one.canonical.decode(),
                "signature": _encoded(one.signature),
                "proof": [place[node] for node in one.proof],
            }
            for one in sorted(log.records, key=lambda one: one.index)
        ],
    }


def read(data: bytes) -> Bundle:
    """The bundle in a file. Raises BundleError for anything that `build` would not have written."""
    if len(data) > MOST_BYTES:
        raise BundleError(f"got {len(data)} bytes, expected at most {MOST_BYTES}")
    try:
        document = parse(data)
    except CanonicalError as error:
        raise BundleError(str(error)) from None
    fields = _fields(document, ("schema_version", "trace_id", "logs"), "bundle")
    if fields["schema_version"] != BUNDLE_SCHEMA:
        raise BundleError(f"bundle.schema_version: got another, expected {BUNDLE_SCHEMA}")
    logs = _each(fields["logs"], _log_in, _MOST_LOGS, "bundle.logs")
    _check_rising([log.origin for log in logs], "bundle.logs")
    return Bundle(_text(fields["trace_id"], "bundle.trace_id", 128), logs)


def _log_in(value: Any, where: str) -> LogPart:
    names = ("origin", "checkpoint", "head", "earlier", "hashes", "records")
    fields = _fields(value, names, where)
    hashes = _each(fields["hashes"], _hash, MOST_RECORDS * 64, f"{where}.hashes")
    _check_rising(hashes, f"{where}.hashes")
    used: set[int] = set()

    def proof(places: Any, at: str) -> tuple[bytes, ...]:
        found = _each(places, _count, _MOST_NODES, at)
        used.update(found)
        if found and max(found) >= len(hashes):
            raise BundleError(f"{at}: got a place beyond the hashes")
        return tuple(hashes[one] for one in found)

    def earlier(one: Any, at: str) -> Earlier:
        inner = _fields(one, ("size", "root", "proof"), at)
        root = _hash(inner["root"], f"{at}.root")
        return Earlier(_count(inner["size"], f"{at}.size"), root, proof(inner["proof"], f"{at}.proof"))

    def record(one: Any, at: str) -> Shown:
        inner = _fields(one, ("index", "bytes", "signature", "proof"), at)
        text = _text(inner["bytes"], f"{at}.bytes", BOUNDS["record_bytes"]).encode()
        if len(text) > BOUNDS["record_bytes"]:
            raise BundleError(f"{at}.bytes: got {len(text)} bytes, expected {BOUNDS['record_bytes']} at most")
        return Shown(
            _count(inner["index"], f"{at}.index"),
            text,
            _decoded(inner["signature"], f"{at}.signature", (0, 64)),
            proof(inner["proof"], f"{at}.proof"),
        )

    part = LogPart(
        _text(fields["origin"], f"{where}.origin", 256),
        _text(fields["checkpoint"], f"{where}.checkpoint", 4096),
        _head(fields["head"], f"{where}.head"),
        _each(fields["records"], record, MOST_RECORDS, f"{where}.records"),
        _each(fields["earlier"], earlier, MOST_EARLIER, f"{where}.earlier"),
    )
    _check_rising([one.index for one in part.records], f"{where}.records")
    _check_rising([one.size for one in part.earlier], f"{where}.earlier")
    if len(used) != len(hashes):
        raise BundleError(f"{where}.hashes: got a hash that no proof needs")
    return part


def _head(value: Any, where: str) -> SignedHead:
    fields = _fields(value, ("tree_size", "count", "record_hash", "signature"), where)
    return SignedHead(
        _count(fields["tree_size"], f"{where}.tree_size"),
        _count(fields["count"], f"{where}.count"),
        _text(fields["record_hash"], f"{where}.record_hash", 64),
        _decoded(fields["signature"], f"{where}.signature", (64,)),
    )


def _fields(value: Any, names: Sequence[str], where: str) -> Mapping[str, Any]:
    if type(value) is not dict or value.keys() != set(names):
        raise BundleError(f"{where}: got something else than an object of {', '.join(names)}")
    return value


def _each(value: Any, read_one: Callable[[Any, str], T], most: int, where: str) -> tuple[T, ...]:
    if type(value) is not list or len(value) > most:
        raise BundleError(f"{where}: got something else than a list of at most {most}")
    return tuple(read_one(one, f"{where}[{at}]") for at, one in enumerate(value))


def _text(value: Any, where: str, most: int) -> str:
    if type(value) is not str or len(value) > most:
        raise BundleError(f"{where}: got something else than a text of at most {most} characters")
    return value


def _count(value: Any, where: str) -> int:
    if type(value) is not int or value < 0:
        raise BundleError(f"{where}: got something else than a whole number from 0 on")
    return value


def _hash(value: Any, where: str) -> bytes:
    return _decoded(value, where, (HASH_SIZE,))


def _decoded(value: Any, where: str, sizes: tuple[int, ...]) -> bytes:
    try:
        decoded = base64.b64decode(_text(value, where, 128), validate=True)
    except (binascii.Error, ValueError) as error:
        raise BundleError(f"{where}: got no base64 ({type(error).__name__})") from None
    # base64 has unused bits: one value must have one text.
    if len(decoded) not in sizes or _encoded(decoded) != value:
        raise BundleError(f"{where}: got something else than {sizes[-1]} bytes in base64")
    return decoded


def _encoded(value: bytes) -> str:
    return base64.b64encode(value).decode()


def _check_rising(values: Sequence[Any], where: str) -> None:
    if any(before >= after for before, after in pairwise(values)):
        raise BundleError(f"{where}: got them out of order or twice")
