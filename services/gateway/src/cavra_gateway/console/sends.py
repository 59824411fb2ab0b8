"""A connector's own part of deliveries that went to others, too: the record says of the whole that it failed when one of them did."""

import asyncio
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_evidence.times import moment
from cavra_verify.kinds import BY_NOUN

from cavra_gateway.records import Json, envelope, full
from cavra_gateway.session import Session

_MOST_PLACES: Final = 50
"""Deliveries that are looked up to say where they went."""
_TRIES: Final = 50
"""Sends of one delivery that are looked into, the newest."""
_LOOKED_INTO: Final = 200
"""Failed deliveries of one connector, the newest, whose parts are told apart."""


class Latest(NamedTuple):
    """When something was last so."""

    at: datetime | None
    """None: never, as far as was looked."""
    certain: bool
    """False: it may also have been so later, in what was not looked into."""


def part_of(served: Json, provider: str) -> Json:
    """`provider`'s part of a connector delivery; empty when it has none."""
    parts: list[Json] = full(served)["deliveries"]
    return next((one for one in parts if one["provider"] == provider), {})


async def latest_of(session: Session, provider: str) -> tuple[Latest, Latest]:
    """When the connector itself last took something, and when it last did not. Of a service that is down nobody knows."""
    taken, failed = await asyncio.gather(
        _read(session, provider, "true", 1), _read(session, provider, "false", _LOOKED_INTO)
    )
    if taken is None or failed is None:
        return Latest(None, False), Latest(None, False)
    known = [(one.index, part_of(envelope(one), provider)) for one in (*taken.records, *failed.records)]
    unread = _unread_below(failed)
    success = _latest(known, ("delivered",), max(unread, 0 if taken.records else _unread_below(taken)))
    return success, _latest(known, ("failed", "unknown"), unread)


def _unread_below(page: Any) -> float:
    """The index below which a page left records unread; 0 for the last page."""
    if not page.next_page_token:
        return 0
    # A page may end far below its last match.
    return page.records[-1].index if page.records else float("inf")


def _latest(known: Sequence[tuple[int, Json]], outcomes: Sequence[str], unread: float) -> Latest:
    found = [(index, part["completed_at"]) for index, part in known if part.get("outcome") in outcomes]
    if not found:
        return Latest(None, unread == 0)
    index, at = max(found)
    return Latest(moment(at), index >= unread)


async def _read(session: Session, provider: str, success: str, most: int) -> Any:
    return await _listed(session, most, provider=provider, delivery_success=success)


class Place(NamedTuple):
    """Where a send went."""

    url: str
    """What is kept of its address: scheme, host and port."""
    record_id: str
    """The delivery's record that says so."""


async def places(session: Session, items: Iterable[Any]) -> dict[tuple[str, str], Place]:
    """By (delivery id, provider) of work items: where the newest send of each went, of the first that are asked for. What a service that
    is down would have said is left out."""
    wanted = list(dict.fromkeys(item.delivery_id for item in items))[:_MOST_PLACES]
    kind = BY_NOUN["connector_delivery"].kind
    pages = await asyncio.gather(
        *(_listed(session, _TRIES, delivery_id=one, metadata_kind=kind) for one in wanted)
    )
    found: dict[tuple[str, str], Place] = {}
    for delivery_id, answer in zip(wanted, pages, strict=True):
        for record in answer.records if answer is not None else ():
            for part in full(envelope(record))["deliveries"]:
                if part["request"] is not None:
                    found.setdefault(
                        (delivery_id, part["provider"]), Place(part["request"]["url"], record.id)
                    )
    return found


async def _listed(session: Session, most: int, **filters: str) -> Any:
    asked = [pb.Filter(name=name, value=value) for name, value in filters.items()]
    request = pb.ListRecordsRequest(filters=asked, page_size=most)
    return await session.read(session.services.logs["delivery"].ListRecords, request)
