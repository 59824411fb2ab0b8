"""Worker runs: which retries a run takes, and what it leaves to people."""

from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final, NamedTuple

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
from cavra_verify.grammar import BOUNDS

from cavra_retry.domain.bounds import encoded_size, listed, traces
from cavra_retry.domain.executions import Claim
from cavra_retry.domain.failures import Description, FailureKey
from cavra_retry.domain.items import ENDED, Item, Standing, claim_refusal, matches
from cavra_retry.domain.plans import Planned
from cavra_retry.domain.policy import Judged

CIRCUIT_OPEN: Final = "connector_circuit_open"
"""Why an approved retry waits: its connector has failed too often, and its approval stays as it is."""
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
    """When it was asked for; when it chooses and claims, then."""
    require_retry_ack: bool
    """Whether a retry needs an acknowledged plan here: the run's plan first lists those that lack what they need."""
    only_if_due: bool = False
    """Whether there is to be no run where it would take nothing."""
    circuits: Mapping[str, str] = field(default_factory=dict)
    """Of connectors whose circuit is not closed: "open" or "half_open", by provider."""


@dataclass(frozen=True, slots=True)
class Approvals:
    """What a live run knows of approvals. A dry run needs none."""

    standings: Mapping[FailureKey, Standing]
    """The newest item of each failure, where there is one."""
    items: Mapping[FailureKey, Item]
    """Those in full that were looked at closely: not more than a run needs to find its retries."""
    descriptions: Mapping[FailureKey, Description]
    """What would be sent now, for these."""
    verified: Container[str]
    """Those of these whose decisions' bytes and signatures make the quorum, by item id."""


class FollowUp(NamedTuple):
    """A retry that the run leaves to people."""

    judged: Judged
    reason: str
    approval_state: str

    @property
    def action(self) -> str:
        """What a person does about it."""
        return _ACTIONS.get(self.reason, "request_approval")

    @property
    def shown(self) -> FollowUpAction:
        """As the run's record holds it."""
        return _shown(self.judged.failure.key, self.action, self.reason, self.approval_state)


@lru_cache(1024)  # What one run leaves, the next ones leave too.
def _shown(key: FailureKey, action: str, reason: str, approval_state: str) -> FollowUpAction:
    return FollowUpAction(
        action=action,
        provider=key.provider,
        audit_id=key.audit_id,
        delivery_id=key.delivery_id,
        reason=reason,
        approval_state=approval_state,
    )


class FollowUps:
    """The retries that a run leaves to people: all counted, and as many kept, oldest first, as its record could list.

    Of those that ask for an approval so many, and so many of the others: whichever a record lists first, it can be full of them.
    """

    def __init__(self) -> None:
        self.count = 0
        self.pending = 0
        """Those that lack an approval."""
        self.kept: list[FollowUp] = []
        self._room = {False: BOUNDS["items"], True: BOUNDS["items"]}

    def add(self, judged: Judged, reason: str, approval_state: str) -> None:
        """One more, not older than those before."""
        self.count += 1
        if approval_state == "approval_required":
            self.pending += 1
        asks = reason not in _ACTIONS
        if self._room[asks]:
            self._room[asks] -= 1
            self.kept.append(FollowUp(judged, reason, approval_state))


@dataclass(frozen=True, slots=True)
class Selection:
    """What a run does."""

    selected: Sequence[Judged]
    """Oldest failure first."""
    items: Sequence[Item]
    """Of a live run: the approved item of each selected retry, in the same order."""
    changed: Sequence[Standing]
    """Items found to be about something else than is there now."""
    follow_ups: FollowUps


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
    request: RunRequest, judged: Sequence[Judged], standings: Mapping[FailureKey, Standing]
) -> Iterator[tuple[Judged, Standing]]:
    """The candidates of a live run that have an approval, before content and evidence are checked; oldest failure first."""
    probing: set[str] = set()
    for one in _asked(request, judged):
        item = standings.get(one.failure.key)
        if one.action != "retry" or _held(one, request, probing):
            continue
        if item and not _refusal(one, item, request):
            probing.add(one.failure.key.provider)
            yield one, item


def select(request: RunRequest, judged: Sequence[Judged], approvals: Approvals | None) -> Selection:
    """Choose among the candidates (action retry, oldest failure first); of a live run only those with a valid approval; then the cap."""
    if approvals is None:
        return _select_dry(request, judged)
    selected: list[Judged] = []
    items: list[Item] = []
    changed: list[Standing] = []
    follow_ups, probing = FollowUps(), set[str]()
    standings, left = approvals.standings, False
    for one in _asked(request, judged):
        key = one.failure.key
        standing = standings.get(key)
        # Of a run that is full, content and evidence of further items are not looked at.
        reason = _refusal(one, standing, request) if left else _not_valid(one, request, approvals)
        if reason == "content_changed" and standing is not None and standing.state == "approved":
            changed.append(standing)
        if one.action != "retry":
            follow_ups.add(one, one.reason, _approval_state(reason))
        elif reason:
            follow_ups.add(one, reason, _approval_state(reason))
        elif _held(one, request, probing):
            follow_ups.add(one, CIRCUIT_OPEN, "approved")
        elif left or key not in approvals.items:
            follow_ups.add(one, "max_retry_deliveries", "approved")
        else:
            selected.append(one)
            probing.add(key.provider)
            items.append(approvals.items[key])
            left = len(selected) == request.most
    return Selection(selected, items, changed, follow_ups)


