"""Executions: the intent that is durable before a retry is sent, and the record of what became of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.retry import ApprovalDecision, ExecutionRecord, RetryIntent, WorkerRun
from cavra_evidence.times import text
from cavra_verify.permits import Permit

from cavra_retry.domain.items import Item

Status = Literal["delivered", "failed", "skipped", "unknown"]


@dataclass(frozen=True, slots=True)
class Claim:
    """An approved item taken for one execution."""

    execution_id: str
    intent_id: str
    run_id: str
    item: Item
    """In state claimed."""
    executor: Actor
    claimed_at: datetime

    def permitted_until(self, lasts: timedelta) -> datetime:
        """When a permit that lasts so long ends: with the approval at the latest."""
        return min(self.item.expires_at, self.claimed_at + lasts)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What delivery says of one execution."""

    status: Status
    skipped_reason: str = ""
    """Reason code when nothing was sent, else empty."""
    delivery_plan_id: str = ""
    """The retry's own delivery plan; empty when skipped."""
    delivery: Cause | None = None
    """The connector delivery with its hash; None when skipped."""


def permit(claim: Claim, intent_hash: str, until: datetime) -> Permit:
    """Leave to send what was claimed by the intent of this record hash, until then."""
    item = claim.item
    return Permit(
        execution_id=claim.execution_id,
        intent_id=claim.intent_id,
        intent_hash=intent_hash,
        item_digest=item.digest,
        delivery_id=item.key.delivery_id,
        audit_id=item.key.audit_id,
        provider=item.key.provider,
        attempt_number=item.attempt_number,
        payload_hash=item.content.payload_hash,
        destination_fingerprint=item.content.destination_fingerprint,
        expires_at=text(until),
    )


def intend(claim: Claim, until: datetime) -> Draft:
    """The intent of one claim: what is about to be sent, by whom, on which approval, and until when that is permitted."""
    item = claim.item
    record = RetryIntent(
        intent_id=claim.intent_id,
        execution_id=claim.execution_id,
        run_id=claim.run_id,
        retry_plan_id=item.review.retry_plan_id,
        approval_plan_id=item.approval_plan_id,
        approval_decision_id=item.approval_decision_id,
        delivery_id=item.key.delivery_id,
        audit_id=item.key.audit_id,
        provider=item.key.provider,
        attempt_number=item.attempt_number,
        item_digest=item.digest,
        payload_hash=item.content.payload_hash,
        destination_fingerprint=item.content.destination_fingerprint,
        claimed_by=claim.executor.name,
        claimed_at=text(claim.claimed_at),
        expires_at=text(item.expires_at),
        permit_expires_at=text(until),
        controls=["approval_quorum_met", "approval_signatures_verified", "single_claim"],
    )
    approvals = tuple(
        Cause(one.decision_id, ApprovalDecision.KIND.kind)
        for one in item.decisions
        if one.state == "approved"
    )
    causes = (*approvals, *item.review.causes, item.failed)
    return Draft(record, claim.executor, causes=causes, trace_ids=(item.key.delivery_id,))


def record_execution(claim: Claim, outcome: Outcome, now: datetime) -> Draft:
    """The record of what became of a claim, bound to run, plan, acknowledgement, decision, intent and delivery record."""
    item, sent = claim.item, outcome.delivery
    refs = [
        f"go-rollback-drill-retry-worker://{claim.run_id}",
        f"go-rollback-drill-retry-approval://{item.approval_decision_id}",
    ]
    if sent is not None:
        refs.append(f"go-rollback-drill-audit-delivery://{outcome.delivery_plan_id}")
        refs.append(f"connector-delivery://{sent.id}")
    record = ExecutionRecord(
        execution_id=claim.execution_id,
        execution_status=outcome.status,
        executed_at=text(now),
        executed_by=claim.executor.name,
        run_id=claim.run_id,
        retry_plan_id=item.review.retry_plan_id,
        approval_decision_id=item.approval_decision_id,
        approval_plan_id=item.approval_plan_id,
        delivery_id=item.key.delivery_id,
        audit_id=item.key.audit_id,
        provider=item.key.provider,
        skipped=outcome.skipped_reason,
        delivery_plan_id=outcome.delivery_plan_id,
        delivery_metadata_id=sent.id if sent is not None else "",
        delivery_success=outcome.status == "delivered",
        attempt_number=item.attempt_number,
        item_digest=item.digest,
        selected_providers=[item.key.provider],
        public_evidence_refs=refs,
        controls=["single_claim", *(["delivery_recorded"] if sent is not None else [])],
    )
    causes = (
        Cause(claim.intent_id, RetryIntent.KIND.kind),
        Cause(claim.run_id, WorkerRun.KIND.kind),
        Cause(item.approval_decision_id, ApprovalDecision.KIND.kind),
        *item.review.causes,
        *([sent] if sent is not None else []),
    )
    return Draft(record, claim.executor, causes=causes, trace_ids=(item.key.delivery_id,))
