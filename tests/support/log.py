"""A log in memory, for tests of what one append makes."""

from datetime import UTC, datetime

from cavra_evidence.draft import Draft
from cavra_evidence.log import Appended, Head, LogState, append
from cavra_verify.signatures import Signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

SIGNER = Signer.of(Ed25519PrivateKey.from_private_bytes(bytes(32)))
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


def appended(
    *drafts: Draft,
    state: LogState | None = None,
    now: datetime = NOW,
    heads: dict[str, Head] | None = None,
    hashes: dict[str, str] | None = None,
) -> Appended:
    """What one append of `drafts` makes."""
    return append(state or LogState(), drafts, now, SIGNER, heads or {}, hashes or {})
