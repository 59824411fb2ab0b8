"""Who calls: signed tokens, the keys that check them, and the local issuer that makes them.

Below `Settings.identity`: `issuer/` holds the local issuer's private key, which only `cavra` commands read; `trust/` the issuer's
public keys and each service's; `<service>/` that service's signing key and the token it calls others with.
"""

import json
import os
import time
from collections import OrderedDict
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
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
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

from cavra_service.errors import Refused
from cavra_service.settings import Settings

ROLES: Final = ("operator", "approver", "auditor", "service")
SERVICES: Final = ("delivery", "retry", "recovery")
_ALGORITHM: Final = "Ed25519"
_SKEW_SECONDS: Final = 30
_CACHE_LIMIT: Final = 4096


@dataclass(frozen=True, slots=True)
class Identity:
    """Who calls, as the token says."""

    actor: Actor
    roles: frozenset[str]
    groups: tuple[str, ...]
    expires_at: float
    """Unix seconds."""


_caller: ContextVar[Identity] = ContextVar("caller")


def caller() -> Identity:
    """Who makes the call that is being served."""
    return _caller.get()


def set_caller(identity: Identity) -> None:
    """Says who makes the call that is being served; for the server alone."""
    _caller.set(identity)


class TokenVerifier:
    """Checks tokens: signature by a trusted key, issuer, audience, times, subject and roles."""

    def __init__(self, keys: KeySet, issuer: str, audience: str) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._cache: OrderedDict[str, Identity] = OrderedDict()

    @classmethod
    def of(cls, settings: Settings) -> "TokenVerifier":
        """The verifier over the installation's trusted keys. Raises FileNotFoundError before `cavra init`."""
        document = json.loads((settings.identity / "trust" / "jwks.json").read_text())
        return cls(KeySet.import_key_set(document), settings.token_issuer, settings.token_audience)

    def verify(self, token: str) -> Identity:
        """Who the token stands for. Raises Refused `unauthenticated` or `invalid_token`; the token itself appears nowhere."""
        if not token:
            raise Refused("unauthenticated", "a token is needed")
        known = self._cache.get(token)
        if known is not None and known.expires_at > time.time():
            self._cache.move_to_end(token)
            return known
        identity = self._check(token)
        self._cache[token] = identity
        if len(self._cache) > _CACHE_LIMIT:
            self._cache.popitem(last=False)
        return identity

    def _check(self, token: str) -> Identity:
        try:
            claims = jwt.decode(token, self._keys, algorithms=[_ALGORITHM]).claims
            jwt.JWTClaimsRegistry(
                leeway=_SKEW_SECONDS,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._audience},
                sub={"essential": True},
                exp={"essential": True},
            ).validate(claims)
        except (JoseError, ValueError) as error:
            raise Refused("invalid_token", f"the token is not valid ({type(error).__name__})") from None
        subject, name = claims["sub"], claims.get("name") or claims["sub"]
        roles, groups = claims.get("roles", []), claims.get("groups", [])
        if not (
            isinstance(subject, str) and isinstance(name, str) and _are_texts(roles) and _are_texts(groups)
        ):
            raise Refused("invalid_token", "the token's claims have the wrong types")
        try:
            actor = Actor(self._issuer, subject, name)
        except ValueError as error:
            raise Refused("invalid_token", str(error)) from None
        return Identity(actor, frozenset(roles) & frozenset(ROLES), tuple(groups), float(claims["exp"]))


def _are_texts(claim: Any) -> bool:
    return isinstance(claim, list) and all(isinstance(item, str) for item in claim)


class LocalIssuer:
    """Makes tokens and keys for an installation without an identity provider."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._key = self._load_or_create()

    def _load_or_create(self) -> OKPKey:
        folder = self._settings.identity
        path = folder / "issuer" / "private.json"
        if not path.exists():
            key = OKPKey.generate_key("Ed25519", parameters={"use": "sig", "alg": _ALGORITHM}, auto_kid=True)
            _write_private(path, json.dumps(key.as_dict(private=True)).encode())
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
            (folder / "trust" / f"{service}.pub").write_text(signer.public.hex())
            token = self.token(f"service:{service}", ["service"], ttl_seconds=366 * 24 * 3600)
            _write_private(folder / service / "token", token.encode())


def load_signer(settings: Settings, service: str) -> Signer:
    """A service's signing key, made on first use and kept outside its store."""
    path = settings.identity / service / "signing.pem"
    if not path.exists():
        pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        _write_private(path, pem)
    key = load_pem_private_key(path.read_bytes(), None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(f"{path.name} holds no Ed25519 key")
    return Signer.of(key)


def service_token(settings: Settings, service: str) -> str:
    """The token that a service calls others with, from its file: read at each use, so that a fresh one takes effect."""
    return (settings.identity / service / "token").read_text().strip()


def _write_private(path: Path, data: bytes) -> None:
    """Write a secret so that nobody else ever can read it, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
