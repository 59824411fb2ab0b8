"""The gRPC server that every service runs: identity, roles, deadlines, rich errors, health and reflection around the servicers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, cast

import grpc
import structlog
from cavra_evidence.log import RecordTooLarge
from cavra_evidence.refusal import Refusal
from cavra_verify.canonical import CanonicalError
from google.protobuf.message import DecodeError
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from pydantic import ValidationError

from cavra_service import garbage
from cavra_service.delegation import delegated
from cavra_service.errors import Refused, encode, from_validation, role_required
from cavra_service.idempotency import Asked, Keys, key_of
from cavra_service.identity import Identity, TokenVerifier, serving_for, set_caller
from cavra_service.resumption import RECORDS
from cavra_service.roles import REQUIRED
from cavra_service.store.protocol import Conflict, StoreClosed, StoreFailed
from cavra_service.tls import may_speak_for

MAX_REQUEST_BYTES: Final = 4 * 1024 * 1024
MAX_RESPONSE_BYTES: Final = 32 * 1024 * 1024
"""A page of 500 of the largest records (48 KiB each) fits."""
MAX_METADATA_BYTES: Final = 24 * 1024
"""A token of a provider that names many groups (16 KiB at most) fits; gRPC's own 8 KiB would turn it away."""
DEFAULT_DEADLINE_SECONDS: Final = 30.0
"""How long a call without a deadline may take."""

OPTIONS: Final = (
    ("grpc.max_receive_message_length", MAX_REQUEST_BYTES),
    ("grpc.max_send_message_length", MAX_RESPONSE_BYTES),
    ("grpc.max_metadata_size", MAX_METADATA_BYTES),
    ("grpc.so_reuseport", 0),
)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Servicer:
    """One gRPC service to serve: its full name, its generated `add_..._to_server` function, and what serves it."""

    name: str
    add: Callable[[Any, grpc.aio.Server], None]
    servicer: Any


@asynccontextmanager
async def serving(
    servicers: Sequence[Servicer],
    verifier: TokenVerifier,
    address: str,
    drain_seconds: float,
    idempotency: Keys | None = None,
    credentials: grpc.ServerCredentials | None = None,
    open_to_all: frozenset[str] = frozenset(),
    reflects: bool = True,
) -> AsyncIterator[str]:
    """Serve at `address` ("host:port", port 0 takes a free one) and give the address in use; drain on leaving.

    Without `idempotency` no idempotency key is looked at; without `credentials` (`tls.server_credentials`) nothing is encrypted.
    RPCs in `open_to_all` take no token. `reflects`: whether reflection is served, which takes none either.
    """
    gate = _Gate(verifier, idempotency, credentials is not None, open_to_all)
    server = grpc.aio.server(interceptors=[gate], options=OPTIONS)
    for servicer in servicers:
        servicer.add(servicer.servicer, server)
    names = [servicer.name for servicer in servicers]
    status = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(status, server)
    if reflects:
        reflection.enable_server_reflection([*names, health.SERVICE_NAME, reflection.SERVICE_NAME], server)
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    await server.start()
    for name in ["", *names]:
        await status.set(name, health_pb2.HealthCheckResponse.SERVING)
    try:
        with garbage.looked_for_rarely():
            yield f"{address.rpartition(':')[0]}:{port}"
    finally:
        # Probers turn away first; then calls under way may finish.
        await status.enter_graceful_shutdown()
        await server.stop(drain_seconds)
        if idempotency is not None:
            await idempotency.close(drain_seconds)


