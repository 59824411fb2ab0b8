"""Claimed retries: each is sent once, as it was approved, or not at all."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from cavra_evidence.draft import Actor, Cause, Draft
from cavra_evidence.ids import new_id
from cavra_evidence.log import Entry
from cavra_service.faults import fault
from cavra_service.keys import ServiceKeys
from cavra_service.runtime import utc_now
from cavra_service.store.deciding import decided
from cavra_service.store.protocol import Commit, Conflict, Row, Store
from cavra_verify.kinds import AUDIT_SOURCE, BY_NOUN
from cavra_verify.permits import Permit

from cavra_delivery.connectors.registry import Registry
from cavra_delivery.connectors.tries import Limits
from cavra_delivery.content import Content, Originals, Targets, content_of, originals
from cavra_delivery.domain import failures
from cavra_delivery.domain.audit import Order, Packed, delivery_plan
from cavra_delivery.domain.circuits import CIRCUIT_OPEN
from cavra_delivery.domain.deliveries import Send
from cavra_delivery.domain.failures import Failure
from cavra_delivery.domain.permits import check_permit
from cavra_delivery.sends import Plan, Ready, SendMachine
from cavra_delivery.store.failures import (
    Execution,
    Key,
    failure_statement,
    fence_statement,
    find_execution,
    find_executions,
    find_failures,
    original_outcomes,
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
            intent_hash=self.intent.record_hash or "",
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
    """What became of a claimed retry."""

    execution_id: str
    outcome: str
    skipped_reason: str = ""
    records: Sequence[Entry | Row] = ()
    """The retry's own delivery plan and its connector-delivery, as committed or as read; none when nothing was sent."""


@dataclass(frozen=True, slots=True)
class _Known:
    """What one claim is decided on."""

    execution: Execution | None
    failure: Failure | None
    first_outcome: str
    original: Originals
    targets: Targets


@dataclass(frozen=True, slots=True)
class _Begun:
    """An attempt that is durable, and what it sends."""

    send: Send
    plan: Entry
    failure: Failure
    ready: Ready


