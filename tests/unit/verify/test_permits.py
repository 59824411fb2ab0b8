"""A permit is what its key signed, and nothing else is a permit."""

import base64
import json
from dataclasses import replace

import pytest
from cavra_verify.canonical import canonical
from cavra_verify.permits import PERMIT_TYPE, Permit, open_permit, sign_permit
from cavra_verify.signatures import RECORD_TYPE, SignatureError, Signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNER = Signer.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = Signer.of(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
PERMIT = Permit(
    execution_id="gordackretryexec-1",
    intent_id="gordackretryintent-1",
    intent_hash="e" * 64,
    item_digest="a" * 64,
    delivery_id="gordackdelivery-1",
    audit_id="gordackaudit-1",
    provider="hook",
    attempt_number=2,
    payload_hash="b" * 64,
    destination_fingerprint="c" * 64,
    expires_at="2026-11-23T09:30:00.000000+00:00",
)


def enveloped(payload: bytes, payload_type: str = PERMIT_TYPE, signer: Signer = SIGNER) -> bytes:
    signature = base64.b64encode(signer.sign(payload_type, payload)).decode()
    return canonical(
        {
            "payload": base64.b64encode(payload).decode(),
            "payloadType": PERMIT_TYPE,
            "signatures": [{"keyid": signer.key_id, "sig": signature}],
        }
    )


def test_a_permit_reads_back_as_it_was_given() -> None:
    assert open_permit(sign_permit(PERMIT, SIGNER), SIGNER.public) == PERMIT


def test_a_permit_is_named_by_the_hash_of_what_is_signed() -> None:
    assert len(PERMIT.hash) == 64
    assert PERMIT.hash != replace(PERMIT, attempt_number=3).hash


@pytest.mark.parametrize(
    "envelope",
    [
        pytest.param(sign_permit(PERMIT, OTHER), id="another key"),
        pytest.param(enveloped(PERMIT.payload, RECORD_TYPE), id="signed as a record"),
        pytest.param(enveloped(canonical({"schema_version": "cavra.permit.v1"})), id="no permit"),
        pytest.param(
            enveloped(PERMIT.payload.replace(b"cavra.permit.v1", b"cavra.permit.v2")), id="another version"
        ),
        pytest.param(enveloped(json.dumps(json.loads(PERMIT.payload)).encode()), id="not canonical"),
        pytest.param(sign_permit(PERMIT, SIGNER).replace(b'"sig":"', b'"sig":"AAAA'), id="no signature"),
        pytest.param(b"{}", id="no envelope"),
        pytest.param(b"", id="nothing"),
        pytest.param(b"\xff", id="no JSON"),
        pytest.param(canonical({"payload": "", "signatures": []}), id="unsigned"),
        pytest.param(canonical({"payload": 1, "signatures": [{"sig": 1}]}), id="other types"),
    ],
)
def test_what_its_key_did_not_sign_as_a_permit_is_none(envelope: bytes) -> None:
    with pytest.raises(SignatureError):
        open_permit(envelope, SIGNER.public)
