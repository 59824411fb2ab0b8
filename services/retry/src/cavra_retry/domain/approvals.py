"""Approval plans: which failures may be approved now, and the floors that the installation sets."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, Literal

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.records.retry import (
    ApprovalDecision,
    ApprovalItem,
    ApprovalPlan,
    ItemDecision,
    ItemPolicy,
    ItemState,
    RetryPlan,
)
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import text
from cavra_verify.secret_rules import SCANNED_CONTROL

from cavra_retry.domain.bounds import listed, traces
from cavra_retry.domain.failures import Description, Failure
from cavra_retry.domain.items import (
    ENDED,
    Item,
    Review,
    Standing,
    Vote,
    advance,
    matches,
    renewed,
    review_of,
    satisfies,
)
from cavra_retry.domain.plans import Acknowledgement, PlanItem

Action = Literal["request_approval", "wait_for_retry_ack", "already_approved"]

ACTIONS: Final[tuple[Action, ...]] = ("request_approval", "wait_for_retry_ack", "already_approved")
"""In which order an approval plan lists what does not all fit: what asks for a decision first."""
MAX_APPROVALS: Final = 10
_SHOWN_DECISIONS: Final = 20


@dataclass(frozen=True, slots=True)
class ApprovalPolicy:
    """What an approval takes in this installation, or in one plan."""

    required_approvals: int
    expires_in_minutes: int
    separation_of_duties: bool
    require_retry_ack: bool

    def tightened(
        self,
        required_approvals: int | None,
        expires_in_minutes: int | None,
        separation_of_duties: bool | None,
        require_retry_ack: bool | None,
    ) -> "ApprovalPolicy":
        """The policy of a request over this one, None standing for the same. Refuses `policy_floor` for what is weaker."""
        approvals = self.required_approvals if required_approvals is None else required_approvals
        minutes = self.expires_in_minutes if expires_in_minutes is None else expires_in_minutes
        separation = self.separation_of_duties if separation_of_duties is None else separation_of_duties
        ack = self.require_retry_ack if require_retry_ack is None else require_retry_ack
        if not 1 <= approvals <= MAX_APPROVALS:
            raise Refusal("invalid_value", f"1 to {MAX_APPROVALS}", "approval_policy.required_approvals")
        if minutes < 1:
            raise Refusal("invalid_value", "at least 1", "approval_policy.expires_in_minutes")
        weaker = {
            "required_approvals": approvals < self.required_approvals,
            "expires_in_minutes": minutes > self.expires_in_minutes,
            "separation_of_duties": self.separation_of_duties and not separation,
            "require_retry_ack": self.require_retry_ack and not ack,
        }
        for name in (name for name, is_weaker in weaker.items() if is_weaker):
            raise Refusal("policy_floor", "weaker than the installation's policy", f"approval_policy.{name}")
        return ApprovalPolicy(approvals, minutes, separation, ack)

    @property
    def of_item(self) -> ItemPolicy:
        """The part of it that an item carries."""
        return ItemPolicy(
            required_approvals=self.required_approvals,
            separation_of_duties=self.separation_of_duties,
            require_retry_ack=self.require_retry_ack,
        )


@dataclass(frozen=True, slots=True)
class View:
    """What is known here of one failure that a retry plan has listed."""

    planned: PlanItem
    """In the newest plan that lists it."""
    ack: Acknowledgement | None
    """The newest acknowledgement of it."""
    last: Standing | None
    """Its newest item."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """All that is known of one failure that its newest retry plan would retry, now or later."""

    planned: PlanItem
    failure: Failure
    description: Description
    ack: Acknowledgement | None
    """The newest acknowledgement of it."""
    last: Item | None
    """Its newest item."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One item as an approval plan shows it."""

    candidate: Candidate
    shown: ApprovalItem
    item: Item | None
    """The live item; None while the failure waits for an acknowledgement."""
    opened: bool = False
    """Whether this plan opened `item`."""
    ended: Item | None = None
    """The item before, when this plan found it expired or changed: in its new state."""

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The records that this entry rests on."""
        planned = Cause(self.candidate.planned.retry_plan_id, RetryPlan.KIND.kind)
        if self.item is None or not self.opened:
            return (planned,)
        last = self.candidate.last
        return (planned, *self.item.review.causes, *([last.ending] if last is not None else []))


@dataclass(frozen=True, slots=True)
class Request:
    """Who asks for an approval plan, under which ids and policy."""

    approval_plan_id: str
    policy: ApprovalPolicy
    actor: Actor
    now: datetime
    item_ids: Sequence[str]
    """A fresh id for each candidate, should it open."""


def review(view: View, failure: Failure, require_retry_ack: bool) -> Review | None:
    """What a next item of the failure would rest on; None while that is still to be made."""
    attempt, ack, planned = failure.next_attempt_number, view.ack, view.planned
    if ack is not None and satisfies(ack, attempt, view.last):
        return review_of(ack)
    if require_retry_ack or planned.attempt_number != attempt or not renewed(planned.plan_index, view.last):
        return None
    return Review(planned.retry_plan_id, planned.plan_hash, planned.plan_index, planned.planner)


def is_live(item: Standing | None, failure: Failure, now: datetime) -> bool:
    """Whether an item may still be decided on, claimed or settled, as far as that shows without its content."""
    if item is None or item.state == "claimed":
        return item is not None
    return item.state_at(now) not in ENDED and item.is_about(failure)


def outlook(view: View, failure: Failure, policy: ApprovalPolicy, now: datetime) -> Action:
    """What an approval plan would say of one failure, before anybody has asked what would be sent."""
    if view.last is not None and is_live(view.last, failure, now):
        return _SHOWN[view.last.state][0]
    openable = not failure.blocked and review(view, failure, policy.require_retry_ack) is not None
    return "request_approval" if openable else "wait_for_retry_ack"


def enter(candidate: Candidate, request: Request, item_id: str) -> Entry:
    """What an approval plan shows of one failure: its live item unchanged, a new item, or that an acknowledgement comes first."""
    last, failure = candidate.last, candidate.failure
    ended: Item | None = None
    if last is not None and last.state == "claimed":
        return Entry(candidate, _show(candidate, last, last.state, request.policy), last)
    if last is not None and last.state not in ENDED:
        if last.state_at(request.now) == "expired":
            ended = last = replace(last, state=advance(last.state, "expire"))
        elif not matches(last, failure, candidate.description.content):
            ended = last = replace(last, state=advance(last.state, "change"))
        else:
            return Entry(candidate, _show(candidate, last, last.state, request.policy), last)
    view = View(candidate.planned, candidate.ack, last.standing() if last else None)
    rests = review(view, failure, request.policy.require_retry_ack)
    content = candidate.description.content
    if rests is None or content is None or failure.blocked:
        reason = failure.blocked or _waiting_reason(rests, candidate, last)
        return Entry(candidate, _show_waiting(candidate, reason, request.policy), None, ended=ended)
    same_attempt = last is not None and last.attempt_number == failure.next_attempt_number
    item = Item(
        item_id=item_id,
        key=failure.key,
        attempt_number=failure.next_attempt_number,
        generation=last.generation + 1 if last is not None and same_attempt else 0,
        state=advance("waiting_for_ack", "acknowledge"),
        version=0,
        review=rests,
        opened_plan_id=request.approval_plan_id,
        opener=request.actor.key,
        failed=failure.latest_record,
        content=content,
        policy=request.policy.of_item,
        expires_at=request.now + timedelta(minutes=request.policy.expires_in_minutes),
    )
    shown = _show(candidate, item, item.state, request.policy)
    return Entry(candidate, shown, item, opened=True, ended=ended)


def _waiting_reason(rests: Review | None, candidate: Candidate, last: Item | None) -> str:
    if rests is not None:
        return candidate.description.unavailable_reason
    return "acknowledgement_required" if last is None else f"previous_{last.state}"


_SHOWN: Final[Mapping[ItemState, tuple[Action, str]]] = {
    "open": ("request_approval", "approval_pending"),
    "approved": ("already_approved", "approved"),
    "claimed": ("already_approved", "execution_under_way"),
}


def _show(candidate: Candidate, item: Item, state: ItemState, policy: ApprovalPolicy) -> ApprovalItem:
    action, reason = _SHOWN[state]
    waiting = _show_waiting(candidate, reason, policy)
    return waiting.model_copy(
        update={
            "retry_plan_id": item.review.retry_plan_id,
            "action": action,
            "approval_required": action == "request_approval",
            "item_digest": item.digest,
            "item_state": state,
            "attempt_number": item.attempt_number,
            "failed_record_hash": item.failed.record_hash or "",
            "retry_plan_hash": item.review.plan_hash,
            "audit_package_hash": item.content.audit_package_hash,
            "payload_hash": item.content.payload_hash,
            "destination_fingerprint": item.content.destination_fingerprint,
            "policy": item.policy,
            "expires_at": text(item.expires_at),
            "decisions": [
                ItemDecision(
                    decision_id=one.decision_id,
                    approval_state=one.state,
                    decided_by=one.name,
                    decided_at=one.decided_at,
                )
                for one in item.decisions[-_SHOWN_DECISIONS:]
            ],
        }
    )


def _show_waiting(candidate: Candidate, reason: str, policy: ApprovalPolicy) -> ApprovalItem:
    failure, planned = candidate.failure, candidate.planned
    return ApprovalItem(
        retry_plan_id=planned.retry_plan_id,
        provider=failure.key.provider,
        delivery_id=failure.key.delivery_id,
        audit_id=failure.key.audit_id,
        action="wait_for_retry_ack",
        reason=reason,
        approval_required=False,
        retry_count=failure.failure_count,
        next_retry_at=planned.next_retry_at,
        failed_status_codes=list(failure.failed_status_codes),
        retry_action="retry" if planned.action == "retry" else "wait",
        item_digest="",
        item_state="waiting_for_ack",
        attempt_number=failure.next_attempt_number,
        failed_record_hash="",
        retry_plan_hash="",
        audit_package_hash="",
        payload_hash="",
        destination_fingerprint="",
        policy=policy.of_item,
        expires_at=None,
        decisions=[],
    )


@dataclass(frozen=True, slots=True)
class PlannedApproval:
    """An approval plan to be recorded."""

    draft: Draft
    entries: tuple[Entry, ...]
    """Those that the record lists."""


def plan_approval(
    request: Request, candidates: Sequence[Candidate], others: Counter[Action]
) -> PlannedApproval:
    """The approval plan over `candidates` (oldest first); `others` counts what it would say of those that it has no room for."""
    every = [enter(one, request, item_id) for one, item_id in zip(candidates, request.item_ids, strict=True)]
    chosen = listed(every, lambda one: (one.shown, one.causes), lambda one: ACTIONS.index(one.shown.action))
    kept = [one for one, _ in chosen]
    actions = Counter(one.shown.action for one in every) + others
    count = actions.total()
    record = ApprovalPlan(
        approval_plan_id=request.approval_plan_id,
        generated_at=text(request.now),
        generated_by=request.actor.name,
        alert_level="warning" if count > actions["already_approved"] else "healthy",
        decision_count=count,
        approval_required_count=actions["request_approval"],
        approved_count=actions["already_approved"],
        waiting_count=actions["wait_for_retry_ack"],
        omitted_count=count - len(kept),
        require_retry_ack=request.policy.require_retry_ack,
        approval_decisions=[one.shown for one in kept],
        controls=["policy_floor_held", *(["content_bound"] if any(one.item for one in kept) else [])],
    )
    causes = dict.fromkeys(cause for one in kept for cause in one.causes)
    draft = Draft(
        record,
        request.actor,
        causes=tuple(causes),
        trace_ids=traces([one.candidate.failure.key.delivery_id for one in kept]),
        decision_count=record.decision_count,
        approval_required_count=record.approval_required_count,
    )
    return PlannedApproval(draft, tuple(kept))


@dataclass(frozen=True, slots=True)
class Wording:
    """What an approver adds to a decision, to be scanned by the record's own rules."""

    external_ref: str
    notes: str


