"""Tokens of an identity provider: which are good, what their claims give, and what happens while it rotates keys or is down."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cavra_service import oidc
from cavra_service.errors import Refused
from cavra_service.identity import LocalIssuer, TokenVerifier
from cavra_service.oidc import ProviderKeys
from cavra_service.settings import Settings
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from joserfc.jwk import Key, OctKey, RSAKey
from pydantic import ValidationError
from structlog.testing import capture_logs

from tests.support.provider import Provider, trusting


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def provider() -> AsyncIterator[Provider]:
    async with Provider() as running:
        yield running


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The clock of key sets."""
    made = Clock()
    monkeypatch.setattr(ProviderKeys.__init__, "__defaults__", (made,))
    return made


@pytest.fixture
def local(tmp_path: Path) -> LocalIssuer:
    return LocalIssuer(Settings(data_dir=tmp_path))


@pytest.fixture
def config(tmp_path: Path, local: LocalIssuer, provider: Provider) -> Settings:
    return trusting(Settings(data_dir=tmp_path), provider)


@pytest.fixture
def verifier(config: Settings) -> TokenVerifier:
    return TokenVerifier.of(config)


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


async def refused(verifier: TokenVerifier, token: str) -> str:
    with pytest.raises(Refused) as found:
        await verifier.verify(token)
    assert token not in str(found.value)
    return found.value.reason


@pytest.mark.parametrize("algorithm", ["RS256", "ES256", "Ed25519", "EdDSA"])
async def test_a_provider_says_who_calls_and_in_which_roles(
    provider: Provider, verifier: TokenVerifier, algorithm: str
) -> None:
    token = provider.token(provider.key("k", algorithm), algorithm)
    identity = await verifier.verify(token)
    assert (identity.actor.iss, identity.actor.sub, identity.actor.name) == (
        provider.url,
        "auth0|alice",
        "Alice",
    )
    assert identity.roles == {"operator"}


async def test_the_local_issuer_stays_trusted_beside_a_provider(
    local: LocalIssuer, verifier: TokenVerifier, provider: Provider
) -> None:
    identity = await verifier.verify(local.token("service:retry", ["service"]))
    assert identity.roles == {"service"}
    assert provider.asked == []


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://elsewhere.example"},
        {"iss": None},
        {"iss": ["cavra-local"]},
        {"aud": "cavra"},
        {"aud": ["other"]},
        {"aud": None},
        {"sub": None},
        {"sub": 7},
        {"sub": "al\nice"},
        {"exp": None},
        {"exp": 1},
        {"nbf": 2**40},
    ],
    ids=str,
)
async def test_a_token_with_other_claims_is_refused(
    provider: Provider, verifier: TokenVerifier, claims: dict[str, Any]
) -> None:
    key = provider.key("k")
    await verifier.verify(provider.token(key))
    assert await refused(verifier, provider.token(key, **claims)) == "invalid_token"


async def test_clocks_may_be_off_by_the_skew_and_no_more(
    provider: Provider, verifier: TokenVerifier, config: Settings
) -> None:
    key, now = provider.key("k"), int(time.time())
    await verifier.verify(provider.token(key, nbf=now + 20))
    assert await refused(verifier, provider.token(key, nbf=now + 40)) == "invalid_token"
    patient = TokenVerifier.of(config.model_copy(update={"token_skew_seconds": 60}))
    await patient.verify(provider.token(key, nbf=now + 40))


async def test_a_token_for_several_audiences_is_good_when_we_are_among_them(
    provider: Provider, verifier: TokenVerifier
) -> None:
    await verifier.verify(provider.token(provider.key("k"), aud=["other", "cavra-api"]))


