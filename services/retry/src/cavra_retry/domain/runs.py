"""Worker runs: which retries a run takes, and what it leaves to people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.retry import (
    FollowUpAction,
    RetryIntent,
    RetryPlan,
    RetryPlanRef,
    RunSchedule,
    RunSummary,
    WorkerRun,
)
from cavra_evidence.times import text

from cavra_retry.domain.bounds import encoded_size, listed, traces
from cavra_retry.domain.executions import Claim
from cavra_retry.domain.failures import Description, FailureKey
from cavra_retry.domain.items import ENDED, Item, advance, claim_refusal, matches
from cavra_retry.domain.plans import Judged, Planned

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RunRequest:
    """One run as it was asked for."""

    run_id: str
    live: bool
    most: int
    """At most so many retries."""
    providers: frozenset[str]
    """Empty: all."""
    schedule: RunSchedule
    actor: Actor
    now: datetime


@dataclass(frozen=True, slots=True)
class Approvals:
    """What a live run knows of approvals. A dry run needs none."""

    items: Mapping[FailureKey, Item]
    """The newest item of each failure, where there is one."""
    descriptions: Mapping[FailureKey, Description]
    """What would be sent now, for those that might be claimed."""
    verified: frozenset[str]
    """Items whose decisions' bytes and signatures make the quorum, by item id."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run does."""

    selected: tuple[Judged, ...]
    """Oldest failure first."""
    items: tuple[Item, ...]
    """Of a live run: the approved item of each selected retry, in the same order."""
    changed: tuple[Item, ...]
    """Items found to be about something else than is there now, in their new state."""
    follow_ups: tuple[FollowUpAction, ...]


def schedule_slot(interval_minutes: int, cadence: str, enabled: bool, now: datetime) -> RunSchedule:
    """The slot of the interval, counted from 1970 in UTC, that holds `now`."""
    interval = timedelta(minutes=interval_minutes)
    start = _EPOCH + (now - _EPOCH) // interval * interval
    return RunSchedule(
        interval_minutes=interval_minutes,
        window_start=text(start),
        window_end=text(start + interval),
        enabled=enabled,
        cadence=cadence,
    )


def claimable(
    request: RunRequest, planned: Planned, items: Mapping[FailureKey, Item]
) -> list[tuple[Judged, Item]]:
    """The candidates of a live run that have an approval, before content and evidence are checked; oldest failure first."""
    found = []
    for one in _asked(request, planned):
        item = items.get(one.failure.key)
        if one.decision.action == "retry" and item and not _refusal(one, item, request):
            found.append((one, item))
    return found


def select(request: RunRequest, planned: Planned, approvals: Approvals | None) -> Selection:
    """Choose among the candidates (action retry, oldest failure first); of a live run only those with a valid approval; then the cap."""
    selected: list[Judged] = []
    items: list[Item] = []
    changed: list[Item] = []
    follow_ups: list[FollowUpAction] = []
    for one in _asked(request, planned):
        item = approvals.items.get(one.failure.key) if approvals else None
        full = len(selected) == request.most
        reason = _not_valid(one, item, request, approvals, full) if approvals else ""
        if approvals and item and reason == "content_changed" and item.state == "approved":
            changed.append(replace(item, state=advance(item.state, "change")))
        state = _approval_state(reason) if approvals else "dry_run_not_required"
        if one.decision.action != "retry":
            follow_ups.append(_follow_up(one, one.decision.reason, state))
        elif reason:
            follow_ups.append(_follow_up(one, reason, state))
        elif full:
            follow_ups.append(_follow_up(one, "max_retry_deliveries", state))
        else:
            selected.append(one)
            items += [item] if item else []
    return Selection(tuple(selected), tuple(items), tuple(changed), tuple(follow_ups))


def _asked(request: RunRequest, planned: Planned) -> Sequence[Judged]:
    return [
        one
        for one in planned.judged
        if not request.providers or one.failure.key.provider in request.providers
    ]


def _refusal(one: Judged, item: Item | None, request: RunRequest) -> str:
    """Why the item can't be claimed; one that ended with an earlier attempt says nothing about this one."""
    if item is not None and item.state in ENDED and item.attempt_number != one.failure.next_attempt_number:
        item = None
    return claim_refusal(item, request.actor.key, request.now)


