"""The three services behind the gateway: one channel each, and the stubs on it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import grpc
from cavra.delivery.v1 import delivery_pb2_grpc
from cavra.evidence.v1 import evidence_pb2_grpc
from cavra.recovery.v1 import recovery_pb2_grpc
from cavra.retry.v1 import retry_pb2_grpc
from cavra_service.client import connect
from cavra_service.settings import Settings
from cavra_service.tls import channel_credentials
from grpc_health.v1 import health_pb2_grpc

NAMES: Final = ("delivery", "recovery", "retry")
"""The services whose logs make up history."""

DOWN: Final = frozenset({"service_unavailable", "deadline_exceeded", "internal"})
"""Reasons of a refusal that say that a service could not answer, rather than that it would not."""


@dataclass(frozen=True, slots=True)
class Services:
    """What the gateway calls. Stubs are untyped: the generated ones know no asynchronous channel."""

    delivery: Any
    retry: Any
    recovery: Any
    logs: dict[str, Any]
    """EvidenceLog by service name."""
    health: dict[str, Any]
    """grpc.health.v1.Health by service name."""


@asynccontextmanager
async def connected(settings: Settings) -> AsyncIterator[Services]:
    """The services at the addresses of `settings`. A channel connects when it is first used, and again when its service comes back."""
    shown = channel_credentials(settings)
    async with AsyncExitStack() as stack:
        channels: dict[str, grpc.aio.Channel] = {
            name: await stack.enter_async_context(connect(getattr(settings, f"{name}_address"), shown))
            for name in NAMES
        }
        yield Services(
            delivery=delivery_pb2_grpc.DeliveryServiceStub(channels["delivery"]),
            retry=retry_pb2_grpc.RetryServiceStub(channels["retry"]),
            recovery=recovery_pb2_grpc.RecoveryServiceStub(channels["recovery"]),
            logs={name: evidence_pb2_grpc.EvidenceLogStub(channels[name]) for name in NAMES},
            health={name: health_pb2_grpc.HealthStub(channels[name]) for name in NAMES},
        )
