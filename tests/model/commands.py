"""What people ask of the services: how each is called, and how the model explains what came back."""

from dataclasses import dataclass
from typing import Any

import orjson
from cavra.delivery.v1 import delivery_pb2 as delivery
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra.retry.v1 import retry_pb2 as pb
from cavra_service.errors import Refused
from cavra_verify.kinds import BY_NOUN

from tests.model.house import House
from tests.model.reference import CEILING, LONGEST_MINUTES, Ack, Differs, Failure, Key, Model, Verb, expect


@dataclass(frozen=True)
class Seen:
    """What came back."""

    answer: Any = None
    refused: str = ""
    """Reason code."""

    def __repr__(self) -> str:
        if not isinstance(self.answer, pb.RunWorkerResponse):
            return self.refused or "taken"
        run = body(self.answer.run, "worker_run")
        left = {one["delivery_id"][-4:]: one["reason"] for one in run["follow_up_actions"]}
        return f"took {[one['delivery_id'][-4:] for one in run['selected_retries']]}, left {left}"


def body(record: evidence.Record, noun: str) -> dict[str, Any]:
    """A record without its envelope."""
    found: dict[str, Any] = orjson.loads(record.canonical)[BY_NOUN[noun].key]
    return found


def key_of(part: dict[str, Any]) -> Key:
    """The failure that a part of a record is about."""
    return part["delivery_id"], part["audit_id"], part["provider"]


@dataclass
class Command:
    """Asked by `who`, of the retry service `at`."""

    who: str
    at: int

    async def ask(self, house: House) -> Seen:
        """What the services answer."""
        raise NotImplementedError

    def explain(self, model: Model, seen: Seen, alone: bool = True) -> None:
        """Move the model on. Raises Differs when it can't be moved by what was seen. `alone`: nothing else was asked meanwhile."""
        raise NotImplementedError

    async def _seen(self, house: House, method: str, request: Any, role: str = "operator") -> Seen:
        try:
            return Seen(await house.call(house.retries[self.at], method, request, self.who, role))
        except Refused as refused:
            return Seen(refused=refused.reason)


def _is_down(model: Model, seen: Seen) -> bool:
    """Whether it was refused because delivery is down, as the model has it."""
    if seen.refused == "service_unavailable" and model.down:
        return True
    expect(seen.refused == "service_unavailable", False, "delivery is up, and the command refused")
    return False


def _policy(most: int, immediate: bool) -> pb.RetryPolicy:
    return pb.RetryPolicy(max_retry_attempts=most, allow_immediate_retry=immediate)


@dataclass
class PlanRetries(Command):
    """A retry plan."""

    most: int
    immediate: bool

    async def ask(self, house: House) -> Seen:
        """See Command."""
        request = pb.PlanRetriesRequest(retry_policy=_policy(self.most, self.immediate))
        return await self._seen(house, "PlanRetries", request)

    def explain(self, model: Model, seen: Seen, alone: bool = True) -> None:
        """See Command."""
        if self.most > CEILING:
            return expect(seen.refused, "policy_floor", "a plan above the ceiling")
        if _is_down(model, seen):
            return None
        expect(seen.refused, "", "a retry plan")
        judged = model.judge(self.most, self.immediate)
        expect(_decisions(body(seen.answer.plan, "retry_plan")), judged, "decisions of a retry plan")
        model.counts["retry_plan"] += 1
        return None


def _decisions(plan: dict[str, Any]) -> dict[Key, tuple[str, str]]:
    return {key_of(one): (one["action"], one["reason"]) for one in plan["retry_decisions"]}


@dataclass
class Acknowledge(Command):
    """An acknowledgement of one item of a retry plan."""

    plan_id: str
    key: Key
    state: str

    async def ask(self, house: House) -> Seen:
        """See Command."""
        delivery_id, audit_id, provider = self.key
        request = pb.AcknowledgeRetryRequest(
            retry_plan_id=self.plan_id,
            provider=provider,
            delivery_id=delivery_id,
            audit_id=audit_id,
            acknowledgement_state=f"RETRY_ACKNOWLEDGEMENT_STATE_{self.state.upper()}",
        )
        return await self._seen(house, "AcknowledgeRetry", request)

    def explain(self, model: Model, seen: Seen, alone: bool = True) -> None:
        """See Command."""
        plan = model.plans.get(self.plan_id)
        wanted = "unknown_plan" if plan is None else "" if self.key in plan.items else "unknown_item"
        expect(seen.refused, wanted, "an acknowledgement")
        if plan is not None and not wanted:
            model.failures[self.key].ack = Ack(plan, self.who, plan.items[self.key][0], self.state)
            model.counts["retry_ack"] += 1