async def test_a_public_key_is_no_shared_secret(provider: Provider, verifier: TokenVerifier) -> None:
    key = provider.key("k")
    await verifier.verify(provider.token(key))
    assert isinstance(key, RSAKey)
    pem = key.public_key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    document = json.dumps(key.as_dict(private=False)).encode()
    claims = provider.token(key).split(".")[1]
    header = encoded(b'{"alg":"HS256","kid":"k"}')
    for secret in (pem, pem.strip(), document, b""):
        forged = encoded(hmac.digest(secret, f"{header}.{claims}".encode(), "sha256"))
        assert await refused(verifier, f"{header}.{claims}.{forged}") == "invalid_token"
    for name in (b"none", b"None", b""):
        unsigned = encoded(b'{"alg":"' + name + b'","kid":"k"}')
        assert await refused(verifier, f"{unsigned}.{claims}.") == "invalid_token"


async def test_a_shared_secret_among_the_published_keys_is_not_used(
    provider: Provider, verifier: TokenVerifier
) -> None:
    secret = OctKey.generate_key(256, {"kid": "s"})
    provider.published.append(dict(secret.as_dict(private=True)))
    assert await refused(verifier, provider.token(secret, "HS256")) == "invalid_token"


async def test_a_short_rsa_key_a_key_for_encryption_and_what_is_no_key_are_not_used(
    provider: Provider, verifier: TokenVerifier
) -> None:
    with pytest.warns(Warning, match="2048"):
        short = RSAKey.generate_key(1024, {"kid": "short"})
    encrypting = RSAKey.generate_key(2048, {"kid": "enc"})
    provider.published += [
        dict(short.as_dict(private=False)),
        {**encrypting.as_dict(private=False), "use": "enc"},
        {"kty": "RSA", "kid": "broken"},
        {"kty": "future", "kid": "unknown"},
    ]
    good = provider.key("good")
    await verifier.verify(provider.token(good))
    for key in (short, encrypting):
        assert await refused(verifier, provider.token(key)) == "invalid_token"


async def test_the_algorithm_must_be_on_the_list(provider: Provider, config: Settings) -> None:
    verifier = TokenVerifier.of(config.model_copy(update={"oidc_algorithms": ("ES256",)}))
    rsa, curve = provider.key("r"), provider.key("e", "ES256")
    await verifier.verify(provider.token(curve, "ES256"))
    assert await refused(verifier, provider.token(rsa)) == "invalid_token"


async def test_one_issuers_key_signs_for_no_other(
    provider: Provider, verifier: TokenVerifier, config: Settings, local: LocalIssuer
) -> None:
    key = provider.key("k", "Ed25519")
    foreign = provider.token(key, "Ed25519", iss="cavra-local", aud="cavra", roles=["service"])
    assert await refused(verifier, foreign) == "invalid_token"
    other = LocalIssuer(
        config.model_copy(update={"token_issuer": provider.url, "token_audience": "cavra-api"})
    )
    assert await refused(verifier, other.token("auth0|alice", ["approver"])) == "invalid_token"


@pytest.mark.parametrize(
    ("claims", "settings", "roles"),
    [
        ({"roles": "approver"}, {}, {"approver"}),
        ({"roles": ["auditor", "operator", 7, "admin"]}, {}, {"auditor", "operator"}),
        ({"roles": None}, {}, set()),
        ({"roles": {"operator": True}}, {}, set()),
        ({"roles": ["service"]}, {}, set()),
        (
            {"realm_access": {"roles": ["release-managers", "sre"]}},
            {
                "oidc_roles_claim": ("realm_access", "roles"),
                "oidc_roles": {"approver": ("release-managers", "leads"), "operator": ("sre",)},
            },
            {"approver", "operator"},
        ),
        ({"https://example.com/roles": ["operator"]}, {"oidc_roles_claim": ("https://example.com/roles",)}, {"operator"}),
        ({"realm_access": []}, {"oidc_roles_claim": ("realm_access", "roles")}, set()),
    ],
)  # fmt: skip
async def test_claims_give_the_roles_that_the_settings_say(
    provider: Provider, config: Settings, claims: dict[str, Any], settings: dict[str, Any], roles: set[str]
) -> None:
    verifier = TokenVerifier.of(config.model_copy(update=settings))
    identity = await verifier.verify(provider.token(provider.key("k"), **claims))
    assert identity.roles == roles


