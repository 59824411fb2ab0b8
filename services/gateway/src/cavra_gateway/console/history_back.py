"""The page before a page of history.

Logs are read newest first, and a cursor goes down alone. What stands just above a place is found by ever longer stretches of time that
begin there; so it costs what lies near, however deep the page and however long the log.
"""

import asyncio
from collections import deque
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from cavra_gateway.domain.merge import Cursor, Item, Key, Stream, moment
from cavra_gateway.history import Listing
from cavra_gateway.queries import HistoryQuery
from cavra_gateway.services import NAMES
from cavra_gateway.session import Session

_NO_FILTERS: Final = frozenset({"limit", "offset", "cursor", "trace", "since", "until"})
_KEYS: Final = 10_500
"""Keys of one answer, many times a page; a stretch that holds more is cut."""
_FIRST: Final = timedelta(seconds=1)
_GROWTH: Final = 8
_FINEST: Final = timedelta(milliseconds=1)
"""A stretch that is not cut any more, whatever it holds."""
_AHEAD: Final = timedelta(days=1)
"""How far ahead of ours the clock of a log's writer may be."""


async def previous(session: Session, query: HistoryQuery) -> str | None:
    """The cursor of the page that ends where the page of `query` begins; None when that is the first page.

    A log that does not answer keeps its place. Raises Refusal `invalid_page_token`.
    """
    cursor = Cursor.of(query.cursor or "", NAMES)
    filters = {name: value for name, value in query.model_dump().items() if name not in _NO_FILTERS}
    # With one more than a page holds, each log has one above that page, or has been read to its top.
    lists = await asyncio.gather(
        *(_above(session, name, filters, query.until, cursor.below, query.limit + 1) for name in NAMES)
    )
    above = dict(zip(NAMES, lists, strict=True))
    ascending = sorted(item.key for items in lists for item in items or ())
    if len(ascending) <= query.limit:
        return None
    key = ascending[query.limit]
    positions = {
        name: cursor.positions[name] if items is None else _position(items, key)
        for name, items in above.items()
    }
    return Cursor(key, positions).text()


def _position(items: list[Item], key: Key) -> str:
    """Where a log goes on below `key`: after its oldest record that is not below it; at its top where it has none."""
    return next((item.token for item in reversed(items) if item.key >= key), "")


async def _above(
    session: Session, name: str, filters: dict[str, Any], until: datetime | None, below: Key, most: int
) -> list[Item] | None:
    """The `most` oldest records of a log at or above `below`, newest first; fewer when it has no more. None when it does not answer."""
    since = moment(below)
    top = datetime.now(UTC) + _AHEAD
    top = top if until is None else min(top, until)
    short, long, span = timedelta(0), None, _FIRST
    while True:
        is_last, is_finest = since + span >= top, span - short <= _FINEST
        listing = Listing(session, filters, since, until if is_last else since + span)
        stream = Stream(name)
        found = await _lowest(listing, stream, below, most, whole=is_finest)
        if stream.down:
            return None
        if not stream.done:
            long, span = span, short + (span - short) / 2
        elif len(found) >= most or is_last:
            return found
        else:
            short = span
            if long is None:
                span *= _GROWTH
            elif long - short <= _FINEST:
                span, long = long, None
            else:
                span = short + (long - short) / 2


async def _lowest(listing: Listing, stream: Stream, below: Key, most: int, *, whole: bool) -> list[Item]:
    """The last `most` records of a stretch at or above `below`, if it was read to its end: `stream` says so."""
    found: deque[Item] = deque(maxlen=most)
    while True:
        taken = await listing.take([stream], _KEYS, keys_only=True)
        found.extend(item for item in taken if item.key >= below)
        if stream.done or not whole:
            return list(found)
