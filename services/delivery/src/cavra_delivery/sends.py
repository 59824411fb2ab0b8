"""The send machine: a durable attempt, then bytes, then the record. Every send goes through it, in tasks that the service owns."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import islice
from typing import Any, Final, TypeVar

import structlog
from cavra_evidence.draft import Actor, Draft
from cavra_evidence.guard import GuardError, matches, scan
from cavra_evidence.log import Entry
from cavra_evidence.records.delivery import ProviderDelivery
from cavra_evidence.times import text
from cavra_service.faults import fault
from cavra_service.runtime import utc_now
from cavra_service.store.deciding import decided
from cavra_service.store.protocol import Commit, Conflict, Statement, Store, StoreFailed

from cavra_delivery.connectors.base import (
    CONNECTOR_FAULT,
    NOT_CONFIGURED,
    Answer,
    Connector,
    Destination,
    Event,
    Message,
    NotConfigured,
    Rendered,
)
from cavra_delivery.connectors.registry import Registry
from cavra_delivery.connectors.tries import Limits
from cavra_delivery.connectors.tries import send as send_with_tries
from cavra_delivery.domain import failures
from cavra_delivery.domain.circuits import CIRCUIT_OPEN
from cavra_delivery.domain.deliveries import Send, delivery_record, lost, message_id_of
from cavra_delivery.domain.failures import Failure
from cavra_delivery.gates import BUSY, Gates
from cavra_delivery.store.failures import (
    begin_statements,
    begun_sends,
    failure_statement,
    find_failures,
    settle_statements,
)

_FIRST_PAUSE_SECONDS: Final = 0.05
_LONGEST_PAUSE_SECONDS: Final = 5.0
"""Between tries to record an outcome while the store can't write."""

T = TypeVar("T")
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is committed together with a send's attempts, before any byte goes out."""

    drafts: Sequence[Draft] = ()
    statements: Sequence[Statement] = ()
    gauges: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Ready:
    """Content and destination of one attempt, checked before it began."""

    connector: Connector
    destination: Destination
    rendered: Rendered


Events = Callable[[Sequence[Entry], str], Event]
"""(the plan's records as committed, provider) -> what that provider is told."""


@dataclass(frozen=True, slots=True)
class First:
    """One first send: its plan, and what its providers are told."""

    plan: Plan
    send: Send
    providers: Sequence[str]
    events: Events
    limits: Limits


