"""RPCs that other services ask: failures as they are now, what a retry would send, and the sending of claimed retries."""

import asyncio
import base64
import binascii
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.draft import Actor
from cavra_evidence.guard import matches
from cavra_evidence.log import Entry
from cavra_service.errors import Refused
from cavra_service.faults import fault
from cavra_service.store.protocol import Row
from cavra_service.wire import record_of_entry, record_of_row

from cavra_delivery.retries import Claim, Result
from cavra_delivery.rpc import encode
from cavra_delivery.rpc.decode import (
    cause_of_log,
    hash_of,
    id_of,
    key_of,
    keys_of,
    limits_of,
    moment_of,
    someone,
    under,
    within,
)
from cavra_delivery.rpc.parts import Topic
from cavra_delivery.store.failures import Key, find_failures, open_failures, summarize

_MOST_LISTED: Final = 50
_START: Final = ("", "", "")


class Failures(Topic):
    """See the contract."""

    async def ListFailures(self, request: pb.ListFailuresRequest, context: Any) -> pb.ListFailuresResponse:
        """See the contract."""
        limit = within(request, "page_size", 1, 500, 50)
        after = _place_of(request.page_token) if request.page_token else _START
        found, total = await open_failures(self._store, request.provider, after, limit + 1)
        page = [encode.failure(one) for one in found[:limit]]
        response = pb.ListFailuresResponse(failures=page, total=total)
        if len(found) > limit:
            last = found[limit - 1].failure
            response.next_page_token = _token_of(
                (last.first_failed_at.isoformat(timespec="microseconds"), last.delivery_id, last.provider)
            )
        return response

    async def BatchGetFailures(
        self, request: pb.BatchGetFailuresRequest, context: Any
    ) -> pb.BatchGetFailuresResponse:
        """See the contract."""
        found = await find_failures(self._store, keys_of(request.keys))
        return pb.BatchGetFailuresResponse(failures=[encode.failure(one) for one in found if one is not None])

    async def SummarizeFailures(
        self, request: pb.SummarizeFailuresRequest, context: Any
    ) -> pb.SummarizeFailuresResponse:
        """See the contract."""
        since = moment_of(request, "since")
        if since is None:
            raise Refused("invalid_value", "a time is needed", "since")
        kinds = {one.name: one.kind for one in self._registry.all().values()}
        summaries = await summarize(self._store, since, request.provider, _MOST_LISTED)
        return pb.SummarizeFailuresResponse(
            providers=[encode.summary(one, kinds.get(one.provider, one.provider)) for one in summaries]
        )

    async def DescribeRetries(
        self, request: pb.DescribeRetriesRequest, context: Any
    ) -> pb.DescribeRetriesResponse:
        """See the contract."""
        described = await self._retries.describe(keys_of(request.keys))
        return pb.DescribeRetriesResponse(
            descriptions=[encode.description(key, content) for key, content in described]
        )

    async def SendRetries(
        self, request: pb.SendRetriesRequest, context: Any
    ) -> AsyncIterator[pb.SendRetriesResponse]:
        """See the contract."""
        limits, claims = limits_of(request), _claims(request)
        waiting, failed = set(self._retries.send(claims, limits)), None
        while waiting:
            # A caller who goes away cancels this wait, and none of the sends.
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            failed = next(filter(None, (task.exception() for task in done)), failed)
            results = [self._result(task.result()) for task in done if task.exception() is None]
            if results:
                yield pb.SendRetriesResponse(results=results)
        if failed is not None:
            raise failed

    async def Settle(self, request: pb.SettleRequest, context: Any) -> pb.SettleResponse:
        """See the contract."""
        if not 1 <= len(request.execution_ids) <= 100:
            raise Refused("invalid_value", "1 to 100 ids", "execution_ids")
        ids = list(dict.fromkeys(id_of(one, "execution_ids") for one in request.execution_ids))
        settled = await asyncio.gather(*map(self._retries.settle, ids))
        response = pb.SettleResponse()
        for execution_id, result in zip(ids, settled, strict=True):
            response.settlements.add(
                execution_id=execution_id,
                in_progress=result is None,
                result=None if result is None else self._result(result),
            )
        return response

    async def ResolveFailure(
        self, request: pb.ResolveFailureRequest, context: Any
    ) -> pb.ResolveFailureResponse:
        """See the contract."""
        record = request.resolution
        failure = await self._resolutions.apply(record.canonical, record.signature)
        await fault("delivery.resolved")
        return pb.ResolveFailureResponse(failure=encode.failure(failure))

    def _result(self, result: Result) -> pb.SendRetriesResponse.Result:
        plan, delivery = map(self._record, result.records) if result.records else (None, None)
        return pb.SendRetriesResponse.Result(
            execution_id=result.execution_id,
            outcome=encode.OUTCOMES[result.outcome],
            skipped_reason=result.skipped_reason,
            delivery_plan=plan,
            delivery=delivery,
        )

    def _record(self, record: Entry | Row) -> evidence_pb2.Record:
        if isinstance(record, Entry):
            return record_of_entry(record, self._store.origin)
        return record_of_row(record, self._store.origin)


def _claims(request: pb.SendRetriesRequest) -> list[Claim]:
    if not 1 <= len(request.sends) <= 100:
        raise Refused("invalid_value", "1 to 100 sends", "sends")
    executed_by = someone(request.executed_by, "executed_by")
    claims = []
    for at, send in enumerate(request.sends):
        with under(f"sends[{at}]"):
            claims.append(_claim(send, executed_by))
    if len({claim.execution_id for claim in claims}) != len(claims):
        raise Refused("invalid_value", "an execution stands twice", "sends")
    return claims


def _claim(send: pb.RetrySend, executed_by: Actor) -> Claim:
    if send.attempt_number < 2:
        raise Refused("invalid_value", "a retry is attempt 2 or later", "attempt_number")
    return Claim(
        id_of(send.execution_id, "execution_id"),
        key_of(send.key),
        send.attempt_number,
        hash_of(send.payload_hash, "payload_hash"),
        hash_of(send.destination_fingerprint, "destination_fingerprint"),
        cause_of_log(send.intent, "intent"),
        id_of(send.run_id, "run_id"),
        id_of(send.retry_plan_id, "retry_plan_id"),
        executed_by,
        send.permit,
    )


def _token_of(place: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode().rstrip("=")


def _place_of(token: str) -> Key:
    try:
        place = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        first_failed_at, delivery_id, provider = place
        if matches("time", first_failed_at) and matches("id", delivery_id) and matches("provider", provider):
            return first_failed_at, delivery_id, provider
    except (binascii.Error, ValueError, TypeError, RecursionError):
        pass
    raise Refused("invalid_page_token", "not a token of this list", "page_token")
