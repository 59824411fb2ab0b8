"""The feed of failures: what has changed since a reader last asked."""

import base64
import binascii
import json
from typing import Any, Final

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_evidence.guard import matches
from cavra_service.errors import Refused

from cavra_delivery.rpc import encode
from cavra_delivery.rpc.decode import within
from cavra_delivery.rpc.parts import Topic
from cavra_delivery.store.changes import Cursor, changes

_PAGE: Final = 500
_BEYOND: Final = 2**62


class Changes(Topic):
    """See the contract."""

    async def ListChangedFailures(
        self, request: pb.ListChangedFailuresRequest, context: Any
    ) -> pb.ListChangedFailuresResponse:
        """See the contract."""
        limit = within(request, "page_size", 1, _PAGE, _PAGE)
        seen = _cursor_of(request.cursor) if request.cursor else None
        found = await changes(self._store, seen, limit)
        return pb.ListChangedFailuresResponse(
            failures=[encode.failure(one) for one in found.failures],
            next_cursor=_text_of(found.cursor),
            more=found.more,
            begins=found.begins,
            circuits=self._machine.gates.not_closed(),
        )


def _text_of(cursor: Cursor) -> str:
    parts = [cursor.since, cursor.until, cursor.index, cursor.record_hash]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def _cursor_of(text: str) -> Cursor:
    try:
        *numbers, digest = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        since, until, index = numbers
        counts = all(type(one) is int and -1 <= one < _BEYOND for one in numbers)
        if counts and (digest == "" or matches("hash", digest)):
            return Cursor(since, until, index, digest)
    except (binascii.Error, ValueError, TypeError, RecursionError):
        pass
    raise Refused("invalid_page_token", "not a cursor of this list", "cursor")
