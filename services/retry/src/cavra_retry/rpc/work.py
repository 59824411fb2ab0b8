"""What is to be done about the open failures."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from cavra.retry.v1 import retry_pb2 as pb
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import moment
from cavra_service.identity import caller
from cavra_service.wire import timestamp

from cavra_retry.domain.approvals import View
from cavra_retry.domain.failures import Failure
from cavra_retry.domain.items import ENDED, Item, Person
from cavra_retry.domain.work import Step, approval_refusal, next_step
from cavra_retry.rpc.approvals import installation_policy
from cavra_retry.rpc.base import Topic
from cavra_retry.store import items, plans

_MOST: Final = 200
_SHOWN_DECISIONS: Final = 20
_STEPS: Final[Mapping[Step, pb.WorkStep]] = {
    "plan": pb.WORK_STEP_PLAN,
    "acknowledge": pb.WORK_STEP_ACKNOWLEDGE,
    "plan_approval": pb.WORK_STEP_PLAN_APPROVAL,
    "decide": pb.WORK_STEP_DECIDE,
    "execute": pb.WORK_STEP_EXECUTE,
    "wait": pb.WORK_STEP_WAIT,
    "resolve": pb.WORK_STEP_RESOLVE,
    "given_up": pb.WORK_STEP_GIVEN_UP,
}


class Work(Topic):
    """ListWork."""

    async def ListWork(self, request: pb.ListWorkRequest, context: Any) -> pb.ListWorkResponse:
        """See the contract."""
        if not 0 <= request.limit <= _MOST:
            raise Refusal("invalid_value", f"0 to {_MOST}", "limit")
        parts, now, person = self._parts, self._parts.clock(), caller().actor.key
        failures = await parts.delivery.open_failures()
        shown = failures[: request.limit or 100]
        views = await plans.views(parts.store, [one.key for one in shown])
        newest = [view.last.item_id for view in views.values() if view.last is not None]
        full = {one.item_id: one for one in await items.full(parts.store, newest)}
        policy = installation_policy(parts)
        found = []
        for failure in shown:
            view = views.get(failure.key)
            step = next_step(failure, view, policy.require_retry_ack, now)
            item = full.get(view.last.item_id) if view is not None and view.last is not None else None
            found.append(await self._item(failure, view, step, item, person, now))
        return pb.ListWorkResponse(
            items=found,
            total=len(failures),
            policy=pb.ApprovalPolicy(
                require_retry_ack=policy.require_retry_ack,
                required_approvals=policy.required_approvals,
                expires_in_minutes=policy.expires_in_minutes,
                separation_of_duties=policy.separation_of_duties,
            ),
            attempt_ceiling=parts.settings.approval_max_attempts,
        )

    async def _item(
        self,
        failure: Failure,
        view: View | None,
        step: Step,
        item: Item | None,
        person: Person,
        now: datetime,
    ) -> pb.WorkItem:
        found = pb.WorkItem(
            **failure.key._asdict(),
            failure_count=failure.failure_count,
            attempt_number=failure.next_attempt_number,
            first_failed_at=timestamp(failure.first_failed_at),
            latest_failed_at=timestamp(failure.latest_failed_at),
            failed_status_codes=failure.failed_status_codes,
            step=_STEPS[step],
        )
        if view is not None:
            _say_review(found, view, failure)
        if item is None:
            return found
        if item.state_at(now) in ENDED:
            found.ended = item.state_at(now)
        if step == "resolve":
            row = await self._parts.store.row("execution_of_item", item_id=item.item_id)
            if row is not None:
                found.execution_id = row["execution_id"]
                found.refusal = (
                    "self_resolution" if person == (row["executor_iss"], row["executor_sub"]) else ""
                )
        if step in ("decide", "execute"):
            _say_item(found, item)
            ack = view.ack if view is not None else None
            barred = "self_execution" if person in item.standing().approvers else ""
            found.refusal = approval_refusal(item, person, ack, now) if step == "decide" else barred
        return found


def _say_review(found: pb.WorkItem, view: View, failure: Failure) -> None:
    planned, ack = view.planned, view.ack
    found.retry_plan_id, found.action = planned.retry_plan_id, planned.action
    if planned.next_retry_at:
        found.next_retry_at.FromDatetime(moment(planned.next_retry_at))
    if ack is not None and ack.attempt_number == failure.next_attempt_number:
        found.acknowledgement_id, found.acknowledgement_state = ack.acknowledgement_id, ack.state


def _say_item(found: pb.WorkItem, item: Item) -> None:
    found.approval_plan_id = item.opened_plan_id
    found.item_digest = item.digest
    found.audit_package_hash = item.content.audit_package_hash
    found.payload_hash = item.content.payload_hash
    found.destination_fingerprint = item.content.destination_fingerprint
    found.required_approvals = item.policy.required_approvals
    found.expires_at.FromDatetime(item.expires_at)
    for one in item.decisions[-_SHOWN_DECISIONS:]:
        found.decisions.add(
            decision_id=one.decision_id,
            approval_state=one.state,
            decided_by=one.name,
            decided_at=one.decided_at,
        )
