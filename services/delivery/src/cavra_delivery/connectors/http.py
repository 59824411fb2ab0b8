"""The HTTP client of all connectors: guarded connections that are kept, one request per try, and what its failure is called."""

import asyncio
import errno
import ipaddress
import select
import socket
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final, Self
from weakref import WeakSet

import aiohttp
from yarl import URL

from cavra_delivery.connectors.base import Response

RESPONSE_LIMIT: Final = 64 * 1024
"""Bytes of a response's body that are read."""
_IDLE_SECONDS: Final = 4.0
"""How long a connection is kept unused: less than receivers commonly do, so that seldom both ends close at the same moment."""
_MOST_CONNECTIONS: Final = 64
"""To one origin at the same time; what comes beyond them waits, before its time-out begins."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")

AddressInfo = tuple[Any, Any, int, str, Any]


class DestinationRefused(OSError):
    """An address that this connector may not reach."""


def _is_public(text: str) -> bool:
    """Whether an address is on the public internet; what wraps another address counts as private, whatever it wraps."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address.teredo or address in _NAT64
    ):
        return False
    return address.is_global and not address.is_multicast


def _public_socket(info: AddressInfo) -> socket.socket:
    """A socket for an address about to be connected to. It stands behind name resolution, so no answer of a name server gets past it."""
    family, kind, protocol, _, address = info
    if not _is_public(address[0]):
        raise DestinationRefused(errno.EACCES, "destination refused")
    return socket.socket(family=family, type=kind, proto=protocol)


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

    Each keeps its connections, bound to the address that was checked as they were opened, for the next requests to the same origin.
    """

    def __init__(self) -> None:
        self._sessions: dict[bool, aiohttp.ClientSession] = {}
        self._rooms: defaultdict[str, asyncio.Semaphore] = defaultdict(
            lambda: asyncio.Semaphore(_MOST_CONNECTIONS)
        )

    async def __aenter__(self) -> Self:
        self._sessions = {False: _session(_public_socket), True: _session(None)}
        return self

    async def __aexit__(self, *exc: object) -> None:
        for session in self._sessions.values():
            await session.close()

    async def exchange(self, request: Request, private: bool, timeout: float) -> Response:
        """Make one request. `private` allows loopback and private addresses. Raises Unanswered."""
        async with self._rooms[str(URL(request.url, encoded=True).origin())]:
            while True:
                this = _Try()
                _this_try.set(this)
                try:
                    async with self._sessions[private].request(
                        request.method,
                        URL(request.url, encoded=True),
                        data=request.body,
                        headers=request.headers,
                        timeout=aiohttp.ClientTimeout(total=timeout),
                        allow_redirects=False,
                    ) as response:
                        headers = {name.lower(): value for name, value in response.headers.items()}
                        return Response(response.status, headers, await _beginning(response))
                except _ConnectionStale:
                    continue  # It is closed now; the next one is sound, or new.
                except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                    raise Unanswered(_reason(error, this.written), this.written) from None


def _session(socket_factory: Callable[[AddressInfo], socket.socket] | None) -> aiohttp.ClientSession:
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
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError():
            return "tls"
        case _ if written:
            return "response_invalid"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, DestinationRefused):
            return "destination_refused"
    return "connect"
