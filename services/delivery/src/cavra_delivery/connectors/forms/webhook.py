"""Standard Webhooks: the event as canonical JSON, signed with every configured secret.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import binascii
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from hashlib import sha256
from hmac import digest
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cavra_delivery.connectors.base import Answer, Destination, NotConfigured, Response
from cavra_delivery.connectors.forms.form import Form

SYMMETRIC: Final = "whsec_"
ASYMMETRIC: Final = "whsk_"
_SHORTEST_SECRET, _LONGEST_SECRET = 24, 64
_SEED = 32

Key = Callable[[bytes], str]
"""What is signed -> one signature of the header, with its version."""


class Webhook(Form):
    """One POST with `webhook-id`, `webhook-timestamp` and, where secrets are configured, `webhook-signature`."""

    def destination(self, kind: str) -> Destination:
        """See `Form.destination`."""
        destination = super().destination(kind)
        keys = [signing_key(secret) for secret in self.config.signing_secrets()]
        return replace(destination, sign=partial(signature, keys)) if keys else destination

    def judge(self, response: Response, message_id: str) -> Answer:
        """See `Form.judge`. 410: the endpoint is to be disabled."""
        return replace(super().judge(response, message_id), gone=response.status == 410)


def signature(keys: Sequence[Key], message_id: str, at: int, body: bytes) -> Mapping[str, str]:
    """`webhook-signature`: one of each key, space-separated, so that a receiver finds the one it knows while secrets rotate."""
    signed = f"{message_id}.{at}.".encode() + body
    return {"webhook-signature": " ".join(key(signed) for key in keys)}


def signing_key(secret: str) -> Key:
    """The key in `whsec_` (HMAC-SHA-256, 24 to 64 bytes) or `whsk_` (Ed25519: seed, or seed and public key). Raises NotConfigured."""
    for prefix in (SYMMETRIC, ASYMMETRIC):
        if secret.startswith(prefix):
            try:
                raw = b64decode(secret.removeprefix(prefix), validate=True)
            except binascii.Error:
                raise NotConfigured(field="signing_secret") from None
            return _symmetric(raw) if prefix == SYMMETRIC else _asymmetric(raw)
    raise NotConfigured(field="signing_secret")


def _symmetric(raw: bytes) -> Key:
    if not _SHORTEST_SECRET <= len(raw) <= _LONGEST_SECRET:
        raise NotConfigured(field="signing_secret")
    return lambda signed: f"v1,{b64encode(digest(raw, signed, sha256)).decode()}"


def _asymmetric(raw: bytes) -> Key:
    if len(raw) not in (_SEED, 2 * _SEED):
        raise NotConfigured(field="signing_secret")
    private = Ed25519PrivateKey.from_private_bytes(raw[:_SEED])
    if raw[_SEED:] not in (b"", private.public_key().public_bytes_raw()):
        raise NotConfigured(field="signing_secret")
    return lambda signed: f"v1a,{b64encode(private.sign(signed)).decode()}"
