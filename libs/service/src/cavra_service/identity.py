"""Who calls: the one way a token is checked, whoever issued it, and the local issuer that makes an installation's own.

Below `Settings.identity`: `issuer/` holds the local issuer's private key, which only `cavra` commands read; `trust/` the issuer's
public keys and each service's; `<service>/` that service's signing key and the token it calls others with.
"""

import base64
import json
import re
import time
import warnings
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from errno import ENOENT
from typing import Any, Final

from cavra_evidence.draft import Actor
from cavra_verify.signatures import Signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from joserfc import jwt
from joserfc.errors import (
    BadSignatureError,
    ExpiredTokenError,
    InvalidClaimError,
    InvalidKeyIdError,
    JoseError,
    SecurityWarning,
)
from joserfc.jwk import KeySet, OKPKey

from cavra_service.errors import Refused
from cavra_service.files import write_private
from cavra_service.oidc import ProviderKeys, roles_of
from cavra_service.settings import Settings

ROLES: Final = ("operator", "approver", "auditor", "service")
SERVICES: Final = ("delivery", "retry", "recovery")
_ALGORITHM: Final = "Ed25519"
_FAULTS: Final[Mapping[type[Exception], str]] = {
    ExpiredTokenError: "the token has expired",
    InvalidKeyIdError: "the token is signed by a key that is not trusted here",
    BadSignatureError: "the token's signature is not valid",
    InvalidClaimError: "the token is for another audience, or not valid yet",
}
_HALF: Final = re.compile("[\ud800-\udfff]")
_CACHE_LIMIT: Final = 4096
_MOST_CHARACTERS: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, as the token says."""

    actor: Actor
    roles: frozenset[str]
    groups: tuple[str, ...]
    expires_at: float
    """Unix seconds."""
    on_behalf_of: Actor | None = None
    """The person for whom a service says that it calls."""


_caller: ContextVar[Identity] = ContextVar("caller")


def caller() -> Identity:
    """Who makes the call that is being served."""
    return _caller.get()


def serving_for() -> Actor | None:
    """The person whose call is being served, by whatever services it came; None for work on a timer."""
    identity = _caller.get(None)
    if identity is None:
        return None
    return identity.on_behalf_of if "service" in identity.roles else identity.actor


def set_caller(identity: Identity) -> None:
    """Says who makes the call that is being served; for the server alone."""
    _caller.set(identity)


@dataclass(frozen=True, slots=True)
class Issuer:
    """Whose tokens are trusted, and with what."""

    name: str
    """Their `iss`."""
    audience: str
    """The `aud` that they must have."""
    algorithms: tuple[str, ...]
    """Signature algorithms that they may have."""
    keys: Callable[[str | None], Awaitable[KeySet]]
    """The keys to check by, with the one of this id if there is one."""
    identity: Callable[[Mapping[str, Any]], Identity]
    """Whom checked claims name. Raises ValueError."""
    good_for_seconds: float
    """How long a token that was checked need not be checked again."""


class TokenVerifier:
    """Checks tokens: issuer, algorithm, signature by a trusted key, audience, times, subject and roles."""

    def __init__(self, issuers: tuple[Issuer, ...], skew_seconds: int) -> None:
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._skew = skew_seconds
        self._good: OrderedDict[str, tuple[Identity, float]] = OrderedDict()

    @classmethod
    def of(cls, settings: Settings) -> "TokenVerifier":
        """The verifier of an installation. Raises FileNotFoundError before `cavra init`, ValueError for an unusable provider."""
        issuers = [_local(settings)]
        if settings.oidc_issuer:
            issuers.append(_provider(settings))
        return cls(tuple(issuers), settings.token_skew_seconds)

    def known(self, token: str) -> Identity | None:
        """Who the token stands for, if it was checked not long ago."""
        found = self._good.get(token)
        if found is None or found[1] <= time.time():
            return None
        self._good.move_to_end(token)
        return found[0]

    async def verify(self, token: str) -> Identity:
        """Who the token stands for; the token itself appears nowhere.

        Raises Refused `unauthenticated` without one, `invalid_token`, and `service_unavailable` while its issuer's keys cannot be had.
        """
        if not token:
            raise Refused("unauthenticated", "a token is needed")
        identity = self.known(token)
        if identity is not None:
            return identity
        try:
            identity, issuer = await self._check(token)
        except (JoseError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise Refused("invalid_token", _FAULTS.get(type(error), "the token is not valid")) from None
        until = min(identity.expires_at, time.time() + issuer.good_for_seconds)
        self._good[token] = (identity, until)
        if len(self._good) > _CACHE_LIMIT:
            self._good.popitem(last=False)
        return identity

    async def _check(self, token: str) -> tuple[Identity, Issuer]:
        header, claims = _unverified(token)
        # What the token says of itself chooses whose keys and algorithms it is held to, and nothing else.
        issuer = self._issuers.get(_text(claims.get("iss")))
        if issuer is None:
            raise ValueError
        key_id = header.get("kid")
        keys = await issuer.keys(None if key_id is None else _text(key_id))
        with warnings.catch_warnings():
            # RFC 9864 renames EdDSA to Ed25519; providers go on writing the old name for the same signature.
            warnings.simplefilter("ignore", SecurityWarning)
            claims = jwt.decode(token, keys, algorithms=issuer.algorithms).claims
        jwt.JWTClaimsRegistry(
            leeway=self._skew,
            iss={"essential": True, "value": issuer.name},
            aud={"essential": True, "value": issuer.audience},
            sub={"essential": True},
            exp={"essential": True},
        ).validate(claims)
        return issuer.identity(claims), issuer


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    if len(token) > _MOST_CHARACTERS:
        raise ValueError
    header, claims, _ = token.split(".")
    return _object(header), _object(claims)


def _object(part: str) -> dict[str, Any]:
    document = json.loads(base64.b64decode(part + "=" * (-len(part) % 4), b"-_", validate=True))
    if not isinstance(document, dict):
        raise ValueError
    return document


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _local(settings: Settings) -> Issuer:
    document = json.loads((settings.identity / "trust" / "jwks.json").read_text())
    trusted = KeySet.import_key_set(document)

    async def keys(_: str | None) -> KeySet:
        return trusted

    def identity(claims: Mapping[str, Any]) -> Identity:
        roles, groups = claims.get("roles", []), claims.get("groups", [])
        if not (_are_texts(roles) and _are_texts(groups)):
            raise ValueError
        subject = _text(claims["sub"])
        actor = Actor(settings.token_issuer, subject, _text(claims.get("name") or subject))
        return Identity(actor, frozenset(roles) & frozenset(ROLES), tuple(groups), float(claims["exp"]))

    name, audience = settings.token_issuer, settings.token_audience
    return Issuer(name, audience, (_ALGORITHM,), keys, identity, float("inf"))


def _provider(settings: Settings) -> Issuer:
    def identity(claims: Mapping[str, Any]) -> Identity:
        subject, groups = _text(claims["sub"]), claims.get("groups", [])
        try:
            actor = Actor(settings.oidc_issuer, subject, _text(claims.get("name") or subject))
        except ValueError:
            # A display name that no record may hold keeps nobody out: the subject is shown instead.
            actor = Actor(settings.oidc_issuer, subject, subject)
        known = tuple(groups) if _are_texts(groups) else ()
        return Identity(actor, roles_of(claims, settings), known, float(claims["exp"]))

    keys = ProviderKeys(settings)
    return Issuer(
        settings.oidc_issuer,
        settings.oidc_audience,
        settings.oidc_algorithms,
        keys.holding,
        identity,
        settings.oidc_jwks_cache_seconds,
    )


def _are_texts(claim: Any) -> bool:
    """Whether it is a list of texts that can be written: JSON's escapes can stand for half a character."""
    return isinstance(claim, list) and all(isinstance(item, str) and not _HALF.search(item) for item in claim)


