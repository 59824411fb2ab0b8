"""A permit allows the one send it names, until it ends."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cavra_delivery.domain.permits import check_permit
from cavra_evidence.times import text
from cavra_verify.permits import Permit, sign_permit
from cavra_verify.signatures import Signer
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
SIGNER = Signer.of(Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
ASKED = Permit(
    execution_id="gordackretryexec-1",
    intent_id="gordackretryintent-1",
    intent_hash="e" * 64,
    item_digest="",
    delivery_id="gordackdelivery-1",
    audit_id="gordackaudit-1",
    provider="hook",
    attempt_number=2,
    payload_hash="b" * 64,
    destination_fingerprint="c" * 64,
    expires_at="",
)
GIVEN = replace(ASKED, item_digest="a" * 64, expires_at=text(NOW))


def checked(given: Permit, now: datetime = NOW) -> tuple[str, str]:
    return check_permit(sign_permit(given, SIGNER), ASKED, SIGNER.public, now)


def test_a_permit_allows_what_it_names() -> None:
    assert checked(GIVEN) == ("", GIVEN.hash)


@pytest.mark.parametrize(
    ("late", "refusal"),
    [(timedelta(seconds=5), ""), (timedelta(seconds=5, microseconds=1), "permit_expired")],
)
def test_a_permit_ends_five_seconds_after_its_time(late: timedelta, refusal: str) -> None:
    assert checked(GIVEN, NOW + late)[0] == refusal


@pytest.mark.parametrize(
    "changed",
    [
        {"execution_id": "gordackretryexec-2"},
        {"intent_id": "gordackretryintent-2"},
        {"intent_hash": "d" * 64},
        {"delivery_id": "gordackdelivery-2"},
        {"audit_id": "gordackaudit-2"},
        {"provider": "chat"},
        {"attempt_number": 3},
        {"payload_hash": "d" * 64},
        {"destination_fingerprint": "d" * 64},
        {"expires_at": "soon"},
        {"expires_at": "2026-11-23T09:30:00"},
    ],
    ids=str,
)
def test_a_permit_for_anything_else_is_invalid(changed: dict[str, Any]) -> None:
    assert checked(replace(GIVEN, **changed)) == ("permit_invalid", "")


def test_no_permit_allows_nothing() -> None:
    assert check_permit(b"", ASKED, SIGNER.public, NOW) == ("permit_missing", "")
    assert check_permit(b"leave", ASKED, SIGNER.public, NOW) == ("permit_invalid", "")