class Found:
    """Where providers are reached, by one look at the configuration: for all first sends that begin together."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._found: dict[str, tuple[Connector, Destination]] = {}

    def at(self, provider: str) -> tuple[Connector, Destination]:
        """The connector, and where it sends. Raises NotConfigured."""
        if provider not in self._found:
            connector = self._registry.find(provider)
            self._found[provider] = connector, connector.destination()
        return self._found[provider]


class SendMachine:
    """Sends, and the tasks they run in: a caller who goes away ends the waiting, never the work."""

    def __init__(
        self,
        store: Store,
        registry: Registry,
        service: Actor,
        clock: Callable[[], datetime] = utc_now,
        gates: Gates | None = None,
    ) -> None:
        self._store = store
        self._registry = registry
        self.gates = gates or Gates(registry, b"", clock)
        self._service = service
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[Any]] = {}
        self._carriers: dict[str, asyncio.Task[Any] | None] = {}
        """By record id: the task that carries out a send from before it begins until it is recorded."""

    def start(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> "asyncio.Task[T]":
        """The task of the service's own in which `work` runs from now on; that of the one under way, when `key` names one."""
        task = self._tasks.get(key)
        if task is None:
            task = asyncio.create_task(work(), name=f"send-{key}")
            self._tasks[key] = task
            task.add_done_callback(lambda done: self._finished(key, done))
        return task

    async def run(self, key: str, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """The result of `work`, started as by `start`."""
        return await asyncio.shield(self.start(key, work))

    def under_way(self, key: str) -> bool:
        """Whether the work of this key runs here."""
        return key in self._tasks

    def _finished(self, key: str, task: "asyncio.Task[Any]") -> None:
        del self._tasks[key]
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("send_ended", error=type(error).__name__)

    async def close(self, seconds: float) -> None:
        """Let what is under way finish, `seconds` at most; what does not is recorded at the next start."""
        if self._tasks:
            _, late = await asyncio.wait(list(self._tasks.values()), timeout=seconds)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def begin(self, plan: Plan, send: Send, providers: Sequence[str]) -> list[Entry]:
        """Make a send durable, with what it carries out: `plan`'s entries. Raises Conflict when it, or what it rests on, is not new."""
        begun = begin_statements(send, providers, self._clock())
        self._carriers[send.record_id] = asyncio.current_task()
        await fault(f"delivery.{send.sort}.before_attempt")
        entries = await self._store.commit(Commit(plan.drafts, [*plan.statements, *begun], plan.gauges))
        await fault(f"delivery.{send.sort}.attempted")
        return entries

    async def first(self, job: First) -> list[Entry]:
        """Begin, send to all providers at once, record. The plan's entries, then the connector-delivery's."""
        entries = await self.begin(job.plan, job.send, job.providers)
        return [*entries, await self._carry_out(job, Found(self._registry), entries)]

    async def firsts(self, jobs: Sequence[First]) -> "list[asyncio.Task[Entry]]":
        """Begin all in one commit, each with a plan of drafts alone; then send each in a task of the machine's, whose result is the
        connector-delivery's entry."""
        now = self._clock()
        begun = [begin_statements(job.send, job.providers, now) for job in jobs]
        self._carriers |= dict.fromkeys((job.send.record_id for job in jobs), asyncio.current_task())
        await fault("delivery.first.before_attempt")
        drafts = [draft for job in jobs for draft in job.plan.drafts]
        entries = iter(await self._store.commit(Commit(drafts, [one for rows in begun for one in rows])))
        await fault("delivery.first.attempted")
        found = Found(self._registry)
        tasks = []
        for job in jobs:
            work = partial(self._carry_out, job, found, list(islice(entries, len(job.plan.drafts))))
            tasks.append(self.start(job.send.own_id, work))
            self._carriers[job.send.record_id] = tasks[-1]
        return tasks

    async def _carry_out(self, job: First, found: Found, entries: Sequence[Entry]) -> Entry:
        attempts = [self._first_part(job, provider, found, entries) for provider in job.providers]
        # One provider needs no task of its own.
        parts = [await attempts[0]] if len(attempts) == 1 else await asyncio.gather(*attempts)
        return await self._conclude(job.send, parts, Actor(*job.send.actor))

    async def _first_part(
        self, job: First, provider: str, found: Found, entries: Sequence[Entry]
    ) -> ProviderDelivery:
        started, send = self._clock(), job.send
        try:
            connector, destination = found.at(provider)
            message_id = message_id_of(send.delivery_id, provider)
            rendered = connector.render(job.events(entries, provider), message_id)
            ready = Ready(connector, destination, rendered)
        except NotConfigured as error:
            answer = Answer(NOT_CONFIGURED, missing_variable=error.variable)
            return _part(send, provider, answer, 0, (started, started))
        except Exception as error:
            # The other providers are being sent to: this one's fault is its own outcome, and no byte went out.
            log.error("connector_failed", connector=provider, error=type(error).__name__, exc_info=error)
            return _part(send, provider, Answer(CONNECTOR_FAULT), 0, (started, started))
        async with self.gates.passing(provider) as passes:
            if not passes:
                return _part(send, provider, Answer(CIRCUIT_OPEN), 0, (started, self._clock()))
            return await self._attempt(send, provider, ready, job.limits)

    async def finish(
        self, send: Send, failure: Failure, ready: Ready, limits: Limits, actor: Actor
    ) -> tuple[ProviderDelivery, Entry]:
        """Send what has begun to its one provider, with content and destination as they were approved, and record.

        `failure` is as the beginning left it. Returns what became of it, and the record.
        """
        part = await self._attempt(send, failure.provider, ready, limits)
        return part, await self._conclude(send, [part], actor, [failure])

    async def _conclude(
        self,
        send: Send,
        parts: Sequence[ProviderDelivery],
        actor: Actor,
        standing: Sequence[Failure] = (),
    ) -> Entry:
        await fault(f"delivery.{send.sort}.answered")
        entry = await self._settle_at_last(send, parts, actor, standing)
        self._carriers.pop(send.record_id, None)
        await fault(f"delivery.{send.sort}.recorded")
        return entry

    async def _settle_at_last(
        self, send: Send, parts: Sequence[ProviderDelivery], actor: Actor, standing: Sequence[Failure]
    ) -> Entry:
        """What has happened is not forgotten because the disk is full for a while: only `close` ends the waiting."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                return await self._settle(send, parts, actor, standing)
            except StoreFailed:
                log.error("outcome_waits_for_store", record_id=send.record_id)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _attempt(self, send: Send, provider: str, ready: Ready, limits: Limits) -> ProviderDelivery:
        started = self._clock()
        message = Message(message_id_of(send.delivery_id, provider), ready.rendered, send.execution_id)
        async with self.gates.turn(provider) as came:
            if not came:
                return _part(send, provider, Answer(BUSY), 0, (started, self._clock()))
            answer, tries = await send_with_tries(ready.connector, ready.destination, message, limits)
            self.gates.answered(provider, answer, ready.destination)
        payload_hash = sha256(message.rendered.body).hexdigest() if tries else ""
        return _part(send, provider, answer, tries, (started, self._clock()), payload_hash)

    async def recover(self, execution_id: str = "") -> int:
        """Record every send that was cut short, or that of one execution; how many there were.

        That is what has begun and no living task carries out: a crash ended its process (one process at a time sends from one store), or
        a fault its task.
        """
        carried = self._carried()
        sends = [one for one in await begun_sends(self._store) if execution_id in ("", one[0].execution_id)]
        carried |= self._carried()
        lost_ones = [one for one in sends if one[0].record_id not in carried]
        return sum([await self._record_lost(*one) for one in lost_ones])

    async def _record_lost(self, send: Send, begun: Mapping[str, datetime]) -> bool:
        """Whether this records a send. One whose record can't be made must not keep the others waiting."""
        now = self._clock()
        parts = [lost(send, provider, at, now) for provider, at in begun.items()]
        try:
            await self._settle(send, parts, self._service)
        except Conflict:
            return False  # It has been recorded meanwhile.
        except (LookupError, ValueError) as error:
            log.error("lost_send_not_recorded", record_id=send.record_id, error=type(error).__name__)
            return False
        log.warning("send_outcome_lost", record_id=send.record_id, providers=list(begun))
        await fault("delivery.settle.recovered")
        return True

    def _carried(self) -> set[str]:
        """Record ids of the sends that a living task carries out; the others are forgotten."""
        self._carriers = {one: task for one, task in self._carriers.items() if task and not task.done()}
        return set(self._carriers)

    async def _settle(
        self,
        send: Send,
        parts: Sequence[ProviderDelivery],
        actor: Actor,
        standing: Sequence[Failure] = (),
    ) -> Entry:
        """Record what became of a send, and move its failures, in one commit. `standing`: a retry's failures, where they are known."""
        known = [standing] if standing else []

        async def command() -> Entry:
            # Decided again, it is decided on what is stored then.
            before = known.pop() if known else await self._standing(send, parts)
            now = self._clock()
            moves = _moves(send, parts, before, now)
            statements = settle_statements(send, parts, now) + [
                failure_statement(after) for _, after in moves
            ]
            moved: dict[str, int] = {}
            for earlier, after in moves:
                for name, delta in failures.gauges(earlier, after).items():
                    moved[name] = moved.get(name, 0) + delta
            draft = delivery_record(send, parts, actor, now)
            circuits = self.gates.unkept(part.provider for part in parts)
            statements += [statement for statement, _ in circuits]
            (entry,) = await self._store.commit(Commit([draft], statements, moved))
            for _, kept in circuits:
                kept()
            return entry

        if not send.is_retry:
            return await command()  # It moves no failure that somebody else could move.
        return await decided(self._store, send.record_id, command)

    async def _standing(self, send: Send, parts: Sequence[ProviderDelivery]) -> list[Failure]:
        """The failures that a retry moves, as they are stored."""
        if not send.is_retry:
            return []
        keys = [(send.delivery_id, send.audit_id, part.provider) for part in parts]
        found = [stored.failure for stored in await find_failures(self._store, keys) if stored is not None]
        if len(found) != len(keys):
            raise LookupError("a retry's failure is gone")
        return found


def _moves(
    send: Send, parts: Sequence[ProviderDelivery], standing: Sequence[Failure], now: datetime
) -> list[tuple[Failure | None, Failure]]:
    """Failures (before, after) that an outcome opens or moves."""
    if send.opens_failures:
        return [
            (
                None,
                failures.opened(
                    (send.delivery_id, send.audit_id, part.provider), send.record_id, part.status_code, now
                ),
            )
            for part in parts
            if not part.success
        ]
    moves: list[tuple[Failure | None, Failure]] = []
    for part, before in zip(parts, standing, strict=send.is_retry):
        outcome: failures.Outcome = (
            "delivered" if part.success else "unknown" if part.outcome == "unknown" else "failed"
        )
        attempt = failures.Attempt(outcome, send.own_id, send.record_id, part.status_code)
        moves.append((before, failures.settled(before, attempt, now)))
    return moves


def _part(
    send: Send,
    provider: str,
    answer: Answer,
    tries: int,
    times: tuple[datetime, datetime],
    payload_hash: str = "",
) -> ProviderDelivery:
    """One provider's part of the record. On a retry, bytes without an answer leave the outcome unknown: it is never resent by itself."""
    undelivered = "unknown" if send.is_retry and answer.may_have_arrived else "failed"
    return ProviderDelivery(
        provider=provider,
        success=answer.delivered,
        status_code=answer.status_code,
        attempt_count=tries,
        started_at=text(times[0]),
        completed_at=text(times[1]),
        error=answer.reason,
        missing_variable=answer.missing_variable,
        outcome="delivered" if answer.delivered else undelivered,
        message_id=message_id_of(send.delivery_id, provider),
        attempt_number=send.attempt_number,
        payload_hash=payload_hash,
        request=answer.request,
        external_ref=_kept_reference(answer.external_ref),
    )


def _kept_reference(text: str) -> str:
    """What a receiver said, if a record may hold it: a receiver can say anything, and its delivery is recorded whatever it said."""
    try:
        return scan(text) if matches("external_id", text) else ""
    except GuardError:
        return ""
