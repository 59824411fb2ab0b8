"""The console's door and its forms, as an attacker or a browser's cookie jar meets them: over plain HTTP, without a browser."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import aiohttp
import pytest
from cavra_gateway.bootstrap import SERVICE
from cavra_gateway.console import redeemed
from cavra_gateway.settings import GatewaySettings
from cavra_service.sealing import HANDOVER, Sealer, handover

from tests.support.fake_services import FakeServices
from tests.support.provider import Provider, trusting

POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'"


class Door:
    """A browser without scripts in front of a gateway."""

    def __init__(self, fakes: FakeServices, http: aiohttp.ClientSession) -> None:
        self.fakes = fakes
        self.http = http
        self.url = fakes.url

    async def get(self, path: str, **more: Any) -> aiohttp.ClientResponse:
        """The answer to a GET, redirects not followed."""
        return await self.http.get(f"{self.url}/console{path}", allow_redirects=False, **more)

    async def post(self, path: str, origin: str | None = "own", **form: Any) -> aiohttp.ClientResponse:
        """The answer to a form."""
        headers = {} if origin is None else {"origin": self.url if origin == "own" else origin}
        return await self.http.post(
            f"{self.url}/console{path}", data=form, headers=headers, allow_redirects=False
        )

    async def enter(self, name: str, *roles: str) -> None:
        """Sign in by a token."""
        answer = await self.post("/sign-in", token=self.fakes.installation.token(name, *roles))
        assert (answer.status, answer.headers["location"]) == (303, "/console/")

    async def form(self, path: str) -> dict[str, str]:
        """The hidden fields of a page's form."""
        text = await (await self.get(path)).text()
        main = text[text.index("<main") :]
        return dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', main))


@asynccontextmanager
async def at_door(fakes: FakeServices) -> AsyncIterator[Door]:
    async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as http:
        yield Door(fakes, http)


@pytest.fixture
async def door(fakes: FakeServices) -> AsyncIterator[Door]:
    async with at_door(fakes) as found:
        yield found


async def test_whoever_is_signed_out_is_sent_to_sign_in_and_back_to_their_page(door: Door) -> None:
    answer = await door.get("/close-recovery?playbook_id=p&provider=webhook")
    target = urlsplit(answer.headers["location"])
    assert (answer.status, target.path) == (303, "/console/sign-in")
    back = parse_qs(target.query)["next"][0]
    assert back == "/console/close-recovery?playbook_id=p&provider=webhook"
    token = door.fakes.installation.token("olga", "operator")
    assert (await door.post("/sign-in", token=token, next=back)).headers["location"] == back


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/console//evil.example",
        "/\\evil.example",
        "/docs",
        "/console/\nx",
        "javascript:alert(1)",
    ],
)
async def test_signing_in_leads_to_no_page_but_the_consoles(door: Door, target: str) -> None:
    token = door.fakes.installation.token("olga", "operator")
    assert (await door.post("/sign-in", token=token, next=target)).headers["location"] == "/console/"


async def test_the_cookie_is_sealed_out_of_scripts_reach_and_for_the_console_alone(door: Door) -> None:
    token = door.fakes.installation.token("olga", "operator")
    answer = await door.post("/sign-in", token=token)
    (cookie,) = answer.headers.getall("set-cookie")
    assert {"HttpOnly", "Path=/console", "SameSite=strict"} <= set(cookie.split("; "))
    assert token not in cookie
    assert not any(part in cookie for part in token.split("."))
    page = await (await door.get("/")).text()
    assert token not in page


