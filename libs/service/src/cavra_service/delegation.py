"""For whom a service calls: the person whose call it serves, beside its own token, on its word alone."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

from cavra.evidence.v1 import evidence_pb2
from google.protobuf.message import DecodeError

from cavra_service.errors import Refused
from cavra_service.identity import Identity, serving_for
from cavra_service.wire import actor_from_wire, actor_to_wire

METADATA: Final = "cavra-on-behalf-of-bin"
"""A serialised `cavra.evidence.v1.Actor`."""


def carried() -> tuple[tuple[str, bytes], ...]:
    """The metadata of a call that is made now: empty outside of a person's call, so also for work on a timer."""
    person = serving_for()
    return () if person is None else ((METADATA, actor_to_wire(person).SerializeToString()),)


def delegated(identity: Identity, metadata: Iterable[tuple[str, Any]]) -> Identity:
    """`identity` with the person for whom it says it calls. Raises Refused when the caller is no service, or names nobody."""
    named = next((value for key, value in metadata if key == METADATA), None)
    if named is None:
        return identity
    if "service" not in identity.roles:
        raise Refused("role_required", "only a service calls on behalf of somebody")
    try:
        person = evidence_pb2.Actor.FromString(named)
    except DecodeError:
        raise Refused("invalid_value", f"{METADATA} is no Actor") from None
    return replace(identity, on_behalf_of=actor_from_wire(person))
