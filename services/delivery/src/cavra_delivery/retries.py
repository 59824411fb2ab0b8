"""Claimed retries: each is sent once, as it was approved, or not at all."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from cavra_evidence.draft import Actor, Cause
from cavra_evidence.ids import new_id
from cavra_evidence.records.delivery import AuditPackage
from cavra_service.runtime import utc_now
from cavra_service.store.protocol import Commit, Conflict, Store
from cavra_verify.kinds import AUDIT_SOURCE, BY_NOUN
from cavra_verify.permits import Permit

from cavra_delivery.connectors.registry import Registry
from cavra_delivery.connectors.tries import Limits
from cavra_delivery.content import Content, content_of
from cavra_delivery.domain import failures
from cavra_delivery.domain.audit import Order, delivery_plan
from cavra_delivery.domain.deliveries import Send
from cavra_delivery.domain.failures import Failure
from cavra_delivery.domain.permits import check_permit
from cavra_delivery.sends import DECISIONS, Plan, SendMachine
from cavra_delivery.store.failures import (
    Key,
    failure_statement,
    fence_statement,
    find_execution,
    find_failure,
    original_outcome,
)

CHECKS: Final = ("permit_verified", "payload_hash_matched", "destination_fingerprint_matched")
"""Controls of a retry's record: what was compared with the approval before any byte went out."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One claimed retry, as it was approved."""

    execution_id: str
    key: Key
    attempt_number: int
    payload_hash: bytes
    fingerprint: bytes
    intent: Cause
    run_id: str
    retry_plan_id: str
    executed_by: Actor
    permit: bytes

    @property
    def asked(self) -> Permit:
        """What must be permitted; digest and expiry are the permit's own to say."""
        delivery_id, audit_id, provider = self.key
        return Permit(
            execution_id=self.execution_id,
            intent_id=self.intent.id,
            item_digest="",
            delivery_id=delivery_id,
            audit_id=audit_id,
            provider=provider,
            attempt_number=self.attempt_number,
            payload_hash=self.payload_hash.hex(),
            destination_fingerprint=self.fingerprint.hex(),
            expires_at="",
        )


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a claimed retry. The ids name records of this log, and are empty when nothing was sent."""

    execution_id: str
    outcome: str
    skipped_reason: str = ""
    delivery_plan_id: str = ""
    record_id: str = ""


class Retries:
    """Sends claims."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        machine: SendMachine,
        key: bytes,
        retry_key: bytes,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`key`: the installation's fingerprint key. `retry_key`: the retry service's raw public key, which permits are checked by."""
        self._store = store
        self._registry = registry
        self._machine = machine
        self._key = key
        self._retry_key = retry_key
        self._clock = clock

    async def describe(self, failed: Key) -> Content | None:
        """What a retry would send and where; None for a key without a failure."""
        if await find_failure(self._store, failed) is None:
            return None
        return await content_of(self._store, self._registry, self._key, failed)

    async def send(self, claim: Claim, limits: Limits, room: asyncio.Semaphore) -> Result:
        """Send a claim, once: an execution that is known answers with what is recorded, or is waited for.

        It is under way from now on, also while it waits for `room`. Skipped is what must not or cannot be sent; that writes no record,
        and fences the execution: an answer that is lost can't be followed by a send.
        """

        async def work() -> Result:
            async with room:
                return await self._send(claim, limits)

        return await self._machine.run(claim.execution_id, work)

    async def settle(self, execution_id: str) -> Result | None:
        """What became of an execution, for good: one that never began is fenced. None while it is under way here."""
        if self._machine.under_way(execution_id):
            return None
        # Under the key of its send: a send that comes now waits for this, and gets the same answer.
        return await self._machine.run(execution_id, lambda: self._settle(execution_id))

    async def _settle(self, execution_id: str) -> Result:
        for decision in range(DECISIONS):
            known = await find_execution(self._store, execution_id)
            if known is not None:
                if not known.fenced_reason and not known.outcome:
                    await self._machine.recover(execution_id)
                break
            try:
                return await self._fence(execution_id, "fenced")
            except Conflict:
                if decision == DECISIONS - 1:
                    raise
        return await self._recorded(execution_id)

    async def _fence(self, execution_id: str, reason: str) -> Result:
        await self._store.commit(Commit(statements=[fence_statement(execution_id, reason, self._clock())]))
        return Result(execution_id, "skipped", reason)

    async def _send(self, claim: Claim, limits: Limits) -> Result:
        for decision in range(DECISIONS):
            if await find_execution(self._store, claim.execution_id) is not None:
                break
            stored = await find_failure(self._store, claim.key)
            failure = None if stored is None else stored.failure
            content = await content_of(self._store, self._registry, self._key, claim.key)
            first = await original_outcome(self._store, claim.key)
            refused, permit_hash = check_permit(claim.permit, claim.asked, self._retry_key, self._clock())
            skipped = (
                refused
                or failures.skip_reason(failure, claim.attempt_number, first)
                or _differs(claim, content)
            )
            try:
                if skipped or failure is None or content.package is None or content.ready is None:
                    return await self._fence(claim.execution_id, skipped)
                send, plan = self._plan(claim, permit_hash, content.package, failure)
                await self._machine.begin(plan, send, [claim.key[2]])
            except Conflict:
                if decision == DECISIONS - 1:
                    raise
            else:
                await self._machine.finish(send, claim.key[2], content.ready, limits)
                break
        return await self._recorded(claim.execution_id)

    async def _recorded(self, execution_id: str) -> Result:
        known = await find_execution(self._store, execution_id)
        if known is not None and known.fenced_reason:
            return Result(execution_id, "skipped", known.fenced_reason)
        if known is None or not known.outcome:
            # Its task was cut short by a fault: settling it, or the next start, records what is known.
            raise Conflict("the execution has no outcome yet")
        return Result(execution_id, known.outcome, "", known.own_id, known.record_id)

    def _plan(
        self, claim: Claim, permit_hash: str, package: AuditPackage, failure: Failure
    ) -> tuple[Send, Plan]:
        delivery_id, audit_id, provider = claim.key
        own_id = new_id(BY_NOUN["delivery_plan"].prefix)
        order = Order((provider,), (provider,), provider, "retry")
        packed = Cause(audit_id, BY_NOUN["audit_package"].kind)
        draft = delivery_plan(
            package,
            order,
            claim.executed_by,
            own_id,
            (packed, claim.intent),
            delivery_id,
            self._clock(),
        )
        actor = claim.executed_by
        send = Send(
            record_id=new_id(BY_NOUN["connector_delivery"].prefix),
            own_id=own_id,
            source=AUDIT_SOURCE,
            delivery_id=delivery_id,
            audit_id=audit_id,
            actor=(actor.iss, actor.sub, actor.name),
            execution_id=claim.execution_id,
            permit_hash=permit_hash,
            attempt_number=claim.attempt_number,
            causes=(
                (own_id, BY_NOUN["delivery_plan"].kind, None),
                (claim.intent.id, claim.intent.kind, claim.intent.record_hash),
            ),
            retry_plan_id=claim.retry_plan_id,
            worker_run_id=claim.run_id,
            controls=CHECKS,
        )
        after = failures.begun(failure, claim.attempt_number)
        return send, Plan([draft], [failure_statement(after)], failures.gauges(failure, after))


def _differs(claim: Claim, content: Content) -> str:
    """Why the content cannot be sent under this claim, or empty."""
    if content.unavailable_reason:
        return content.unavailable_reason
    same = content.payload_hash == claim.payload_hash and content.fingerprint == claim.fingerprint
    return "" if same else "content_changed"
