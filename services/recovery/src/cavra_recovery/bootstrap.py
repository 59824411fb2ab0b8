"""The composition root of the recovery service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from cavra.recovery.v1.recovery_pb2_grpc import add_RecoveryServiceServicer_to_server
from cavra_service.client import Caller, connect
from cavra_service.idempotency import Keys
from cavra_service.identity import ServiceToken, TokenVerifier
from cavra_service.keeping import log_kept
from cavra_service.keys import ServiceKeys
from cavra_service.roles import PUBLIC_LOG
from cavra_service.runtime import Service, open_store, utc_now
from cavra_service.server import Servicer, serving
from cavra_service.settings import Settings
from cavra_service.tls import channel_credentials, server_credentials

from cavra_recovery.peers import Peers
from cavra_recovery.rpc import RecoveryService

_NAME = "recovery"


@asynccontextmanager
async def _start(settings: Settings) -> AsyncIterator[str]:
    verifier = TokenVerifier.of(settings)
    trust = settings.identity / "trust"
    keys = {peer: ServiceKeys(trust / f"{peer}.pub") for peer in ("delivery", "retry")}
    caller = Caller(ServiceToken(settings, _NAME), settings.call_timeout_seconds)
    store = await open_store(settings, _NAME, ["cavra_recovery.store"])
    try:
        shown = channel_credentials(settings)
        async with (
            log_kept(store, settings, _NAME) as evidence,
            connect(settings.delivery_address, shown) as delivery,
            connect(settings.retry_address, shown) as retry,
        ):
            service = RecoveryService(
                store, Peers(delivery, retry, caller, keys), ServiceKeys(trust / "recovery.pub"), utc_now
            )
            servicers = [
                Servicer("cavra.recovery.v1.RecoveryService", add_RecoveryServiceServicer_to_server, service),
                evidence,
            ]
            address = f"{settings.host}:{settings.recovery_port}"
            keys_sent = Keys(store, utc_now)
            async with serving(
                servicers,
                verifier,
                address,
                settings.drain_seconds,
                keys_sent,
                server_credentials(settings),
                PUBLIC_LOG if settings.public_log else frozenset(),
                settings.reflection,
            ) as served:
                yield served
    finally:
        await store.close()


SERVICE = Service(_NAME, _start)
