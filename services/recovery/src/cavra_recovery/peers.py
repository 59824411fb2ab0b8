"""What recovery asks of the services whose records it rests on: failures of delivery, records of delivery and retry."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import grpc
import structlog
from cavra.delivery.v1 import delivery_pb2, delivery_pb2_grpc
from cavra.evidence.v1 import evidence_pb2, evidence_pb2_grpc
from cavra_service.client import Caller
from cavra_service.errors import Refused
from cavra_service.keys import ServiceKeys
from cavra_service.wire import from_timestamp, timestamp

from cavra_recovery.domain.closures import Evidence
from cavra_recovery.domain.playbooks import ProviderFailures
from cavra_recovery.domain.steps import CATEGORIES
from cavra_recovery.genuine import genuine

log = structlog.get_logger()


class Peers:
    """Delivery and retry, as recovery calls them. Every call raises Refused `service_unavailable` when the peer does not serve it."""

    def __init__(
        self,
        delivery: grpc.aio.Channel,
        retry: grpc.aio.Channel,
        caller: Caller,
        keys: Mapping[str, ServiceKeys],
    ) -> None:
        """`keys` are the services' by service: what claims an effect counts only with its service's signature."""
        self._delivery = delivery_pb2_grpc.DeliveryServiceStub(delivery)
        self._logs = {
            "delivery": evidence_pb2_grpc.EvidenceLogStub(delivery),
            "retry": evidence_pb2_grpc.EvidenceLogStub(retry),
        }
        self._caller = caller
        self._keys = keys

    async def failures(self, since: datetime, provider: str = "") -> list[ProviderFailures]:
        """Failed connector deliveries from `since` on, of one provider or of all."""
        request = delivery_pb2.SummarizeFailuresRequest(since=timestamp(since), provider=provider)
        response = await self._ask("delivery", self._delivery.SummarizeFailures, request)
        return [_failures(found) for found in response.providers]

    async def records(self, service: str, ids: Sequence[str]) -> dict[str, Evidence]:
        """The records of `service` with these ids, by id, each with its hash recomputed and its signature checked.

        What the log does not hold, or does not hold as a genuine record of that id, is left out.
        """
        if not ids:
            return {}
        request = evidence_pb2.BatchGetRecordsRequest(ids=list(dict.fromkeys(ids)))
        response = await self._ask(service, self._logs[service].BatchGetRecords, request)
        return genuine(response.records, service, self._keys[service])

    async def _ask(self, service: str, method: Callable[..., Any], request: Any) -> Any:
        try:
            return await self._caller.unary(method, request)
        except Refused as refused:
            # A peer's refusal of our own call says nothing about the caller's request.
            log.warning("peer_refused", service=service, reason=refused.reason)
            raise Refused("service_unavailable", f"the {service} service does not answer") from None


def _failures(found: delivery_pb2.SummarizeFailuresResponse.ProviderFailures) -> ProviderFailures:
    return ProviderFailures(
        provider=found.provider,
        category=found.category if found.category in CATEGORIES else "webhook",
        failure_count=found.failure_count,
        latest_failure_at=from_timestamp(found.latest_failure_at),
        latest_failure_index=found.latest_failure_index,
        status_codes=tuple(found.status_codes),
        reasons=tuple(found.reasons),
        delivery_ids=tuple(found.delivery_ids),
        record_ids=tuple(cause.id for cause in found.records),
    )
