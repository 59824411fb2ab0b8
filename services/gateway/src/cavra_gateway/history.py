"""History: the merge of three evidence logs, by page and by trace."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_service.errors import Refused
from cavra_service.wire import timestamp
from cavra_verify.kinds import HISTORY_SCHEMA, PRODUCT, kind_of_id

from cavra_gateway.domain.causality import causal_order
from cavra_gateway.domain.merge import Cursor, Item, Key, Stream, drain, moment
from cavra_gateway.queries import AlertsQuery, HistoryQuery, Page
from cavra_gateway.records import Json, envelope
from cavra_gateway.services import NAMES
from cavra_gateway.session import Session

_NOT_FILTERS: Final = frozenset({"limit", "offset", "cursor", "trace", "since", "until"})
_WHOLE: Final = 500
_LONGEST: Final = 5_000
"""Records of one trace that are ordered at once; of a longer one the newest."""


class Listing:
    """What is asked of every log, and what each of them answered."""

    def __init__(
        self, session: Session, filters: Mapping[str, Any], since: Any = None, until: Any = None
    ) -> None:
        self._session = session
        self._filters = [
            pb.Filter(name=name, value=_text(value)) for name, value in filters.items() if value is not None
        ]
        self._since, self._until = since, until
        self.sources = dict.fromkeys(sorted(NAMES), "ok")
        self.total = 0
        self.exact = True

    async def take(
        self,
        streams: list[Stream],
        limit: int,
        *,
        below: Key | None = None,
        keys_only: bool = False,
        count: bool = False,
    ) -> list[Item]:
        """The next `limit` records of all streams, newest first. `count` also counts what matches, in the first answer of each log."""
        taken: list[Item] = []
        asked = streams if count else [stream for stream in streams if stream.hungry]
        while True:
            await asyncio.gather(*(self._feed(stream, limit, keys_only, count) for stream in asked))
            count = False
            drain(streams, taken, limit, below)
            asked = [stream for stream in streams if stream.hungry]
            if len(taken) == limit or not asked:
                return taken

    async def enter(self, streams: list[Stream], below: Key, limit: int) -> None:
        """Take up logs that a walk took nothing of where it stands now: one that was down is not passed through from its top."""
        ends = moment(below) + timedelta(microseconds=1)
        until = ends if self._until is None else min(ends, self._until)
        entering = [stream for stream in streams if stream.more and not stream.fetched]
        await asyncio.gather(*(self._feed(stream, limit, False, False, until) for stream in entering))

    async def _feed(
        self, stream: Stream, limit: int, keys_only: bool, count: bool, until: datetime | None = None
    ) -> None:
        request = pb.ListRecordsRequest(
            filters=self._filters,
            # Of a log whose records wait, or that was read to its end, only the total is wanted.
            page_size=limit if stream.hungry else 1,
            page_token=stream.fetched,
            keys_only=keys_only or not stream.more,
            with_total=count,
            since=timestamp(self._since),
            until=timestamp(until or self._until),
        )
        response = await self._session.read(self._session.services.logs[stream.name].ListRecords, request)
        if response is None:
            self.sources[stream.name] = "unavailable"
            self.exact = stream.more = False
            stream.down = True
            return
        if count:
            self.total += response.total
            self.exact &= response.total_relation == pb.TOTAL_RELATION_EXACT
        if stream.more:
            tokens = zip(response.records, response.resume_tokens, strict=True)
            stream.offer((_item(record, token) for record, token in tokens), response.next_page_token)

    def answerable(self) -> None:
        """Raises Refused `service_unavailable` when no log answered at all."""
        if "ok" not in self.sources.values():
            raise Refused("service_unavailable", "no service behind the gateway answers")


async def newest(session: Session, limit: int) -> list[Json]:
    """The newest records of the logs that answer."""
    listing = Listing(session, {})
    return [envelope(item.record) for item in await listing.take([Stream(name) for name in NAMES], limit)]


async def history(session: Session, query: HistoryQuery) -> Json:
    """E20: a page, newest first, or the chain of a trace, oldest first."""
    query.checked()
    filters = {name: value for name, value in query.model_dump().items() if name not in _NOT_FILTERS}
    if query.trace is not None:
        return await _trace(session, query, filters)
    listing = Listing(session, filters, query.since, query.until)
    return await _page(listing, query, query.cursor)


async def alerts(session: Session, query: AlertsQuery) -> Json:
    """E16: a page of what belongs to alerts of the worker's health, newest first."""
    query.checked()
    filters = {name: value for name, value in query.model_dump().items() if name not in _NOT_FILTERS}
    page = await _page(Listing(session, {"flow": "health_alert", **filters}), query, None)
    return {name: page[name] for name in ("items", "total", "limit", "offset", "next_cursor", "sources")}


