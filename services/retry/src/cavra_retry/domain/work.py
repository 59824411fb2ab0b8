"""What comes next for an open failure, and whether one person may do it."""

from datetime import datetime
from typing import Final, Literal

from cavra_evidence.refusal import Refusal

from cavra_retry.domain.approvals import View, is_live, review
from cavra_retry.domain.failures import Failure
from cavra_retry.domain.items import Item, Person, Vote, decide, renewed
from cavra_retry.domain.plans import Acknowledgement

Step = Literal["plan", "acknowledge", "plan_approval", "decide", "execute", "wait", "resolve", "given_up"]

_OF_LIVE: Final[dict[str, Step]] = {"open": "decide", "approved": "execute", "claimed": "wait"}


def next_step(failure: Failure, view: View | None, require_retry_ack: bool, now: datetime) -> Step:
    """What comes next. `view` is None for a failure that no plan has listed."""
    if failure.outcome_unknown:
        return "resolve"
    if failure.in_flight:
        return "wait"
    if view is None:
        return "plan"
    if view.last is not None and is_live(view.last, failure, now):
        return _OF_LIVE[view.last.state]
    planned = view.planned
    current = planned.attempt_number == failure.next_attempt_number and renewed(planned.plan_index, view.last)
    if planned.action == "suppress":
        return "given_up" if current else "plan"
    if review(view, failure, require_retry_ack) is not None:
        return "plan_approval"
    return "acknowledge" if current else "plan"


def approval_refusal(item: Item, person: Person, ack: Acknowledgement | None, now: datetime) -> str:
    """Why `person` can't approve an open item by the plan that opened it, as a reason code; empty when they can."""
    try:
        decide(item, Vote("approved", person, item.opener, item.digest), ack, now)
    except Refusal as refusal:
        return refusal.reason
    return ""
