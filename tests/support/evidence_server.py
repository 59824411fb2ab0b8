"""A served EvidenceLog over a real store in a folder, with callers of every role."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import grpc
from cavra.evidence.v1 import evidence_pb2_grpc as rpc
from cavra_service.client import Caller
from cavra_service.identity import TokenVerifier, load_signer
from cavra_service.keeping import log_kept
from cavra_service.runtime import utc_now
from cavra_service.server import serving
from cavra_service.store.listing import listing_blocks
from cavra_service.store.sql import blocks, migrations
from cavra_service.store.sqlite import SqliteStore

from tests.support.installation import Installation


@dataclass(frozen=True, slots=True)
class EvidenceServer:
    """A running log."""

    installation: Installation
    store: SqliteStore
    address: str
    channel: grpc.aio.Channel
    stub: "rpc.EvidenceLogAsyncStub"
    auditor: Caller
    """Calls with the role auditor."""


@asynccontextmanager
async def evidence_server(
    folder: Path, clock: Callable[[], datetime] = utc_now
) -> AsyncIterator[EvidenceServer]:
    """Serve a new log of the retry service from `folder`."""
    installation = Installation(folder)
    store = await SqliteStore.open(
        folder / "retry.sqlite3",
        queries={**blocks("cavra_service.store"), **listing_blocks()},
        migrations=migrations("cavra_service.store"),
        origin=installation.settings.origin("retry"),
        signer=load_signer(installation.settings, "retry"),
        clock=clock,
    )
    verifier = TokenVerifier.of(installation.settings)
    try:
        async with (
            log_kept(store, installation.settings, "retry", own_records=False) as evidence,
            serving([evidence], verifier, "127.0.0.1:0", 0.1) as address,
            installation.channel(address) as channel,
        ):
            stub = rpc.EvidenceLogStub(channel)
            auditor = installation.caller("ann", "auditor")
            yield EvidenceServer(installation, store, address, channel, stub, auditor)
    finally:
        await store.close()
