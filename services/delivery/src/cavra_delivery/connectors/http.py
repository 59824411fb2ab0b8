"""Connectors that speak HTTP: guarded connections that are kept, one request per try, and what its failure is called."""

import asyncio
import errno
import ipaddress
import select
import socket
import time
from collections import defaultdict
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final, Self
from weakref import WeakSet

import aiohttp
from cavra_evidence.guard import matches
from cavra_evidence.records.delivery import SentRequest
from yarl import URL

from cavra_delivery.connectors.base import (
    Answer,
    Destination,
    Event,
    Message,
    NotConfigured,
    Rendered,
    generic_json,
)
from cavra_delivery.connectors.config import ConnectorConfig

RESPONSE_LIMIT: Final = 64 * 1024
"""Bytes of a response that are read; none is kept."""
TEMPLATE_VERSION: Final = "1"
USER_AGENT: Final = f"cavra-delivery/{version('cavra-delivery')}"
_KEPT_HEADERS: Final = ("content-type", "webhook-id", "webhook-timestamp", "cavra-execution-id", "user-agent")
_IDLE_SECONDS: Final = 4.0
"""How long a connection is kept unused: less than receivers commonly do, so that seldom both ends close at the same moment."""
_MOST_CONNECTIONS: Final = 64
"""To one origin at the same time; what comes beyond them waits, before its time-out begins."""
_TRY_AGAIN: Final = frozenset({408, 425, 429})
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

    async def post(
        self, method: str, destination: Destination, message: Message, private: bool, timeout: float
    ) -> Answer:
        """Make one request and say what came of it. `private` allows loopback and private addresses."""
        headers = {
            "content-type": message.rendered.content_type,
            "user-agent": USER_AGENT,
            "webhook-id": message.message_id,
            "webhook-timestamp": str(int(time.time())),
            **({"cavra-execution-id": message.execution_id} if message.execution_id else {}),
        }
        origin = _origin(destination.url)
        kept = SentRequest(
            method=method,
            url=origin,
            headers={name: headers[name] for name in _KEPT_HEADERS if name in headers},
        )
        sent = {**destination.headers, **headers}
        async with self._rooms[origin]:
            while True:
                this = _Try()
                _this_try.set(this)
                try:
                    async with self._sessions[private].request(
                        method,
                        URL(destination.url, encoded=True),
                        data=message.rendered.body,
                        headers=sent,
                        timeout=aiohttp.ClientTimeout(total=timeout),
                        allow_redirects=False,
                    ) as response:
                        retry_after = _seconds(response.headers.get("retry-after", ""))
                        await _drain(response)
                        return _judge(response.status, retry_after, kept)
                except _ConnectionStale:
                    continue  # It is closed now; the next one is sound, or new.
                except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
                    return _unanswered(_reason(error), this.written, kept)


def _unanswered(reason: str, written: bool, request: SentRequest) -> Answer:
    if not written:
        return Answer(reason, again=reason in ("connect", "dns", "timeout"), request=request)
    # The request is on its way and no answer came: another try could deliver it twice.
    reason = reason if reason in ("timeout", "tls") else "response_invalid"
    return Answer(reason, may_have_arrived=True, request=request)


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


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read what little is read of a body. The status line is the answer: a body that breaks off changes nothing about it."""
    try:
        remaining = RESPONSE_LIMIT
        while remaining > 0 and (chunk := await response.content.read(remaining)):
            remaining -= len(chunk)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return


def _judge(status: int, retry_after: float | None, request: SentRequest) -> Answer:
    if not 100 <= status < 600:
        return Answer("response_invalid", may_have_arrived=True, request=request)
    if 200 <= status < 300:
        return Answer(status_code=status, request=request)
    if 300 <= status < 400:
        reason = "redirect"
    elif status in (401, 403):
        reason = "auth"
    elif status == 429:
        reason = "rate_limited"
    else:
        reason = "server_error" if status >= 500 else "rejected"
    again = status in _TRY_AGAIN or status >= 500
    return Answer(reason, status, again=again, retry_after_seconds=retry_after, request=request)


def _reason(error: Exception) -> str:
    match error:
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | aiohttp.ClientConnectorCertificateError():
            return "tls"
        case aiohttp.ClientConnectorError() if isinstance(error.os_error, DestinationRefused):
            return "destination_refused"
    return "connect"


def _seconds(text: str) -> float | None:
    """A Retry-After in seconds; a date counts as none, since waits within a call are short."""
    return float(text) if text.isascii() and text.isdigit() and len(text) < 8 else None


def _origin(url: str) -> str:
    """What of a URL may be kept: a path or a query can be the secret itself."""
    parsed = URL(url, encoded=True)
    return str(parsed.origin())


class HttpConnector:
    """A connector that sends canonical JSON to one URL."""

    def __init__(self, name: str, kind: str, config: ConnectorConfig, sender: HttpSender) -> None:
        self.name = name
        self.kind = kind
        self._config = config
        self._sender = sender

    def render(self, event: Event) -> Rendered:
        """See `Connector.render`."""
        return generic_json(event)

    def destination(self) -> Destination:
        """See `Connector.destination`."""
        target = self._config.target()
        headers = self._config.request_headers()
        port = target.port or (443 if target.scheme == "https" else 80)
        url = target.geturl()
        try:
            keepable = matches("url", _origin(url))
        except ValueError:
            keepable = False
        if not keepable:
            raise NotConfigured
        identity = {
            "scheme": target.scheme,
            "host": target.hostname,
            "port": port,
            "path": target.path or "/",
            "query": target.query,
            "method": self._config.method,
            "kind": self.kind,
            "template_version": TEMPLATE_VERSION,
            "header_names": sorted(headers),
        }
        return Destination(identity, url, headers)

    async def send(self, message: Message, destination: Destination, timeout: float) -> Answer:
        """See `Connector.send`."""
        private = self._config.allow_private_networks
        return await self._sender.post(self._config.method, destination, message, private, timeout)
