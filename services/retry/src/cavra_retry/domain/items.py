"""Approval items: consent to one exact attempt, as a state machine in one table."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Final, Literal, NamedTuple

from cavra_evidence.draft import Cause
from cavra_evidence.log import encoded
from cavra_evidence.records.retry import (
    ApprovalDecision,
    ApprovalPlan,
    ItemPolicy,
    ItemState,
    RetryAck,
    RetryPlan,
)
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import text

from cavra_retry.domain.failures import Content, Failure, FailureKey
from cavra_retry.domain.plans import SATISFYING, Acknowledgement

Event = Literal[
    "acknowledge", "approve", "complete", "defer", "deny", "revoke", "expire", "change", "claim", "settle"
]
Verb = Literal["approved", "denied", "deferred", "expired", "revoked"]

TRANSITIONS: Final[Mapping[tuple[ItemState, Event], ItemState]] = {
    ("waiting_for_ack", "acknowledge"): "open",
    ("open", "approve"): "open",
    ("open", "complete"): "approved",
    ("open", "defer"): "open",
    ("open", "deny"): "denied",
    ("open", "revoke"): "revoked",
    ("open", "expire"): "expired",
    ("open", "change"): "changed",
    ("approved", "deny"): "denied",
    ("approved", "revoke"): "revoked",
    ("approved", "expire"): "expired",
    ("approved", "change"): "changed",
    ("approved", "claim"): "claimed",
    ("claimed", "settle"): "settled",
}
"""(state, event) -> state. What is not in it does not happen.

