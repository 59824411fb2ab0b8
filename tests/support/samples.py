"""Valid records of every kind, made from their models."""

from typing import Any

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.records import delivery, recovery, retry
from cavra_evidence.records.base import Record
from cavra_gateway.examples import example_of
from cavra_verify.kinds import AUDIT_SOURCE, BY_NOUN

ALICE = Actor("cavra-local", "alice", "alice")

MODELS: dict[str, type[Record]] = {
    model.KIND.noun: model
    for module in (delivery, retry, recovery)
    for model in vars(module).values()
    if isinstance(model, type) and issubclass(model, Record) and model is not Record
}
"""Record model by noun."""


def sample(noun: str, **fields: Any) -> Record:
    """A record of a kind with an id of its own, and `fields` in place of what the sample has."""
    model = MODELS[noun]
    schema = model.model_json_schema()
    body = example_of(schema, schema.get("$defs", {}))
    body[model.KIND.id_field] = new_id(model.KIND.prefix)
    return model.model_validate({**body, **fields})


def draft(
    record: Record,
    *,
    actor: Actor = ALICE,
    causes: tuple[Cause, ...] = (),
    trace_ids: tuple[str, ...] = (),
    **top: Any,
) -> Draft:
    """A draft of `record`, with the top-level fields that its kind needs."""
    if isinstance(record, delivery.ConnectorDelivery):
        top = {**_delivery_top(record), **top}
    if isinstance(record, retry.WorkerRun):
        summary = record.summary
        top = {
            "retryable_count": summary.retryable_count,
            "selected_retry_count": summary.selected_retry_count,
            **top,
        }
    return Draft(record, actor, causes, trace_ids, top)


def _delivery_top(record: delivery.ConnectorDelivery) -> dict[str, Any]:
    failed = [part.provider for part in record.deliveries if not part.success]
    return {
        "connector_delivery_source": AUDIT_SOURCE,
        "delivery_success": not failed,
        "providers": [part.provider for part in record.deliveries],
        "failed_providers": failed,
        "attempt_count": len(record.deliveries),
        "max_attempt_count": 1,
        "status_codes": [part.status_code for part in record.deliveries if part.status_code],
        "audit_id": new_id(BY_NOUN["audit_package"].prefix),
        "delivery_id": new_id(BY_NOUN["delivery_plan"].prefix),
    }