class _Gate(grpc.aio.ServerInterceptor):
    """In front of every RPC: who calls, with which role, until when, and whether again; behind it: every error as a rich status."""

    def __init__(
        self, verifier: TokenVerifier, keys: Keys | None, sees_peers: bool, open_to_all: frozenset[str]
    ) -> None:
        self._verifier = verifier
        self._keys = keys
        self._sees_peers = sees_peers
        self._open_to_all = open_to_all

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await continuation(details)
        required = REQUIRED.get(details.method)
        if handler is None or (required is not None and not required):
            return handler
        handler = handler._replace(request_deserializer=_deserializer(handler.request_deserializer))
        if handler.response_streaming:
            return handler._replace(unary_stream=self._stream(details, handler.unary_stream, required))
        return handler._replace(
            unary_unary=self._unary(details, handler.unary_unary, required),
            response_serializer=_serializer(handler.response_serializer),
        )

    async def _authorise(
        self,
        details: grpc.HandlerCallDetails,
        required: frozenset[str] | None,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> Identity | None:
        if details.method in self._open_to_all:
            return None
        metadata = {key: value for key, value in details.invocation_metadata if key == "authorization"}
        scheme, _, token = str(metadata.get("authorization", "")).partition(" ")
        identity = await self._verifier.verify(token if scheme.lower() == "bearer" else "")
        if required is None or not required & identity.roles:
            raise role_required(required or ())
        if self._sees_peers and not may_speak_for(identity, context.auth_context()):
            raise Refused("role_required", "the caller's certificate is not that of whom the token names")
        identity = delegated(identity, details.invocation_metadata)
        set_caller(identity)
        return identity

    async def _admit(
        self,
        details: grpc.HandlerCallDetails,
        required: frozenset[str] | None,
        request: Any,
        context: grpc.aio.ServicerContext[Any, Any],
    ) -> Identity | None:
        identity = await self._authorise(details, required, context)
        if request is None:
            raise Refused("invalid_body", "the bytes are no message of the request's type")
        return identity

    def _unary(
        self, details: grpc.HandlerCallDetails, behaviour: Any, required: frozenset[str] | None
    ) -> Any:
        async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
            try:
                identity = await self._admit(details, required, request, context)
                key = key_of(details.invocation_metadata) if details.method in RECORDS else ""
                async with asyncio.timeout(_remaining(context)):
                    if not key or self._keys is None or identity is None:
                        return await behaviour(request, context)
                    asked = Asked.of(identity.actor, details.method, key, request)
                    return await self._keys.answer(asked, lambda: behaviour(request, context))
            except Exception as error:
                await _abort(context, details.method, error)

        return call

    def _stream(
        self, details: grpc.HandlerCallDetails, behaviour: Any, required: frozenset[str] | None
    ) -> Any:
        async def call(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> AsyncIterator[Any]:
            try:
                await self._admit(details, required, request, context)
                async for response in behaviour(request, context):
                    yield response
            except Exception as error:
                await _abort(context, details.method, error)

        return call


def _deserializer(read: Callable[[bytes], Any]) -> Callable[[bytes], Any]:
    """None for bytes that are no message: who sent them is to be known before anything is said about them."""

    def message(data: bytes) -> Any:
        try:
            return read(data)
        except DecodeError:
            return None

    return message


def _serializer(serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    """For responses that may be bytes already: a repeat gets those of the first answer."""
    return lambda response: response if isinstance(response, bytes) else serialize(response)


def _remaining(context: grpc.aio.ServicerContext[Any, Any]) -> float:
    # The stubs leave out that a call without a deadline has None here.
    remaining = cast("float | None", context.time_remaining())
    return DEFAULT_DEADLINE_SECONDS if remaining is None else remaining


async def _abort(context: grpc.aio.ServicerContext[Any, Any], method: str, error: Exception) -> None:
    """End the call with what `error` means to a caller; what nobody foresaw is logged by type and says nothing outside."""
    if isinstance(error, grpc.aio.AbortError):
        raise error
    refused = refusal(error)
    if refused.reason == "internal":
        person = serving_for()
        subject = person.sub if person else ""
        log.error(
            "call_failed", method=method, on_behalf_of=subject, error=type(error).__name__, exc_info=error
        )
    status = encode(refused)
    await context.abort(status.code, status.details, status.trailing_metadata)


def refusal(error: Exception) -> Refused:
    """What an exception means to a caller."""
    match error:
        case Refused():
            return error
        case Refusal():
            return Refused(error.reason, error.message, error.field)
        case ValidationError():
            return from_validation(error)
        case RecordTooLarge():
            return Refused("record_too_large", "the record would exceed 48 KiB")
        case CanonicalError():
            return Refused("invalid_value", "a text is not valid Unicode")
        case Conflict():
            return Refused("conflict", "it changed meanwhile; try again")
        case StoreClosed():
            return Refused("service_unavailable", "the service is stopping")
        case StoreFailed():
            return Refused("service_unavailable", "the service cannot write now")
        case TimeoutError():
            return Refused("deadline_exceeded", "it took too long")
    return Refused("internal", "a fault of ours; look what stands in the log before you ask again")