async def _page(listing: Listing, query: Page, cursor_text: str | None) -> Json:
    streams = [Stream(name) for name in NAMES]
    below: Key | None = None
    if cursor_text:
        cursor = Cursor.of(cursor_text, NAMES)
        below = cursor.below
        streams = [Stream.resumed(name, cursor.positions[name]) for name in NAMES]
        await listing.enter(streams, below, query.limit)
    if query.offset:
        passed = await listing.take(streams, query.offset, below=below, keys_only=True)
        below = passed[-1].key if passed else below
        streams = [Stream.resumed(stream.name, stream.resumption) for stream in streams]
    taken = await listing.take(streams, query.limit, below=below, count=True)
    listing.answerable()
    following = None
    # What a log that is down holds is not promised: a walk that waited for it would never end.
    if taken and not all(stream.done for stream in streams):
        following = Cursor(taken[-1].key, {stream.name: stream.resumption for stream in streams}).text()
    return _history(listing, query, [envelope(item.record) for item in taken], following)


def _history(listing: Listing, query: Page, items: list[Json], following: str | None) -> Json:
    return {
        "schema_version": HISTORY_SCHEMA,
        "product": PRODUCT,
        "items": items,
        "total": listing.total,
        "total_relation": "exact" if listing.exact else "gte",
        "limit": query.limit,
        "offset": query.offset,
        "next_cursor": following,
        "sources": listing.sources,
    }


async def _trace(session: Session, query: HistoryQuery, filters: Mapping[str, Any]) -> Json:
    """The records that share a trace with the named one: never transitive beyond that."""
    named, sources = await find(session, query.trace or "")
    traces = envelope(named)["trace_ids"] if named is not None else [query.trace]
    found: dict[str, Item] = {}
    if named is not None and not any(value is not None for value in filters.values()):
        found[named.id] = _item(named, "")
    listings = [Listing(session, {**filters, "trace": trace}, query.since, query.until) for trace in traces]
    for items in await asyncio.gather(*(_all(listing) for listing in listings)):
        found.update((item.record.id, item) for item in items)
    served = {name: envelope(item.record) for name, item in found.items()}
    causes = {name: [cause["id"] for cause in document["causes"]] for name, document in served.items()}
    ordered = causal_order({name: item.key for name, item in found.items()}, causes)
    whole = Listing(session, {})
    for asked in (sources, *(listing.sources for listing in listings)):
        whole.sources.update({name: state for name, state in asked.items() if state != "ok"})
    whole.answerable()
    whole.total, whole.exact = len(ordered), all(listing.exact for listing in listings)
    # A chain is read whole: it is cut only where a limit is asked for.
    limit = query.limit if "limit" in query.model_fields_set else _WHOLE
    page = query.model_copy(update={"limit": limit})
    shown = ordered[page.offset : page.offset + limit]
    return {**_history(whole, page, [served[name] for name in shown], None), "trace_ids": traces}


async def _all(listing: Listing) -> list[Item]:
    streams = [Stream(name) for name in NAMES]
    items: list[Item] = []
    while len(items) < _LONGEST and (page := await listing.take(streams, _WHOLE)):
        items += page
    listing.exact &= all(stream.done for stream in streams)
    return items


async def find(session: Session, record_id: str) -> tuple[pb.Record | None, dict[str, str]]:
    """The record of that id, and which logs could not be asked for it. Its prefix may say which log holds it."""
    kind = kind_of_id(record_id)
    names = [kind.log] if kind and kind.log else list(NAMES)
    answers = await asyncio.gather(*(_get(session, name, record_id) for name in names))
    sources = {
        name: "ok" if answer is not None else "unavailable"
        for name, answer in zip(names, answers, strict=True)
    }
    records = [answer.records[0] for answer in answers if answer is not None and answer.records]
    return (records[0] if records else None), sources


async def _get(session: Session, name: str, record_id: str) -> Any:
    # Asked in a batch, an unknown id is an empty answer rather than an error.
    request = pb.BatchGetRecordsRequest(ids=[record_id])
    return await session.read(session.services.logs[name].BatchGetRecords, request)


def _item(record: pb.Record, token: str) -> Item:
    at = record.created_at
    return Item((at.seconds, at.nanos, record.origin, record.index), record, token)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
