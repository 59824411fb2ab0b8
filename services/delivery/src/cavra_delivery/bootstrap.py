"""The composition root: settings in, running delivery service out."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from cavra_evidence.draft import Actor
from cavra_service.idempotency import Keys
from cavra_service.identity import TokenVerifier
from cavra_service.keeping import alone, log_kept
from cavra_service.keys import ServiceKeys
from cavra_service.reconciling import reconciling
from cavra_service.roles import PUBLIC_LOG
from cavra_service.runtime import Service, open_store, utc_now
from cavra_service.server import serving
from cavra_service.settings import Settings
from cavra_service.tls import server_credentials

from cavra_delivery.connectors.http import HttpSender
from cavra_delivery.connectors.registry import Registry, fingerprint_key
from cavra_delivery.drill_files import DrillFiles
from cavra_delivery.gates import Gates
from cavra_delivery.resolutions import Resolutions
from cavra_delivery.retries import Retries
from cavra_delivery.rpc import delivery_servicer
from cavra_delivery.rpc.parts import Parts
from cavra_delivery.sends import SendMachine
from cavra_delivery.settings import DeliverySettings

NAME = "delivery"
_SPARE_SECONDS = 2.0
"""How much longer than its drain a process may take to stop."""


@asynccontextmanager
async def start(settings: Settings) -> AsyncIterator[str]:
    """Serve while the context is open; gives the address in use. What a crash left without an outcome is recorded first."""
    own = DeliverySettings(**settings.model_dump())
    service = Actor(own.token_issuer, f"service:{NAME}", f"service:{NAME}")
    async with AsyncExitStack() as stack:
        # A process that stops drains as long: one that takes its place waits for it.
        await stack.enter_async_context(alone(own.store_path(NAME), own.drain_seconds + _SPARE_SECONDS))
        store = await open_store(own, NAME, ["cavra_delivery.store"])
        stack.push_async_callback(store.close)
        evidence = await stack.enter_async_context(log_kept(store, own, NAME))
        registry = Registry(own.connector_config, await stack.enter_async_context(HttpSender()))
        key = fingerprint_key(own.identity / NAME / "fingerprint.key")
        gates = Gates(registry, key)
        await gates.load(store)
        machine = SendMachine(store, registry, service, gates=gates)
        stack.push_async_callback(machine.close, own.drain_seconds)
        await machine.recover()
        await stack.enter_async_context(reconciling([machine.recover], own.reconcile_interval_seconds))
        registry.all()  # Read now, so that what is not configured is logged at start-up.
        retry_keys = ServiceKeys(own.identity / "trust" / "retry.pub")
        retries = Retries(store, registry, machine, key, retry_keys)
        resolutions = Resolutions(store, retry_keys)
        parts = Parts(store, DrillFiles(own), registry, machine, retries, resolutions, utc_now)
        servicers = [delivery_servicer(parts), evidence]
        address = f"{own.host}:{own.delivery_port}"
        yield await stack.enter_async_context(
            serving(
                servicers,
                TokenVerifier.of(own),
                address,
                own.drain_seconds,
                Keys(store, utc_now),
                server_credentials(own),
                PUBLIC_LOG if own.public_log else frozenset(),
                own.reflection,
            )
        )


SERVICE = Service(NAME, start)
