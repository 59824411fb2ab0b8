"""From requests to what the domain takes; what has another shape is refused with its field."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.draft import Actor, Cause
from cavra_evidence.guard import matches
from cavra_evidence.refusal import Refusal
from cavra_service.errors import Refused
from cavra_service.server import refusal
from cavra_service.wire import actor_from_wire, cause_from_wire, from_timestamp
from google.protobuf import json_format
from google.protobuf.struct_pb2 import Struct
from pydantic import ValidationError

from cavra_delivery.connectors.config import MOST_CONNECTORS
from cavra_delivery.connectors.tries import Limits
from cavra_delivery.store.failures import Key

_HASH_BYTES: Final = 32

ACKNOWLEDGEMENT_STATES: Final = {
    pb.ACKNOWLEDGEMENT_STATE_UNSPECIFIED: "acknowledged",
    pb.ACKNOWLEDGEMENT_STATE_ACKNOWLEDGED: "acknowledged",
    pb.ACKNOWLEDGEMENT_STATE_DISMISSED: "dismissed",
    pb.ACKNOWLEDGEMENT_STATE_ESCALATED: "escalated",
    pb.ACKNOWLEDGEMENT_STATE_RESOLVED: "resolved",
}


class under:  # noqa: N801 reads as a statement
    """`with under("filters"):` what is refused inside names its field below `filters`; with an empty name, as it is.

    A class rather than a generator: a frozen Refused cannot be thrown through contextlib.
    """

    def __init__(self, field: str) -> None:
        self._field = field

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Refused | Refusal | ValidationError):
            refused = refusal(error)
            where = ".".join(filter(None, (self._field, refused.field)))
            raise Refused(refused.reason, refused.message, where) from None


def within(request: Any, field: str, least: int, most: int, default: int) -> int:
    """A number; `default` when it is unset or, without presence, 0."""
    value: int = getattr(request, field)
    present = request.HasField(field) if request.DESCRIPTOR.fields_by_name[field].has_presence else value != 0
    if not present:
        return default
    if not least <= value <= most:
        raise Refused("invalid_value", f"{least} to {most}", field)
    return value


def limits_of(request: Any) -> Limits:
    """How long one send may go on."""
    return Limits(within(request, "retries", 0, 10, 2), float(within(request, "timeout_seconds", 1, 120, 10)))


def providers_of(values: Sequence[str]) -> tuple[str, ...]:
    """Names of providers, each once."""
    named = tuple(dict.fromkeys(values))
    if len(named) > MOST_CONNECTORS or not all(matches("provider", name) for name in named):
        raise Refused("invalid_value", f"at most {MOST_CONNECTORS} names of providers", "providers")
    return named


def moment_of(request: Any, field: str) -> datetime | None:
    """A time; None when it is unset."""
    return from_timestamp(getattr(request, field), field) if request.HasField(field) else None


def mapping_of(value: Struct) -> dict[str, Any]:
    """A JSON object."""
    try:
        found: dict[str, Any] = json_format.MessageToDict(value)
    except (json_format.Error, ValueError):
        raise Refused("invalid_value", "not a JSON object") from None
    return found


def state_of(value: pb.AcknowledgementState) -> str:
    """What an operator says."""
    state = ACKNOWLEDGEMENT_STATES.get(value)
    if state is None:
        raise Refused("invalid_value", "not a state", "acknowledgement_state")
    return state


def id_of(value: str, field: str) -> str:
    """The id of a record."""
    if not matches("id", value):
        raise Refused("invalid_value", "not an id", field)
    return value


def hash_of(value: bytes, field: str) -> bytes:
    """32 bytes."""
    if len(value) != _HASH_BYTES:
        raise Refused("invalid_value", "32 bytes", field)
    return value


def key_of(key: pb.FailureKey) -> Key:
    """Which failure."""
    return key.delivery_id, key.audit_id, key.provider


def keys_of(keys: Sequence[pb.FailureKey]) -> list[Key]:
    """1 to 100 keys, each once."""
    if not 1 <= len(keys) <= 100:
        raise Refused("invalid_value", "1 to 100 keys", "keys")
    return list(dict.fromkeys(key_of(key) for key in keys))


def cause_of_log(cause: evidence_pb2.Cause, field: str) -> Cause:
    """A record of another log, by its hash."""
    try:
        return cause_from_wire(cause)
    except Refused as refused:
        raise Refused(refused.reason, refused.message, field) from None


def someone(actor: evidence_pb2.Actor, field: str) -> Actor:
    """Who asked, on a service's word."""
    try:
        return actor_from_wire(actor)
    except Refused as refused:
        raise Refused(refused.reason, refused.message, field) from None