async def test_behind_https_the_cookie_travels_by_https_alone(tmp_path: Path) -> None:
    fakes = FakeServices(tmp_path)
    own = {**fakes.installation.settings.model_dump(), "console_origin": "https://cavra.example"}
    fakes.installation.settings = GatewaySettings(**own)
    async with fakes.running(), at_door(fakes) as door:
        token = fakes.installation.token("olga", "operator")
        answer = await door.post("/sign-in", "https://cavra.example", token=token)
        cookie = answer.headers["set-cookie"]
        assert cookie.startswith("__Secure-cavra-session=")
        assert "Secure" in cookie.split("; ")
        refused = await door.post("/sign-in", token=token)
        assert refused.status == 403


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example"])
async def test_a_form_from_another_site_is_refused(door: Door, origin: str | None) -> None:
    await door.enter("olga", "operator")
    form = await door.form("/plan-audit-retry")
    answer = await door.post("/plan-audit-retry", origin, **form)
    assert (answer.status, "cross_site" in await answer.text()) == (403, True)
    assert "PlanRetries" not in door.fakes.script.requests
    refused = await door.post("/sign-in", origin, token="x")
    assert (refused.status, refused.headers.get("set-cookie")) == (403, None)


@pytest.mark.parametrize("csrf", ["", "wrong", "é"])
async def test_a_form_of_another_session_is_refused(door: Door, csrf: str) -> None:
    await door.enter("olga", "operator")
    form = await door.form("/plan-audit-retry")
    assert (await door.post("/plan-audit-retry", **{**form, "csrf": csrf})).status == 403
    assert (await door.post("/sign-out", csrf=csrf)).status == 403
    assert (await door.post("/plan-audit-retry", **form)).status == 200


async def test_a_changed_or_foreign_cookie_signs_nobody_in(door: Door) -> None:
    await door.enter("olga", "operator")
    (cookie,) = [one for one in door.http.cookie_jar if one.key == "cavra-session"]
    flipped = cookie.value[:-2] + ("AA" if cookie.value[-2:] != "AA" else "BB")
    other = Sealer(door.fakes.installation.settings).seal("login", {"token": "x", "csrf": "y"}, 60)
    async with aiohttp.ClientSession() as http:
        for value in (flipped, other, "x", "", "%%%", "A" * 5000):
            headers = {"cookie": f"cavra-session={value}"}
            url = f"{door.url}/console/"
            async with http.get(url, headers=headers, allow_redirects=False) as answer:
                assert answer.status == 303, value


async def test_the_cookie_opens_nothing_of_the_api_and_a_bearer_token_nothing_of_the_console(
    door: Door,
) -> None:
    await door.enter("olga", "operator")
    for path in ("/console/config", "/runtime/go-pilot/rollback-drill-notifications"):
        async with door.http.get(door.url + path) as answer:
            assert answer.status == 401
    async with aiohttp.ClientSession() as http:
        headers = {"authorization": f"Bearer {door.fakes.installation.token('olga', 'operator')}"}
        async with http.get(f"{door.url}/console/", headers=headers, allow_redirects=False) as answer:
            assert answer.status == 303


async def test_a_link_signs_in_once_and_a_changed_or_late_one_never(door: Door) -> None:
    settings = door.fakes.installation.settings
    link = handover(settings, door.fakes.installation.token("olga", "operator"))
    late = Sealer(settings).seal(HANDOVER, {"token": "x", "id": "1"}, -1)
    for bad in (link[:-3] + "AAA", late, "x"):
        assert (await door.post("/sign-in", handover=bad)).status == 401
    assert (await door.post("/sign-in", handover=link)).status == 303
    again = await door.post("/sign-in", handover=link)
    assert (again.status, "used before" in await again.text()) == (401, True)


async def test_a_link_that_was_used_stays_used_when_the_gateway_is_started_again(fakes: FakeServices) -> None:
    settings = fakes.installation.settings
    link = handover(settings, fakes.installation.token("olga", "operator"))
    unused = handover(settings, fakes.installation.token("anna", "approver"))
    statuses = []
    for _ in range(2):
        async with SERVICE.start(settings) as fakes.url, at_door(fakes) as door:
            statuses.append((await door.post("/sign-in", handover=link)).status)
    assert statuses == [303, 401]
    async with SERVICE.start(settings) as fakes.url, at_door(fakes) as door:
        assert (await door.post("/sign-in", handover=unused)).status == 303


async def test_of_two_windows_with_one_link_one_is_signed_in(fakes: FakeServices) -> None:
    settings = fakes.installation.settings
    link = handover(settings, fakes.installation.token("olga", "operator"))
    # Two gateways of one folder, too.
    async with SERVICE.start(settings) as other, at_door(fakes) as here, at_door(fakes) as there:
        there.url = other
        answers = await asyncio.gather(*(door.post("/sign-in", handover=link) for door in (here, there)))
    assert sorted(answer.status for answer in answers) == [303, 401]