@dataclass
class PlanApproval(Command):
    """An approval plan."""

    required: int
    minutes: int

    async def ask(self, house: House) -> Seen:
        """See Command."""
        policy = pb.ApprovalPolicy(required_approvals=self.required, expires_in_minutes=self.minutes)
        return await self._seen(house, "PlanApproval", pb.PlanApprovalRequest(approval_policy=policy))

    def explain(self, model: Model, seen: Seen, alone: bool = True) -> None:
        """See Command."""
        if self.required < model.required or self.minutes > LONGEST_MINUTES:
            model.floored(self.who)
            return expect(seen.refused, "policy_floor", "a policy weaker than the installation's")
        if _is_down(model, seen):
            return None
        expect(seen.refused, "", "an approval plan")
        shown = {key_of(one): one for one in body(seen.answer.plan, "approval_plan")["approval_decisions"]}
        expect(set(shown), set(model.candidates()), "what an approval plan lists")
        if model.down and shown:
            raise Differs("delivery is down, and an approval plan said what would be sent")
        items = {}
        for key, one in shown.items():
            item, fresh = model.enter(key, self.who, self.required, self.minutes)
            items[key] = item
            if item is None:
                expect((one["item_state"], one["item_digest"]), ("waiting_for_ack", ""), f"item of {key}")
                continue
            if fresh:
                item.digest = one["item_digest"]
                if item.digest in model.digests:
                    raise Differs("a new item has the digest of another one")
                model.digests.add(item.digest)
            expect(
                (one["item_state"], one["item_digest"], one["attempt_number"]),
                (item.state, item.digest, item.attempt),
                f"item of {key}",
            )
            expect(one["policy"]["required_approvals"], item.required, "quorum of an item")
            votes = [(vote["decided_by"], vote["approval_state"]) for vote in one["decisions"]]
            expect(votes, item.votes, "decisions of an item")
        model.approvals[seen.answer.plan.id] = (self.who, items)
        model.counts["approval_plan"] += 1
        return None


@dataclass
class Decide(Command):
    """A decision on one item of an approval plan, which names the right digest, a wrong one or none."""

    plan_id: str
    key: Key
    verb: Verb
    digest: str

    async def ask(self, house: House) -> Seen:
        """See Command."""
        delivery_id, audit_id, provider = self.key
        request = pb.DecideApprovalRequest(
            approval_plan_id=self.plan_id,
            provider=provider,
            delivery_id=delivery_id,
            audit_id=audit_id,
            approval_state=f"APPROVAL_STATE_{self.verb.upper()}",
            item_digest=self.digest,
        )
        return await self._seen(house, "DecideApproval", request, "approver")

    def explain(self, model: Model, seen: Seen, alone: bool = True) -> None:
        """See Command."""
        author, items = model.approvals[self.plan_id]
        if self.key not in items:
            return expect(seen.refused, "unknown_item", "a decision on what the plan does not list")
        item = items[self.key]
        if item is None:
            return expect(seen.refused, "acknowledgement_required", "a decision before the acknowledgement")
        reasons = model.vote_refusals(self.key, author, item, (self.who, self.verb), self.digest)
        if seen.refused:
            if seen.refused not in reasons:
                raise Differs(f"a decision was refused: got {seen.refused}, expected one of {reasons}")
            return model.refused(item, self.who, seen.refused)
        expect(reasons, set(), f"reasons to refuse a decision that was taken ({self.verb})")
        expect(seen.answer.item_state, model.vote(item, self.who, self.verb), "state after a decision")
        model.counts["approval_decision"] += 1
        return None


