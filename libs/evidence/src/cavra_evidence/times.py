"""Times as records hold them: UTC, microseconds, fixed width."""

from datetime import UTC, datetime


def text(moment: datetime) -> str:
    """E.g. "2026-11-23T09:30:00.000000+00:00". `moment` must be aware."""
    if moment.tzinfo is None:
        raise ValueError("got a naive datetime, expected an aware one")
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")


def moment(text: str) -> datetime:
    """The aware datetime of a record's time."""
    return datetime.fromisoformat(text)


def optional_text(value: datetime | None) -> str | None:
    """As `text`; None stays None."""
    return None if value is None else text(value)
