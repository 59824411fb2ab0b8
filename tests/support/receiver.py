"""A real HTTP receiver whose answers a test scripts, and which keeps what it was sent."""

import asyncio
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

from aiohttp import web


@dataclass(frozen=True, slots=True)
class Received:
    """One request as it arrived."""

    method: str
    path: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    at: datetime
    """When it had arrived."""


class Receiver:
    """Answers each request with the next status of `script`, then with `status` for ever; hangs up in place of the status 0."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.script: list[int] = []
        self.body = b'{"ok":true}'
        self.headers: dict[str, str] = {}
        self.received: list[Received] = []
        self.hold: asyncio.Event | None = None
        """While set and not fired, requests are kept waiting for their answer."""
        self.url = ""
        self._arrived = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.Response:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        async with self._arrived:
            self.received.append(Received(request.method, request.path, headers, body, datetime.now(UTC)))
            self._arrived.notify_all()
        if self.hold is not None:
            await self.hold.wait()
        status = self.script.pop(0) if self.script else self.status
        if not status and request.transport is not None:
            request.transport.close()
        return web.Response(status=status or 200, body=self.body, headers=self.headers)

    async def wait_for(self, count: int, timeout: float = 10.0) -> list[Received]:
        """The requests, once there are `count` of them."""
        async with asyncio.timeout(timeout), self._arrived:
            await self._arrived.wait_for(lambda: len(self.received) >= count)
        return self.received

    def count_by(self, header: str) -> Counter[str]:
        """How often each value of a header arrived."""
        return Counter(one.headers.get(header, "") for one in self.received)
