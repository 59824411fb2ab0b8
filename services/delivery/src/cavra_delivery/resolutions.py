"""Resolutions: what a person says of a retry whose outcome is unknown moves its failure on."""

from cavra_evidence.records.retry import ExecutionResolution
from cavra_evidence.refusal import Refusal
from cavra_service.keys import ServiceKeys
from cavra_service.store.deciding import decided
from cavra_service.store.protocol import Commit, Statement, Store
from cavra_verify.merkle import leaf_hash

from cavra_delivery.domain import failures
from cavra_delivery.store.failures import StoredFailure, failure_statement, find_execution, find_failure


class Resolutions:
    """Takes resolutions by their bytes and signature."""

    def __init__(self, store: Store, retry_keys: ServiceKeys) -> None:
        """`retry_keys`: the retry service's."""
        self._store = store
        self._retry_keys = retry_keys

    async def apply(self, canonical: bytes, signature: bytes) -> StoredFailure:
        """The failure after the resolution whose record this is; the same one again changes nothing.

        Refuses `invalid_value`, `unknown_execution` or `invalid_transition`.
        """
        said, record_hash = self._read(canonical, signature), leaf_hash(canonical).hex()
        return await decided(self._store, said.execution_id, lambda: self._apply(said, record_hash))

    def _read(self, canonical: bytes, signature: bytes) -> ExecutionResolution:
        try:
            self._retry_keys.verify(signature, canonical, index=None)
            return ExecutionResolution.read(canonical)
        except (ValueError, KeyError):
            raise Refusal("invalid_value", "not a resolution that retry signed", "resolution") from None

    async def _apply(self, said: ExecutionResolution, record_hash: str) -> StoredFailure:
        key = (said.delivery_id, said.audit_id, said.provider)
        known = await find_execution(self._store, said.execution_id)
        stored = await find_failure(self._store, key)
        if known is None or stored is None:
            raise Refusal("unknown_execution", "no such execution of this failure", "resolution")
        earlier = await self._store.row("resolution", execution_id=said.execution_id)
        if earlier is not None and earlier["record_hash"] == record_hash:
            return stored
        after = failures.resolved(stored.failure, known.record_id, said.outcome == "delivered")
        kept = {
            "execution_id": said.execution_id,
            "resolution_id": said.resolution_id,
            "record_hash": record_hash,
        }
        statements = [Statement("insert_resolution", kept), failure_statement(after)]
        moved = failures.gauges(stored.failure, after)
        await self._store.commit(Commit(statements=statements, gauges=moved))
        return StoredFailure(after, stored.latest_record, stored.original_record)
