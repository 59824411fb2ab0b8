"""The types of what a request may say: normalised, bounded, described."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, GetCoreSchemaHandler, WithJsonSchema
from pydantic_core import PydanticCustomError, core_schema

_DECIMAL: Final = re.compile(r"[0-9]{1,2}(\.[0-9]{1,3})?")


class Body(BaseModel):
    """A request's JSON object: closed, and without conversions between types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


def enum_text(value: Any) -> Any:
    """An enum value as it is compared: trimmed, in lower case, with underscores."""
    return value.strip().lower().replace("-", "_") if isinstance(value, str) else value


def _trimmed(value: Any) -> Any:
    return value.strip() if isinstance(value, str) else value


def lower(value: Any) -> Any:
    """A name as it is compared: trimmed, in lower case."""
    return value.strip().lower() if isinstance(value, str) else value


class OneOf:
    """An enum's values, for Annotated[str, OneOf(...)]: normalised, and refused with 400 when they are none of these."""

    def __init__(self, *values: str) -> None:
        self.values = values

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        checked = core_schema.no_info_after_validator_function(self._check, handler(source))
        return core_schema.no_info_before_validator_function(enum_text, checked)

    def __get_pydantic_json_schema__(self, schema: Any, handler: Any) -> dict[str, Any]:
        return {"type": "string", "enum": list(self.values)}

    def _check(self, value: str) -> str:
        if value not in self.values:
            raise PydanticCustomError("invalid_value", "not one of the documented values")
        return value


def _moment(value: Any) -> Any:
    """A time with its zone; one without is UTC, an empty text is none. A plus that a query turned into a space is put back."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text[:10] + text[10:].replace(" ", "+") if "T" in text else text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise PydanticCustomError("invalid_value", "not an ISO-8601 time") from None


def _decimal(value: Any) -> Any:
    """The decimal string of a JSON number or string, digit for digit."""
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        return value
    text = value.strip() if isinstance(value, str) else format(Decimal(value), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    if not _DECIMAL.fullmatch(text) or not 1 <= Decimal(text) <= 10:
        raise PydanticCustomError("invalid_value", "not a decimal from 1 to 10 with at most 3 places")
    return text


def provider_list(value: str | None) -> list[str]:
    """The providers that "all", or a comma list, names; empty for all."""
    names = [name.strip().lower() for name in (value or "").split(",")]
    found = list(dict.fromkeys(name for name in names if name))
    return [] if "all" in found else found


def requested(providers: Sequence[str]) -> str:
    """What was asked for, as a record holds it."""
    return ",".join(providers) or "all"


Notes = Annotated[str, Field(max_length=2_000)]
Name = Annotated[str, Field(max_length=256)]
Id = Annotated[str, Field(max_length=128), BeforeValidator(_trimmed)]
ExternalRef = Annotated[str, Field(max_length=256), BeforeValidator(_trimmed)]
Provider = Annotated[str, Field(min_length=1, max_length=64), BeforeValidator(lower)]
ProviderFilter = Annotated[str, Field(max_length=64), BeforeValidator(lower)]
Providers = Annotated[str, Field(max_length=1024), BeforeValidator(lower)]
Moment = Annotated[
    datetime | None,
    BeforeValidator(_moment),
    WithJsonSchema({"anyOf": [{"type": "string", "format": "date-time"}, {"type": "null"}]}),
]
DecimalText = Annotated[
    str,
    BeforeValidator(_decimal),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "minimum": 1, "maximum": 10}, {"type": "string", "maxLength": 6}]}
    ),
]
Cadence = Annotated[str, Field(max_length=64), BeforeValidator(enum_text)]
AlertLevel = Annotated[str, OneOf("healthy", "warning", "critical")]
