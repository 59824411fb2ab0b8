"""The composition root of the retry service: settings in, a running server out."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

from cavra_service.client import Caller, connect
from cavra_service.idempotency import Keys
from cavra_service.identity import ServiceToken, TokenVerifier
from cavra_service.keeping import log_kept
from cavra_service.keys import ServiceKeys
from cavra_service.reconciling import reconciling
from cavra_service.roles import PUBLIC_LOG
from cavra_service.runtime import Service, open_store, utc_now
from cavra_service.server import serving
from cavra_service.settings import Settings
from cavra_service.tls import channel_credentials, server_credentials

from cavra_retry.alerts import Alerts
from cavra_retry.background import working
from cavra_retry.execution import Executor
from cavra_retry.peer import Delivery
from cavra_retry.resolutions import Resolver
from cavra_retry.rpc import completions, retry_servicer
from cavra_retry.rpc.base import Parts
from cavra_retry.settings import RetrySettings
from cavra_retry.store.standings import Standings
from cavra_retry.tasks import OwnedTasks

_NAME = "retry"


@asynccontextmanager
async def start(settings: Settings, clock: Callable[[], datetime] = utc_now) -> AsyncIterator[str]:
    """Serve while the context is open; gives host:port. On leaving, what is being sent may finish within the drain time."""
    own = RetrySettings(**settings.model_dump())
    verifier = TokenVerifier.of(own)
    async with AsyncExitStack() as stack:
        store = await open_store(own, _NAME, ["cavra_retry.store"])
        stack.push_async_callback(store.close)
        evidence = await stack.enter_async_context(log_kept(store, own, _NAME))
        channel = await stack.enter_async_context(connect(own.delivery_address, channel_credentials(own)))
        tasks = OwnedTasks()
        stack.push_async_callback(tasks.close, own.drain_seconds)
        caller = Caller(ServiceToken(own, _NAME), own.call_timeout_seconds)
        trust = own.identity / "trust"
        delivery = Delivery(channel, caller, ServiceKeys(trust / "delivery.pub"))
        own_keys = ServiceKeys(trust / "retry.pub")
        standings = Standings(store)
        executor = Executor(store, standings, delivery, own_keys, clock)
        resolver = Resolver(store, delivery, own_keys, clock)
        alerts = Alerts(store, delivery)
        parts = Parts(store, delivery, own, own_keys, standings, executor, resolver, alerts, tasks, clock)
        jobs = (executor.reconcile, resolver.tell)
        # Beside each other: an alert may take longer than a look for claims may wait.
        for together in (jobs, [alerts.reconcile]):
            await stack.enter_async_context(reconciling(together, own.reconcile_interval_seconds))
        address = f"{own.host}:{own.retry_port}"
        servicers = [retry_servicer(parts), evidence]
        sent_keys = Keys(store, clock, completions(parts))
        credentials = server_credentials(own)
        open_to_all = PUBLIC_LOG if own.public_log else frozenset()
        async with (
            serving(
                servicers,
                verifier,
                address,
                own.drain_seconds,
                sent_keys,
                credentials,
                open_to_all,
                own.reflection,
            ) as bound,
            working(parts),
        ):
            yield bound


SERVICE = Service(_NAME, start)
