"""The history page: every filter of the contract as a form whose address can be shared, in pages of any depth, and exports."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from cavra_verify.kinds import KINDS
from fastapi import APIRouter, Query, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from cavra_gateway.console.history_back import previous
from cavra_gateway.console.history_export import MOST, csv_of, json_of, pages_of
from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import PATH, Visiting
from cavra_gateway.console.trace_states import actor_of, provider_of, state_of
from cavra_gateway.history import history
from cavra_gateway.queries import HistoryQuery
from cavra_gateway.records import Json

router = APIRouter(route_class=Page)

_SIZES: Final = (50, 100, 200, 500)
_PAGING: Final = frozenset({"limit", "offset", "cursor"})
_CHOICES: Final = {
    "acknowledgement_state": ("acknowledged", "accepted", "deferred", "dismissed", "escalated", "resolved"),
    "delivery_success": ("true", "false"),
    "alert_level": ("healthy", "warning", "critical"),
    "execution_status": ("delivered", "failed", "skipped", "unknown"),
    "closure_state": ("resolved", "mitigated", "deferred", "escalated", "reopened"),
    "connector_delivery_source": (
        "go_backend_rollback_drill_notification",
        "go_backend_rollback_drill_acknowledgement_audit",
        "go_backend_rollback_drill_acknowledgement_audit_worker_health_alert",
    ),
}
"""Filters that have few values."""
_FIRST: Final = ("metadata_kind", "provider", "delivery_id", "actor", "since", "until")
"""Filters that are asked for most; the others are behind a fold."""
_KINDS: Final = tuple((kind.kind, kind.noun.replace("_", " ")) for kind in KINDS)

Asked = Annotated[HistoryQuery, Query()]


@router.get("/history")
async def history_page(request: Request, visitor: Visiting, query: Asked) -> Response:
    """A page of records, newest first; with `trace` one chain, oldest first."""
    found = await history(visitor.session, query)
    given = _given(request, query)
    return page(
        request,
        "history.html",
        rows=[_row(item) for item in found["items"]],
        found=found,
        given=given,
        fields=[_field(name, given) for name in _FIRST],
        more=[_field(name, given) for name in HistoryQuery.model_fields if name not in (*_FIRST, *_PAGING)],
        sizes=_SIZES,
        limit=query.limit,
        down=[name for name, state in found["sources"].items() if state != "ok"],
        at_first=not (query.cursor or query.offset),
        first=_address("/history", given, query.limit),
        before=_before(given, query),
        following=_address("/history", {**given, "cursor": found["next_cursor"]}, query.limit)
        if found["next_cursor"]
        else "",
        exports={form: _address(f"/history.{form}", given) for form in ("csv", "json")},
        most=MOST,
    )


@router.get("/history/previous")
async def previous_page(request: Request, visitor: Visiting, query: Asked) -> Response:
    """To the page that ends where the one of `cursor` begins: its address can be shared as any other."""
    given = _given(request, query)
    cursor = await previous(visitor.session, query)
    return RedirectResponse(
        _address("/history", {**given, **({"cursor": cursor} if cursor else {})}, query.limit), 303
    )


@router.get("/history.csv")
async def history_csv(visitor: Visiting, query: Asked) -> Response:
    """What the filters match, newest first, as CSV: at most MOST records. It is whole, or it breaks off."""
    pages = await pages_of(visitor.session, query)
    return StreamingResponse(csv_of(pages), headers=_named("csv"), media_type="text/csv; charset=utf-8")


@router.get("/history.json")
async def history_json(visitor: Visiting, query: Asked) -> Response:
    """The same records as the API serves them: `items`, whether there are more (`truncated`), and how many match."""
    pages = await pages_of(visitor.session, query)
    return StreamingResponse(json_of(pages), headers=_named("json"), media_type="application/json")


def _named(form: str) -> dict[str, str]:
    return {"content-disposition": f'attachment; filename="cavra-history.{form}"'}


def _given(request: Request, query: HistoryQuery) -> dict[str, str]:
    """The filters that are set, as they were written."""
    written = request.query_params
    return {
        name: written[name].strip()
        for name in HistoryQuery.model_fields
        if name not in _PAGING and getattr(query, name) is not None
    }


def _address(path: str, given: dict[str, str], limit: int = 50) -> str:
    asked = {**given, **({"limit": str(limit)} if limit != 50 else {})}
    return f"{PATH}{path}" + (f"?{urlencode(asked)}" if asked else "")


def _before(given: dict[str, str], query: HistoryQuery) -> str:
    """Where the page before is; empty for the first, for a chain, and for one at an offset from a cursor."""
    if query.offset and not query.cursor:
        offset = query.offset - query.limit
        return _address("/history", {**given, **({"offset": str(offset)} if offset > 0 else {})}, query.limit)
    if query.cursor and not query.offset and query.trace is None:
        return _address("/history/previous", {**given, "cursor": query.cursor}, query.limit)
    return ""


def _field(name: str, given: dict[str, str]) -> dict[str, Any]:
    choices = [(value, value.replace("_", " ")) for value in _CHOICES.get(name, ())]
    return {
        "name": name,
        "label": "Kind" if name == "metadata_kind" else name.replace("_", " ").capitalize(),
        "value": given.get(name, ""),
        "choices": list(_KINDS) if name == "metadata_kind" else choices,
        "help": HistoryQuery.model_fields[name].description or "",
    }


def _row(item: Json) -> dict[str, Any]:
    return {
        "item": item,
        "state": state_of(item),
        "actor": actor_of(item),
        "provider": provider_of(item),
    }
