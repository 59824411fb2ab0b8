"""What a delivery carries, rendered again from stored records: the same bytes at any time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

import orjson
from cavra_evidence.log import Entry
from cavra_evidence.records.delivery import AuditPackage, DeliveryPlan
from cavra_service.store.protocol import Row, Store
from cavra_verify.kinds import AUDIT_SOURCE

from cavra_delivery.connectors.base import (
    NOT_CONFIGURED,
    Connector,
    Destination,
    Event,
    NotConfigured,
    Rendered,
)
from cavra_delivery.connectors.registry import Configured, Registry, fingerprint
from cavra_delivery.domain.audit import Packed
from cavra_delivery.domain.deliveries import EVENT_TYPES, event_id_of, message_id_of
from cavra_delivery.sends import Ready
from cavra_delivery.store.failures import Key


def audit_event(delivery_id: str, package: bytes, package_hash: bytes, plan: bytes) -> Event:
    """The event that delivers an audit package: its record as it stands in the log, and the record's hash.

    What is read here was checked as it was written, and the hash of what comes of it is held against the approval.
    """
    occurred_at = orjson.loads(plan)[DeliveryPlan.KIND.key]["generated_at"]
    event_id = event_id_of(delivery_id)
    return Event(EVENT_TYPES[AUDIT_SOURCE], event_id, occurred_at, orjson.loads(package), package_hash.hex())


def audit_events(entries: Sequence[Entry], provider: str) -> Event:
    """The same for every provider, from the package and the plan just committed."""
    package, plan = entries[:2]
    return audit_event(plan.id, package.canonical, package.record_hash, plan.canonical)


@dataclass(frozen=True, slots=True)
class Content:
    """What would be sent where."""

    unavailable_reason: str
    """Empty when it could be sent now."""
    package: Packed | None = None
    package_hash: bytes = b""
    payload_hash: bytes = b""
    fingerprint: bytes = b""
    ready: Ready | None = None


class Targets:
    """Where providers are reached, by one look at the configuration: for all that is decided at the same time."""

    def __init__(self, registry: Registry, key: bytes) -> None:
        """`key`: the installation's fingerprint key."""
        self._connectors: Mapping[str, Configured] = registry.all()
        self._key = key
        self._found: dict[str, tuple[Connector, Destination, bytes]] = {}

    def find(self, provider: str) -> tuple[Connector, Destination, bytes]:
        """(connector, destination, the destination's fingerprint). Raises NotConfigured."""
        if provider not in self._found:
            one = self._connectors.get(provider)
            if one is None:
                raise NotConfigured
            connector = one.usable()
            destination = connector.destination()
            self._found[provider] = connector, destination, fingerprint(self._key, destination)
        return self._found[provider]


@dataclass(frozen=True, slots=True)
class Originals:
    """Rows of the records that a delivery carried and began with; None for one that is not there."""

    package: Row | None
    plan: Row | None


async def originals(store: Store, keys: Sequence[Key]) -> list[Originals]:
    """Of each failed delivery, in one trip to the store."""
    ids = [{"id": record_id} for delivery_id, audit_id, _ in keys for record_id in (audit_id, delivery_id)]
    found = [rows[0] if rows else None for rows in await store.each("record", ids)]
    return [Originals(*pair) for pair in zip(found[::2], found[1::2], strict=True)]


def content_of(failed: Key, original: Originals, targets: Targets) -> Content:
    """What a retry of the failed delivery would send, and where."""
    delivery_id, _, provider = failed
    if original.package is None or original.plan is None:
        return Content("audit_package_not_found")
    package, package_hash = original.package["canonical"], bytes(original.package["record_hash"])
    try:
        connector, destination, target = targets.find(provider)
    except NotConfigured:
        return Content(NOT_CONFIGURED, package_hash=package_hash)
    plan: bytes = original.plan["canonical"]
    packed, rendered, payload_hash = _rendered(connector, delivery_id, provider, package, package_hash, plan)
    return Content("", packed, package_hash, payload_hash, target, Ready(connector, destination, rendered))


@lru_cache(1024)  # What a run describes, it sends a moment later; a dozen runs may be between the two.
def _rendered(
    connector: Connector, delivery_id: str, provider: str, package: bytes, package_hash: bytes, plan: bytes
) -> tuple[Packed, Rendered, bytes]:
    """What these records make of it, and the body's hash."""
    event = audit_event(delivery_id, package, package_hash, plan)
    rendered = connector.render(event, message_id_of(delivery_id, provider))
    return Packed.of(event.data[AuditPackage.KIND.key]), rendered, sha256(rendered.body).digest()
