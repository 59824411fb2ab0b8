"""What a service does for its log while it runs: it checks that the log extends its past, signs checkpoints, and tells what is open."""

import asyncio
import fcntl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import IO, Final

import structlog
from cavra_evidence.draft import Actor

from cavra_service.checkpoints import Checkpoints, LogRefused
from cavra_service.evidence_log import evidence_servicer
from cavra_service.heartbeat import Heartbeat
from cavra_service.keys import established, key_records, trusted
from cavra_service.replaying import OwnAudit
from cavra_service.runtime import utc_now
from cavra_service.server import Servicer
from cavra_service.settings import Settings
from cavra_service.store.protocol import Store, StoreClosed, StoreFailed

log = structlog.get_logger()

_LOOK_SECONDS: Final = 0.05
"""How often is looked whether a store is free."""


@asynccontextmanager
async def log_kept(
    store: Store,
    settings: Settings,
    service: str,
    *,
    own_records: bool = True,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[Servicer]:
    """Keep the log of `service` while the context is open; gives the EvidenceLog to serve. Nothing may be appended before.

    `own_records`: whether the log also says by which keys it speaks and what is open, as a service's does.
    Raises LogRefused when the store is not what the last checkpoint says, or when a command holds the log.
    """
    path = settings.checkpoint_path(service)
    actor = service_actor(settings, service)
    with held(path.parent, shared=True):
        checkpoints = await resumed(store, path)
        tasks = [asyncio.create_task(checkpoints.keep(), name=f"{service}-checkpoints")]
        try:
            if own_records:
                await _speaking(store, actor, clock)
                heartbeat = Heartbeat(store, settings, actor, clock)
                await heartbeat.beat()
                tasks.append(asyncio.create_task(heartbeat.keep(), name=f"{service}-heartbeat"))
                if settings.audit_interval_minutes:
                    audit = OwnAudit(store, checkpoints, settings, actor, clock)
                    tasks.append(asyncio.create_task(audit.keep(), name=f"{service}-audit"))
            yield evidence_servicer(store, checkpoints)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            # Who stops in peace leaves nothing unsigned.
            with suppress(LogRefused, StoreFailed, StoreClosed, OSError):
                await checkpoints.fresh()


async def resumed(store: Store, path: Path) -> Checkpoints:
    """The checkpoints of a log, once it is found to extend the last. Raises LogRefused."""
    # After a rotation the last one may still be signed by the key before: what the log says of its keys is checked with the rest of it.
    keys = [key.public for key in trusted(await key_records(store))]
    checkpoints = Checkpoints(store, path, [store.signer.public, *keys])
    await checkpoints.resume()
    return checkpoints


def service_actor(settings: Settings, service: str) -> Actor:
    """A service as the author of its own records."""
    return Actor(settings.token_issuer, f"service:{service}", f"service:{service}")


async def _speaking(store: Store, actor: Actor, clock: Callable[[], datetime]) -> None:
    keys = await established(store, actor, clock())
    if keys[-1].public != store.signer.public:
        service = store.origin.rpartition("/")[2]
        raise LogRefused(
            f"the log {store.origin} names another key as its own than the service holds. Put its key back; if a rotation was cut short,"
            f" end it: cavra key rotate {service}"
        )


@asynccontextmanager
async def alone(store: Path, patience: float) -> AsyncIterator[None]:
    """Hold a store for this process alone, for a service that takes what is under way at its start for what a crash left.

    A process that is stopping is waited for, `patience` seconds. Raises LogRefused if it does not stop.
    """
    store.parent.mkdir(parents=True, exist_ok=True)
    with store.with_suffix(".lock").open("a") as file:
        for look in range(1 + round(patience / _LOOK_SECONDS)):
            if _locked(file):
                break
            if not look:
                log.warning("store_in_use", store=store.name, waiting_seconds=patience)
            await asyncio.sleep(_LOOK_SECONDS)
        else:
            raise LogRefused(
                f"{store.name} is in use: another process serves it, and only one may. Stop that first"
            )
        yield


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


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
