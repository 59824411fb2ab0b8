"""What the parts of a file may look like: lenient where a person writes, closed where a record takes the value over."""

from datetime import UTC, date, datetime
from typing import Annotated, Any

from cavra_evidence.guard import GuardError, scan
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
)


class FilePart(BaseModel):
    """A piece of a file. Keys that nobody knows are left alone."""

    model_config = ConfigDict(frozen=True, extra="ignore")


def _written_moment(value: Any) -> Any:
    """A date is its midnight; a time without a zone is UTC. Numbers are no times."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day, tzinfo=UTC)
    if not isinstance(value, str | datetime):
        raise ValueError("not a time")
    return value


def _in_utc(value: datetime) -> datetime:
    try:
        return (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone(UTC)
    except OverflowError:
        raise ValueError("not a time") from None


Moment = Annotated[datetime, BeforeValidator(_written_moment), AfterValidator(_in_utc)]
"""A time, in UTC."""

Text = Annotated[str, StringConstraints(max_length=512), AfterValidator(scan)]
"""Text that is shown but that no record takes over; never a credential."""


def complaint(error: ValidationError, whole: str = "the file") -> str:
    """Which part of `whole` breaks which rule: one sentence without a value, or a name that its author chose."""
    first = error.errors(include_url=False, include_input=False)[0]
    cause = first.get("ctx", {}).get("error")
    rule = cause.rule if isinstance(cause, GuardError) else first["type"]
    where = str(first["loc"][0]) if first["loc"] and rule != "extra_forbidden" else whole
    return f"{where} is refused by rule {rule}"
