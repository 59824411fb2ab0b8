"""Small secrets that others carry for us, encrypted and authenticated: what a browser's cookie holds, and a link that signs in once."""

import base64
import binascii
import json
import os
import time
import uuid
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import structlog
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cavra_service.files import write_private
from cavra_service.settings import Settings

_NONCE_BYTES: Final = 12
_KEY_BYTES: Final = 32

log = structlog.get_logger()


HANDOVER: Final = "handover"
"""Purpose of a link that signs in once."""
HANDOVER_SECONDS: Final = 15 * 60.0


class Sealer:
    """Seals and opens JSON objects. What was sealed for one purpose opens for no other."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.identity / "gateway" / "console.key"

    @cached_property
    def _cipher(self) -> AESGCM:
        """By the installation's key, made on first use; by one of this process alone where the identity folder takes none."""
        return AESGCM(_key_at(self._path))

    def seal(self, purpose: str, document: dict[str, Any], good_for_seconds: float) -> str:
        """`document` as text for a URL or a cookie; nobody without the key reads or changes it."""
        nonce = os.urandom(_NONCE_BYTES)
        content = json.dumps({**document, "until": time.time() + good_for_seconds}).encode()
        return (
            base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, content, purpose.encode()))
            .decode()
            .rstrip("=")
        )

    def open(self, purpose: str, text: str) -> dict[str, Any] | None:
        """The document and its `until` (Unix seconds), or None for what was not sealed so, or is too old."""
        try:
            data = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
            content = self._cipher.decrypt(data[:_NONCE_BYTES], data[_NONCE_BYTES:], purpose.encode())
        except (InvalidTag, binascii.Error, ValueError):
            return None
        document: dict[str, Any] = json.loads(content)
        return document if document["until"] > time.time() else None


def _key_at(path: Path) -> bytes:
    try:
        if not path.exists():
            write_private(path, os.urandom(_KEY_BYTES))
        key = path.read_bytes()
    except OSError as error:
        log.warning("console_key_not_kept", error=type(error).__name__)
        return os.urandom(_KEY_BYTES)
    if len(key) != _KEY_BYTES:
        raise ValueError(f"{path.name} holds no key of {_KEY_BYTES} bytes")
    return key


def handover(settings: Settings, token: str) -> str:
    """What a link carries to sign somebody in as the subject of `token`: good once, and not for long."""
    document = {"token": token, "id": str(uuid.uuid4())}
    return Sealer(settings).seal(HANDOVER, document, HANDOVER_SECONDS)
