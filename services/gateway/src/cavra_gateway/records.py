"""Records as they came, into the envelopes that are served."""

from typing import Any

import orjson
from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_service.errors import Refused
from cavra_verify.envelope import EnvelopeError, decorated
from cavra_verify.kinds import BY_KIND
from cavra_verify.merkle import leaf_hash

Json = dict[str, Any]


def envelope(record: pb.Record) -> Json:
    """The record's metadata envelope with what is computed from its bytes.

    The hash is recomputed. Raises Refused `service_unavailable` for bytes that are not what their service says they are: such a record
    is not served.
    """
    digest = leaf_hash(record.canonical)
    if digest != record.record_hash:
        raise Refused("service_unavailable", "a record's bytes do not have the hash that its service states")
    try:
        return decorated(orjson.loads(record.canonical), digest.hex(), record.origin, record.index)
    except (orjson.JSONDecodeError, EnvelopeError):
        raise Refused("service_unavailable", "a record is of no known kind") from None


def full(served: Json) -> Json:
    """The full record in its envelope."""
    record: Json = served[BY_KIND[served["metadata_kind"]].key]
    return record


def parts(record: pb.Record) -> tuple[Json, Json]:
    """(full record, envelope)."""
    served = envelope(record)
    return full(served), served


def optional_parts(message: Any, field: str) -> tuple[Json | None, Json | None]:
    """As `parts` for a field of `message` that may be unset: then (None, None)."""
    return parts(getattr(message, field)) if message.HasField(field) else (None, None)