def record_decision(
    decision_id: str,
    approval_plan_id: str,
    item: Item,
    vote: Vote,
    state: ItemState,
    wording: Wording,
    actor: Actor,
    now: datetime,
) -> Draft:
    """The record of a decision that takes `item` to `state`."""
    controls = ["notes_scanned", SCANNED_CONTROL, "item_digest_bound"]
    if vote.verb == "approved":
        controls += ["separation_of_duties"] if item.policy.separation_of_duties else []
        controls += ["retry_acknowledged"] if item.policy.require_retry_ack else []
        controls += ["approval_quorum_met"] if state == "approved" else []
    record = ApprovalDecision(
        decision_id=decision_id,
        approval_plan_id=approval_plan_id,
        retry_plan_id=item.review.retry_plan_id,
        delivery_id=item.key.delivery_id,
        audit_id=item.key.audit_id,
        provider=item.key.provider,
        approval_state=vote.verb,
        decided_by=actor.name,
        decided_at=text(now),
        external_ref=wording.external_ref,
        notes=wording.notes,
        item_digest=item.digest,
        digest_named=bool(vote.item_digest),
        item_state=state,
        attempt_number=item.attempt_number,
        controls=controls,
    )
    plans = dict.fromkeys((approval_plan_id, item.opened_plan_id))
    causes = (*(Cause(one, ApprovalPlan.KIND.kind) for one in plans), *item.review.causes)
    return Draft(record, actor, causes=causes, trace_ids=(item.key.delivery_id,))
