"""The audit of running services: each log read from its first record on, and all of them held against each other."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra.evidence.v1.evidence_pb2_grpc import EvidenceLogStub
from cavra_service.client import Caller, connect
from cavra_service.errors import Refused
from cavra_service.replaying import pulled
from cavra_service.runtime import utc_now
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
    jobs: int = 1,
) -> Report:
    """Replay the logs of `services` and give the report. `since`: signed notes that the auditor kept; `jobs`: threads to check signatures.

    Raises LogUnread.
    """
    caller = Caller(lambda: token, settings.call_timeout_seconds)
    origins = {log.service: log.origin for log in policy.logs.values()}
    if unpinned := [service for service in services if service not in origins]:
        raise LogUnread(f"the policy pins no log of {', '.join(unpinned)}")
    async with logs_of(settings, services) as logs:
        # What a log names of another one by now, that one holds when its checkpoint is made.
        audit = Audit(policy, signatures=signatures, jobs=jobs)
        settled = {service: (await _head(caller, service, log)).tree_size for service, log in logs.items()}
        heads = {service: await _head(caller, service, log) for service, log in logs.items()}
        for service, head in heads.items():
            if head.refused:
                audit.found(f"{service}: {head.refused}")
                # It ends before what others say of it: nothing can be held against that.
                settled = dict.fromkeys(settled, 0)
        loop = asyncio.get_running_loop()
        for service, log in logs.items():
            head, origin = heads[service], origins[service]
            kept = [note for note in since if note.startswith(origin + "\n")]
            async with aclosing(_pages(caller, service, log, head.tree_size)) as pages:
                entries = pulled(loop, pages)
                await asyncio.to_thread(audit.replay, origin, entries, head.note, kept, settled[service])
        return audit.report(utc_now())


@asynccontextmanager
async def logs_of(settings: Settings, services: Sequence[str]) -> AsyncIterator[dict[str, Any]]:
    """The EvidenceLog of each service, at the addresses of `settings`."""
    async with AsyncExitStack() as stack:
        logs: dict[str, Any] = {}
        for service in services:
            channel = connect(getattr(settings, f"{service}_address"), channel_credentials(settings))
            logs[service] = EvidenceLogStub(await stack.enter_async_context(channel))
        yield logs


@dataclass(frozen=True, slots=True)
class _Head:
    note: str
    tree_size: int
    refused: str
    """Why it is not the head of all that is committed, but the last that the log signed."""


async def _head(caller: Caller, service: str, log: Any) -> _Head:
    refused = ""
    try:
        try:
            found = await caller.unary(log.GetCheckpoint, pb.GetCheckpointRequest())
        except Refused as error:
            if error.reason != "log_refused":
                raise
            refused = error.message
            found = await caller.unary(log.GetCheckpoint, pb.GetCheckpointRequest(published=True))
    except Refused as error:
        raise LogUnread(f"{service}: {error.message}") from None
    return _Head(found.note, found.tree_size, refused)


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
