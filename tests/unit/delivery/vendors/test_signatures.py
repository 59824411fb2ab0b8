"""Signatures of webhooks, held against the library of Standard Webhooks and, for Ed25519, against the public key."""

import json
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cavra_delivery.connectors.base import NotConfigured
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.forms import form_of
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

OLD = "whsec_" + b64encode(b"an old secret of 32 bytes, made!").decode()
NEW = "whsec_" + b64encode(b"a newer secret of 32 bytes, too!").decode()
SEED = b"seed of an ed25519 key, 32 bytes"
BODY = b'{"a":1}'


def signed(monkeypatch: pytest.MonkeyPatch, *secrets: str, at: datetime | None = None) -> dict[str, str]:
    """The headers that a receiver finds."""
    names = [f"T_SECRET_{number}" for number in range(len(secrets))]
    for name, secret in zip(names, secrets, strict=True):
        monkeypatch.setenv(name, secret)
    entry: dict[str, Any] = {"url": "https://a.example", "signing_secret_env": names}
    sign = form_of("webhook", ConnectorConfig.model_validate(entry)).destination("webhook").sign
    assert sign is not None
    seconds = int((at or datetime.now(UTC)).timestamp())
    made = sign("msg-1", seconds, BODY)
    return {"webhook-id": "msg-1", "webhook-timestamp": str(seconds), **made}


def test_the_projects_own_library_verifies_and_signs_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    at = datetime.now(UTC).replace(microsecond=0)
    headers = signed(monkeypatch, NEW, at=at)
    assert Webhook(NEW).verify(BODY, headers) == json.loads(BODY)
    assert headers["webhook-signature"] == Webhook(NEW).sign("msg-1", at, BODY.decode())


@pytest.mark.parametrize("known", [OLD, NEW])
def test_while_secrets_rotate_a_receiver_knows_either(known: str, monkeypatch: pytest.MonkeyPatch) -> None:
    headers = signed(monkeypatch, OLD, NEW)
    assert Webhook(known).verify(BODY, headers) == json.loads(BODY)
    assert len(headers["webhook-signature"].split(" ")) == 2
    with pytest.raises(WebhookVerificationError):
        Webhook(known).verify(BODY + b" ", headers)


def test_a_signature_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(NEW).verify(BODY, signed(monkeypatch, NEW, at=datetime.now(UTC) - timedelta(hours=1)))


@pytest.mark.parametrize("with_public_key", [False, True])
def test_an_asymmetric_secret_signs_for_its_public_key(
    with_public_key: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = Ed25519PrivateKey.from_private_bytes(SEED).public_key()
    raw = SEED + (public.public_bytes_raw() if with_public_key else b"")
    headers = signed(monkeypatch, NEW, "whsk_" + b64encode(raw).decode())
    version, _, value = headers["webhook-signature"].split(" ")[1].partition(",")
    assert version == "v1a"
    content = f"msg-1.{headers['webhook-timestamp']}.".encode() + BODY
    public.verify(b64decode(value), content)
    with pytest.raises(InvalidSignature):
        public.verify(b64decode(value), content + b" ")
    assert Webhook(NEW).verify(BODY, headers), "who knows the symmetric one alone passes the other over"


@pytest.mark.parametrize(
    "secret",
    [
        "a-plain-secret",
        "whsec_",
        "whsec_!!!!",
        "whsec_" + b64encode(b"short").decode(),
        "whsec_" + b64encode(b"l" * 65).decode(),
        "whsk_" + b64encode(b"s" * 31).decode(),
        "whsk_" + b64encode(SEED + b"p" * 32).decode(),
        "whpk_" + b64encode(b"p" * 32).decode(),
    ],
)
def test_what_is_no_secret_of_the_standard_is_not_configured_and_not_told(
    secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotConfigured) as refused:
        signed(monkeypatch, secret)
    assert refused.value.field == "signing_secret"
    assert secret not in str(refused.value)
