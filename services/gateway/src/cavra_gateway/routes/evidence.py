"""History and dashboard: what the gateway merges itself (E20, E21)."""

from typing import Annotated, Any, Final

from cavra_verify.kinds import DASHBOARD_SCHEMA, HISTORY_SCHEMA, PRODUCT
from fastapi import APIRouter, Query
from fastapi.responses import Response

from cavra_gateway import queries
from cavra_gateway.dashboard import dashboard
from cavra_gateway.docs import answering
from cavra_gateway.domain.figures import figures
from cavra_gateway.history import history
from cavra_gateway.http import Route, answer
from cavra_gateway.routes.paths import NOTIFICATIONS
from cavra_gateway.services import NAMES
from cavra_gateway.session import Me

router = APIRouter(route_class=Route, tags=["evidence"])

_ENVELOPES: Final = {"type": "array", "items": {"$ref": "#/components/schemas/Envelope"}}
_SOURCES: Final = {
    "type": "object",
    "properties": {name: {"type": "string", "enum": ["ok", "unavailable"]} for name in NAMES},
    "required": list(NAMES),
}
_COUNT: Final = {"type": "integer", "minimum": 0}


def _object(properties: dict[str, Any], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


_HISTORY: Final = _object(
    {
        "schema_version": {"const": HISTORY_SCHEMA},
        "product": {"const": PRODUCT},
        "items": _ENVELOPES,
        "total": _COUNT,
        "total_relation": {"type": "string", "enum": ["exact", "gte"]},
        "limit": _COUNT,
        "offset": _COUNT,
        "next_cursor": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "sources": _SOURCES,
        "trace_ids": {"type": "array", "items": {"type": "string"}},
    },
    optional=("trace_ids",),
)


def _figure(value: Any) -> dict[str, Any]:
    """The schema of a figure, which is null while its service is down."""
    kinds = {int: "integer", float: "number", str: "string"}
    schema = (
        {"type": "array", "items": {"type": "string"}}
        if isinstance(value, list)
        else {"type": kinds[type(value)]}
    )
    return {"anyOf": [schema, {"type": "null"}]}


_OUTSTANDING: Final = {
    "type": "array",
    "items": _object({name: {"type": "string"} for name in ("schedule_id", "provider", "plan_id")}),
}
_DASHBOARD: Final = _object(
    {
        "schema_version": {"const": DASHBOARD_SCHEMA},
        "product": {"const": PRODUCT},
        "generated_at": {"type": "string", "format": "date-time"},
        **{name: _figure(value) for name, value in figures({name: {} for name in NAMES}).items()},
        "outstanding_acknowledgements": {"anyOf": [_OUTSTANDING, {"type": "null"}]},
        "latest": _ENVELOPES,
        "sources": _SOURCES,
    }
)


@router.get(NOTIFICATIONS, **answering("get_history", _HISTORY))
async def get_history(me: Me, query: Annotated[queries.HistoryQuery, Query()]) -> Response:
    """Records of all services, newest first; with `trace` one record's chain, oldest first.

    `sources` says which services answered: a page without one of them is not complete, and its `total` a lower bound. `next_cursor`
    continues the walk; records committed after it began are not in it.
    """
    return answer(await history(me, query))


@router.get(NOTIFICATIONS + "/dashboard", **answering("get_dashboard", _DASHBOARD))
async def get_dashboard(me: Me) -> Response:
    """Every metric, exact at any size. Figures of a service that is down are null, and `sources` says so."""
    return answer(await dashboard(me))