@pytest.mark.parametrize("groups", ["sre", [1], {"a": 1}])
async def test_a_display_name_that_no_record_may_hold_keeps_nobody_out(
    provider: Provider, verifier: TokenVerifier, groups: Any
) -> None:
    token = provider.token(provider.key("k"), name="<script>", groups=groups)
    identity = await verifier.verify(token)
    assert (identity.actor.name, identity.groups) == ("auth0|alice", ())


async def test_keys_are_fetched_once_for_many_callers(provider: Provider, verifier: TokenVerifier) -> None:
    key = provider.key("k")
    tokens = [provider.token(key, sub=f"user{number}") for number in range(20)]
    await asyncio.gather(*map(verifier.verify, tokens))
    assert provider.asked == ["/.well-known/openid-configuration", "/keys"]


async def test_a_key_address_in_the_settings_needs_no_discovery(provider: Provider, config: Settings) -> None:
    verifier = TokenVerifier.of(config.model_copy(update={"oidc_jwks_url": f"{provider.url}/keys"}))
    await verifier.verify(provider.token(provider.key("k")))
    assert provider.asked == ["/keys"]


async def test_a_new_key_is_found_and_made_up_key_ids_do_not_flood_the_provider(
    clock: Clock, provider: Provider, verifier: TokenVerifier
) -> None:
    old = provider.key("old")
    await verifier.verify(provider.token(old))
    new = provider.key("new")
    assert await refused(verifier, provider.token(new)) == "invalid_token"
    clock.now += oidc._PAUSE_SECONDS
    await verifier.verify(provider.token(new))
    fetches = provider.asked.count("/keys")
    for number in range(20):
        assert await refused(verifier, provider.token(old, kid=f"made-up-{number}")) == "invalid_token"
    assert provider.asked.count("/keys") == fetches
    await verifier.verify(provider.token(old, sub="bob"))


async def test_a_key_that_was_taken_back_checks_nothing_once_the_keys_are_old(
    clock: Clock, provider: Provider, verifier: TokenVerifier, config: Settings
) -> None:
    stolen = provider.key("stolen")
    provider.key("other")
    await verifier.verify(provider.token(stolen))
    del provider.published[0]
    clock.now += 2 * config.oidc_jwks_cache_seconds + 1
    assert await refused(verifier, provider.token(stolen, sub="eve")) == "invalid_token"


async def test_a_token_is_checked_again_once_it_was_checked_a_while_ago(
    clock: Clock, provider: Provider, verifier: TokenVerifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = provider.token(provider.key("stolen"))
    provider.key("other")
    await verifier.verify(token)
    assert verifier.known(token) is not None
    del provider.published[0]
    later = time.time() + 301
    monkeypatch.setattr(time, "time", lambda: later)
    clock.now += 601
    assert verifier.known(token) is None
    assert await refused(verifier, token) == "invalid_token"


async def test_nobody_waits_for_keys_that_are_a_little_old(
    clock: Clock, provider: Provider, verifier: TokenVerifier, config: Settings
) -> None:
    key = provider.key("k")
    await verifier.verify(provider.token(key))
    provider.hold = asyncio.Event()
    clock.now += config.oidc_jwks_cache_seconds + 1
    await verifier.verify(provider.token(key, sub="bob"))
    provider.hold.set()


async def test_known_keys_stay_good_while_the_provider_is_down(
    clock: Clock, provider: Provider, verifier: TokenVerifier
) -> None:
    key = provider.key("k")
    await verifier.verify(provider.token(key))
    await provider.stop()
    with capture_logs() as logs:
        for number in range(3):
            clock.now += 3600
            await verifier.verify(provider.token(key, sub=f"user{number}"))
        clock.now += 3600
        assert await refused(verifier, provider.token(key, kid="new")) == "service_unavailable"
    assert {entry["event"] for entry in logs} == {"identity_provider_unavailable"}


async def test_without_any_key_a_callers_token_is_not_called_bad(
    clock: Clock, provider: Provider, verifier: TokenVerifier
) -> None:
    key, provider.status = provider.key("k"), 500
    assert await refused(verifier, provider.token(key)) == "service_unavailable"
    provider.status = 200
    assert await refused(verifier, provider.token(key)) == "service_unavailable"
    clock.now += oidc._PAUSE_SECONDS
    await verifier.verify(provider.token(key))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"keys": {}}', b"[" * 100_000, b'{"keys": []' + b" " * 300_000 + b"}"],
    ids=len,
)
async def test_an_answer_that_is_no_bounded_key_set_is_no_answer(
    provider: Provider, verifier: TokenVerifier, body: bytes
) -> None:
    key, provider.jwks_body = provider.key("k"), body
    assert await refused(verifier, provider.token(key)) == "service_unavailable"