async def test_what_is_kept_of_used_links_goes_when_they_are_too_old(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, token = door.fakes.installation.settings, door.fakes.installation.token("olga", "operator")
    kept = settings.identity / "gateway" / "redeemed"
    assert (await door.post("/sign-in", handover=handover(settings, token))).status == 303
    (used,) = kept.iterdir()
    assert (used.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o600, 0o700)
    link = handover(settings, token)
    real = time.time
    monkeypatch.setattr(redeemed, "time", SimpleNamespace(time=lambda: real() + 1000))
    assert (await door.post("/sign-in", handover=link)).status == 303
    assert used not in list(kept.iterdir())


async def test_a_link_whose_use_cannot_be_written_down_is_refused(door: Door) -> None:
    settings, token = door.fakes.installation.settings, door.fakes.installation.token("olga", "operator")
    (settings.identity / "gateway").mkdir(exist_ok=True)
    (settings.identity / "gateway" / "redeemed").write_text("in the way")
    answer = await door.post("/sign-in", handover=handover(settings, token))
    assert (answer.status, "sign in by a token" in await answer.text()) == (401, True)
    await door.enter("olga", "operator")


async def test_a_bad_token_is_told_at_its_field_and_not_shown_again(door: Door) -> None:
    answer = await door.post("/sign-in", token="not-a-token")
    text = await answer.text()
    assert (answer.status, 'aria-invalid="true"' in text or "invalid_token" in text) == (401, True)
    assert "not-a-token" not in text


async def test_signing_out_forgets_the_token(door: Door) -> None:
    await door.enter("olga", "operator")
    form = await door.form("/plan-audit-retry")
    assert (await door.post("/sign-out", csrf=form["csrf"])).status == 303
    assert (await door.get("/")).status == 303


@pytest.mark.parametrize("path", ["/", "/sign-in", "/nowhere", "/deliver-audit"])
async def test_every_page_has_the_strict_policy_and_is_kept_nowhere(door: Door, path: str) -> None:
    await door.enter("olga", "operator")
    answer = await door.get(path)
    headers = answer.headers
    assert headers["content-security-policy"].startswith(POLICY)
    for part in ("frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert part in headers["content-security-policy"]
    assert (headers["x-content-type-options"], headers["referrer-policy"]) == ("nosniff", "same-origin")
    assert headers["cache-control"] == "no-store"
    assert "gzip" in answer.request_info.headers["accept-encoding"]
    assert "content-encoding" not in headers, "compressed, its length would tell of the secret in it"
    text = await answer.text()
    assert not re.search(r"<style|<script(?![^>]*src=)|\son[a-z]+=|style=|javascript:", text)


async def test_scripts_and_styles_are_compressed_kept_for_ever_and_small(door: Door) -> None:
    await door.enter("olga", "operator")
    text = await (await door.get("/")).text()
    paths = re.findall(r'(?:src|href)="(/console/static/[^"]+)"', text)
    assert len(paths) >= 3
    size = 0
    for path in paths:
        async with aiohttp.ClientSession(auto_decompress=False) as http, http.get(door.url + path) as answer:
            body = await answer.read()
            assert (answer.status, "immutable" in answer.headers["cache-control"]) == (200, True)
            assert answer.headers["content-encoding"] == "gzip"
            size += len(body) if path.endswith(".js") else 0
    assert size < 150 * 1024
    assert (await door.get("/static/0000000000000000/css/console.css")).status == 404


async def test_a_form_that_is_too_large_or_none_at_all_is_refused(door: Door) -> None:
    await door.enter("olga", "operator")
    form = await door.form("/plan-audit-retry")
    assert (await door.post("/plan-audit-retry", **form, notes="x" * 300_000)).status == 413
    url, headers = f"{door.url}/console/plan-audit-retry", {"origin": door.url}
    async with door.http.post(url, json=form, headers=headers) as answer:
        assert answer.status == 422


async def test_a_form_carries_its_key_so_that_sent_twice_it_runs_once(door: Door) -> None:
    await door.enter("olga", "operator")
    form = await door.form("/recovery-playbook")
    for _ in range(2):
        assert (await door.post("/recovery-playbook", **form)).status == 200
    assert form["idempotency_key"] != (await door.form("/recovery-playbook"))["idempotency_key"]
    path = "/runtime/go-pilot/rollback-drill-notifications"
    status, history, _ = await door.fakes.request("GET", path)
    assert (status, history["total"]) == (200, 1)


async def test_a_service_that_is_down_is_said_and_the_rest_is_shown(door: Door) -> None:
    await door.enter("olga", "operator")
    await door.fakes.stop("recovery")
    answer = await door.get("/")
    text = await answer.text()
    assert (answer.status, "The recovery service does not answer." in text) == (200, True)


async def signing_in_by(fakes: FakeServices, provider: Provider, **tokens: str) -> aiohttp.ClientResponse:
    """The answer at the end of the provider's redirects."""
    provider.signs_in = tokens
    async with at_door(fakes) as door:
        start = await door.get("/oidc/start?next=/console/history")
        assert start.status == 303, await start.text()
        assert "verifier" not in start.headers["location"]
        answer = await door.http.get(start.headers["location"])
        await answer.read()
        return answer


@asynccontextmanager
async def with_provider(folder: Path) -> AsyncIterator[tuple[FakeServices, Provider, Any]]:
    fakes = FakeServices(folder)
    async with Provider() as provider:
        key = provider.key("k1")
        trusted = trusting(fakes.installation.settings, provider)
        own = {**trusted.model_dump(), "oidc_client_id": "console"}
        fakes.installation.settings = GatewaySettings(**own)
        async with fakes.running():
            yield fakes, provider, key


@pytest.mark.parametrize("name", ["access_token", "id_token"])
async def test_the_identity_provider_signs_in_by_code_and_pkce(tmp_path: Path, name: str) -> None:
    async with with_provider(tmp_path) as (fakes, provider, key):
        tokens = {"access_token": "opaque", name: provider.token(key)}
        answer = await signing_in_by(fakes, provider, **tokens)
        text = await answer.text()
        assert (answer.status, "Signed in as Alice" in text) == (200, True)
        # The page in between goes on by itself: the strict cookie would not go with a redirect that another site began.
        assert 'http-equiv="refresh" content="0; url=/console/history"' in text
        assert any(one.startswith("cavra-session=") for one in answer.headers.getall("set-cookie"))


async def test_a_provider_that_says_no_or_gives_no_token_of_ours_signs_nobody_in(tmp_path: Path) -> None:
    async with with_provider(tmp_path) as (fakes, provider, key):
        denied = await signing_in_by(fakes, provider)
        assert (denied.status, "did not sign you in" in await denied.text()) == (401, True)
        foreign = await signing_in_by(fakes, provider, access_token=provider.token(key, aud="another"))
        assert (foreign.status, "none of the provider" in await foreign.text()) == (401, True)
        assert not any("cavra-session" in one for one in foreign.headers.getall("set-cookie", []))


async def test_an_answer_that_this_browser_did_not_ask_for_signs_nobody_in(tmp_path: Path) -> None:
    async with with_provider(tmp_path) as (fakes, provider, key), at_door(fakes) as attacker:
        provider.signs_in = {"access_token": provider.token(key)}
        start = await attacker.get("/oidc/start")
        asked = await attacker.http.get(start.headers["location"], allow_redirects=False)
        async with at_door(fakes) as victim:
            answer = await victim.http.get(asked.headers["location"])
            assert (answer.status, "not begun in this browser" in await answer.text()) == (401, True)


async def test_a_provider_that_is_down_is_said_and_a_token_still_signs_in(tmp_path: Path) -> None:
    async with with_provider(tmp_path) as (fakes, provider, _), at_door(fakes) as door:
        await provider.stop()
        answer = await door.get("/oidc/start")
        assert (answer.status, "does not answer" in await answer.text()) == (503, True)
        await door.enter("olga", "operator")
