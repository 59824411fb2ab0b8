"""How a service is started: what its distribution registers, and the store that it opens."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import entry_points

from cavra_service.identity import load_signer
from cavra_service.settings import Settings
from cavra_service.store.listing import listing_blocks
from cavra_service.store.protocol import Store
from cavra_service.store.sql import Migration, blocks, migrations
from cavra_service.store.sqlite import SqliteStore

ENTRY_POINTS = "cavra.services"
"""Group under which each distribution registers its `Service`."""


@dataclass(frozen=True, slots=True)
class Service:
    """A service that can be run: alone, or beside others in one event loop."""

    name: str
    """delivery, retry, recovery or gateway."""
    start: Callable[[Settings], AbstractAsyncContextManager[str]]
    """Serves while the context is open and gives the address in use: "host:port", for the gateway a URL."""


def installed() -> list[str]:
    """Names of the services that this environment holds."""
    return sorted(entry_points(group=ENTRY_POINTS).names)


def load(name: str) -> Service:
    """An installed service; the others' code is not touched. Raises LookupError for one that this environment lacks."""
    points = entry_points(group=ENTRY_POINTS, name=name)
    if not points:
        raise LookupError(
            f"this environment holds no service {name!r}, only {', '.join(installed()) or 'none'}"
        )
    service: Service = next(iter(points)).load()
    return service


def utc_now() -> datetime:
    """The clock of a running service."""
    return datetime.now(UTC)


async def open_store(settings: Settings, service: str, packages: Sequence[str] = ()) -> Store:
    """Open a service's store, made and migrated if need be.

    `packages` name what beside the log the service keeps: each holds `queries.sql` and a folder `migrations`.
    """
    queries = {**blocks("cavra_service.store"), **listing_blocks()}
    steps: list[Migration] = migrations("cavra_service.store")
    for package in packages:
        own = blocks(package)
        if queries.keys() & own.keys():
            raise ValueError(
                f"{package}: blocks {sorted(queries.keys() & own.keys())} stand elsewhere already"
            )
        queries |= own
        steps += migrations(package)
    return await SqliteStore.open(
        settings.store_path(service),
        queries=queries,
        migrations=steps,
        origin=settings.origin(service),
        signer=load_signer(settings, service),
        clock=utc_now,
    )
