"""Between a record's canonical bytes and the envelope that is served: what is computed is added, and taken away again."""

from typing import Any

from cavra_verify.canonical import canonical, parse
from cavra_verify.kinds import BY_KIND
from cavra_verify.merkle import leaf_hash

COMPUTED = ("record_hash", "log")


class EnvelopeError(ValueError):
    """The bytes are no record of a known kind; the message says what is missing."""


def served(data: bytes, origin: str, index: int) -> dict[str, Any]:
    """The envelope of canonical bytes as the API serves it: with `record_hash`, `log` and the kind's own hash field.

    Raises CanonicalError or EnvelopeError for bytes that are no record.
    """
    return decorated(parse(data), leaf_hash(data).hex(), origin, index)


def decorated(document: dict[str, Any], record_hash: str, origin: str, index: int) -> dict[str, Any]:
    """`document` (a parsed record, changed in place) with its computed fields."""
    kind = BY_KIND.get(document.get("metadata_kind", ""))
    if kind is None:
        raise EnvelopeError("got an unknown metadata_kind")
    document["record_hash"] = record_hash
    document["log"] = {"origin": origin, "index": index}
    if kind.hash_field:
        document[kind.hash_field] = record_hash
        document[kind.key][kind.hash_field] = record_hash
    return document


def stripped(envelope: dict[str, Any]) -> bytes:
    """The canonical bytes of a served envelope: what its record_hash is computed over."""
    kind = BY_KIND.get(envelope.get("metadata_kind", ""))
    if kind is None:
        raise EnvelopeError("got an unknown metadata_kind")
    dropped = {*COMPUTED, kind.hash_field}
    document = {name: value for name, value in envelope.items() if name not in dropped}
    if kind.hash_field:
        document[kind.key] = {
            name: value for name, value in envelope[kind.key].items() if name != kind.hash_field
        }
    return canonical(document)
