"""Between what the store holds and what goes over the wire: records, causes, actors, times."""

from datetime import UTC, datetime, timedelta
from typing import Final

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_evidence.draft import Actor, Cause
from cavra_evidence.log import Entry
from cavra_evidence.times import moment
from cavra_verify.merkle import leaf_hash
from google.protobuf.timestamp_pb2 import Timestamp

from cavra_service.errors import Refused
from cavra_service.store.protocol import Row

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def timestamp(value: datetime | None) -> Timestamp | None:
    """As a protobuf time; None stays unset."""
    if value is None:
        return None
    # Protobuf's own conversion takes three times as long, and every failure has two times.
    since = value - _EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1_000)


def from_timestamp(value: Timestamp, field: str = "") -> datetime:
    """As an aware datetime in UTC. Raises Refused, naming `field`, for a time outside the years 1 to 9999."""
    try:
        if not 0 <= value.nanos < 1_000_000_000:
            raise ValueError
        return _EPOCH + timedelta(seconds=value.seconds, microseconds=value.nanos // 1_000)
    except (ValueError, OverflowError):
        raise Refused("invalid_value", "a time outside the years 1 to 9999", field) from None


def record_of_entry(entry: Entry, origin: str) -> pb.Record:
    """A record just committed."""
    return pb.Record(
        id=entry.id,
        kind=entry.kind,
        canonical=entry.canonical,
        record_hash=entry.record_hash,
        origin=origin,
        index=entry.index,
        created_at=timestamp(moment(entry.created_at)),
        signature=entry.signature,
        key_id=entry.key_id,
    )


def record_of_row(row: Row, origin: str) -> pb.Record:
    """A record read from the store. Keys alone come as empty text in place of bytes."""
    return pb.Record(
        id=row["id"],
        kind=row["kind"],
        canonical=row["canonical"] or b"",
        record_hash=row["record_hash"],
        origin=origin,
        index=row["idx"],
        created_at=timestamp(moment(row["created_at"])),
        signature=row["signature"] or b"",
        key_id=row["key_id"],
    )


def cause_of(record: pb.Record) -> Cause:
    """The record as a cause, its hash recomputed from the bytes that were received."""
    return Cause(record.id, record.kind, leaf_hash(record.canonical).hex())


def cause_to_wire(cause: Cause) -> pb.Cause:
    """A cause with its hash."""
    return pb.Cause(id=cause.id, kind=cause.kind, record_hash=bytes.fromhex(cause.record_hash or ""))


def cause_from_wire(cause: pb.Cause) -> Cause:
    """A cause that a service vouches for. Raises Refused for what is no id, kind or hash."""
    try:
        return Cause(cause.id, cause.kind, cause.record_hash.hex())
    except ValueError as error:
        raise Refused("invalid_value", str(error), "causes") from None


def actor_to_wire(actor: Actor) -> pb.Actor:
    """Someone who acted."""
    return pb.Actor(issuer=actor.iss, subject=actor.sub, name=actor.name)


def actor_from_wire(actor: pb.Actor) -> Actor:
    """Someone who acted, on a service's word. Raises Refused for a text that no record may hold."""
    try:
        return Actor(actor.issuer, actor.subject, actor.name)
    except ValueError as error:
        raise Refused("invalid_value", str(error), "actor") from None
