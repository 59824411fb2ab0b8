"""A real identity provider over HTTP on loopback: discovery, a key set that a test rotates, signed tokens, and sign-in by code and PKCE."""

import asyncio
import base64
import hashlib
import secrets
import time
import warnings
from typing import Any, Self
from urllib.parse import urlencode

from aiohttp import web
from cavra_service.settings import Settings
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OctKey, OKPKey, RSAKey

AUDIENCE = "cavra-api"


class Provider:
    """Issues tokens, and serves `published`, the public keys that it says are its own."""

    def __init__(self) -> None:
        self.url = ""
        self.published: list[dict[str, Any]] = []
        self.asked: list[str] = []
        self.status = 200
        self.jwks_body: bytes | None = None
        self.discovery: dict[str, Any] = {}
        self.signs_in: dict[str, str] = {}
        """What its token endpoint gives to whoever signs in, e.g. {"access_token": ...}; nobody may while empty."""
        self._codes: dict[str, dict[str, str]] = {}
        self.hold: asyncio.Event | None = None
        """While set and not fired, who asks for keys waits."""
        self._runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/.well-known/openid-configuration", self._discover)
        app.router.add_get("/keys", self._keys)
        app.router.add_get("/authorize", self._authorize)
        app.router.add_post("/token", self._token)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self.discovery = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/keys",
            "authorization_endpoint": f"{self.url}/authorize",
            "token_endpoint": f"{self.url}/token",
        }
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self.stop()

    async def stop(self) -> None:
        """Go down."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def settings(self, **more: Any) -> dict[str, Any]:
        """Settings of an installation that trusts it."""
        own = {"oidc_issuer": self.url, "oidc_audience": AUDIENCE, "oidc_allow_loopback_http": True}
        return {**own, **more}

    def key(self, key_id: str, algorithm: str = "RS256", *, publish: bool = True) -> Key:
        """A new key pair, by default published."""
        made: Key
        if algorithm.startswith("RS"):
            made = RSAKey.generate_key(2048, {"kid": key_id})
        elif algorithm == "ES256":
            made = ECKey.generate_key("P-256", {"kid": key_id})
        else:
            made = OKPKey.generate_key("Ed25519", {"kid": key_id})
        if publish:
            self.published.append(dict(made.as_dict(private=False)))
        return made

    def token(self, key: Key | OctKey, algorithm: str = "RS256", **changes: Any) -> str:
        """A token of alice, an operator, with any claims changed, or left out when None; `kid` changes the header."""
        now = int(time.time())
        header = {"alg": algorithm, "kid": changes.pop("kid", key.kid)}
        claims = {
            "iss": self.url, "aud": AUDIENCE, "sub": "auth0|alice", "name": "Alice", "roles": ["operator"],
            "iat": now, "exp": now + 600,
        }  # fmt: skip
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # Providers go on writing "EdDSA".
            return jwt.encode(
                {name: value for name, value in header.items() if value}, claims, key, [algorithm]
            )

    async def _discover(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        return web.json_response(self.discovery, status=self.status)

    async def _authorize(self, request: web.Request) -> web.Response:
        """Everybody who comes is signed in at once, as at a provider where they already are."""
        asked = dict(request.query)
        answer = {"state": asked["state"], "error": "access_denied"}
        if self.signs_in and asked["response_type"] == "code" and asked["code_challenge_method"] == "S256":
            code = secrets.token_urlsafe(16)
            self._codes[code] = asked
            answer = {"state": asked["state"], "code": code, "iss": self.url}
        raise web.HTTPFound(f"{asked['redirect_uri']}?{urlencode(answer)}")

    async def _token(self, request: web.Request) -> web.Response:
        """A code is good once, from the client that it was made for, by the verifier of its challenge."""
        form = await request.post()
        asked = self._codes.pop(str(form["code"]), None)
        digest = hashlib.sha256(str(form["code_verifier"]).encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if asked is None or any(
            (
                asked["code_challenge"] != challenge,
                asked["redirect_uri"] != form["redirect_uri"],
                asked["client_id"] != form["client_id"],
            )
        ):
            return web.json_response({"error": "invalid_grant"}, status=400)
        return web.json_response({"token_type": "Bearer", **self.signs_in})

    async def _keys(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if self.hold is not None:
            await self.hold.wait()
        if self.jwks_body is not None:
            return web.Response(body=self.jwks_body, status=self.status)
        return web.json_response({"keys": self.published}, status=self.status)


def trusting(settings: Settings, provider: Provider, **more: Any) -> Settings:
    """`settings` that also trust `provider`."""
    return Settings(**{**settings.model_dump(), **provider.settings(**more)})
