"""A receiver that refuses audit deliveries until it is told to recover, and keeps what it was sent."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web


@dataclass(slots=True)
class Receiver:
    """What an operator's webhook endpoint looks like from here."""

    url: str = ""
    failing: bool = False
    answers: list[tuple[str, int]] = field(default_factory=list)
    """(webhook-id, status) of each request, in order."""

    async def answer(self, request: web.Request) -> web.Response:
        """Take the request's body, and refuse it while `failing`."""
        await request.read()
        status = 503 if self.failing else 200
        self.answers.append((request.headers.get("webhook-id", ""), status))
        return web.json_response({"ok": status == 200}, status=status)


@asynccontextmanager
async def receiving() -> AsyncIterator[Receiver]:
    """A receiver on a free port of this machine."""
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        receiver.url = f"http://{host}:{port}/hook"
        yield receiver
    finally:
        await runner.cleanup()
