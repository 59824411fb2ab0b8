"""The console's pages and forms, filled in as no browser would: what is refused writes nothing, and nothing is shown unescaped."""

import html
import random
import re
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final
from urllib.parse import quote

import aiohttp
from cavra_gateway.console.app import ROUTERS
from fastapi.routing import APIRoute
from yarl import URL

from tests.fuzz import values
from tests.fuzz.shares import CONSOLE_SENT, FORMS, PAGES
from tests.fuzz.world import World, running

_FORM: Final = "application/x-www-form-urlencoded"
_ENDLESS: Final = "/live/events"
_ROUTES: Final = [route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)]
_WITH_FORMS: Final = [route.path for route in _ROUTES if "POST" in (route.methods or ())]
_SHOWN: Final = [route.path for route in _ROUTES if "GET" in (route.methods or ()) and route.path != _ENDLESS]
_QUERIES: Final = (
    "cursor", "limit", "trace", "record", "days", "metadata_kind", "provider", "playbook_id", "delivery_id", "execution_id", "next", "code",
    "state", "item", "schedule_id", "min_failure_count", "lookback_hours", "max_retry_deliveries", "created_after", "signer",
)  # fmt: skip
_NO_KEYS: Final = ("a\x00", "\x7f", "a\tb", "\u00e9", "x" * 129)
_FIELD: Final = re.compile(r'name="([a-z_]+)"(?:[^>]*? value="([^"]*)")?')
_ELSEWHERE: Final = {
    "/sign-in": ("next", "token", "handover"),
    "/sign-out": (),
    "/close-recovery": ("playbook_id", "provider", "closure_state", "external_ref", "notes", "verification_refs", "further_refs"),
    "/resolve-unknown": ("execution_id", "outcome", "external_ref", "notes"),
}  # fmt: skip
"""Fields of the forms that a page shows only when there is something to be said, or that are no page's own."""
_RIGHT: Final = {
    "closure_state": "mitigated",
    "outcome": "delivered",
    "external_ref": "OPS-1",
    "provider": "broken",
}


class Browser:
    """Somebody who is signed in."""

    def __init__(self, world: World, http: aiohttp.ClientSession, person: str, rng: random.Random) -> None:
        self.statuses: Counter[int] = Counter()
        self._world = world
        self._http = http
        self._person = person
        self._rng = rng

    async def ask(self, method: str, path: str, query: str = "", data: bytes = b"", kind: str = "") -> str:
        """The page, judged."""
        url = URL(f"{self._world.url}/console{path}?{query}", encoded=True)
        headers = {"origin": self._world.url, "content-type": kind} if kind else {}
        what = f"{self._person}: {method} {path}?{query[:1000]} {data[:1000]!r}"
        asked = self._http.request(method, url, headers=headers, data=data or None, allow_redirects=False)
        async with asked as response:
            text = (await response.read()).decode()
        assert response.status < 500, what
        assert "<script>" not in text, f"shown unescaped: {what}"
        assert response.headers["content-security-policy"].startswith("default-src 'none'"), what
        if response.status >= 400:
            self._world.logs.unchanged(f"{what} -> {response.status}")
        else:
            self._world.logs.grown()
        self.statuses[response.status] += 1
        return text

    async def enter(self) -> None:
        """Sign in."""
        token = self._world.tokens[self._person]
        await self.ask("POST", "/sign-in", data=f"token={token}".encode(), kind=_FORM)

    async def form(self, path: str) -> list[tuple[str, str]]:
        """The fields of a page's form, as they are shown."""
        text = await self.ask("GET", path if path != "/sign-out" else "/")
        (csrf,) = set(re.findall(r'name="csrf" value="([^"]+)"', text)) or {""}
        shown = re.findall(r'(?s)<form[^>]*method="post".*?</form>', text[text.find("<main") :])
        fields = [
            (name, html.unescape(value))
            for form in shown
            if 'name="csrf"' in form
            for name, value in _FIELD.findall(form)
        ]
        return fields or [("csrf", csrf), *((name, self._right(name)) for name in _ELSEWHERE[path])]

    def _right(self, name: str) -> str:
        return _RIGHT.get(name) or (self._world.newest(name) if name.endswith(("_id", "_refs")) else "")

    def _keeps(self, name: str) -> bool:
        """Whether a field is filled in at all."""
        return self._rng.random() < (0.98 if name == "csrf" else 0.85)

    async def fill_in(self, path: str, fields: list[tuple[str, str]]) -> None:
        """Send a form with some fields wrong."""
        filled, rng = [one for one in fields if self._keeps(one[0])], self._rng
        for _ in range(rng.choice((0, 1, 1, 1, 2, 4))):
            at = rng.randrange(len(filled) + 1)
            name = rng.choice((*(one for one, _ in filled), "unknown", "a[b]", ""))
            if name != "csrf" or rng.random() < 0.2:
                odd = str(rng.choice(values.TEXTS if rng.random() < 0.7 else values.NUMBERS))
                filled[at : at + rng.choice((0, 1))] = [(name, odd[:3000])]
        text = "&".join(f"{quote(name)}={values.escaped(value, rng)}" for name, value in filled)
        kind = _FORM
        if rng.random() < 0.08:
            text += rng.choice(
                ("&%ff=%fe", "&a=%", "&" * 3000, "&a=b" * 3000, "&notes=" + "x" * 300_000, "\x00")
            )
            kind = rng.choice((_FORM, "application/json", "multipart/form-data; boundary=x", "text/plain"))
        await self.ask("POST", path, data=text.encode("utf-8", "surrogatepass"), kind=kind)


async def test_no_form_and_no_page_of_the_console_is_too_odd(tmp_path: Path) -> None:
    rng = random.Random(7)
    async with running(tmp_path) as world, AsyncExitStack() as stack:
        browsers = []
        for person in ("olga", "anna", "max"):
            jar = aiohttp.CookieJar(unsafe=True)
            http = await stack.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            browsers.append(Browser(world, http, person, rng))
        for path in _WITH_FORMS:
            for number, browser in enumerate(browsers):
                await browser.enter()
                fields = await browser.form(path)
                for _ in range(FORMS + number):
                    await browser.fill_in(path, fields)
                key = ("idempotency_key", values.escaped(rng.choice(_NO_KEYS), rng))
                spoiled = [*(one for one in fields if one[0] != key[0]), key]
                await browser.ask("POST", path, data="&".join(map("=".join, spoiled)).encode(), kind=_FORM)
        for browser in browsers:
            await browser.enter()
        for path in _SHOWN:
            for _ in range(PAGES):
                where = path.replace("{record_id}", "{id}").replace("{trace_id}", "{id}")
                identifier = values.escaped(
                    rng.choice((world.newest("delivery_id"), *values.TEXTS))[:200] or "x", rng
                )
                query = values.query(_QUERIES, world.newest, rng) if rng.random() < 0.8 else ""
                await rng.choice(browsers).ask("GET", where.replace("{id}", identifier), query)
        statuses = sum((browser.statuses for browser in browsers), Counter[int]())
        assert statuses.total() >= CONSOLE_SENT
        assert {200, 303, 400, 403, 404, 422} <= statuses.keys()