`approve` is an approval short of the quorum, `complete` the one that makes it.
"""

ENDED: Final = frozenset[ItemState]({"settled", "denied", "revoked", "expired", "changed"})
"""States that nothing leaves. They end the acknowledgement too: what comes next is reviewed anew, on a plan newer than the one before."""

_USED: Final = ENDED | {"claimed"}
_EVENTS: Final[Mapping[Verb, Event]] = {
    "denied": "deny",
    "deferred": "defer",
    "expired": "expire",
    "revoked": "revoke",
}

Person = tuple[str, str]
"""(iss, sub): what people are compared by."""


@dataclass(frozen=True, slots=True)
class Decision:
    """One recorded decision on an item."""

    decision_id: str
    state: Verb
    person: Person
    name: str
    decided_at: str


@dataclass(frozen=True, slots=True)
class Review:
    """What an item rests on: the acknowledged retry plan, or the newest one where no acknowledgement is asked for."""

    retry_plan_id: str
    plan_hash: str
    plan_index: int
    planner: Person
    acknowledgement_id: str = ""
    acknowledger: Person | None = None

    @property
    def causes(self) -> tuple[Cause, ...]:
        """The plan and its acknowledgement, as records of the same log."""
        plan = Cause(self.retry_plan_id, RetryPlan.KIND.kind)
        if not self.acknowledgement_id:
            return (plan,)
        return (plan, Cause(self.acknowledgement_id, RetryAck.KIND.kind))


class Standing(NamedTuple):
    """An item as far as a choice among thousands looks at it."""

    item_id: str
    attempt_number: int
    state: ItemState
    version: int
    failed_hash: str
    plan_index: int
    expires_at: datetime
    approvers: frozenset[Person]
    """Of an approved item, who approved it and may therefore not execute it; empty where they may."""

    def state_at(self, now: datetime) -> ItemState:
        """The state at `now`: an item that nobody used in time is expired, whether or not that has been written down yet."""
        return "expired" if self.state in ("open", "approved") and now >= self.expires_at else self.state

    def is_about(self, failure: Failure) -> bool:
        """Whether it is still about this failure as it is now, as far as that shows without its content."""
        return (
            failure.open
            and self.attempt_number == failure.next_attempt_number
            and self.failed_hash == failure.latest_record.record_hash
        )


@dataclass(frozen=True, slots=True)
class Item:
    """One failure that may be approved for one attempt."""

    item_id: str
    key: FailureKey
    attempt_number: int
    generation: int
    """How many items of this attempt came before it."""
    state: ItemState
    """As stored; `state_at` says what it is at a moment."""
    version: int
    review: Review
    opened_plan_id: str
    """The approval plan that opened it."""
    opener: Person
    """Who made that plan."""
    failed: Cause
    """The connector delivery of the newest failed attempt, with its hash."""
    content: Content
    policy: ItemPolicy
    expires_at: datetime
    decisions: tuple[Decision, ...] = ()
    """Oldest first."""
    approval_plan_id: str = ""
    """The approval plan that the completing decision named; empty before."""
    approval_decision_id: str = ""
    """The decision that completed the quorum; empty before."""

    @property
    def digest(self) -> str:
        """What approvers consent to, 64 hex digits: computed from the parts, so that no stored digest can differ from them."""
        failed, plan = self.failed.record_hash or "", self.review.plan_hash
        return _digest(
            self.key, self.attempt_number, failed, self.content, plan, self.policy, self.expires_at
        )

    def standing(self) -> Standing:
        """What a choice looks at."""
        return Standing(
            self.item_id,
            self.attempt_number,
            self.state,
            self.version,
            self.failed.record_hash or "",
            self.review.plan_index,
            self.expires_at,
            self.approvers if self.state == "approved" and self.policy.separation_of_duties else frozenset(),
        )

    def state_at(self, now: datetime) -> ItemState:
        """See `Standing.state_at`."""
        return self.standing().state_at(now)

    @property
    def approvers(self) -> frozenset[Person]:
        """Who approved it."""
        return frozenset(one.person for one in self.decisions if one.state == "approved")

    @property
    def ending(self) -> Cause:
        """The record that a next item names for this one: its last decision, or the plan that opened it when none was made."""
        if self.decisions:
            return Cause(self.decisions[-1].decision_id, ApprovalDecision.KIND.kind)
        return Cause(self.opened_plan_id, ApprovalPlan.KIND.kind)


@lru_cache(4096)  # Asked for by each step of a claim, of the items of all runs at once.
def _digest(
    key: FailureKey,
    attempt_number: int,
    failed_hash: str,
    content: Content,
    plan_hash: str,
    policy: ItemPolicy,
    expires_at: datetime,
) -> str:
    document: dict[str, Any] = {
        **key._asdict(),
        "attempt_number": attempt_number,
        "failed_record_hash": failed_hash,
        "audit_package_hash": content.audit_package_hash,
        "payload_hash": content.payload_hash,
        "destination_fingerprint": content.destination_fingerprint,
        "retry_plan_hash": plan_hash,
        "policy": policy.model_dump(),
        "expires_at": text(expires_at),
    }
    return sha256(b"cavra.item.v1\n" + encoded(document)).hexdigest()


def advance(state: ItemState, event: Event) -> ItemState:
    """The state after `event`. Refuses `acknowledgement_required`, `item_closed` or `invalid_transition`."""
    following = TRANSITIONS.get((state, event))
    if following is not None:
        return following
    if state == "waiting_for_ack":
        raise Refusal("acknowledgement_required", "a satisfying acknowledgement comes first", "provider")
    if state in _USED:
        raise Refusal("item_closed", f"the item is {state}", "provider")
    raise Refusal("invalid_transition", f"an item that is {state} is not for this", "approval_state")


def satisfies(ack: Acknowledgement | None, attempt_number: int, last: Standing | None) -> bool:
    """Whether the newest acknowledgement of a failure lets an item for this attempt open.

    It serves the attempt that its plan was made for, and after an item that has ended only if that plan is newer than the ended
    item's. A later acknowledgement takes the place of an earlier one: `dismissed` takes an `accepted` back until the item is approved.
    """
    return (
        ack is not None
        and ack.state in SATISFYING
        and ack.attempt_number == attempt_number
        and renewed(ack.plan_index, last)
    )


def renewed(plan_index: int, last: Standing | None) -> bool:
    """Whether a plan is newer than the one that an ended item rested on."""
    return last is None or plan_index > last.plan_index


def review_of(ack: Acknowledgement) -> Review:
    """The review that an acknowledgement stands for."""
    return Review(
        ack.retry_plan_id, ack.plan_hash, ack.plan_index, ack.planner, ack.acknowledgement_id, ack.person
    )


@dataclass(frozen=True, slots=True)
class Vote:
    """What somebody decides, and with which knowledge."""

    verb: Verb
    person: Person
    plan_author: Person
    """Who made the approval plan that the decision names."""
    item_digest: str
    """As the approver saw it; empty when not named."""


def decide(item: Item, vote: Vote, ack: Acknowledgement | None, now: datetime) -> ItemState:
    """The item's state after the vote. `ack` is the newest acknowledgement of the failure.

    Refuses `item_closed`, `content_changed`, `invalid_transition` (decided before), `self_approval`, `acknowledgement_required`.
    """
    # Saying that it is too late stays possible when it is.
    state = item.state if vote.verb == "expired" else item.state_at(now)
    if state in _USED:
        raise Refusal("item_closed", f"the item is {state}", "provider")
    if vote.item_digest and vote.item_digest != item.digest:
        raise Refusal("content_changed", "the item's digest is another one", "item_digest")
    if vote.verb == "revoked":
        return advance(state, "revoke")
    _check_first_vote(item, vote)
    if vote.verb != "approved":
        return advance(state, _EVENTS[vote.verb])
    if item.policy.separation_of_duties and vote.person in _involved(item, vote, ack):
        raise Refusal("self_approval", "who planned or acknowledged the retry may not approve it")
    if item.policy.require_retry_ack and not satisfies(ack, item.attempt_number, None):
        raise Refusal("acknowledgement_required", "the acknowledgement was taken back", "provider")
    approvals = len(item.approvers | {vote.person})
    return advance(state, "complete" if approvals >= item.policy.required_approvals else "approve")


def _check_first_vote(item: Item, vote: Vote) -> None:
    """One person decides an item once; who deferred may still decide, and not defer again."""
    earlier = {one.state for one in item.decisions if one.person == vote.person}
    if earlier - {"deferred"} or vote.verb in earlier:
        raise Refusal("invalid_transition", "you have decided on this item before", "approval_state")


def _involved(item: Item, vote: Vote, ack: Acknowledgement | None) -> set[Person | None]:
    involved = {item.review.planner, item.review.acknowledger, item.opener, vote.plan_author}
    if ack is not None and satisfies(ack, item.attempt_number, None):
        # The item may have opened on an earlier acknowledgement; the approval rests on the newest.
        involved |= {ack.planner, ack.person}
    return involved


def matches(item: Item, failure: Failure, content: Content | None) -> bool:
    """Whether an item is still about this failure as it is now. Content that cannot be described now has not changed."""
    return item.standing().is_about(failure) and content in (None, item.content)


def claim_refusal(item: Standing | None, person: Person, now: datetime) -> str:
    """Why `person` can't claim the item now, as a reason code; empty when nothing speaks against it."""
    if item is None:
        return "approval_required"
    if item.state == "approved" and now < item.expires_at:
        return "self_execution" if person in item.approvers else ""
    return _UNCLAIMABLE[item.state_at(now)]


_UNCLAIMABLE: Final[Mapping[ItemState, str]] = {
    "waiting_for_ack": "acknowledgement_required",
    "open": "approval_pending",
    "claimed": "execution_under_way",
    "settled": "approval_used",
    "denied": "approval_denied",
    "revoked": "approval_revoked",
    "expired": "approval_expired",
    "changed": "content_changed",
}
