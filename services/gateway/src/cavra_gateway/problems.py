"""Errors as RFC 9457 problems, each with its reason code and field."""

import re
from collections.abc import Sequence
from typing import Any, Final

import orjson
from cavra_service.errors import REASONS, Refused
from fastapi.responses import Response

PROBLEM: Final = "application/problem+json"

_RANGES: Final = frozenset(
    {
        "greater_than",
        "greater_than_equal",
        "less_than",
        "less_than_equal",
        "string_too_short",
        "invalid_value",
        "use_cursor",
    }
)
"""Pydantic's names for a value of the documented shape that is not allowed."""

_NAME: Final = re.compile(r"[A-Za-z0-9_.]{1,128}")


def problem(refused: Refused) -> Response:
    """The response to a refused request. Its `detail` holds no value that the caller sent."""
    status = refused.http_status
    document: dict[str, Any] = {
        "type": f"urn:cavra:problem:{refused.reason}",
        "title": REASONS[refused.reason][2],
        "status": status,
        "detail": refused.message,
        "reason": refused.reason,
        "field": refused.field,
    }
    headers: dict[str, str] = {}
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    elif status in (429, 503):
        headers["retry-after"] = "1"
    elif status == 413:
        headers["connection"] = "close"  # The rest of the body is not read.
    return Response(orjson.dumps(document), status, headers, PROBLEM)


def of_validation(errors: Sequence[Any]) -> Refused:
    """Pydantic's complaints as one refusal: a wrong shape (422) comes before a value that is not allowed (400).

    Whatever is wrong with a query is a wrong value.
    """
    first = next((one for one in errors if one["type"] not in _RANGES), errors[0])
    place, *path = first["loc"]
    field = ".".join(str(part) for part in path)
    if not _NAME.fullmatch(field):
        field = ""  # An unknown field's name is the caller's text.
    message = f"{field or place}: {first['msg']}"
    if first["type"] == "use_cursor":
        return Refused("use_cursor", message, field)
    if first["type"] in _RANGES or place in ("query", "path"):
        return Refused("invalid_value", message, field)
    if first["type"] in ("string_too_long", "too_long"):
        return Refused("too_long", message, field)
    return Refused("invalid_body", message, field)
