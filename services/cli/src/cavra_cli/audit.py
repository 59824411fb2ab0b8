"""The audit of running services: each log read from its first record on, and all of them held against each other."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from typing import Any, Final

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra.evidence.v1.evidence_pb2_grpc import EvidenceLogStub
from cavra_service.client import Caller, connect
from cavra_service.errors import Refused
from cavra_service.replaying import pulled
from cavra_service.settings import Settings
from cavra_service.tls import channel_credentials
from cavra_verify.audit import Audit, Entry, Report
from cavra_verify.policy import Policy

_LONGEST_SECONDS: Final = 24 * 3600.0
_PATIENCE_SECONDS: Final = 10.0
"""How long a log may take for its next records."""


class LogUnread(Exception):
    """A log could not be read to its end; the message says which and why."""


async def audited(
    settings: Settings,
    services: Sequence[str],
    token: str,
    policy: Policy,
    since: Sequence[str] = (),
    *,
    signatures: bool = True,
) -> Report:
    """Replay the logs of `services` and give the report. `since`: signed notes that the auditor kept. Raises LogUnread."""
    caller = Caller(lambda: token, settings.call_timeout_seconds)
    origins = {log.service: log.origin for log in policy.logs.values()}
    if unpinned := [service for service in services if service not in origins]:
        raise LogUnread(f"the policy pins no log of {', '.join(unpinned)}")
    async with AsyncExitStack() as stack:
        logs: dict[str, Any] = {}
        for service in services:
            channel = connect(getattr(settings, f"{service}_address"), channel_credentials(settings))
            logs[service] = EvidenceLogStub(await stack.enter_async_context(channel))
        # What a log names of another one by now, that one holds when its checkpoint is made.
        audit = Audit(policy, signatures=signatures)
        settled = {service: await _head(caller, service, log) for service, log in logs.items()}
        heads = {service: await _head(caller, service, log, audit) for service, log in logs.items()}
        loop = asyncio.get_running_loop()
        for service, log in logs.items():
            head, origin = heads[service], origins[service]
            kept = [note for note in since if note.startswith(origin + "\n")]
            async with aclosing(_pages(caller, service, log, head.tree_size)) as pages:
                entries = pulled(loop, pages)
                await asyncio.to_thread(
                    audit.replay, origin, entries, head.note, kept, settled[service].tree_size
                )
        return audit.report()


async def _head(
    caller: Caller, service: str, log: Any, audit: Audit | None = None
) -> pb.GetCheckpointResponse:
    """The head of all that is committed; of a log that refuses to sign that, which is a finding, the last that it signed."""
    try:
        return await _checkpoint(caller, log, published=False)
    except Refused as refused:
        if refused.reason != "log_refused":
            raise LogUnread(f"{service}: {refused.message}") from None
        if audit is not None:
            audit.found(f"{service}: {refused.message}")
        return await _checkpoint(caller, log, published=True)


async def _checkpoint(caller: Caller, log: Any, *, published: bool) -> pb.GetCheckpointResponse:
    request = pb.GetCheckpointRequest(published=published)
    head: pb.GetCheckpointResponse = await caller.unary(log.GetCheckpoint, request)
    return head


async def _pages(caller: Caller, service: str, log: Any, size: int) -> AsyncGenerator[list[Entry], None]:
    """The log's records below `size`, as far as it has them."""
    watched = caller.stream(log.WatchRecords, pb.WatchRecordsRequest(), timeout=_LONGEST_SECONDS)
    following = 0
    try:
        while following < size:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                records = (await anext(aiter(watched))).records
            following = records[-1].index + 1
            yield [(one.index, one.canonical, one.signature) for one in records]
    except TimeoutError:
        return  # Records that were taken away are waited for like those to come.
    except Refused as refused:
        raise LogUnread(f"{service}: {refused.message}") from None
