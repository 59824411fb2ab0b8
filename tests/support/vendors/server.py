"""What all vendors' servers have in common: requests are held against the documented form, and answers can be turned bad."""

import asyncio
import ssl
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import orjson
from aiohttp import web


@dataclass(frozen=True, slots=True)
class Asked:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return orjson.loads(self.body)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `body`: bytes as they are, all else as JSON."""

    status: int
    body: Any = b""
    headers: tuple[tuple[str, str], ...] = ()


class Broken(AssertionError):
    """A request is not of the documented form."""


class VendorServer:
    """A server of one vendor's. `script` overrides the next answers, `hold` keeps requests waiting."""

    kind: ClassVar[str]
    secrets: ClassVar[dict[str, str]]
    """Environment variable -> value: what a configuration names, and what is checked here."""
    malformed: ClassVar[Reply | None] = None
    """A success by its status that is none of this vendor's; None where any 2xx is one."""
    rejected: ClassVar[Reply]
    """How a message that the vendor does not want is answered."""
    reference = ""
    """What the vendor calls the first thing it makes of a message."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[Asked] = []
        self.script: list[Reply] = []
        self.hold: asyncio.Event | None = None
        self.broken: list[str] = []
        """What was wrong with requests."""

    def entry(self) -> dict[str, Any]:
        """The configuration of a connector to it."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """The variables that the configuration names, and their values."""
        return dict(self.secrets)

    def check(self, asked: Asked) -> None:
        """Raises Broken for a message that is not of the documented form."""
        raise NotImplementedError

    def allowed(self, asked: Asked) -> bool:
        """Whether the request shows the right credential."""
        raise NotImplementedError

    def accept(self, asked: Asked) -> Reply:
        """The documented answer to a message that is taken."""
        raise NotImplementedError

    refused: ClassVar[Reply] = Reply(401, {"error": "unauthorized"})
    """How a wrong credential is answered."""
    limited: ClassVar[Reply] = Reply(429, b"slow down", (("retry-after", "0"),))

    def answer(self, asked: Asked) -> Reply:
        """What is answered to a message."""
        if self.script:
            return self.script.pop(0)
        try:
            self.check(asked)
        except (Broken, KeyError, TypeError, ValueError) as error:
            self.broken.append(f"{type(error).__name__} {error}")
            return Reply(400, {"error": "not of the documented form"})
        return self.accept(asked) if self.allowed(asked) else self.refused

    def start(self, tls: ssl.SSLContext | None = None) -> "_Running":
        """The server, listening while the context is open."""
        return _Running(self, tls)

    async def _serve(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        asked = Asked(request.method, request.path, dict(request.query), headers, await request.read())
        self.asked.append(asked)
        if self.hold is not None:
            await self.hold.wait()
        reply = self.answer(asked)
        body = reply.body if isinstance(reply.body, bytes) else orjson.dumps(reply.body)
        return web.Response(status=reply.status, body=body, headers=dict(reply.headers))


class _Running:
    def __init__(self, server: Any, tls: ssl.SSLContext | None) -> None:
        self._server, self._tls = server, tls

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._server._serve)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0, ssl_context=self._tls).start()
        host, port = self._runner.addresses[0][:2]
        self._server.url = f"{'https' if self._tls else 'http'}://{host}:{port}"
        return self

    async def __aexit__(self, *exc: object) -> None:
        if self._server.hold is not None:
            self._server.hold.set()
        await self._runner.cleanup()


def must(holds: Any, what: str) -> None:
    """Raises Broken unless it holds."""
    if not holds:
        raise Broken(what)


def length(text: str) -> int:
    """In UTF-16 code units: what a server in Java or JavaScript counts as characters."""
    return len(text.encode("utf-16-le")) // 2


def posted(asked: Asked, path: str) -> None:
    """A POST of JSON to this path."""
    must(asked.method == "POST" and asked.path == path, f"{asked.method} {asked.path}")
    must(asked.headers["content-type"].startswith("application/json"), "content type")
