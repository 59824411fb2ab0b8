"""How a request becomes a call of a route: authenticated, bounded, parsed exactly; and how every error leaves."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any, Final, Never

import orjson
import structlog
from cavra_evidence.refusal import Refusal
from cavra_service.errors import Refused
from cavra_service.server import refusal
from cavra_verify.canonical import MAX_SAFE_INTEGER
from fastapi import Request
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from cavra_gateway.access import ROLES
from cavra_gateway.problems import of_validation, problem
from cavra_gateway.session import authenticate

log = structlog.get_logger()

_MAX_NUMBER: Final = 40
"""Characters of the longest number that is read."""


class OpenRoute(APIRoute):
    """A route that anybody may ask; every error leaves as a problem."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """See APIRoute."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                return await handle(await self.prepared(request))
            except HTTPException:
                raise
            except asyncio.CancelledError:
                # Only the server cancels a request: it stops, and waits no longer. What was begun behind it goes on.
                return problem(Refused("service_unavailable", "the gateway is stopping"))
            except ClientDisconnect:
                return problem(Refused("invalid_body", "the body did not arrive whole"))
            except RequestValidationError as error:
                return problem(of_validation(error.errors()))
            except Exception as error:
                refused = refusal(error)
                if refused.reason == "internal" and not isinstance(error, Refused | Refusal):
                    log.error("request_failed", path=self.path, error=type(error).__name__, exc_info=error)
                return problem(refused)

        return guarded

    async def prepared(self, request: Request) -> Request:
        """The request as the route may have it."""
        return request


class Route(OpenRoute):
    """A route that takes a token, checked before anything of the body is read."""

    async def prepared(self, request: Request) -> Request:
        """See OpenRoute."""
        session = await authenticate(request, ROLES.get(self.name, frozenset()))
        request.state.session = session
        if request.method != "POST":
            return request
        return JsonRequest(request, await _bounded_body(request, session.gateway.settings.max_body_bytes))


class JsonRequest(Request):
    """A request whose body was read and parsed. An empty body is an empty object."""

    def __init__(self, request: Request, body: bytes) -> None:
        scope = request.scope
        if not body:
            body = b"{}"
            others = [(name, value) for name, value in scope["headers"] if name != b"content-type"]
            scope = {**scope, "headers": [*others, (b"content-type", b"application/json")]}
        elif not _says_json(request.headers.get("content-type", "application/json")):
            raise Refused("invalid_body", "the content type is not application/json")
        super().__init__(scope, request.receive)
        self._bytes = body
        self._document = _parse(body)

    async def body(self) -> bytes:
        """The bytes."""
        return self._bytes

    async def json(self) -> Any:
        """The document; numbers with a fraction are Decimals, as exact as their text."""
        return self._document


def _says_json(content_type: str) -> bool:
    media_type = content_type.partition(";")[0].strip().lower()
    return media_type == "application/json" or media_type.endswith("+json")


async def _bounded_body(request: Request, limit: int) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdecimal() and (len(length) > 18 or int(length) > limit):
        raise _too_large(limit)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        chunks.append(chunk)
    return b"".join(chunks)


def _too_large(limit: int) -> Refused:
    return Refused("body_too_large", f"at most {limit} bytes")


def _parse(body: bytes) -> Any:
    try:
        document = json.loads(
            body.decode("utf-8-sig"),  # Left to json.loads, bytes may be UTF-16, or halves of characters.
            parse_float=_fraction,
            parse_int=_integer,
            parse_constant=_refuse_number,
            object_pairs_hook=_object,
        )
        if b"\\u" in body:  # An escape may stand for half a character, which no text may hold.
            json.dumps(document, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError):
        raise Refused("invalid_body", "the body is not JSON") from None
    return document


def _fraction(text: str) -> Decimal:
    number = Decimal(text) if len(text) <= _MAX_NUMBER else _refuse_number(text)
    return number if abs(number.adjusted()) < _MAX_NUMBER else _refuse_number(text)


def _integer(text: str) -> int:
    number = int(text) if len(text) <= _MAX_NUMBER else _refuse_number(text)
    return number if -MAX_SAFE_INTEGER <= number <= MAX_SAFE_INTEGER else _refuse_number(text)


def _refuse_number(text: str) -> Never:
    raise Refused("invalid_body", "a number is beyond what JSON readers agree on")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise Refused("invalid_body", "a name stands twice in one object")
    return document


def answer(document: Any) -> Response:
    """A JSON answer."""
    return Response(orjson.dumps(document), media_type="application/json")


class HeadAsGet:
    """Lets HEAD ask what GET answers: the server sends the headers alone."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] == "http" and scope["method"] == "HEAD":
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
