"""Whether a permit allows what is about to be sent."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Literal

from cavra_evidence.times import moment
from cavra_verify.permits import Permit, open_permit
from cavra_verify.signatures import SignatureError

SKEW: Final = timedelta(seconds=5)
"""How far the clocks of the two services may be apart."""

Refusal = Literal["", "permit_missing", "permit_invalid", "permit_expired"]


def check_permit(envelope: bytes, asked: Permit, public: bytes, now: datetime) -> tuple[Refusal, str]:
    """(why `asked` may not be sent, or empty; the permit's hash when it may).

    `public` is the raw key of the service that permits. Digest and expiry of `asked` are not looked at: the permit alone says them.
    """
    if not envelope:
        return "permit_missing", ""
    try:
        permit = open_permit(envelope, public)
        expires_at = moment(permit.expires_at)
        late = now > expires_at + SKEW
    except (SignatureError, ValueError, TypeError):
        return "permit_invalid", ""
    if replace(permit, item_digest=asked.item_digest, expires_at=asked.expires_at) != asked:
        return "permit_invalid", ""
    return ("permit_expired", "") if late else ("", permit.hash)
