"""The probe that container health checks run."""

import aiohttp
import grpc
from cavra_service.client import connect
from cavra_service.settings import Settings
from cavra_service.tls import channel_credentials
from grpc_health.v1 import health_pb2, health_pb2_grpc

_SECONDS = 2.0


async def probe(address: str, settings: Settings) -> bool:
    """Whether a gRPC service (host:port) or the gateway (http URL) says that it serves."""
    return await (_http(address) if address.startswith("http") else _grpc(address, settings))


async def _grpc(address: str, settings: Settings) -> bool:
    async with connect(address, channel_credentials(settings)) as channel:
        try:
            check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]
            answer = await check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


async def _http(url: str) -> bool:
    timeout = aiohttp.ClientTimeout(total=_SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as http,
            http.get(url.rstrip("/") + "/health") as answer,
        ):
            return answer.status == 200
    except (aiohttp.ClientError, TimeoutError):
        return False