class LocalIssuer:
    """Makes tokens and keys for an installation without an identity provider. Its own key is made where there is none."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = self._load_or_create()

    @classmethod
    def of(cls, settings: Settings) -> "LocalIssuer":
        """The issuer of an installation that was made before. Raises FileNotFoundError where none was."""
        path = settings.identity / "issuer" / "private.json"
        if not path.exists():
            raise FileNotFoundError(
                ENOENT, "no installation is here: run `cavra init`, or name its folder", str(path)
            )
        return cls(settings)

    def _load_or_create(self) -> OKPKey:
        folder = self._settings.identity
        path = folder / "issuer" / "private.json"
        if not path.exists():
            key = OKPKey.generate_key("Ed25519", parameters={"use": "sig", "alg": _ALGORITHM}, auto_kid=True)
            write_private(path, json.dumps(key.as_dict(private=True)).encode())
        key = OKPKey.import_key(json.loads(path.read_text()))
        trust = folder / "trust"
        trust.mkdir(parents=True, exist_ok=True)
        (trust / "jwks.json").write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
        return key

    def token(self, subject: str, roles: list[str], *, name: str = "", ttl_seconds: int = 12 * 3600) -> str:
        """A signed token for `subject` with `roles`."""
        now = int(time.time())
        claims: dict[str, Any] = {
            "iss": self._settings.token_issuer,
            "aud": self._settings.token_audience,
            "sub": subject,
            "roles": roles,
            "iat": now,
            "exp": now + ttl_seconds,
        }
        if name:
            claims["name"] = name
        return jwt.encode(
            {"alg": _ALGORITHM, "kid": self._key.kid}, claims, self._key, algorithms=[_ALGORITHM]
        )

    def prepare(self) -> None:
        """Make what the services need: each one's signing key, its public half among the trusted, and a fresh token of its own."""
        folder = self._settings.identity
        for service in SERVICES:
            signer = load_signer(self._settings, service)
            trusted = folder / "trust" / f"{service}.pub"
            # A list that ends with this key holds the ones before it too.
            if not trusted.exists() or signer.public.hex() not in trusted.read_text().rpartition("\n")[2]:
                trusted.write_text(signer.public.hex())
            token = self.token(f"service:{service}", ["service"], ttl_seconds=366 * 24 * 3600)
            write_private(folder / service / "token", token.encode())


def load_signer(settings: Settings, service: str, file: str = "signing.pem") -> Signer:
    """A service's signing key, made on first use and kept outside its store."""
    path = settings.identity / service / file
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        write_private(path, pem)
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path.name} holds no Ed25519 key")
    return Signer.of(key)


class ServiceToken:
    """The token that a service calls others with, from its file: a fresh one takes effect with the next call."""

    def __init__(self, settings: Settings, service: str) -> None:
        self._path = settings.identity / service / "token"
        self._seen, self._token = (0, 0), ""

    def __call__(self) -> str:
        """The token. Raises FileNotFoundError where there is none."""
        stat = self._path.stat()
        if (seen := (stat.st_mtime_ns, stat.st_ino)) != self._seen:
            self._seen, self._token = seen, self._path.read_text().strip()
        return self._token