def is_valid(one: Judged, item: Item, request: RunRequest, approvals: Approvals) -> bool:
    """Whether the item's approval may be used by this run, as far as `approvals` says."""
    return not _not_valid(one, item, request, approvals, full=False)


def _not_valid(one: Judged, item: Item | None, request: RunRequest, approvals: Approvals, full: bool) -> str:
    """Why the approval can't be used. Of a run that is full, content and evidence of further items are not looked at."""
    refusal = _refusal(one, item, request)
    if refusal or item is None or full:
        return refusal
    description = approvals.descriptions.get(one.failure.key)
    if not matches(item, one.failure, description.content if description else None):
        return "content_changed"
    # Only what may be claimed now is verified: reading evidence costs.
    if one.decision.action == "retry" and item.item_id not in approvals.verified:
        return "evidence_mismatch"
    return ""


def _approval_state(reason: str) -> str:
    return "approved" if reason in ("", "self_execution") else "approval_required"


_ACTIONS: Final[Mapping[str, str]] = {
    "retry_delay_pending": "wait_for_retry_delay",
    "in_flight": "wait_for_outcome",
    "execution_under_way": "wait_for_outcome",
    "max_retry_attempts_reached": "review_suppressed",
    "outcome_unknown": "resolve_unknown_outcome",
    "max_retry_deliveries": "run_again",
    "self_execution": "run_as_other_operator",
    "evidence_mismatch": "investigate_evidence",
}
"""Reason -> what a person does about it. All others ask for an approval."""


def _follow_up(one: Judged, reason: str, approval_state: str) -> FollowUpAction:
    key = one.failure.key
    return FollowUpAction(
        action=_ACTIONS.get(reason, "request_approval"),
        provider=key.provider,
        audit_id=key.audit_id,
        delivery_id=key.delivery_id,
        reason=reason,
        approval_state=approval_state,
    )


def record_run(
    request: RunRequest, plan: RetryPlan, plan_hash: str, selection: Selection, claims: Sequence[Claim]
) -> Draft:
    """The record of a run. `claims` are those of a live run, whose intents stand before it in the same commit."""
    decisions = [one.decision for one in selection.selected]
    causes = [
        Cause(plan.retry_plan_id, RetryPlan.KIND.kind),
        *(Cause(claim.intent_id, RetryIntent.KIND.kind) for claim in claims),
    ]
    taken = encoded_size(request.schedule, causes) + sum(encoded_size(one, ()) for one in decisions)
    kept = listed(
        selection.follow_ups,
        lambda one: encoded_size(one, ()),
        lambda one: one.action == "request_approval",
        taken=taken,
    )
    pending = [one for one in selection.follow_ups if one.approval_state == "approval_required"]
    record = WorkerRun(
        run_id=request.run_id,
        generated_at=text(request.now),
        generated_by=request.actor.name,
        dry_run=not request.live,
        schedule=request.schedule,
        summary=RunSummary(
            retry_plan_count=1,
            retryable_count=plan.retryable_count,
            waiting_retry_count=plan.waiting_count,
            suppressed_retry_count=plan.suppressed_count,
            selected_retry_count=len(decisions),
            approval_pending_count=len(pending),
            follow_up_action_count=len(selection.follow_ups),
        ),
        retry_plan=RetryPlanRef(retry_plan_id=plan.retry_plan_id, record_hash=plan_hash),
        selected_retries=decisions,
        follow_up_actions=kept,
        omitted_count=len(selection.follow_ups) - len(kept),
        controls=["retry_cap_applied", "approval_verified" if request.live else "dry_run_without_effect"],
    )
    return Draft(
        record,
        request.actor,
        causes=tuple(causes),
        trace_ids=traces([*(one.delivery_id for one in decisions), *(one.delivery_id for one in kept)]),
        top={
            "retryable_count": record.summary.retryable_count,
            "selected_retry_count": record.summary.selected_retry_count,
        },
        decision_count=len(decisions),
        approval_required_count=len(pending),
    )
