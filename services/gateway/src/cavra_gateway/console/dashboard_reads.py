"""What the dashboard reads of the logs: counts between two moments by index, and the newest records of a kind. All of it bounded.

Time in a log never runs back, so a stretch that is over has its count for ever: it is read once and kept.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from cavra.delivery.v1 import delivery_pb2
from cavra.evidence.v1 import evidence_pb2 as pb
from cavra.recovery.v1 import recovery_pb2
from cavra_service.wire import timestamp
from cavra_verify.kinds import AUDIT_SOURCE, BY_NOUN, NOTIFICATION_SOURCE

from cavra_gateway.console.dashboard_series import Bucket, ages, buckets, by_provider, closings, middle, rate
from cavra_gateway.console.sends import latest_of
from cavra_gateway.domain.figures import RECORDS
from cavra_gateway.records import Json, envelope
from cavra_gateway.session import Session

_SETTLED: Final = timedelta(minutes=5)
"""After its end a stretch is over, even by a clock of another machine."""
_MOST_KEPT: Final = 20_000
_AT_ONCE: Final = 16
_SAMPLE: Final = 500
"""Deliveries, closures and recoveries that are looked into."""
_MOST_CONNECTORS: Final = 50

Filters = tuple[tuple[str, str], ...]

SERIES: Final[dict[str, tuple[str, Filters]]] = {
    "deliveries_delivered": (
        "delivery",
        (("connector_delivery_source", AUDIT_SOURCE), ("delivery_success", "true")),
    ),
    "deliveries_failed": (
        "delivery",
        (("connector_delivery_source", AUDIT_SOURCE), ("delivery_success", "false")),
    ),
    "executions_delivered": ("retry", (("execution_status", "delivered"),)),
    "executions_failed": ("retry", (("execution_status", "failed"),)),
    "executions_skipped": ("retry", (("execution_status", "skipped"),)),
    "executions_unknown": ("retry", (("execution_status", "unknown"),)),
    "closures": ("recovery", (("metadata_kind", BY_NOUN["closure"].kind),)),
}
"""Name -> the log and the filters whose records are counted over time."""

_AUDIT: Final = "acknowledgement_audit_delivery_"
_DELIVERY: Final = ("metadata_kind", BY_NOUN["connector_delivery"].kind)
TRENDS: Final[dict[str, tuple[str, Filters]]] = {
    **{
        name: (service, (("metadata_kind", BY_NOUN[noun].kind),)) for name, (service, noun) in RECORDS.items()
    },
    "failed_acknowledgement_audit_delivery_count": SERIES["deliveries_failed"],
    "notification_delivery_count": (
        "delivery",
        (_DELIVERY, ("connector_delivery_source", NOTIFICATION_SOURCE)),
    ),
    "failed_delivery_count": ("delivery", (("delivery_success", "false"),)),
    _AUDIT + "count": ("delivery", (_DELIVERY, ("connector_delivery_source", AUDIT_SOURCE))),
    _AUDIT + "success_count": SERIES["deliveries_delivered"],
    _AUDIT + "retry_execution_success_count": SERIES["executions_delivered"],
    _AUDIT + "retry_execution_failed_count": SERIES["executions_failed"],
    _AUDIT + "retry_execution_skipped_count": SERIES["executions_skipped"],
    _AUDIT + "retry_execution_unknown_count": SERIES["executions_unknown"],
    _AUDIT + "worker_dry_run_count": ("retry", (("dry_run", "true"),)),
    _AUDIT + "worker_executed_count": ("retry", (("dry_run", "false"),)),
}
"""Figure -> the log and the filters whose records it counts; what says how things stand now, or is no filter, has none."""


class Counted(NamedTuple):
    """How many records a stretch has."""

    records: int
    more: bool
    """Whether there are more than were counted."""


class Counts:
    """Counts of stretches that are over, kept."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, Filters, Bucket], Counted] = OrderedDict()
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def series(
        self, session: Session, service: str, filters: Filters, stretches: Sequence[Bucket], now: datetime
    ) -> list[Counted] | None:
        """Records of each stretch; None when the service could not be asked."""
        found = await asyncio.gather(*(self._count(session, service, filters, one, now) for one in stretches))
        return None if None in found else [one for one in found if one is not None]

    async def _count(
        self, session: Session, service: str, filters: Filters, stretch: Bucket, now: datetime
    ) -> Counted | None:
        key = (service, filters, stretch)
        if key in self._kept:
            return self._kept[key]
        request = pb.ListRecordsRequest(
            filters=[pb.Filter(name=name, value=value) for name, value in filters],
            since=timestamp(stretch.start),
            until=timestamp(stretch.end),
            page_size=1,
            keys_only=True,
            with_total=True,
        )
        async with self._room:
            answer = await session.read(session.services.logs[service].ListRecords, request)
        if answer is None:
            return None
        counted = _counted(answer)
        if stretch.end + _SETTLED < now:
            self._kept[key] = counted
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        return counted


