"""What a service does for its log while it runs: it checks that the log extends its past, and signs checkpoints."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from cavra_service.checkpoints import Checkpoints, LogRefused
from cavra_service.evidence_log import evidence_servicer
from cavra_service.server import Servicer
from cavra_service.settings import Settings
from cavra_service.store.protocol import Store, StoreClosed, StoreFailed


@asynccontextmanager
async def log_kept(store: Store, settings: Settings, service: str) -> AsyncIterator[Servicer]:
    """Keep the log of `service` while the context is open; gives the EvidenceLog to serve. Nothing may be appended before.

    Raises LogRefused when the store is not what the last checkpoint says, or when a command holds the log.
    """
    path = settings.checkpoint_path(service)
    with held(path.parent, shared=True):
        checkpoints = Checkpoints(store, path, [store.signer.public])
        await checkpoints.resume()
        keeping = asyncio.create_task(checkpoints.keep(), name=f"{service}-checkpoints")
        try:
            yield evidence_servicer(store, checkpoints)
        finally:
            keeping.cancel()
            with suppress(asyncio.CancelledError):
                await keeping
            # Who stops in peace leaves nothing unsigned.
            with suppress(LogRefused, StoreFailed, StoreClosed, OSError):
                await checkpoints.fresh()


@contextmanager
def held(folder: Path, *, shared: bool) -> Iterator[None]:
    """Hold a log against commands that change how it goes on (`shared`: processes of its service), or for one. Raises LogRefused."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            other = "a command that changes its log is running" if shared else "the service is running"
            raise LogRefused(f"{folder.name}: {other}; wait for it, or stop it") from None
        yield
