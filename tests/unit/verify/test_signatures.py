"""Signatures bind bytes to what they are, and checkpoints are signed notes that other tools can read."""

import base64
from hashlib import sha256

import pytest
from cavra_verify.signatures import (
    RECORD_TYPE,
    Checkpoint,
    SignatureError,
    Signer,
    key_id,
    open_checkpoint,
    pre_authentication,
    sign_checkpoint,
    verify_signature,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

ORIGIN = "cavra.test/retry"
SIGNER = Signer.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
OTHER = Signer.of(Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33))))
CHECKPOINT = Checkpoint(ORIGIN, 7, sha256(b"root").digest())
NOTE = sign_checkpoint(CHECKPOINT, SIGNER)


def test_a_signature_verifies_over_the_bytes_it_was_made_for() -> None:
    verify_signature(SIGNER.public, SIGNER.sign(RECORD_TYPE, b"record"), RECORD_TYPE, b"record")


@pytest.mark.parametrize(
    ("public", "payload_type", "payload"),
    [
        pytest.param(SIGNER.public, RECORD_TYPE, b"recore", id="other bytes"),
        pytest.param(SIGNER.public, "application/vnd.cavra.permit+json", b"record", id="another purpose"),
        pytest.param(OTHER.public, RECORD_TYPE, b"record", id="another key"),
        pytest.param(b"short", RECORD_TYPE, b"record", id="no key"),
    ],
)
def test_a_signature_serves_for_nothing_else(public: bytes, payload_type: str, payload: bytes) -> None:
    signature = SIGNER.sign(RECORD_TYPE, b"record")
    with pytest.raises(SignatureError):
        verify_signature(public, signature, payload_type, payload)


@pytest.mark.parametrize("signature", [b"", bytes(64), bytes(63), bytes(65)], ids=len)
def test_what_is_no_signature_is_refused(signature: bytes) -> None:
    with pytest.raises(SignatureError):
        verify_signature(SIGNER.public, signature, RECORD_TYPE, b"record")


def test_the_pre_authentication_encoding_is_that_of_dsse() -> None:
    encoding = pre_authentication("http://example.com/HelloWorld", b"hello world")
    assert encoding == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_type_and_payload_cannot_be_shifted_into_each_other() -> None:
    assert pre_authentication("a", b"b c") != pre_authentication("a b", b"c")


def test_a_key_is_named_by_the_hash_of_its_public_half() -> None:
    assert SIGNER.key_id == key_id(SIGNER.public) == sha256(SIGNER.public).hexdigest()[:16]


def test_a_checkpoint_is_a_signed_note_of_c2sp() -> None:
    text, _, signatures = NOTE.partition("\n\n")
    assert text.split("\n") == [ORIGIN, "7", base64.b64encode(CHECKPOINT.root).decode()]
    dash, name, encoded = signatures.removesuffix("\n").split(" ")
    assert (dash, name) == ("\u2014", ORIGIN)
    blob = base64.b64decode(encoded)
    assert blob[:4] == sha256(ORIGIN.encode() + b"\n\x01" + SIGNER.public).digest()[:4]
    Ed25519PublicKey.from_public_bytes(SIGNER.public).verify(blob[4:], (text + "\n").encode())


def test_a_checkpoint_is_read_back() -> None:
    assert open_checkpoint(NOTE, ORIGIN, SIGNER.public) == CHECKPOINT


def test_a_checkpoint_may_carry_signatures_of_witnesses_before_its_own() -> None:
    text, _, own = NOTE.partition("\n\n")
    witnessed = f"{text}\n\n\u2014 witness.example {base64.b64encode(bytes(68)).decode()}\n{own}"
    assert open_checkpoint(witnessed, ORIGIN, SIGNER.public) == CHECKPOINT


@pytest.mark.parametrize(
    "note",
    [
        pytest.param(NOTE.replace("\n7\n", "\n8\n"), id="another size"),
        pytest.param(
            NOTE.replace(NOTE.split("\n")[2], base64.b64encode(bytes(32)).decode()), id="another root"
        ),
        pytest.param(NOTE.partition("\n\n")[0] + "\n\n", id="no signature"),
        pytest.param(NOTE.partition("\n\n")[0], id="no end"),
        pytest.param(NOTE.replace("\u2014", "-"), id="a plain dash"),
        pytest.param(NOTE[:-12] + "\n", id="a cut signature"),
        pytest.param(NOTE.replace(" " + NOTE.split(" ")[-1], " \u00e9"), id="a signature that is no base64"),
        pytest.param(sign_checkpoint(CHECKPOINT, OTHER), id="another key"),
        pytest.param(
            sign_checkpoint(Checkpoint("cavra.test/other", 7, CHECKPOINT.root), SIGNER), id="another origin"
        ),
        pytest.param(sign_checkpoint(Checkpoint(ORIGIN, 7, b"short"), SIGNER), id="a root of five bytes"),
        pytest.param(sign_checkpoint(Checkpoint(ORIGIN, -7, CHECKPOINT.root), SIGNER), id="a negative size"),
        pytest.param("", id="nothing"),
        pytest.param("\n\n\n", id="empty lines"),
    ],
)
def test_a_checkpoint_is_refused(note: str) -> None:
    with pytest.raises(SignatureError):
        open_checkpoint(note, ORIGIN, SIGNER.public)


def test_a_checkpoint_of_another_key_is_refused_also_when_the_key_is_no_key() -> None:
    with pytest.raises(SignatureError):
        open_checkpoint(NOTE, ORIGIN, b"short")
