"""What a receiver's answer means: by its HTTP status, and how a vendor's form reads what stands in its body."""

from typing import Any, Final

import orjson

from cavra_delivery.connectors.base import Answer, Response

_TRY_AGAIN: Final = frozenset({408, 425, 429})


def by_status(response: Response) -> Answer:
    """Any 2xx took it; all else is refused for a reason."""
    status = response.status
    if not 100 <= status < 600:
        return Answer("response_invalid", may_have_arrived=True)
    if 200 <= status < 300:
        return Answer(status_code=status)
    if 300 <= status < 400:
        reason = "redirect"
    elif status in (401, 403):
        reason = "auth"
    elif status == 429:
        reason = "rate_limited"
    else:
        reason = "server_error" if status >= 500 else "rejected"
    return Answer(reason, status, again=status in _TRY_AGAIN or status >= 500)


def unclear(response: Response) -> Answer:
    """A success by its status that is none of the vendor's: whether the message was taken is not known."""
    return Answer("response_invalid", response.status, may_have_arrived=True)


def document(response: Response) -> dict[str, Any]:
    """The JSON object in the body; empty when it is none."""
    try:
        found = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}
