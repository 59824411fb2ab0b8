"""Tokens: what makes one good, and that keys stay where they belong."""

import base64
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cavra_service.errors import Refused
from cavra_service.files import write_private
from cavra_service.identity import SERVICES, LocalIssuer, ServiceToken, TokenVerifier, load_signer
from cavra_service.settings import Settings
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey

Claims = Callable[..., str]


@pytest.fixture
def config(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def issuer(config: Settings) -> LocalIssuer:
    made = LocalIssuer(config)
    made.prepare()
    return made


@pytest.fixture
def verifier(config: Settings, issuer: LocalIssuer) -> TokenVerifier:
    return TokenVerifier.of(config)


@pytest.fixture
def signed(config: Settings, issuer: LocalIssuer) -> Claims:
    """A token with the issuer's own key and any claims."""
    key = OKPKey.import_key(json.loads((config.identity / "issuer" / "private.json").read_text()))

    def sign(**changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": "cavra-local",
            "aud": "cavra",
            "sub": "alice",
            "roles": ["operator"],
            "iat": now,
            "exp": now + 600,
        }
        claims = {name: value for name, value in {**claims, **changes}.items() if value is not None}
        return jwt.encode({"alg": "Ed25519", "kid": key.kid}, claims, key, algorithms=["Ed25519"])

    return sign


async def refused(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Refused) as found:
        await verifier.verify(token)
    assert not token or token not in str(found.value)
    return found.value.reason


async def test_a_token_says_who_calls_and_in_which_roles(
    issuer: LocalIssuer, verifier: TokenVerifier
) -> None:
    identity = await verifier.verify(issuer.token("alice", ["operator", "approver"], name="Alice Example"))
    assert (identity.actor.iss, identity.actor.sub, identity.actor.name) == (
        "cavra-local",
        "alice",
        "Alice Example",
    )
    assert identity.roles == {"operator", "approver"}


async def test_without_a_name_the_subject_is_shown(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    assert (await verifier.verify(issuer.token("alice", []))).actor.name == "alice"


async def test_a_role_that_nobody_knows_gives_nothing(issuer: LocalIssuer, verifier: TokenVerifier) -> None:
    assert (await verifier.verify(issuer.token("alice", ["admin", "auditor"]))).roles == {"auditor"}


async def test_groups_are_passed_on(signed: Claims, verifier: TokenVerifier) -> None:
    assert (await verifier.verify(signed(groups=["sre", "audit"]))).groups == ("sre", "audit")


async def test_no_token_is_not_the_same_as_a_bad_one(verifier: TokenVerifier) -> None:
    assert await refused(verifier, "") == "unauthenticated"
    assert await refused(verifier, "x.y.z") == "invalid_token"


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "another"},
        {"iss": None},
        {"aud": "another"},
        {"aud": None},
        {"sub": None},
        {"sub": ""},
        {"sub": 7},
        {"sub": "al\nice"},
        {"sub": "x" * 200},
        {"name": "<script>"},
        {"name": ["alice"]},
        {"name": "".join(["pass", "word=", "correcthorse"])},
        {"exp": None},
        {"exp": 1},
        {"exp": "tomorrow"},
        {"nbf": 2**40},
        {"iat": 2**40},
        {"roles": "operator"},
        {"roles": [{}]},
        {"roles": [["operator"]]},
        {"groups": "sre"},
        {"groups": [1]},
    ],
    ids=str,
)
async def test_a_token_with_other_claims_is_refused(
    signed: Claims, verifier: TokenVerifier, claims: dict[str, Any]
) -> None:
    await verifier.verify(signed())
    assert await refused(verifier, signed(**claims)) == "invalid_token"


