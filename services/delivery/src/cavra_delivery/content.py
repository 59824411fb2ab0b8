"""What a delivery carries, rendered again from stored records: the same bytes at any time."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

from cavra_evidence.log import Entry
from cavra_evidence.records.delivery import AuditPackage, DeliveryPlan
from cavra_service.store.protocol import Store
from cavra_verify.canonical import parse
from cavra_verify.kinds import AUDIT_SOURCE

from cavra_delivery.connectors.base import NOT_CONFIGURED, Event, NotConfigured
from cavra_delivery.connectors.registry import Registry, fingerprint
from cavra_delivery.domain.deliveries import EVENT_TYPES, event_id_of
from cavra_delivery.sends import Ready
from cavra_delivery.store.failures import Key


def audit_event(delivery_id: str, occurred_at: str, package: bytes, package_hash: bytes) -> Event:
    """The event that delivers an audit package: its record as it stands in the log, and the record's hash."""
    return Event(
        EVENT_TYPES[AUDIT_SOURCE], event_id_of(delivery_id), occurred_at, parse(package), package_hash.hex()
    )


def audit_events(entries: Sequence[Entry], provider: str) -> Event:
    """The same for every provider, from the package and the plan just committed."""
    package, plan = entries[:2]
    occurred_at = DeliveryPlan.read(plan.canonical).generated_at
    return audit_event(plan.id, occurred_at, package.canonical, package.record_hash)


@dataclass(frozen=True, slots=True)
class Content:
    """What would be sent where."""

    unavailable_reason: str
    """Empty when it could be sent now."""
    package: AuditPackage | None = None
    package_hash: bytes = b""
    payload_hash: bytes = b""
    fingerprint: bytes = b""
    ready: Ready | None = None


async def content_of(store: Store, registry: Registry, key: bytes, failed: Key) -> Content:
    """What a retry of the failed delivery would send, and where. `key` is the installation's fingerprint key."""
    delivery_id, audit_id, provider = failed
    package = await store.row("record", id=audit_id)
    plan = await store.row("record", id=delivery_id)
    if package is None or plan is None:
        return Content("audit_package_not_found")
    package_hash = bytes(package["record_hash"])
    model = AuditPackage.read(package["canonical"])
    try:
        connector = registry.find(provider)
        destination = connector.destination()
    except NotConfigured:
        return Content(NOT_CONFIGURED, model, package_hash)
    occurred_at = DeliveryPlan.read(plan["canonical"]).generated_at
    rendered = connector.render(audit_event(delivery_id, occurred_at, package["canonical"], package_hash))
    return Content(
        "",
        model,
        package_hash,
        sha256(rendered.body).digest(),
        fingerprint(key, destination),
        Ready(connector, destination, rendered),
    )
