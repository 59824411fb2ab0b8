"""Resolutions of unknown executions: recorded here first, then told to delivery, whose failures they move on."""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from typing import Final

import grpc
import structlog
from cavra.evidence.v1 import evidence_pb2 as evidence
from cavra_evidence.draft import Actor
from cavra_evidence.records.retry import ExecutionRecord, ExecutionResolution
from cavra_evidence.refusal import Refusal
from cavra_service.errors import Refused
from cavra_service.faults import fault
from cavra_service.keys import ServiceKeys
from cavra_service.store.deciding import decided
from cavra_service.store.protocol import Commit, Store
from cavra_service.wire import record_of_entry, record_of_row
from cavra_verify.canonical import parse

from cavra_retry.domain.resolutions import Execution, Resolution, resolve
from cavra_retry.peer import Delivery
from cavra_retry.store import items

log = structlog.get_logger()

FOR_GOOD: Final = frozenset(
    {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND, grpc.StatusCode.FAILED_PRECONDITION}
)
"""What delivery answers to what it will never take."""


class Resolver:
    """Records resolutions and tells delivery of each until it has heard."""

    def __init__(
        self, store: Store, delivery: Delivery, keys: ServiceKeys, clock: Callable[[], datetime]
    ) -> None:
        """`keys`: this service's own, by which it checks what it signed itself."""
        self._store = store
        self._delivery = delivery
        self._keys = keys
        self._clock = clock

    async def resolve(self, execution_id: str, said: Resolution, actor: Actor) -> evidence.Record:
        """Record what is asserted. Refuses `unknown_execution`, `invalid_transition`, `self_resolution` or `evidence_mismatch`.

        Delivery is told at once; when it is down, as soon as it is back.
        """
        record = await decided(self._store, execution_id, lambda: self._record(execution_id, said, actor))
        await fault("retry.resolved")
        await self._tell(record)
        return record

    async def _record(self, execution_id: str, said: Resolution, actor: Actor) -> evidence.Record:
        execution = await items.execution(self._store, execution_id)
        if execution is None:
            raise Refusal("unknown_execution", "no such execution", "execution_id")
        draft = resolve(execution, said, actor, self._clock())
        await self._check_signed(execution)
        kept = items.keep_resolution(execution_id, said.resolution_id)
        (entry,) = await self._store.commit(Commit([draft], [kept]))
        return record_of_entry(entry, self._store.origin)

    async def _check_signed(self, execution: Execution) -> None:
        """Refuse `evidence_mismatch` where the row says `unknown` and the signed record does not: the resolution would be signed too."""
        row = await self._store.row("record", id=execution.execution_id)
        held = False
        if row is not None:
            with suppress(ValueError, TypeError):
                self._keys.verify(row["signature"], row["canonical"], row["idx"])
                held = _is_unknown(execution, row["canonical"])
        if not held:
            raise Refusal("evidence_mismatch", "its signed record is not what is stored", "execution_id")

    async def tell(self) -> None:
        """Tell delivery of every resolution that it has not heard of."""
        for row in await self._store.rows("untold_resolutions"):
            await self._tell(record_of_row(row, self._store.origin))

    async def _tell(self, record: evidence.Record) -> None:
        try:
            await self._delivery.resolve(record)
        except Refused as refused:
            if refused.status not in FOR_GOOD:
                log.warning("resolution_not_taken", reason=refused.reason, id=record.id)
                return
            # Telling it again would be refused again: somebody has to look at it.
            log.error("resolution_not_taken", reason=refused.reason, id=record.id, for_good=True)
        execution_id = ExecutionResolution.read(record.canonical).execution_id
        await self._store.commit(Commit(statements=[items.told(execution_id, record.id)]))


def _is_unknown(execution: Execution, canonical: bytes) -> bool:
    """Whether the record of an execution says what its rows say."""
    said = ExecutionRecord.read(canonical)
    executor = parse(canonical)["actor"]
    return (
        said.execution_status == "unknown"
        and (said.delivery_id, said.audit_id, said.provider) == execution.key
        and said.attempt_number == execution.attempt_number
        and (executor["iss"], executor["sub"]) == execution.executor
    )