@pytest.mark.parametrize(
    "discovery",
    [
        {"issuer": "https://elsewhere.example"},
        {"jwks_uri": "http://198.51.100.7/keys"},
        {"jwks_uri": "ftp://127.0.0.1/keys"},
        {"jwks_uri": None},
    ],
)
async def test_a_discovery_that_leads_elsewhere_is_not_followed(
    provider: Provider, verifier: TokenVerifier, discovery: dict[str, Any]
) -> None:
    provider.discovery |= discovery
    assert await refused(verifier, provider.token(provider.key("k"))) == "service_unavailable"
    assert provider.asked == ["/.well-known/openid-configuration"]


async def test_neither_redirects_nor_proxies_lead_to_keys(
    provider: Provider, config: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    await TokenVerifier.of(config).verify(provider.token(provider.key("k")))
    provider.status = 302
    assert (
        await refused(TokenVerifier.of(config), provider.token(provider.key("k2"))) == "service_unavailable"
    )


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1/keys", "http://idp.example/keys", "https://user:pw@idp.example/keys", "keys", "file:///keys"]
)  # fmt: skip
def test_keys_come_over_https_alone(tmp_path: Path, local: LocalIssuer, url: str) -> None:
    settings = Settings(
        data_dir=tmp_path, oidc_issuer="https://idp.example", oidc_audience="x", oidc_jwks_url=url
    )
    with pytest.raises(ValueError, match="https"):
        TokenVerifier.of(settings)


@pytest.mark.parametrize(
    "settings",
    [
        {"oidc_issuer": "https://idp.example"},
        {"oidc_issuer": "cavra-local", "oidc_audience": "x"},
        {"oidc_issuer": "https://idp.example?x", "oidc_audience": "x"},
        {"oidc_algorithms": ("HS256",)},
        {"oidc_algorithms": ("none",)},
        {"oidc_roles": {"service": ("admins",)}},
        {"oidc_roles_claim": ()},
        {"tls_certificate": "c.pem"},
        {"tls_key": "k.pem", "tls_ca": "ca.pem"},
    ],
)
def test_settings_that_would_trust_too_much_or_half_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Settings(**settings)


@pytest.mark.parametrize(
    "token",
    [
        "a.b", "....", "e30.e30.", "e30.W10.e30", "bnVsbA.e30.e30", "\u00e4.\u00e4.\u00e4", "e30.e30.e30", "e30.e30.e30.e30",
        base64.urlsafe_b64encode(b"[" * 6000).decode() + ".e30.",
        "e30." + base64.urlsafe_b64encode(b'{"iss":"cavra-local","exp":1e999,"a":' + b"9" * 5000 + b"}").decode() + ".e30",
        "x" * 100_000,
    ],
    ids=len,
)  # fmt: skip
async def test_what_is_no_token_is_refused_as_one(verifier: TokenVerifier, token: str) -> None:
    assert await refused(verifier, token) == "invalid_token"


async def test_a_header_that_names_its_own_key_changes_nothing(
    provider: Provider, verifier: TokenVerifier
) -> None:
    provider.key("k")
    own: Key = provider.key("k", publish=False)
    header, claims, signature = provider.token(own).split(".")
    pointed = json.loads(base64.urlsafe_b64decode(header + "=="))
    pointed |= {"jwk": own.as_dict(private=False), "jku": f"{provider.url}/keys"}
    forged = encoded(json.dumps(pointed).encode())
    assert await refused(verifier, f"{forged}.{claims}.{signature}") == "invalid_token"
    assert await refused(verifier, provider.token(own)) == "invalid_token"
