"""Permits: the retry service's short-lived, signed leave to send one approved retry once."""

import base64
import binascii
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any, Final

from cavra_verify.canonical import canonical, parse
from cavra_verify.signatures import SignatureError, Signer, verify_signature

PERMIT_TYPE: Final = "application/vnd.cavra.permit+json"
_SCHEMA: Final = "cavra.permit.v1"


@dataclass(frozen=True, slots=True)
class Permit:
    """Leave to send exactly this, once. It can be made up again from the bytes of the intent that it is given for."""

    execution_id: str
    intent_id: str
    intent_hash: str
    """The intent's record hash, 64 hex digits: no other intent of this id is a cause of the send."""
    item_digest: str
    """What approvers consented to, 64 hex digits."""
    delivery_id: str
    """The original delivery that failed."""
    audit_id: str
    provider: str
    attempt_number: int
    payload_hash: str
    """SHA-256 of the body, 64 hex digits."""
    destination_fingerprint: str
    """HMAC of the destination, 64 hex digits."""
    expires_at: str
    """A record's time; no later than the approval's expiry."""

    @property
    def payload(self) -> bytes:
        """What is signed: canonical JSON."""
        said = {name: getattr(self, name) for name in _NAMES}
        return canonical({"schema_version": _SCHEMA, **said})

    @property
    def hash(self) -> str:
        """SHA-256 of the payload, 64 hex digits: how evidence names it."""
        return sha256(self.payload).hexdigest()


_NAMES: Final = tuple(one.name for one in fields(Permit))


def sign_permit(permit: Permit, signer: Signer) -> bytes:
    """The permit as a DSSE envelope (JSON), signed."""
    payload = permit.payload
    return canonical(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PERMIT_TYPE,
            "signatures": [
                {
                    "keyid": signer.key_id,
                    "sig": base64.b64encode(signer.sign(PERMIT_TYPE, payload)).decode(),
                }
            ],
        }
    )


def open_permit(envelope: bytes, public: bytes) -> Permit:
    """Read a permit, or raise SignatureError unless `envelope` holds one that the key `public` (raw, 32 bytes) signed."""
    try:
        document = parse(envelope)
        (signature,) = document["signatures"]
        payload = base64.b64decode(document["payload"], validate=True)
        signed = base64.b64decode(signature["sig"], validate=True)
    except (ValueError, KeyError, TypeError, binascii.Error):
        raise SignatureError("got no signed permit") from None
    # The type is the one expected here, never the one that the envelope claims.
    verify_signature(public, signed, PERMIT_TYPE, payload)
    try:
        said: dict[str, Any] = parse(payload)
        if said.pop("schema_version") != _SCHEMA:
            raise SignatureError("got a permit of another version")
        return Permit(**said)
    except (ValueError, KeyError, TypeError):
        raise SignatureError("got a signed text that is no permit") from None
