"""Connector deliveries: what a send is before any byte goes out, and the record of what became of it."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, Final

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.delivery import ConnectorDelivery, ProviderDelivery
from cavra_evidence.times import text
from cavra_verify.kinds import ALERT_SOURCE, AUDIT_SOURCE, NOTIFICATION_SOURCE
from pydantic import BaseModel, ConfigDict

EVENT_TYPES: Final = {
    NOTIFICATION_SOURCE: NOTIFICATION_SOURCE,
    AUDIT_SOURCE: AUDIT_SOURCE,
    ALERT_SOURCE: "acknowledgement_audit_worker_health_alert",
}
"""Delivery source -> event_type: a reason code of at most 64 characters."""


def event_id_of(delivery_id: str) -> str:
    """The event of a delivery: derived, so that a retry's body is the original's byte for byte."""
    return f"evt-{sha256(f'event|{delivery_id}'.encode()).hexdigest()[:28]}"


def message_id_of(delivery_id: str, provider: str) -> str:
    """What a receiver deduplicates by: the same for the first send and every retry of one (delivery, provider)."""
    return f"msg-{sha256(f'{delivery_id}|{provider}'.encode()).hexdigest()[:28]}"


class Send(BaseModel):
    """One send, durable before any byte goes out: all that its record will need beside the receivers' answers."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    record_id: str
    """Id that the connector-delivery record will have."""
    own_id: str
    """Id of the plan that it carries out: a notification plan, an audit-delivery plan (a retry's own), an alert plan."""
    source: str
    delivery_id: str
    """The original delivery that the receiver's message belongs to: `own_id` on every first send."""
    actor: tuple[str, str, str]
    """(issuer, subject, name) of who sends."""
    audit_id: str = ""
    execution_id: str = ""
    """On a retry, the execution that it is the effect of."""
    permit_hash: str = ""
    """On a retry, the permit that it is sent under."""
    attempt_number: int = 1
    causes: tuple[tuple[str, str, str | None], ...] = ()
    """(id, kind, hash); without a hash for records of this log."""
    retry_plan_id: str = ""
    worker_run_id: str = ""
    health_id: str = ""
    plan_id: str = ""
    controls: tuple[str, ...] = ()

    @property
    def is_retry(self) -> bool:
        """Whether it is the effect of an execution."""
        return bool(self.execution_id)

    @property
    def sort(self) -> str:
        """first or retry."""
        return "retry" if self.is_retry else "first"

    @property
    def counts_for_playbooks(self) -> bool:
        """Whether its failures call for a connector's recovery."""
        return self.source in (AUDIT_SOURCE, ALERT_SOURCE)

    @property
    def opens_failures(self) -> bool:
        """Whether what it does not deliver is open for a retry."""
        return self.source == AUDIT_SOURCE and not self.is_retry


def delivery_record(send: Send, deliveries: Sequence[ProviderDelivery], actor: Actor, now: datetime) -> Draft:
    """The record of a send that has an outcome at each of its providers."""
    record = ConnectorDelivery(
        event_type=EVENT_TYPES[send.source],
        event_id=event_id_of(send.delivery_id),
        session_id=send.record_id,
        generated_at=text(now),
        success=all(one.success for one in deliveries),
        deliveries=list(deliveries),
        execution_id=send.execution_id,
        delivery_plan_id=send.own_id if send.is_retry else "",
        permit_hash=send.permit_hash,
        controls=["attempt_recorded_first", *send.controls],
    )
    causes = tuple(Cause(*cause) for cause in send.causes)
    return Draft(record, actor, causes, (send.delivery_id,), _top(send, record))


def _top(send: Send, record: ConnectorDelivery) -> dict[str, Any]:
    tries = [one.attempt_count for one in record.deliveries]
    top: dict[str, Any] = {
        "connector_delivery_source": send.source,
        "delivery_success": record.success,
        "providers": [one.provider for one in record.deliveries],
        "failed_providers": [one.provider for one in record.deliveries if not one.success],
        "attempt_count": sum(tries),
        "max_attempt_count": max(tries),
        "status_codes": sorted({one.status_code for one in record.deliveries if one.status_code is not None}),
        "audit_id": send.audit_id,
        "delivery_id": send.delivery_id if send.audit_id else "",
    }
    if send.is_retry:
        top |= {"retry_plan_id": send.retry_plan_id, "worker_run_id": send.worker_run_id}
    if send.health_id:
        top["health_id"] = send.health_id
    if send.plan_id:
        top["plan_id"] = send.plan_id
    return top


def lost(send: Send, provider: str, begun_at: datetime, now: datetime) -> ProviderDelivery:
    """What is recorded of an attempt whose outcome a crash took: unknown on a retry, which must not be sent again unasked; failed on a
    first send."""
    return ProviderDelivery(
        provider=provider,
        success=False,
        status_code=None,
        attempt_count=1,
        started_at=text(begun_at),
        completed_at=text(now),
        error="outcome_unknown",
        outcome="unknown" if send.is_retry else "failed",
        message_id=message_id_of(send.delivery_id, provider),
        attempt_number=send.attempt_number,
        request=None,
    )
