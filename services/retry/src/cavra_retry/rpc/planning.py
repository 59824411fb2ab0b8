"""Retry plans and their acknowledgement."""

from typing import Any, Final

from cavra.retry.v1 import retry_pb2 as pb
from cavra_evidence.ids import new_id
from cavra_evidence.records.retry import RetryAck, RetryPlan
from cavra_evidence.refusal import Refusal
from cavra_service.identity import caller
from cavra_service.store.protocol import Commit
from cavra_service.wire import record_of_entry

from cavra_retry.domain.plans import AckState, acknowledge, judge, plan_retries
from cavra_retry.rpc.base import Topic, member, only, required, retry_policy
from cavra_retry.store import plans

_STATES: Final[dict[int, AckState]] = {
    pb.RETRY_ACKNOWLEDGEMENT_STATE_UNSPECIFIED: "accepted",
    pb.RETRY_ACKNOWLEDGEMENT_STATE_ACCEPTED: "accepted",
    pb.RETRY_ACKNOWLEDGEMENT_STATE_DEFERRED: "deferred",
    pb.RETRY_ACKNOWLEDGEMENT_STATE_ESCALATED: "escalated",
    pb.RETRY_ACKNOWLEDGEMENT_STATE_RESOLVED: "resolved",
    pb.RETRY_ACKNOWLEDGEMENT_STATE_DISMISSED: "dismissed",
}


class Planning(Topic):
    """PlanRetries and AcknowledgeRetry."""

    async def PlanRetries(self, request: pb.PlanRetriesRequest, context: Any) -> pb.PlanRetriesResponse:
        """See the contract."""
        parts, now = self._parts, self._parts.clock()
        policy = retry_policy(request.retry_policy, parts.settings)
        judged = judge(await parts.delivery.open_failures(), policy, now)
        live = await parts.standings.live()
        ack = parts.settings.approval_require_retry_ack
        reviewed = await plans.reviewed(parts.store, judged, live, ack, now)
        planned = plan_retries(new_id(RetryPlan.KIND.prefix), judged, reviewed, policy, caller().actor, now)
        entries = await parts.store.commit(Commit([planned.draft], plans.keep_retry_plan(planned)))
        return pb.PlanRetriesResponse(plan=record_of_entry(entries[0], parts.store.origin))

    async def AcknowledgeRetry(
        self, request: pb.AcknowledgeRetryRequest, context: Any
    ) -> pb.AcknowledgeRetryResponse:
        """See the contract."""
        store, actor = self._parts.store, caller().actor
        provider = required(request, "provider")
        state = member(_STATES, request.acknowledgement_state, "acknowledgement_state")
        found = await plans.plan_items(
            store, request.retry_plan_id, provider, request.delivery_id, request.audit_id
        )
        if not found and await store.row("retry_plan", retry_plan_id=request.retry_plan_id) is None:
            raise Refusal("unknown_plan", "no such retry plan", "retry_plan_id")
        item, ack_id = only(found), new_id(RetryAck.KIND.prefix)
        draft = acknowledge(
            ack_id, item, state, request.external_ref, request.notes, actor, self._parts.clock()
        )
        keep = plans.keep_acknowledgement(ack_id, item, state, actor)
        entries = await store.commit(Commit([draft], [keep]))
        return pb.AcknowledgeRetryResponse(acknowledgement=record_of_entry(entries[0], store.origin))
