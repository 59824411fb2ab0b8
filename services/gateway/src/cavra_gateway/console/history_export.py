"""Exports of history: streamed page by page, bounded, and whole or broken off, never silently short."""

import csv
import io
from collections.abc import AsyncIterator
from typing import Any, Final

import orjson
from cavra_service.errors import Refused
from cavra_verify.kinds import BY_KIND

from cavra_gateway.console.trace_states import provider_of, state_of
from cavra_gateway.history import history
from cavra_gateway.queries import HistoryQuery
from cavra_gateway.records import Json
from cavra_gateway.session import Session

MOST: Final = 10_000
"""Records of one export; who needs all reads the logs themselves."""

_PAGE: Final = 500
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A cell that begins so is a formula to a spreadsheet; the last four are the full-width forms."""

_FIELDS: Final = (
    "schedule_id", "delivery_success", "alert_level", "audit_id", "delivery_id", "run_id", "execution_id", "retry_plan_id",
    "approval_plan_id", "playbook_id", "health_id", "plan_id", "external_ref", "notes",
)  # fmt: skip
COLUMNS: Final = (
    "created_at", "session_id", "metadata_kind", "state", "provider", "signer", "actor_subject", "actor_issuer", *_FIELDS,
    "trace_ids", "causes", "record_hash", "log_origin", "log_index",
)  # fmt: skip
"""Of the CSV. Lists are separated by spaces."""

Pages = AsyncIterator[Json]


async def pages_of(session: Session, query: HistoryQuery) -> Pages:
    """The pages of an export; the first is read before anything is sent. Raises Refused, `service_unavailable` when a service is down."""
    first = await _read(session, query.model_copy(update={"limit": _PAGE, "offset": 0, "cursor": None}))
    return _pages(session, query, first)


async def _read(session: Session, query: HistoryQuery) -> Json:
    # A chain's limit counts only when it was asked for.
    found = await history(session, HistoryQuery(**{**query.model_dump(), "limit": _PAGE}))
    down = [name for name, state in found["sources"].items() if state != "ok"]
    if down:
        raise Refused("service_unavailable", f"{', '.join(down)}: an export would not be whole")
    return found


async def _pages(session: Session, query: HistoryQuery, page: Json) -> Pages:
    count = 0
    while True:
        items = page["items"][: MOST - count]
        count += len(items)
        following = page["next_cursor"] if count < MOST else None
        cut = len(items) < len(page["items"]) or (count >= MOST and page["next_cursor"] is not None)
        short = query.trace is not None and page["total"] > len(page["items"])
        yield {**page, "items": items, "truncated": cut or short}
        if following is None:
            return
        page = await _read(session, query.model_copy(update={"cursor": following, "offset": 0}))


async def json_of(pages: Pages) -> AsyncIterator[bytes]:
    """{"items": [...], "total", "total_relation", "truncated"}, a page at a time."""
    yield b'{"items":['
    separator, last = b"", Json()
    async for last in pages:
        for item in last["items"]:
            yield separator + orjson.dumps(item)
            separator = b","
    told = {name: last.get(name) for name in ("total", "total_relation", "truncated")}
    yield b"]," + orjson.dumps(told)[1:]


async def csv_of(pages: Pages) -> AsyncIterator[str]:
    """A header and a line for each record, RFC 4180, a page at a time."""
    yield _lines([COLUMNS])
    async for page in pages:
        yield _lines([[safe(cell) for cell in _cells(item)] for item in page["items"]])


def _lines(rows: Any) -> str:
    written = io.StringIO()
    csv.writer(written).writerows(rows)
    return written.getvalue()


def _cells(item: Json) -> list[Any]:
    body = item[BY_KIND[item["metadata_kind"]].key]
    fields = [item.get(name, body.get(name)) for name in _FIELDS]
    return [
        item["created_at"],
        item["session_id"],
        item["metadata_kind"],
        state_of(item).text,
        provider_of(item),
        item["signer"],
        item["actor"]["sub"],
        item["actor"]["iss"],
        *fields,
        " ".join(item["trace_ids"]),
        " ".join(cause["id"] for cause in item["causes"]),
        item["record_hash"],
        item["log"]["origin"],
        item["log"]["index"],
    ]


def safe(cell: Any) -> str:
    """A cell's text that no spreadsheet takes for a formula: one that looks like it gets an apostrophe before it."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(_FORMULA) else text
