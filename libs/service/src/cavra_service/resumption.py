"""The answer of a command whose process died between its records and its answer, made from those records."""

from collections.abc import Iterable
from typing import Any, Final

from cavra_verify.canonical import parse
from cavra_verify.kinds import BY_KIND, BY_NOUN
from google.protobuf import descriptor_pool, message_factory

from cavra_service.errors import Refused
from cavra_service.store import listing
from cavra_service.store.protocol import Row, Store
from cavra_service.wire import record_of_row

_DELIVERY: Final = "/cavra.delivery.v1.DeliveryService/"
_RETRY: Final = "/cavra.retry.v1.RetryService/"
_RECOVERY: Final = "/cavra.recovery.v1.RecoveryService/"

RECORDS: Final[dict[str, dict[str, str]]] = {
    _DELIVERY + "NotifyDrill": {"plan": "notification_plan", "delivery": "connector_delivery"},
    _DELIVERY + "AcknowledgeDrill": {"acknowledgement": "notification_ack"},
    _DELIVERY + "BatchAcknowledgeDrills": {"acknowledgements": "notification_ack"},
    _DELIVERY + "CreateAuditPackage": {"audit_package": "audit_package"},
    _DELIVERY + "DeliverAudit": {
        "audit_package": "audit_package",
        "delivery_plan": "delivery_plan",
        "delivery": "connector_delivery",
    },
    _DELIVERY + "PlanEscalation": {"plan": "escalation_plan"},
    _RETRY + "PlanRetries": {"plan": "retry_plan"},
    _RETRY + "AcknowledgeRetry": {"acknowledgement": "retry_ack"},
    _RETRY + "PlanApproval": {"plan": "approval_plan"},
    _RETRY + "DecideApproval": {"decision": "approval_decision"},
    _RETRY + "ResolveExecution": {"resolution": "execution_resolution"},
    _RETRY + "RunWorker": {"run": "worker_run", "retry_plan": "retry_plan"},
    _RETRY + "DeliverHealthAlert": {"plan": "health_alert_plan"},
    _RETRY + "AcknowledgeHealthAlert": {"acknowledgement": "health_alert_ack"},
    _RECOVERY + "CreatePlaybook": {"playbook": "playbook"},
    _RECOVERY + "CloseRecovery": {"closure": "closure"},
}
"""RPCs that take an idempotency key -> which fields of their response hold a record of which noun.

SendAlert and SendRetries take none: the plan's and the execution's id make them answer with what is recorded. DeliverAudits refuses one:
its answer is a stream.
"""


async def answer_of_records(store: Store, method: str, written: Iterable[str], said: bytes = b"") -> Any:
    """The response of `method` from the records of these ids; None while one is missing without which the command did not take place.

    `said` is a serialized response with the fields that no record holds. A send under way is recorded by its service, at the latest when
    that starts again or looks for what was cut short: until then this raises Refused `in_progress`.
    What lies in another service's log is left empty: RunWorker's `results`, and DeliverHealthAlert's `delivery`, with `success` false when
    there was something to send.
    """
    rows = [row for one in written if (row := await store.row("record", id=one)) is not None]
    response = _response_class(method).FromString(said)
    bodies: dict[str, Any] = {}
    for field, noun in RECORDS[method].items():
        kind = BY_NOUN[noun].kind
        found = [row for row in rows if row["kind"] == kind]
        if noun == "connector_delivery" and not found:
            if not bodies["selected_providers"]:
                continue
            found = [await _first_delivery(store, bodies.get("delivery_id") or bodies["plan_id"])]
        if not found:
            return None
        bodies |= _body(found[0])
        _set(response, field, found, store.origin)
    _set_plain(response, bodies)
    return response


def _response_class(method: str) -> Any:
    name = method.removeprefix("/").replace("/", ".")
    found: Any = descriptor_pool.Default().FindMethodByName(name)
    return message_factory.GetMessageClass(found.output_type)


async def _first_delivery(store: Store, trace: str) -> Row:
    """The connector delivery of a first send: the oldest of its trace, retries have later ones."""
    filters = [("trace", trace), ("metadata_kind", BY_NOUN["connector_delivery"].kind)]
    rows, _ = await listing.page(store, filters, first=0, before=2**62, limit=500, keys_only=False)
    if not rows:
        raise Refused("in_progress", "what was sent has no recorded outcome yet", "idempotency-key")
    return rows[-1]


def _body(row: Row) -> dict[str, Any]:
    body: dict[str, Any] = parse(row["canonical"])[BY_KIND[row["kind"]].key]
    return body


def _set(response: Any, field: str, rows: list[Row], origin: str) -> None:
    if response.DESCRIPTOR.fields_by_name[field].is_repeated:
        getattr(response, field).extend(record_of_row(row, origin) for row in rows)
    else:
        getattr(response, field).CopyFrom(record_of_row(rows[0], origin))


def _set_plain(response: Any, bodies: dict[str, Any]) -> None:
    """The fields that say again what stands in the records."""
    fields = response.DESCRIPTOR.fields_by_name
    if "success" in fields:
        response.success = bodies.get("success", not bodies["selected_providers"])
    for name in ("event_id", "item_state"):
        if name in fields and name in bodies:
            setattr(response, name, bodies[name])