def _counted(answer: Any) -> Counted:
    return Counted(answer.total, answer.total_relation != pb.TOTAL_RELATION_EXACT)


async def read_series(session: Session, counts: Counts, days: int) -> Json:
    """Everything that the charts of the last `days` show. What a service that is down would have said is null."""
    now = datetime.now(UTC)
    stretches = buckets(days, now)
    since = stretches[0].start
    series, deliveries, closures, recoveries = await asyncio.gather(
        asyncio.gather(
            *(
                counts.series(session, service, filters, stretches, now)
                for service, filters in SERIES.values()
            )
        ),
        _newest(session, "delivery", {"metadata_kind": BY_NOUN["connector_delivery"].kind}, since),
        _newest(session, "recovery", {"metadata_kind": BY_NOUN["closure"].kind}, since),
        _recoveries(session, now),
    )
    counted = dict(zip(SERIES, series, strict=True))
    return {
        "days": days,
        "at": [int(one.start.timestamp()) for one in stretches],
        "series": {name: found and [one.records for one in found] for name, found in counted.items()},
        "more": {name: found and [one.more for one in found] for name, found in counted.items()},
        "success_rate": _rates(counted),
        "providers": None if deliveries is None else by_provider(deliveries["items"]),
        "providers_of": None
        if deliveries is None
        else {
            "looked_at": len(deliveries["items"]),
            "total": deliveries["total"],
            "more": deliveries["more"],
        },
        "closings": await _closings(session, closures),
        "open_recoveries": recoveries,
    }


def _rates(counted: Mapping[str, list[Counted] | None]) -> list[float | None] | None:
    """Of a stretch that has more than were counted nobody knows."""
    good, bad = counted["deliveries_delivered"], counted["deliveries_failed"]
    if good is None or bad is None:
        return None
    return [
        None if one.more or other.more else rate(one.records, other.records)
        for one, other in zip(good, bad, strict=True)
    ]


async def _newest(session: Session, service: str, filters: Mapping[str, str], since: datetime) -> Json | None:
    request = pb.ListRecordsRequest(
        filters=[pb.Filter(name=name, value=value) for name, value in filters.items()],
        since=timestamp(since),
        page_size=_SAMPLE,
        with_total=True,
    )
    answer = await session.read(session.services.logs[service].ListRecords, request)
    if answer is None:
        return None
    total, more = _counted(answer)
    return {"items": [envelope(record) for record in answer.records], "total": total, "more": more}


async def _closings(session: Session, closures: Json | None) -> Json | None:
    if closures is None:
        return None
    ids = sorted({one["playbook_id"] for one in closures["items"]})
    playbooks: dict[str, Json] = {}
    if ids:
        log = session.services.logs["recovery"]
        answer = await session.read(log.BatchGetRecords, pb.BatchGetRecordsRequest(ids=ids))
        if answer is None:
            return None
        playbooks = {record.id: envelope(record) for record in answer.records}
    found = closings(closures["items"], playbooks)
    return {
        "items": found,
        "median_hours": middle([one["hours"] for one in found]),
        "looked_at": len(closures["items"]),
        "total": closures["total"],
        "more": closures["more"],
    }


async def _recoveries(session: Session, now: datetime) -> Json | None:
    request = recovery_pb2.ListRecoveriesRequest(limit=_SAMPLE)
    answer = await session.read(session.services.recovery.ListRecoveries, request)
    if answer is None:
        return None
    failed = [
        one.last_failure_at.ToDatetime(UTC) for one in answer.recoveries if one.HasField("last_failure_at")
    ]
    return {
        "count": len(answer.recoveries),
        "more": len(answer.recoveries) == _SAMPLE,
        "ages": ages(failed, now),
    }


async def read_connectors(session: Session) -> Json | None:
    """`list`: the connectors as they are: ready or why not, circuit, last success and last failure; `file_problem`: why their file is of
    no use as it is now, if it is not. None when delivery is down."""
    answer = await session.read(
        session.services.delivery.ListConnectors, delivery_pb2.ListConnectorsRequest()
    )
    if answer is None:
        return None
    shown = list(answer.connectors)[:_MOST_CONNECTORS]
    latest = await asyncio.gather(*(latest_of(session, one.name) for one in shown))
    return {
        "file_problem": answer.file_problem,
        "list": [
            {"connector": one, "success": success, "failure": failure}
            for one, (success, failure) in zip(shown, latest, strict=True)
        ],
    }
