"""Channels to other services."""

import socket
from contextlib import closing
from typing import Any

import grpc
import pytest
from cavra_service.client import connect
from grpc_health.v1 import health, health_pb2
from grpc_health.v1.health_pb2_grpc import HealthStub, add_HealthServicer_to_server


async def asked(channel: grpc.aio.Channel) -> Any:
    stub: Any = HealthStub(channel)
    return await stub.Check(health_pb2.HealthCheckRequest(), timeout=10)


async def test_a_channel_is_not_held_back_by_what_another_one_found() -> None:
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    early = connect(address)
    with pytest.raises(grpc.aio.AioRpcError, match="UNAVAILABLE"):
        await asked(early)
    server = grpc.aio.server()
    add_HealthServicer_to_server(health.aio.HealthServicer(), server)
    server.add_insecure_port(address)
    await server.start()
    async with connect(address) as late:
        assert (await asked(late)).status == health_pb2.HealthCheckResponse.SERVING
    await early.close()
    await server.stop(0)