async def test_a_token_that_ends_is_refused_from_then_on(
    signed: Claims, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    token = signed(exp=int(now) + 60)
    await verifier.verify(token)
    monkeypatch.setattr(time, "time", lambda: now + 3_600)
    assert await refused(verifier, token) == "invalid_token"


async def test_another_installations_token_is_refused(tmp_path: Path, verifier: TokenVerifier) -> None:
    stranger = LocalIssuer(Settings(data_dir=tmp_path / "other"))
    assert await refused(verifier, stranger.token("alice", ["operator"])) == "invalid_token"


async def test_a_changed_claim_breaks_the_signature(signed: Claims, verifier: TokenVerifier) -> None:
    header, claims, signature = signed(roles=[]).split(".")
    changed = json.loads(base64.urlsafe_b64decode(claims + "=="))
    changed["roles"] = ["approver"]
    forged = base64.urlsafe_b64encode(json.dumps(changed).encode()).decode().rstrip("=")
    assert await refused(verifier, ".".join([header, forged, signature])) == "invalid_token"


async def test_the_algorithm_is_not_the_callers_choice(
    config: Settings, issuer: LocalIssuer, verifier: TokenVerifier
) -> None:
    now = int(time.time())
    claims = {"iss": "cavra-local", "aud": "cavra", "sub": "alice", "roles": ["approver"], "exp": now + 600}
    public = (config.identity / "trust" / "jwks.json").read_bytes()
    by_public_key = jwt.encode({"alg": "HS256"}, claims, OctKey.import_key(public))
    parts = [
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in ({"alg": "none"}, claims)
    ]
    unsigned = ".".join([*parts, ""])
    assert await refused(verifier, by_public_key) == "invalid_token"
    assert await refused(verifier, unsigned) == "invalid_token"


def test_secrets_are_readable_by_their_owner_alone(config: Settings, issuer: LocalIssuer) -> None:
    secrets = [
        config.identity / "issuer" / "private.json",
        *(config.identity / service / name for service in SERVICES for name in ("signing.pem", "token")),
    ]
    for path in secrets:
        assert path.stat().st_mode & 0o077 == 0, path.name
        assert path.parent.stat().st_mode & 0o077 == 0, path.parent.name


def test_what_is_trusted_holds_no_private_key(config: Settings, issuer: LocalIssuer) -> None:
    (key,) = json.loads((config.identity / "trust" / "jwks.json").read_text())["keys"]
    assert "d" not in key
    for service in SERVICES:
        public = bytes.fromhex((config.identity / "trust" / f"{service}.pub").read_text())
        assert public == load_signer(config, service).public


async def test_preparing_again_keeps_the_keys(
    config: Settings, issuer: LocalIssuer, verifier: TokenVerifier
) -> None:
    before = {service: load_signer(config, service).key_id for service in SERVICES}
    token = issuer.token("alice", ["operator"])
    LocalIssuer(config).prepare()
    assert {service: load_signer(config, service).key_id for service in SERVICES} == before
    assert (await TokenVerifier.of(config).verify(token)).actor.sub == "alice"


@pytest.mark.parametrize("service", SERVICES)
async def test_a_service_calls_others_as_itself(
    config: Settings, issuer: LocalIssuer, verifier: TokenVerifier, service: str
) -> None:
    identity = await verifier.verify(ServiceToken(config, service)())
    assert identity.actor.sub == f"service:{service}"
    assert identity.roles == {"service"}


def test_a_fresh_service_token_takes_effect_with_the_next_call(config: Settings, issuer: LocalIssuer) -> None:
    token, path = ServiceToken(config, "retry"), config.identity / "retry" / "token"
    first = token()
    assert first == path.read_text()
    fresh = issuer.token("service:retry", ["service"], ttl_seconds=60)
    write_private(path, f"{fresh}\n".encode())
    assert token() == fresh != first
    path.unlink()
    with pytest.raises(FileNotFoundError):
        token()


async def test_many_tokens_do_not_grow_the_memory_of_a_verifier(
    signed: Claims, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cavra_service.identity._CACHE_LIMIT", 8)
    tokens = [signed(sub=f"user{number}") for number in range(20)]
    for token in tokens:
        await verifier.verify(token)
    assert len(verifier._good) == 8
    assert (await verifier.verify(tokens[0])).actor.sub == "user0"
