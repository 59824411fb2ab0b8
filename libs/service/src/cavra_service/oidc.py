"""What is known of an identity provider: its public keys, fetched and kept, and what its claims mean here."""

import asyncio
import json
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import structlog
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, JWKRegistry, Key, KeySet, OKPKey, RSAKey

from cavra_service.errors import Refused
from cavra_service.settings import Settings

_TIMEOUT_SECONDS: Final = 5.0
_MOST_BYTES: Final = 256 * 1024
_MOST_KEYS: Final = 100
_LEAST_RSA_BITS: Final = 2048
_PAUSE_SECONDS: Final = 10.0
"""Least time between two fetches: tokens with made-up key ids cannot make us flood the provider."""

log = structlog.get_logger()


class ProviderError(Exception):
    """The provider could not be asked, or its answer is not usable."""


@dataclass(frozen=True, slots=True)
class Provider:
    """The provider over HTTP: HTTPS alone, or plain HTTP from this machine where the installation allows it."""

    issuer: str
    loopback: bool

    @classmethod
    def of(cls, settings: Settings) -> "Provider":
        """The one that `settings` name."""
        return cls(settings.oidc_issuer, settings.oidc_allow_loopback_http)

    def http(self) -> aiohttp.ClientSession:
        """A client for a few requests. A proxy from the environment would put somebody else between the provider and us."""
        timeout = aiohttp.ClientTimeout(total=_TIMEOUT_SECONDS)
        return aiohttp.ClientSession(timeout=timeout, trust_env=False, auto_decompress=False)

    async def discovered(self, http: aiohttp.ClientSession) -> dict[str, Any]:
        """What it says of itself. Raises as `document`, and ProviderError when it says it of somebody else."""
        url = self.issuer.rstrip("/") + "/.well-known/openid-configuration"
        document = await self.document(http, url)
        if document.get("issuer") != self.issuer:
            raise ProviderError
        return document

    async def document(
        self, http: aiohttp.ClientSession, url: str, form: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        """The JSON object at `url`, or the answer to `form`.

        Raises ProviderError, aiohttp.ClientError, OSError, TimeoutError, ValueError.
        """
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        method = "GET" if form is None else "POST"
        # A redirect would put somebody else in its place.
        async with http.request(
            method, self.checked(url), data=form, headers=headers, allow_redirects=False
        ) as response:
            if response.status != 200:
                raise ProviderError
            body = bytearray()
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _MOST_BYTES:
                    raise ProviderError
        document = json.loads(body)
        if not isinstance(document, dict):
            raise ProviderError
        return document

    def checked(self, url: str) -> str:
        """`url`, if it may be asked. Raises ValueError."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        if host and parts.username is None and parts.password is None:
            if parts.scheme == "https":
                return url
            if parts.scheme == "http" and self.loopback and _is_loopback(host):
                return url
        raise ValueError(
            "the identity provider is asked over https alone (CAVRA_OIDC_ISSUER, CAVRA_OIDC_JWKS_URL)"
        )


class ProviderKeys:
    """The provider's key set (RFC 7517), fetched when first needed, again after a while, and for a key id that it lacks.

    While the provider does not answer, the keys that are known stay good.
    """

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` counts seconds. Raises ValueError for an address that keys may not come from."""
        self._provider = Provider.of(settings)
        self._max_age = settings.oidc_jwks_cache_seconds
        self._clock = clock
        self._jwks_url = settings.oidc_jwks_url
        self._keys = KeySet([])
        self._fetched_at = self._tried_at = float("-inf")
        self._answered = False
        self._fetching: asyncio.Task[None] | None = None
        self._provider.checked(self._jwks_url or settings.oidc_issuer)

    async def holding(self, key_id: str | None) -> KeySet:
        """The known keys, with the key of that id if the provider has it.

        Raises Refused `service_unavailable` when only the provider, which does not answer, could tell.
        """
        age = self._clock() - self._fetched_at
        if age > self._max_age or not self._has(key_id):
            self._begin_fetch()
        # Keys that are a little old serve until the answer is there; nobody waits again and again for a provider that is down.
        outdated = age > 2 * self._max_age and self._answered
        if self._fetching is not None and (outdated or not self._has(key_id)):
            # Shared by all who wait: one caller's end must not end it.
            await asyncio.shield(self._fetching)
        if not self._has(key_id) and not self._answered:
            raise Refused("service_unavailable", "the identity provider's keys cannot be had")
        return self._keys

    def _has(self, key_id: str | None) -> bool:
        return (
            len(self._keys.keys) == 1 if key_id is None else any(key.kid == key_id for key in self._keys.keys)
        )

    def _begin_fetch(self) -> None:
        now = self._clock()
        if self._fetching is None and now - self._tried_at >= _PAUSE_SECONDS:
            self._tried_at = now
            self._fetching = asyncio.create_task(self._fetch())

    async def _fetch(self) -> None:
        try:
            keys = await self._fetched_keys()
        except (
            ProviderError,
            aiohttp.ClientError,
            OSError,
            TimeoutError,
            ValueError,
            RecursionError,
        ) as error:
            self._answered = False
            log.warning("identity_provider_unavailable", error=type(error).__name__)
        else:
            self._keys, self._fetched_at, self._answered = KeySet(keys), self._clock(), True
        finally:
            self._fetching = None

    async def _fetched_keys(self) -> list[Key]:
        async with self._provider.http() as http:
            url = self._jwks_url or (await self._provider.discovered(http)).get("jwks_uri")
            if not isinstance(url, str):
                raise ProviderError
            document = await self._provider.document(http, url)
        found = document.get("keys")
        if not isinstance(found, list) or len(found) > _MOST_KEYS:
            raise ProviderError
        return [key for key in map(_signature_key, found) if key is not None]


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _signature_key(data: Any) -> Key | None:
    """A public key that signatures may be checked by; None for what is anything else."""
    if not isinstance(data, dict) or data.get("use", "sig") != "sig" or data.get("kty") == "oct":
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # Of a short RSA key: it is left out below.
            key = JWKRegistry.import_key(data)
    except (JoseError, ValueError, TypeError, KeyError):
        return None
    match key:
        case RSAKey():
            return key if key.public_key.key_size >= _LEAST_RSA_BITS else None
        case ECKey() | OKPKey():
            return key
    return None


def roles_of(claims: Mapping[str, Any], settings: Settings) -> frozenset[str]:
    """The roles that a provider's claims give here: those of `oidc_roles` whose texts stand in the claim at `oidc_roles_claim`."""
    found: Any = claims
    for name in settings.oidc_roles_claim:
        found = found.get(name) if isinstance(found, dict) else None
    texts = {found} if isinstance(found, str) else set()
    if isinstance(found, list):
        texts = {one for one in found if isinstance(one, str)}
    return frozenset(role for role, givers in settings.oidc_roles.items() if texts & set(givers))
