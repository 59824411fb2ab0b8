"""Calls from one service to another: channel, credentials, deadline, and errors as refusals."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc

from cavra_service.delegation import carried
from cavra_service.errors import decode
from cavra_service.idempotency import METADATA
from cavra_service.server import MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES

OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    ("grpc.max_send_message_length", MAX_REQUEST_BYTES),
    # A peer that comes back is found within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


def connect(address: str, credentials: grpc.ChannelCredentials | None = None) -> grpc.aio.Channel:
    """A channel to host:port. It connects when first used, and again when the peer comes back.

    Without `credentials` (`tls.channel_credentials`) nothing is encrypted.
    """
    if credentials is not None:
        return grpc.aio.secure_channel(address, credentials, options=OPTIONS)
    return grpc.aio.insecure_channel(address, options=OPTIONS)


class Caller:
    """Makes calls as someone: with their token, a deadline on each, their idempotency key if they sent one, and for whom."""

    def __init__(self, token: Callable[[], str], timeout_seconds: float, idempotency_key: str = "") -> None:
        self._token = token
        self._timeout = timeout_seconds
        self._key = ((METADATA, idempotency_key),) if idempotency_key else ()

    async def unary(self, method: Callable[..., Any], request: Any, *, timeout: float | None = None) -> Any:
        """The response of one call. Raises Refused with the peer's reason, `service_unavailable` when it is down."""
        try:
            return await method(request, metadata=self._metadata(), timeout=timeout or self._timeout)
        except grpc.aio.AioRpcError as error:
            raise decode(error) from None

    async def stream(
        self, method: Callable[..., Any], request: Any, *, timeout: float | None = None
    ) -> AsyncIterator[Any]:
        """The responses of one streaming call. Raises as `unary`."""
        try:
            async for response in method(
                request, metadata=self._metadata(), timeout=timeout or self._timeout
            ):
                yield response
        except grpc.aio.AioRpcError as error:
            raise decode(error) from None

    def _metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return (("authorization", f"Bearer {self._token()}"), *self._key, *carried())
