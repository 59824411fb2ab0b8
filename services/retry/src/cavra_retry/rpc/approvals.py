"""Approval plans and decisions."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any, Final

from cavra.retry.v1 import retry_pb2 as pb
from cavra_evidence.draft import Actor
from cavra_evidence.guard import matches
from cavra_evidence.ids import new_id
from cavra_evidence.log import Entry
from cavra_evidence.records.retry import ApprovalDecision, ApprovalPlan, RetryRefusal
from cavra_evidence.refusal import Refusal
from cavra_evidence.times import text
from cavra_service.identity import caller
from cavra_service.store.deciding import decided
from cavra_service.store.protocol import Commit, Conflict, Statement
from cavra_service.wire import record_of_entry
from cavra_verify.grammar import BOUNDS

from cavra_retry.domain.approvals import (
    ACTIONS,
    Action,
    ApprovalPolicy,
    Candidate,
    Request,
    View,
    Wording,
    outlook,
    plan_approval,
    record_decision,
)
from cavra_retry.domain.failures import Description, Failure, FailureKey
from cavra_retry.domain.items import Decision, Item, Verb, Vote, decide
from cavra_retry.domain.refusals import asked_for, record_refusal, recorded_as
from cavra_retry.rpc.base import Parts, Topic, member, only, optional, required
from cavra_retry.store import items, plans

_VERBS: Final[dict[int, Verb]] = {
    pb.APPROVAL_STATE_UNSPECIFIED: "approved",
    pb.APPROVAL_STATE_APPROVED: "approved",
    pb.APPROVAL_STATE_DENIED: "denied",
    pb.APPROVAL_STATE_DEFERRED: "deferred",
    pb.APPROVAL_STATE_EXPIRED: "expired",
    pb.APPROVAL_STATE_REVOKED: "revoked",
}


class Approvals(Topic):
    """PlanApproval and DecideApproval."""

    async def PlanApproval(self, request: pb.PlanApprovalRequest, context: Any) -> pb.PlanApprovalResponse:
        """See the contract."""
        parts, asked, actor = self._parts, request.approval_policy, caller().actor
        try:
            policy = installation_policy(parts).tightened(
                optional(asked, "required_approvals"),
                optional(asked, "expires_in_minutes"),
                optional(asked, "separation_of_duties"),
                optional(asked, "require_retry_ack"),
            )
        except Refusal as refusal:
            if refusal.reason == "policy_floor":
                await decided(parts.store, "approval plans", lambda: self._keep_floor(actor))
            raise
        entry = await decided(parts.store, "approval plans", lambda: self._plan(policy, actor))
        return pb.PlanApprovalResponse(plan=record_of_entry(entry, parts.store.origin))

    async def _keep_floor(self, actor: Actor) -> None:
        """Record with each item that may still be decided on, once, that somebody asked to approve on weaker terms."""
        store, now = self._parts.store, self._parts.clock()
        asked = asked_for((await self._parts.standings.live()).values(), now)
        fresh = await items.full(store, await items.not_refused(store, asked, actor.key, "policy_floor"))
        drafts = [
            record_refusal(
                new_id(RetryRefusal.KIND.prefix), one.opened_plan_id, one, "", "", "policy_floor", actor, now
            )
            for one in fresh
        ]
        if drafts:
            kept = [items.keep_refusal(one, actor.key, "policy_floor") for one in fresh]
            await store.commit(Commit(drafts, kept))

    async def _plan(self, policy: ApprovalPolicy, actor: Actor) -> Entry:
        parts, now = self._parts, self._parts.clock()
        failures = {one.key: one for one in await parts.delivery.open_failures()}
        views = {
            key: view
            for key, view in (await plans.views(parts.store, list(failures))).items()
            if view.planned.action != "suppress"
        }
        looked_at: dict[Action, list[FailureKey]] = {action: [] for action in ACTIONS}
        for key, view in views.items():
            looked_at[outlook(view, failures[key], policy, now)].append(key)
        chosen = await self._candidates(looked_at, failures, views)
        candidates = [chosen.pop(key) for key in views if key in chosen]
        seen = {one.failure.key for one in candidates}
        others = Counter({action: sum(key not in seen for key in keys) for action, keys in looked_at.items()})
        item_ids = [new_id("gordackretryitem") for _ in candidates]
        request = Request(new_id(ApprovalPlan.KIND.prefix), policy, actor, now, item_ids)
        planned = plan_approval(request, candidates, others)
        statements: list[Statement] = plans.keep_approval_plan(planned)
        for one in planned.entries:
            statements += [items.move(one.ended, one.ended.state)] if one.ended else []
            statements += [items.open_item(one.item)] if one.opened and one.item else []
        return (await parts.store.commit(Commit([planned.draft], statements)))[0]

    async def _candidates(
        self,
        looked_at: Mapping[Action, Sequence[FailureKey]],
        failures: Mapping[FailureKey, Failure],
        views: Mapping[FailureKey, View],
    ) -> dict[FailureKey, Candidate]:
        """As many as one plan may list, what asks for a decision first; beside them, those of these that can't be sent now."""
        store, delivery = self._parts.store, self._parts.delivery
        most, found, ready = BOUNDS["items"], dict[FailureKey, Candidate](), 0
        waiting = set(looked_at["wait_for_retry_ack"])
        in_turn = [key for action in ACTIONS for key in looked_at[action]]
        for at in range(0, len(in_turn), most):
            batch = in_turn[at : at + most]
            descriptions = await delivery.describe([key for key in batch if key not in waiting])
            item_ids = [last.item_id for key in batch if (last := views[key].last) is not None]
            last_items = {item.key: item for item in await items.full(store, item_ids)}
            for key in batch:
                about = descriptions.get(key, Description(None, "audit_package_not_found"))
                view = views[key]
                found[key] = Candidate(view.planned, failures[key], about, view.ack, last_items.get(key))
                ready += key in waiting or about.content is not None
            if ready >= most:
                break
        return found

    async def DecideApproval(
        self, request: pb.DecideApprovalRequest, context: Any
    ) -> pb.DecideApprovalResponse:
        """See the contract."""
        store, who = self._parts.store, caller().actor
        provider = required(request, "provider")
        verb = member(_VERBS, request.approval_state, "approval_state")
        if request.item_digest and not matches("hash", request.item_digest):
            raise Refusal("invalid_value", "64 hex digits", "item_digest")
        plan = await store.row("approval_plan", approval_plan_id=request.approval_plan_id)
        if plan is None:
            raise Refusal("unknown_plan", "no such approval plan", "approval_plan_id")
        author = (plan["planner_iss"], plan["planner_sub"])
        rows = await store.rows(
            "approval_plan_items",
            approval_plan_id=request.approval_plan_id,
            provider=provider,
            retry_plan_id=request.retry_plan_id,
            delivery_id=request.delivery_id,
            audit_id=request.audit_id,
        )
        item_id: str = only(rows)["item_id"]
        if not item_id:
            message = "acknowledge the retry, then plan its approval again"
            raise Refusal("acknowledgement_required", message, "provider")
        vote = Vote(verb, who.key, author, request.item_digest)
        return await decided(store, item_id, lambda: self._decide(request, item_id, vote, who))

    async def _decide(
        self, request: pb.DecideApprovalRequest, item_id: str, vote: Vote, actor: Actor
    ) -> pb.DecideApprovalResponse:
        store = self._parts.store
        item, now = await items.item(store, item_id), self._parts.clock()
        ack = await plans.newest_ack(store, item.key)
        try:
            state = decide(item, vote, ack, now)
        except Refusal as refusal:
            await self._keep(refusal, request.approval_plan_id, item, vote, actor, now)
            raise
        decision = Decision(
            new_id(ApprovalDecision.KIND.prefix), vote.verb, vote.person, actor.name, text(now)
        )
        draft = record_decision(
            decision.decision_id,
            request.approval_plan_id,
            item,
            vote,
            state,
            Wording(request.external_ref, request.notes),
            actor,
            now,
        )
        statements = [items.move(item, state), items.keep_decision(item, decision)]
        if state == "approved":
            statements.append(items.approve(item_id, request.approval_plan_id, decision.decision_id))
        if vote.verb == "approved" and item.policy.require_retry_ack and ack is not None:
            statements.append(plans.check_ack(item.key, ack.acknowledgement_id))
        (entry,) = await store.commit(Commit([draft], statements))
        # Who executes it will look at what was signed here.
        self._parts.keys.signed(store.signer.public, entry.signature, entry.canonical)
        record = record_of_entry(entry, store.origin)
        return pb.DecideApprovalResponse(decision=record, item_state=state)

    async def _keep(
        self, refusal: Refusal, approval_plan_id: str, item: Item, vote: Vote, actor: Actor, now: datetime
    ) -> None:
        """Record a refusal that is evidence, unless it is recorded already. The caller is refused either way."""
        reason = recorded_as(refusal.reason, item, now)
        if reason is None:
            return
        draft = record_refusal(
            new_id(RetryRefusal.KIND.prefix),
            approval_plan_id,
            item,
            vote.verb,
            vote.item_digest,
            reason,
            actor,
            now,
        )
        with suppress(Conflict):
            await self._parts.store.commit(Commit([draft], [items.keep_refusal(item, vote.person, reason)]))


def installation_policy(parts: Parts) -> ApprovalPolicy:
    """What an approval takes in this installation."""
    settings = parts.settings
    return ApprovalPolicy(
        settings.approval_required_approvals,
        settings.approval_expires_in_minutes,
        settings.approval_separation_of_duties,
        settings.approval_require_retry_ack,
    )