def _select_dry(request: RunRequest, judged: Sequence[Judged]) -> Selection:
    selected: list[Judged] = []
    follow_ups, probing = FollowUps(), set[str]()
    for one in _asked(request, judged):
        if one.action != "retry":
            reason = one.reason
        elif _held(one, request, probing):
            reason = CIRCUIT_OPEN
        elif len(selected) == request.most:
            reason = "max_retry_deliveries"
        else:
            selected.append(one)
            probing.add(one.failure.key.provider)
            continue
        follow_ups.add(one, reason, "dry_run_not_required")
    return Selection(selected, [], [], follow_ups)


def _asked(request: RunRequest, judged: Sequence[Judged]) -> Sequence[Judged]:
    if not request.providers:
        return judged
    return [one for one in judged if one.failure.key.provider in request.providers]


def _held(one: Judged, request: RunRequest, probing: Container[str]) -> bool:
    """Whether nothing more is sent to a connector for now. One that is half-open takes one retry of a run, as its probe."""
    provider = one.failure.key.provider
    state = request.circuits.get(provider)
    return state == "open" or (state == "half_open" and provider in probing)


def _refusal(one: Judged, item: Standing | None, request: RunRequest) -> str:
    """Why the item can't be claimed; one that ended with an earlier attempt says nothing about this one."""
    if item is not None and item.state in ENDED and item.attempt_number != one.failure.next_attempt_number:
        item = None
    return claim_refusal(item, request.actor.key, request.now)


def is_valid(one: Judged, request: RunRequest, approvals: Approvals) -> bool:
    """Whether the approval of a failure may be used by this run, as far as `approvals` says."""
    return not _not_valid(one, request, approvals)


def _not_valid(one: Judged, request: RunRequest, approvals: Approvals) -> str:
    """Why the approval can't be used, as far as the item was looked at."""
    key = one.failure.key
    standing, item = approvals.standings.get(key), approvals.items.get(key)
    refusal = _refusal(one, standing, request)
    if refusal or standing is None:
        return refusal
    if not standing.is_about(one.failure):
        return "content_changed"
    if item is None:
        return ""
    description = approvals.descriptions.get(key)
    if not matches(item, one.failure, description.content if description else None):
        return "content_changed"
    if item.item_id not in approvals.verified:
        return "evidence_mismatch"
    # What was verified may say more than the rows that the choice was made by.
    return claim_refusal(item.standing(), request.actor.key, request.now)


def _approval_state(reason: str) -> str:
    return "approved" if reason in ("", "self_execution") else "approval_required"


_ACTIONS: Final[Mapping[str, str]] = {
    "retry_delay_pending": "wait_for_retry_delay",
    "in_flight": "wait_for_outcome",
    CIRCUIT_OPEN: "wait_for_connector",
    "execution_under_way": "wait_for_outcome",
    "max_retry_attempts_reached": "review_suppressed",
    "outcome_unknown": "resolve_unknown_outcome",
    "max_retry_deliveries": "run_again",
    "self_execution": "run_as_other_operator",
    "evidence_mismatch": "investigate_evidence",
}
"""Reason -> what a person does about it. All others ask for an approval."""


def record_run(
    request: RunRequest, planned: Planned, plan_hash: str, selection: Selection, claims: Sequence[Claim]
) -> Draft:
    """The record of a run. `claims` are those of a live run, whose intents stand before it in the same commit."""
    plan, decisions = planned.record, [planned.policy.shown(one) for one in selection.selected]
    causes = [
        Cause(plan.retry_plan_id, RetryPlan.KIND.kind),
        *(Cause(claim.intent_id, RetryIntent.KIND.kind) for claim in claims),
    ]
    taken = encoded_size(request.schedule, causes) + sum(encoded_size(one, ()) for one in decisions)
    kept = [
        shown
        for _, shown in listed(
            selection.follow_ups.kept,
            lambda one: (one.shown, ()),
            lambda one: int(one.action != "request_approval"),
            taken=taken,
        )
    ]
    pending = selection.follow_ups.pending
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
            approval_pending_count=pending,
            follow_up_action_count=selection.follow_ups.count,
        ),
        retry_plan=RetryPlanRef(retry_plan_id=plan.retry_plan_id, record_hash=plan_hash),
        selected_retries=decisions,
        follow_up_actions=kept,
        omitted_count=selection.follow_ups.count - len(kept),
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
        approval_required_count=pending,
    )
