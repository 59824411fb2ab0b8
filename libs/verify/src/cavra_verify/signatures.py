"""Ed25519 signatures of records (DSSE pre-authentication encoding) and of checkpoints (C2SP signed notes)."""

import base64
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

RECORD_TYPE = "application/vnd.cavra.record+json"
_ED25519_NOTE = b"\x01"  # C2SP signed-note: signature type of Ed25519 keys.


class SignatureError(ValueError):
    """A signature is missing or is not by the expected key; the message says which."""


def key_id(public: bytes) -> str:
    """Name of a raw Ed25519 public key: the first 8 bytes of its SHA-256, in hex."""
    return sha256(public).hexdigest()[:16]


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """DSSE v1 encoding: binds the bytes to what they are, so that no signature serves for another purpose."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


@dataclass(frozen=True, slots=True)
class Signer:
    """A service's signing key."""

    private: Ed25519PrivateKey
    public: bytes
    """Raw public key, 32 bytes."""
    key_id: str

    @classmethod
    def of(cls, private: Ed25519PrivateKey) -> "Signer":
        """The signer of a private key."""
        public = private.public_key().public_bytes_raw()
        return cls(private, public, key_id(public))

    def sign(self, payload_type: str, payload: bytes) -> bytes:
        """Signature over the pre-authentication encoding of `payload`, 64 bytes."""
        return self.private.sign(pre_authentication(payload_type, payload))


@lru_cache(64)
def _public_key(public: bytes) -> Ed25519PublicKey:
    return Ed25519PublicKey.from_public_bytes(public)


def verify_signature(public: bytes, signature: bytes, payload_type: str, payload: bytes) -> None:
    """Return if `signature` is by `public` (raw, 32 bytes) over `payload`, else raise SignatureError."""
    try:
        _public_key(public).verify(signature, pre_authentication(payload_type, payload))
    except (InvalidSignature, ValueError):
        raise SignatureError(
            f"got a signature that is not by key {key_id(public)} over these bytes"
        ) from None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's head: C2SP tlog-checkpoint."""

    origin: str
    size: int
    root: bytes

    def body(self) -> str:
        """The signed text."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


def sign_checkpoint(checkpoint: Checkpoint, signer: Signer) -> str:
    """The checkpoint as a signed note whose key name is the log's origin."""
    body = checkpoint.body()
    signature = _note_key_hash(checkpoint.origin, signer.public) + signer.private.sign(body.encode())
    return f"{body}\n\u2014 {checkpoint.origin} {base64.b64encode(signature).decode()}\n"


def open_checkpoint(note: str, origin: str, public: bytes) -> Checkpoint:
    """Read a signed note, or raise SignatureError unless the log `origin` signed it with `public` (raw, 32 bytes)."""
    body, separator, signatures = note.partition("\n\n")
    lines = body.split("\n")
    if not separator or len(lines) < 3 or lines[0] != origin:
        raise SignatureError(f"got no checkpoint of {origin}")
    expected = _note_key_hash(origin, public)
    for line in signatures.split("\n"):
        dash, name, encoded = [*line.split(" "), "", "", ""][:3]
        if dash != "\u2014" or name != origin:
            continue
        try:
            blob = base64.b64decode(encoded, validate=True)
            if blob[:4] == expected:
                _public_key(public).verify(blob[4:], (body + "\n").encode())
                return _checkpoint(lines)
        except (ValueError, InvalidSignature):
            break
    raise SignatureError(f"got a checkpoint that is not signed by key {key_id(public)} of {origin}")


def open_sole_checkpoint(note: str, origin: str, public: bytes) -> Checkpoint:
    """As `open_checkpoint`, for a note whose one signature is the log's own: then every byte of it is accounted for.

    Raises SignatureError also when other signatures, or other texts of the same one (base64 has unused bits), are there.
    """
    checkpoint = open_checkpoint(note, origin, public)
    signatures = note.partition("\n\n")[2]
    start = f"\u2014 {origin} "
    try:
        sole = start + base64.b64encode(base64.b64decode(signatures[len(start) : -1])).decode() + "\n"
    except ValueError:
        sole = ""
    if signatures != sole:
        raise SignatureError(f"got more than the one signature of {origin} on its checkpoint")
    return checkpoint


def _checkpoint(lines: list[str]) -> Checkpoint:
    origin, size, root = lines[:3]
    if not size.isascii() or not size.isdigit() or (size[0] == "0" and size != "0") or len(size) > 16:
        raise SignatureError("got a checkpoint without a size")
    try:
        decoded = base64.b64decode(root, validate=True)
    except ValueError:
        decoded = b""
    if len(decoded) != 32:
        raise SignatureError("got a checkpoint without a root hash")
    return Checkpoint(origin, int(size), decoded)


def _note_key_hash(name: str, public: bytes) -> bytes:
    """C2SP signed-note key ID: SHA-256(name || 0x0A || type || key), first 4 bytes."""
    return sha256(name.encode() + b"\n" + _ED25519_NOTE + public).digest()[:4]
