"""How long to wait before another try, and how long a receiver asks to be left alone."""

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

FIRST_PAUSE_SECONDS: Final = 0.1
LONGEST_PAUSE_SECONDS: Final = 2.0
"""Within one call. A receiver that asks for more is left alone: what it did not take is reviewed, and sent again then."""


def pause_seconds(tries: int, asked: float | None, uniform: Callable[[float, float], float]) -> float | None:
    """How long to wait after `tries` tries, None for no further try: anything below a pause that doubles (full jitter, so that many
    senders do not come back at once), and not less than the receiver `asked` for."""
    if asked is not None and asked > LONGEST_PAUSE_SECONDS:
        return None
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2 ** min(tries - 1, 10))
    return max(uniform(0.0, longest), asked or 0.0)


def retry_after_seconds(text: str, now: datetime) -> float | None:
    """A Retry-After header in seconds from `now`: a number, or a date as RFC 9110 writes it. None for anything else."""
    text = text.strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return float(text[:16])
    try:
        at = parsedate_to_datetime(text)
    except (ValueError, IndexError, TypeError):
        return None
    # A date without a zone is one of the obsolete forms, which are all in UTC.
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    return max(0.0, (at - now).total_seconds())
