"""The gateway's composition root: settings in, a serving HTTP server out."""

import asyncio
import math
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from cavra_service import garbage
from cavra_service.errors import Refused
from cavra_service.identity import TokenVerifier
from cavra_service.runtime import Service
from cavra_service.settings import Settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from cavra_gateway.app import create_app
from cavra_gateway.limits import Limits
from cavra_gateway.problems import problem
from cavra_gateway.services import connected
from cavra_gateway.session import Gateway
from cavra_gateway.settings import GatewaySettings

_BACKLOG = 2048


class _Protocol(HttpToolsProtocol):
    """HTTP that says as a problem, too, that what arrived is no HTTP."""

    def send_400_response(self, msg: str) -> None:
        """See HttpToolsProtocol."""
        refusal = problem(Refused("invalid_value", "the request is not HTTP/1.1"))
        headers = [*refusal.raw_headers, (b"connection", b"close")]
        lines = [b"HTTP/1.1 400 Bad Request", *(name + b": " + value for name, value in headers)]
        self.transport.write(b"\r\n".join([*lines, b"", bytes(refusal.body)]))
        self.transport.close()


class _Server(uvicorn.Server):
    """A server inside a process that has its own ideas about signals, and that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are the process's, not ours."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn.Server."""
        await super().startup(sockets)
        self.listening.set()


@asynccontextmanager
async def start(settings: Settings) -> AsyncIterator[str]:
    """Serve HTTP and give the URL; drain on leaving. Raises OSError when the port is taken."""
    own = GatewaySettings(**settings.model_dump())
    async with connected(own) as services:
        app = create_app(Gateway(own, TokenVerifier.of(own), services, Limits(own)))
        app.openapi()  # Made once, before anybody waits for it.
        config = uvicorn.Config(
            app,
            http=_Protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            backlog=_BACKLOG,
            timeout_graceful_shutdown=math.ceil(own.drain_seconds),
        )
        server = _Server(config)
        with socket.create_server((own.host, own.gateway_port), backlog=_BACKLOG) as listener:
            # Connections inherit it. Not every event loop sets it itself, and without it an answer can wait 40 ms for an acknowledgement.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            serving = asyncio.create_task(server.serve([listener]))
            listening = asyncio.create_task(server.listening.wait())
            await asyncio.wait([serving, listening], return_when=asyncio.FIRST_COMPLETED)
            listening.cancel()
            try:
                with garbage.looked_for_rarely():
                    yield f"http://{own.host}:{listener.getsockname()[1]}"
            finally:
                app.state.feed.close()  # Streams would otherwise hold the server up for as long as it may drain.
                server.should_exit = True
                await serving


SERVICE = Service("gateway", start)
