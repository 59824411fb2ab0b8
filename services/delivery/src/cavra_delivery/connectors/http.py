"""The HTTP client of all connectors: guarded connections that are kept, one request per try, and what its failure is called."""

import asyncio
import errno
import select
import socket
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self
from weakref import WeakSet

import aiohttp
from yarl import URL

from cavra_delivery.connectors.base import Response, Route
from cavra_delivery.connectors.ssrf import may_reach

RESPONSE_LIMIT: Final = 64 * 1024
"""Bytes of a response's body that are read."""
_IDLE_SECONDS: Final = 4.0
"""How long a connection is kept unused: less than receivers commonly do, so that seldom both ends close at the same moment."""

AddressInfo = tuple[Any, Any, int, str, Any]


class DestinationRefused(OSError):
    """An address that this connector may not reach."""


def _guarded(private: bool) -> Callable[[AddressInfo], socket.socket]:
    """Makes the sockets for addresses about to be connected to. It stands behind name resolution, so no answer of a name server gets
    past it."""

    def checked(info: AddressInfo) -> socket.socket:
        family, kind, protocol, _, address = info
        if not may_reach(address[0], private):
            raise DestinationRefused(errno.EACCES, "destination refused")
        return socket.socket(family=family, type=kind, proto=protocol)

    return checked


@dataclass(slots=True)
class _Try:
    """One request as far as it has got."""

    written: bool = False
    """Bytes of it may have gone out."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request to make: secrets included, which therefore stay out of `repr`."""

    method: str
    url: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Unanswered(Exception):
    """No answer came. `written`: bytes of the request may have gone out."""

    def __init__(self, reason: str, written: bool) -> None:
        super().__init__(reason)
        self.reason = reason
        self.written = written


class _ConnectionStale(aiohttp.ClientError):
    """A kept connection can't be used any more, and nothing was written to it."""


class _NotTwice(aiohttp.ClientError):
    """The client would send again what it has sent."""


_this_try: ContextVar[_Try] = ContextVar("this_try")
_used: WeakSet[object] = WeakSet()
"""Connections on which a request has gone out."""


class _Request(aiohttp.ClientRequest):
    """A request that knows whether it has been written, and is written once and to a sound connection alone."""

    async def send(self, conn: aiohttp.connector.Connection) -> aiohttp.ClientResponse:
        """Write it. Raises what leaves it unwritten, and _NotTwice."""
        this = _this_try.get()
        if this.written:
            raise _NotTwice  # aiohttp repeats an idempotent method when a kept connection dies.
        protocol = conn.protocol
        if protocol in _used and not _sound(protocol):
            raise _ConnectionStale
        _used.add(protocol)
        this.written = True
        return await super().send(conn)


def _sound(kept: Any) -> bool:
    """Whether nothing has come on a kept connection since its last answer: neither an end nor bytes that would pass for the next one."""
    if kept.should_close or kept.transport is None:
        return False
    waiting = select.poll()
    waiting.register(kept.transport.get_extra_info("socket").fileno(), select.POLLIN)
    return not waiting.poll(0)


class HttpSender:
    """The two sessions that all HTTP connectors share: one for public addresses alone, one for any.

    Each keeps its connections, bound to the address that was checked as they were opened, for the next requests to the same origin. How
    many there are is bounded by connector, at its gate: none waits for what another one sends to the same host.
    """

    def __init__(self) -> None:
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def __aenter__(self) -> Self:
        self._sessions = {private: _session(_guarded(private)) for private in (False, True)}
        return self

    async def __aexit__(self, *exc: object) -> None:
        for session in self._sessions.values():
            await session.close()

    async def exchange(self, request: Request, route: Route, timeout: float) -> Response:
        """Make one request, within `timeout` seconds in all. Raises Unanswered."""
        url = URL(request.url, encoded=True)
        limits = aiohttp.ClientTimeout(
            total=timeout, connect=route.connect_seconds, sock_read=route.read_seconds
        )
        while True:
            this = _Try()
            _this_try.set(this)
            try:
                way = await _through(url, route) if route.proxy else {}
                async with self._sessions[route.private or bool(way)].request(
                    request.method,
                    way.pop("url", url),
                    data=request.body,
                    headers={**request.headers, **way.pop("headers", {})},
                    timeout=limits,
                    allow_redirects=False,
                    ssl=_trusting(route.ca_file),
                    **way,
                ) as response:
                    headers = {name.lower(): value for name, value in response.headers.items()}
                    return Response(response.status, headers, await _beginning(response))
            except _ConnectionStale:
                continue  # It is closed now; the next one is sound, or new.
            except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                raise Unanswered(_reason(error, this.written), this.written) from None


async def _through(url: URL, route: Route) -> dict[str, Any]:
    """How to ask the proxy: for an address that was checked here, so that whatever the proxy resolves, the guard has the last word."""
    host, port = url.raw_host or "", url.port or 443
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(route.connect_seconds):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    allowed = [address for info in found if may_reach(address := str(info[4][0]), route.private)]
    if not allowed:
        raise DestinationRefused(errno.EACCES, "destination refused")
    proxy = URL(route.proxy)
    login = aiohttp.encode_basic_auth(proxy.user, proxy.password or "") if proxy.user else ""
    return {
        "url": url.with_host(allowed[0]),
        "headers": {"host": url.raw_authority},
        "server_hostname": host,
        "proxy": proxy.with_user(None),
        "proxy_headers": {"proxy-authorization": login} if login else None,
    }


def _trusting(ca_file: str) -> ssl.SSLContext | bool:
    """What certificates are checked by. Raises OSError for a file that can't be read or holds no certificate."""
    return _context(ca_file, Path(ca_file).stat().st_mtime_ns) if ca_file else True


@lru_cache(64)
def _context(ca_file: str, changed_at: int) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=ca_file)


def _session(socket_factory: Callable[[AddressInfo], socket.socket]) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(
        keepalive_timeout=_IDLE_SECONDS, limit=0, use_dns_cache=False, socket_factory=socket_factory
    )
    return aiohttp.ClientSession(
        connector=connector,
        request_class=_Request,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )


async def _beginning(response: aiohttp.ClientResponse) -> bytes:
    """What is read of a body: as much as came of it, when it breaks off."""
    read = bytearray()
    try:
        while len(read) < RESPONSE_LIMIT and (
            chunk := await response.content.read(RESPONSE_LIMIT - len(read))
        ):
            read += chunk
    except (aiohttp.ClientError, TimeoutError, OSError):
        pass
    return bytes(read)


def _reason(error: Exception, written: bool) -> str:
    match error:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorDNSError() | socket.gaierror():
            return "dns"
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError() | ssl.SSLError():
            return "tls"
        case _ if written:
            return "response_invalid"
        case DestinationRefused():
            return "destination_refused"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, DestinationRefused):
            return "destination_refused"
        case FileNotFoundError() | PermissionError():
            return "tls"  # The authorities' file: without it nobody's certificate is good.
    return "connect"
