"""Signing in at the identity provider: the authorization code flow with PKCE (RFC 7636, RFC 9700)."""

import asyncio
import base64
import hashlib
import hmac
import secrets
from typing import Any, Final
from urllib.parse import urlencode, urlsplit

import aiohttp
import structlog
from cavra_service.errors import Refused
from cavra_service.identity import Identity
from cavra_service.oidc import Provider, ProviderError
from cavra_service.sealing import Sealer
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from cavra_gateway.console.forms import Problem
from cavra_gateway.console.render import page
from cavra_gateway.console.route import OpenPage
from cavra_gateway.console.session import (
    PATH,
    cookie_name,
    cookie_text,
    origin_of,
    own_path,
    set_cookie,
    sign_in,
)
from cavra_gateway.console.signin import sign_in_form
from cavra_gateway.session import Gateway, identified

router = APIRouter(route_class=OpenPage)
log = structlog.get_logger()

_LOGIN: Final = "login"
_LOGIN_SECONDS: Final = 600.0
_UNREACHABLE: Final = (ProviderError, aiohttp.ClientError, OSError, TimeoutError, ValueError, RecursionError)


@router.get("/oidc/start")
async def start(request: Request, next: str = "") -> Response:
    """Send the browser to the provider, with what the answer will be held against in a cookie."""
    target = own_path(next)
    try:
        settings = _settings(request)
        endpoint = await _endpoint(request, "authorization_endpoint")
    except Refused as refused:
        return sign_in_form(request, target, problem=Problem(refused))
    state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    asked = {
        "response_type": "code",
        "client_id": settings.oidc_client_id,
        "redirect_uri": _redirect_uri(request),
        "scope": settings.oidc_scopes,
        "state": state,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    separator = "&" if urlsplit(endpoint).query else "?"
    response = RedirectResponse(f"{endpoint}{separator}{urlencode(asked)}", 303)
    sealer: Sealer = request.app.state.sealer
    document = {"state": state, "verifier": verifier, "next": target}
    # The provider's redirect comes from another site: a stricter cookie would stay at home.
    set_cookie(
        request, response, _LOGIN, sealer.seal(_LOGIN, document, _LOGIN_SECONDS), _LOGIN_SECONDS, "lax"
    )
    return response


@router.get("/oidc/callback")
async def callback(
    request: Request, code: str = "", state: str = "", error: str = "", iss: str = ""
) -> Response:
    """Take the provider's answer, and the token that it stands for."""
    sealer: Sealer = request.app.state.sealer
    name = cookie_name(request, _LOGIN)
    login = sealer.open(_LOGIN, cookie_text(request.cookies, name))
    target: str = login["next"] if login else PATH + "/"
    try:
        settings = _settings(request)
        if login is None or not hmac.compare_digest(login["state"].encode(), state.encode()):
            raise Refused("invalid_token", "the sign-in was not begun in this browser, or took too long")
        if error or not code or iss not in ("", settings.oidc_issuer):
            raise Refused("invalid_token", "the identity provider did not sign you in")
        token, identity = await _redeemed(request, code, login["verifier"])
        # A page in between: a cookie that is kept from other sites does not go with a redirect that one of them began.
        response: Response = page(request, "signed_in.html", target=target, name=identity.actor.name)
        sign_in(request, response, token, identity)
    except Refused as refused:
        response = sign_in_form(request, target, problem=Problem(refused))
    response.delete_cookie(name, PATH)
    return response


async def _redeemed(request: Request, code: str, verifier: str) -> tuple[str, Identity]:
    """The token that a code stands for: the one of those given that this installation takes."""
    gateway, settings = _gateway(request), _settings(request)
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": _redirect_uri(request),
        "client_id": settings.oidc_client_id,
        "code_verifier": verifier,
    }
    if secret := settings.oidc_client_secret.get_secret_value():
        form["client_secret"] = secret
    endpoint = await _endpoint(request, "token_endpoint")
    provider = Provider.of(settings)
    try:
        async with provider.http() as http:
            answer = await provider.document(http, endpoint, form)
    except ProviderError:
        raise Refused("invalid_token", "the identity provider did not take its own code back") from None
    except _UNREACHABLE as error:
        raise _down(error) from None
    given = [answer.get(name) for name in ("access_token", "id_token")]
    for token in (one for one in given if isinstance(one, str) and one):
        try:
            return token, await identified(gateway, request, token)
        except Refused as refused:
            if refused.reason != "invalid_token":
                raise
    raise Refused("invalid_token", "none of the provider's tokens is made out to this installation")


async def _endpoint(request: Request, name: str) -> str:
    """An address that the provider says is its own, asked for once."""
    found: dict[str, Any] = request.app.state.provider
    if not found:
        settings = _settings(request)
        provider = Provider.of(settings)
        try:
            async with asyncio.timeout(10), provider.http() as http:
                found.update(await provider.discovered(http))
        except _UNREACHABLE as error:
            raise _down(error) from None
    try:
        return Provider.of(_settings(request)).checked(str(found.get(name) or ""))
    except ValueError:
        raise Refused("service_unavailable", "the identity provider names no usable address") from None


def _down(error: BaseException) -> Refused:
    log.warning("identity_provider_unavailable", error=type(error).__name__)
    return Refused("service_unavailable", "the identity provider does not answer")


def _gateway(request: Request) -> Gateway:
    gateway: Gateway = request.app.state.gateway
    return gateway


def _settings(request: Request) -> Any:
    settings = _gateway(request).settings
    if not (settings.oidc_issuer and settings.oidc_client_id):
        raise Refused("unknown_path", "no identity provider is set up for the console")
    return settings


def _redirect_uri(request: Request) -> str:
    return f"{origin_of(request)}{PATH}/oidc/callback"