@dataclass
class Run(Command):
    """A worker run. `mood` is what the receiver makes of what it is sent."""

    execute: bool
    most: int
    immediate: bool
    cap: int
    mood: str

    async def ask(self, house: House) -> Seen:
        """See Command."""
        request = pb.RunWorkerRequest(
            execute=self.execute,
            retry_policy=_policy(self.most, self.immediate),
            max_retry_deliveries=self.cap,
            retries=0,
            timeout_seconds=60,
        )
        return await self._seen(house, "RunWorker", request)

    def explain(self, model: Model, seen: Seen, alone: bool = True) -> None:
        """See Command."""
        if self.most > CEILING:
            return expect(seen.refused, "policy_floor", "a run above the ceiling")
        if _is_down(model, seen):
            return None
        expect(seen.refused, "", "a run")
        judged = model.judge(self.most, self.immediate)
        run, plan = body(seen.answer.run, "worker_run"), body(seen.answer.retry_plan, "retry_plan")
        selected = [key_of(one) for one in run["selected_retries"]]
        left = {key_of(one): one["reason"] for one in run["follow_up_actions"]}
        if self.execute:
            taken, others = model.run(self.who, judged, self.cap)
        else:
            retried = [key for key, (action, _) in judged.items() if action == "retry"]
            taken, spared = retried[: self.cap], retried[self.cap :]
            others = {key: why for key, (action, why) in judged.items() if action != "retry"}
            others |= dict.fromkeys(spared, "max_retry_deliveries")
            expect(len(seen.answer.results), 0, "what a dry run sent")
        expect(selected, taken, "what a run takes")
        if alone:
            expect(_decisions(plan), judged, "decisions of a run's plan")
            expect(left, others, "what a run leaves, and why")
            model.counts.update(["retry_plan", "worker_run"])
        for result in seen.answer.results:
            self._executed(model, body(result.execution, "execution_record"))
        expect(len(seen.answer.results), len(taken) * self.execute, "results of a run")
        return None

    def _executed(self, model: Model, execution: dict[str, Any]) -> None:
        key, execution_id = key_of(execution), execution["execution_id"]
        model.claimed(execution_id, key, self.who)
        nothing = model.destinations[key[2]] is None
        status, skipped = ("skipped", "connector_config_not_configured") if nothing else (self.mood, "")
        expect((execution["execution_status"], execution["skipped"]), (status, skipped), "an execution")
        if not nothing:
            sent(model, key, status)
        model.settled(execution_id, status)


def sent(model: Model, key: Key, status: str) -> None:
    """A retry reached the receiver, and that is what became of it."""
    model.requests += 1
    model.failures[key].begin()
    model.failures[key].end(status, model.now)


@dataclass
class Resolve(Command):
    """What somebody says became of an execution."""

    execution_id: str
    outcome: str

    async def ask(self, house: House) -> Seen:
        """See Command."""
        request = pb.ResolveExecutionRequest(
            execution_id=self.execution_id,
            outcome=f"RESOLUTION_OUTCOME_{self.outcome.upper()}",
            external_ref="OPS-7",
        )
        return await self._seen(house, "ResolveExecution", request)

    def explain(self, model: Model, seen: Seen, alone: bool = True) -> None:
        """See Command."""
        _, executor, status = model.executions[self.execution_id]
        reasons = set()
        if status != "unknown" or self.execution_id in model.resolved:
            reasons.add("invalid_transition")
        if executor == self.who:
            reasons.add("self_resolution")
        if reasons:
            if seen.refused not in reasons:
                raise Differs(f"a resolution: got {seen.refused!r}, expected one of {reasons}")
            return
        expect(seen.refused, "", "a resolution")
        model.resolved[self.execution_id] = self.outcome
        model.counts["execution_resolution"] += 1
        if model.down:
            model.untold.append(self.execution_id)
        else:
            model.told(self.execution_id)


@dataclass
class Deliver(Command):
    """A first send to one provider."""

    provider: str
    mood: str

    async def ask(self, house: House) -> Seen:
        """See Command."""
        assert house.delivery is not None
        request = delivery.DeliverAuditRequest(providers=[self.provider], retries=0, timeout_seconds=60)
        try:
            return Seen(await house.call(house.delivery, "DeliverAudit", request, self.who, "operator"))
        except Refused as refused:
            return Seen(refused=refused.reason)

    def explain(self, model: Model, seen: Seen, alone: bool = True) -> None:
        """See Command."""
        expect(seen.refused, "", "a delivery")
        document = body(seen.answer.delivery_plan, "delivery_plan")
        expect(seen.answer.success, self.mood == "delivered", "success of a delivery")
        model.requests += 1
        if self.mood != "delivered":
            key = (document["delivery_id"], document["audit_id"], self.provider)
            model.failures[key] = Failure(model.now)
