"""Calls from one service to another: channel, credentials, deadline, and errors as refusals."""

from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import grpc

from cavra_service.delegation import carried
from cavra_service.errors import Refused, decode
from cavra_service.idempotency import METADATA
from cavra_service.server import MAX_REQUEST_BYTES, MAX_RESPONSE_BYTES

OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_RESPONSE_BYTES),
    ("grpc.max_send_message_length", MAX_REQUEST_BYTES),
    # A peer that comes back is found within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # What another channel of this process has found at the same address, and now waits before it looks again, says nothing of now.
    ("grpc.use_local_subchannel_pool", 1),
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
        """The response of one call.

        Raises Refused with the peer's reason, `service_unavailable` when it is down, `body_too_large` for a request over 4 MiB.
        """
        try:
            return await method(request, metadata=self._metadata(), timeout=timeout or self._timeout)
        except grpc.aio.AioRpcError as error:
            raise _refused(error, request) from None

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
            raise _refused(error, request) from None

    def _metadata(self) -> tuple[tuple[str, str | bytes], ...]:
        return (("authorization", f"Bearer {self._token()}"), *self._key, *carried())


def _refused(error: grpc.aio.AioRpcError, request: Any) -> Refused:
    refused = decode(error)
    # gRPC says the same of too large a request, which is wrong for good, and of too large an answer.
    if refused.reason == "resource_exhausted" and request.ByteSize() > MAX_REQUEST_BYTES:
        return Refused("body_too_large", f"at most {MAX_REQUEST_BYTES} bytes once it is passed on")
    return refused