class Retries:
    """Sends claims."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        machine: SendMachine,
        key: bytes,
        retry_keys: ServiceKeys,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        """`key`: the installation's fingerprint key. `retry_keys`: the retry service's, which permits are checked by."""
        self._store = store
        self._registry = registry
        self._machine = machine
        self._key = key
        self._retry_keys = retry_keys
        self._clock = clock

    async def describe(self, keys: Sequence[Key]) -> list[tuple[Key, Content]]:
        """What a retry of each would send and where; keys without a failure are left out."""
        found = await find_failures(self._store, keys)
        known = [key for key, failure in zip(keys, found, strict=True) if failure is not None]
        targets = Targets(self._registry, self._key)
        return [
            (key, content_of(key, original, targets))
            for key, original in zip(known, await originals(self._store, known), strict=True)
        ]

    def send(self, claims: Sequence[Claim], limits: Limits) -> "list[asyncio.Task[Result]]":
        """Send each claim, once: an execution that is known answers with what is recorded, or is waited for.

        All are under way from now on, in tasks of the machine's: who waits for them must not cancel them. Skipped is what must not or
        cannot be sent; that writes no record, and fences the execution: an answer that is lost can't be followed by a send.
        """
        new = [claim for claim in claims if not self._machine.under_way(claim.execution_id)]
        known = asyncio.ensure_future(self._known(new))
        return [
            self._machine.start(claim.execution_id, partial(self._send, claim, known, limits))
            for claim in claims
        ]

    async def settle(self, execution_id: str) -> Result | None:
        """What became of an execution, for good: one that never began is fenced. None while it is under way here."""
        if self._machine.under_way(execution_id):
            return None
        # Under the key of its send: a send that comes now waits for this, and gets the same answer.
        return await self._machine.run(execution_id, lambda: self._settle(execution_id))

    async def _settle(self, execution_id: str) -> Result:
        async def command() -> Result | None:
            known = await find_execution(self._store, execution_id)
            if known is None:
                await fault("delivery.settle.before_fence")
                fenced = await self._fence(execution_id, "fenced")
                await fault("delivery.settle.fenced")
                return fenced
            if not known.fenced_reason and not known.outcome:
                await self._machine.recover(execution_id)
            return None

        return await decided(self._store, execution_id, command) or await self._recorded(execution_id)

    async def _fence(self, execution_id: str, reason: str) -> Result:
        await self._store.commit(Commit(statements=[fence_statement(execution_id, reason, self._clock())]))
        return Result(execution_id, "skipped", reason)

    async def _known(self, claims: Sequence[Claim]) -> dict[str, _Known]:
        """What the claims are decided on, by execution id: few trips to the store, however many they are."""
        keys, store = [claim.key for claim in claims], self._store
        executions, failed, outcomes, carried = await asyncio.gather(
            find_executions(store, [claim.execution_id for claim in claims]),
            find_failures(store, keys),
            original_outcomes(store, keys),
            originals(store, keys),
        )
        targets = Targets(self._registry, self._key)
        return {
            claim.execution_id: _Known(
                execution, None if stored is None else stored.failure, outcome, original, targets
            )
            for claim, execution, stored, outcome, original in zip(
                claims, executions, failed, outcomes, carried, strict=True
            )
        }

    async def _send(self, claim: Claim, batch: "asyncio.Future[dict[str, _Known]]", limits: Limits) -> Result:
        read = [batch]
        async with self._machine.gates.passing(claim.key[2]) as passes:

            async def command() -> Result | _Begun | None:
                # A batch is read as one; who decides again reads for itself.
                known = await (asyncio.shield(read.pop()) if read else self._known([claim]))
                return await self._begin(claim, known[claim.execution_id], passes)

            begun = await decided(self._store, "|".join(claim.key), command)
            if begun is None:
                return await self._recorded(claim.execution_id)
            if isinstance(begun, Result):
                return begun
            part, delivery = await self._machine.finish(
                begun.send, begun.failure, begun.ready, limits, claim.executed_by
            )
            return Result(claim.execution_id, part.outcome, "", (begun.plan, delivery))

    async def _begin(self, claim: Claim, known: _Known, passes: bool) -> Result | _Begun | None:
        """Begin, or fence for a reason; None for an execution that is known already."""
        if known.execution is not None:
            return None
        content = content_of(claim.key, known.original, known.targets)
        refused, permit_hash = check_permit(claim.permit, claim.asked, self._retry_keys.now, self._clock())
        skipped = (
            refused
            or failures.skip_reason(known.failure, claim.attempt_number, known.first_outcome)
            or _differs(claim, content)
            or ("" if passes else CIRCUIT_OPEN)
        )
        if skipped or known.failure is None or content.package is None or content.ready is None:
            return await self._fence(claim.execution_id, skipped)
        send, draft = self._plan(claim, permit_hash, content.package)
        after = failures.begun(known.failure, claim.attempt_number)
        plan = Plan([draft], [failure_statement(after)], failures.gauges(known.failure, after))
        entries = await self._machine.begin(plan, send, [claim.key[2]])
        return _Begun(send, entries[0], after, content.ready)

    async def _recorded(self, execution_id: str) -> Result:
        known = await find_execution(self._store, execution_id)
        if known is not None and known.fenced_reason:
            return Result(execution_id, "skipped", known.fenced_reason)
        if known is None or not known.outcome:
            # Its task was cut short by a fault: settling it, or the next start, records what is known.
            raise Conflict("the execution has no outcome yet")
        found = await self._store.each("record", [{"id": known.own_id}, {"id": known.record_id}])
        return Result(execution_id, known.outcome, "", [row for rows in found for row in rows])

    def _plan(self, claim: Claim, permit_hash: str, package: Packed) -> tuple[Send, Draft]:
        delivery_id, audit_id, provider = claim.key
        own_id = new_id(BY_NOUN["delivery_plan"].prefix)
        order = Order((provider,), (provider,), provider, "retry")
        packed = Cause(audit_id, BY_NOUN["audit_package"].kind)
        causes, actor = (packed, claim.intent), claim.executed_by
        draft = delivery_plan(package, order, actor, own_id, causes, delivery_id, self._clock())
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
        return send, draft


def _differs(claim: Claim, content: Content) -> str:
    """Why the content cannot be sent under this claim, or empty."""
    if content.unavailable_reason:
        return content.unavailable_reason
    same = content.payload_hash == claim.payload_hash and content.fingerprint == claim.fingerprint
    return "" if same else "content_changed"
