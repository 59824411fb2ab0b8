"""The inbox: what waits for somebody, by the action that it waits for; what the visitor may do comes first."""

import asyncio
from dataclasses import dataclass
from datetime import UTC
from typing import Any, Final

from cavra_evidence.times import moment
from cavra_verify.kinds import BY_NOUN
from fastapi import APIRouter, Request
from fastapi.responses import Response

from cavra_gateway.console import reads
from cavra_gateway.console.navigation import FLOW, Entry
from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import PATH, Visiting, Visitor

router = APIRouter(route_class=Page)

_RESOLVE: Final = Entry("Resolve", "/resolve-unknown", "info", "resolve_execution")
_BY_STEP: Final = (
    ("plan", "Failures to plan", FLOW[1], ""),
    ("acknowledge", "Planned retries to acknowledge", FLOW[2], "delivery_id={0.delivery_id}"),
    ("plan_approval", "Acknowledged, approval to plan", FLOW[3], ""),
    ("decide", "Approvals to decide", FLOW[4], "delivery_id={0.delivery_id}&provider={0.provider}"),
    ("execute", "Approved, to execute", FLOW[5], "provider={0.provider}"),
    ("resolve", "Unknown outcomes to resolve", _RESOLVE, "execution_id={0.execution_id}"),
)
_LOOKBACK_HOURS: Final = 24
_KEEPS_FAILING: Final = 2
"""Failures of a connector within the look-back from which a playbook is worth its writing: the defaults of the action."""


@dataclass(frozen=True, slots=True)
class Group:
    """Everything that waits for one action."""

    title: str
    entry: Entry
    rows: list[tuple[Any, str]]
    """(what waits, where it is dealt with)."""
    shape: str
    """work, recovery or failing: which columns it has."""
    barred: str = ""
    """Why the visitor can't; empty when they may."""


@router.get("/")
async def inbox(request: Request, visitor: Visiting) -> Response:
    """What waits."""
    work, recoveries, failing = await asyncio.gather(
        reads.unless_down(reads.work(visitor)),
        reads.unless_down(reads.recoveries(visitor)),
        reads.unless_down(_unrecovered(visitor)),
    )
    down = [
        name
        for name, answer in (("retry", work), ("recovery", recoveries), ("delivery", failing))
        if answer is None
    ]
    groups = [*_of_work(visitor, work), *_of_recovery(visitor, recoveries or [], failing or [])]
    return page(
        request,
        "inbox.html",
        mine=[group for group in groups if group.rows and not group.barred],
        others=[group for group in groups if group.rows and group.barred],
        under_way=work.at("wait") if work else [],
        given_up=work.at("given_up") if work else [],
        total=work.total if work else 0,
        omitted=work.omitted if work else 0,
        most_recoveries=reads.MOST_RECOVERIES,
        down=down,
    )


def _of_work(visitor: Visitor, work: reads.Work | None) -> list[Group]:
    groups: list[Group] = []
    for step, title, entry, query in _BY_STEP if work else ():
        assert work is not None  # noqa: S101 told apart in the line above
        barred = entry.refusal(visitor)
        rows = [(item, _target(entry, query.format(item))) for item in work.at(step)]
        if barred:
            groups.append(Group(title, entry, rows, "work", barred))
            continue
        # What somebody may do who did not take part waits for others.
        groups.append(Group(title, entry, [row for row in rows if not row[0].refusal], "work"))
        kept = [row for row in rows if row[0].refusal]
        groups.append(Group(title, entry, kept, "work", "Waits for somebody else, as you took part"))
    return groups


def _of_recovery(visitor: Visitor, recoveries: list[Any], failing: list[Any]) -> list[Group]:
    book, close = FLOW[6], FLOW[7]
    rows = [
        (one, _target(close, f"playbook_id={one.playbook_id}&provider={one.provider}")) for one in recoveries
    ]
    return [
        Group(
            "Connectors that keep failing",
            book,
            [(one, book.href) for one in failing],
            "failing",
            book.refusal(visitor),
        ),
        Group("Recoveries to close", close, rows, "recovery", close.refusal(visitor)),
    ]


async def _unrecovered(visitor: Visitor) -> list[Any]:
    """Connectors that failed often enough, the last time since the newest playbook that names them."""
    found = await reads.failing(visitor, _LOOKBACK_HOURS)
    often = [one for one in found if one.failure_count >= _KEEPS_FAILING]
    playbooks = await asyncio.gather(
        *(
            reads.records(visitor, metadata_kind=BY_NOUN["playbook"].kind, provider=one.provider, limit=1)
            for one in often
        )
    )
    return [
        one
        for one, newest in zip(often, playbooks, strict=True)
        if not newest or moment(newest[0]["created_at"]) < one.latest_failure_at.ToDatetime(UTC)
    ]


def _target(entry: Entry, query: str) -> str:
    return PATH + entry.path + (f"?{query}" if query else "")
