"""Connectors that speak HTTP: one guarded session, one request per try, and what its failure is called."""

import errno
import ipaddress
import socket
import time
from collections.abc import Callable
from importlib.metadata import version
from types import SimpleNamespace
from typing import Any, Final, Self

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


class HttpSender:
    """The two sessions that all HTTP connectors share: one for public addresses alone, one for any."""

    def __init__(self) -> None:
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

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
        kept = SentRequest(
            method=method,
            url=_origin(destination.url),
            headers={name: headers[name] for name in _KEPT_HEADERS if name in headers},
        )
        connected = SimpleNamespace(value=False)
        try:
            async with self._sessions[private].request(
                method,
                URL(destination.url, encoded=True),
                data=message.rendered.body,
                headers={**destination.headers, **headers},
                timeout=aiohttp.ClientTimeout(total=timeout),
                allow_redirects=False,
                trace_request_ctx=connected,
            ) as response:
                retry_after = _seconds(response.headers.get("retry-after", ""))
                await _drain(response)
                return _judge(response.status, retry_after, kept)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            reason = _reason(error)
            if not connected.value:
                return Answer(reason, again=reason in ("connect", "dns", "timeout"), request=kept)
            # The request is on its way and no answer came: another try could deliver it twice.
            reason = reason if reason in ("timeout", "tls") else "response_invalid"
            return Answer(reason, may_have_arrived=True, request=kept)


def _session(socket_factory: Callable[[AddressInfo], socket.socket] | None) -> aiohttp.ClientSession:
    trace = aiohttp.TraceConfig()
    trace.on_connection_create_end.append(_mark_connected)
    # A fresh connection for each try: on a kept one that the receiver has just closed, nobody could tell whether bytes arrived.
    connector = aiohttp.TCPConnector(force_close=True, limit=0, socket_factory=socket_factory)
    return aiohttp.ClientSession(
        connector=connector,
        trust_env=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        trace_configs=[trace],
    )


async def _mark_connected(session: aiohttp.ClientSession, context: SimpleNamespace, params: Any) -> None:
    context.trace_request_ctx.value = True


async def _drain(response: aiohttp.ClientResponse) -> None:
    """Read what little is read of a body. The status line is the answer: a body that breaks off changes nothing about it."""
    try:
        remaining = RESPONSE_LIMIT
        while remaining > 0 and (chunk := await response.content.read(remaining)):
            remaining -= len(chunk)
    except (aiohttp.ClientError, TimeoutError, OSError):
        return


def _judge(status: int, retry_after: float | None, request: SentRequest) -> Answer:
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
