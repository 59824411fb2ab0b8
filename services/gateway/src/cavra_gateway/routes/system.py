"""What the product is, whether it serves, and what its console needs to know."""

import asyncio
from importlib.metadata import version
from typing import Any, Final

import grpc
from cavra.delivery.v1 import delivery_pb2
from cavra_verify.kinds import PRODUCT
from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import PlainTextResponse, Response
from grpc_health.v1 import health_pb2

from cavra_gateway.docs import answering
from cavra_gateway.http import OpenRoute, Route, answer
from cavra_gateway.reports import report
from cavra_gateway.services import NAMES
from cavra_gateway.session import Gateway, Me

API_VERSION: Final = "v1"

public = APIRouter(route_class=OpenRoute, tags=["public"])
router = APIRouter(route_class=Route, tags=["console"])

_TEXT: Final = {"type": "string"}
_STATES: Final = {"type": "object", "additionalProperties": _TEXT}
_METRICS: Final = 'cavra_gateway_authentication_failures_total{reason="invalid_token"} 0.0\n'
_HEALTH: Final = {
    "type": "object",
    "properties": {
        "status": {"type": "string", "enum": ["ok", "degraded"]},
        "product": {"const": PRODUCT},
        "services": {**_STATES, "example": dict.fromkeys(NAMES, "ok")},
    },
    "required": ["status", "product", "services"],
}
_VERSION: Final = {
    "type": "object",
    "properties": {
        "product": {"const": PRODUCT},
        "version": {"type": "string", "examples": [version("cavra-gateway")]},
        "api": {"const": API_VERSION},
    },
    "required": ["product", "version", "api"],
}
_CONSOLE: Final = {
    "type": "object",
    "properties": {
        "product": {"const": PRODUCT},
        "metadata_mode": {"type": "string", "examples": ["service"]},
        "endpoints": _STATES,
        "connector_delivery": {"anyOf": [{"type": "object"}, {"type": "null"}]},
        "sources": _STATES,
    },
    "required": ["product", "metadata_mode", "endpoints", "connector_delivery", "sources"],
}


@public.get("/health", **answering("get_health", _HEALTH, otherwise={503: "A service does not serve."}))
async def get_health(request: Request) -> Response:
    """Whether every service serves: 200 only then, else 503 with the same shape."""
    gateway: Gateway = request.app.state.gateway
    states = await asyncio.gather(*(_probe(gateway, name) for name in NAMES))
    serving = all(state == "ok" for state in states)
    document = {
        "status": "ok" if serving else "degraded",
        "product": PRODUCT,
        "services": dict(zip(NAMES, states, strict=True)),
    }
    response = answer(document)
    if not serving:
        response.status_code = 503
        response.headers["retry-after"] = "1"
    return response


@public.get("/version", **answering("get_version", _VERSION))
async def get_version() -> Response:
    """What runs here."""
    return answer({"product": PRODUCT, "version": version("cavra-gateway"), "api": API_VERSION})


@router.get(
    "/metrics",
    operation_id="get_metrics",
    response_class=PlainTextResponse,
    responses={200: {"content": {"text/plain": {"schema": _TEXT, "example": _METRICS}}}},
)
async def get_metrics(me: Me) -> Response:
    """Counters of this gateway in Prometheus' text format: failed logins, and requests over a limit. For auditors."""
    return PlainTextResponse(me.gateway.limits.metrics())


@router.get("/console/config", **answering("get_console_config", _CONSOLE))
async def get_console_config(me: Me, request: Request) -> Response:
    """Where everything is, and which connectors can be used; never a secret."""
    listed = await me.read(me.services.delivery.ListConnectors, delivery_pb2.ListConnectorsRequest())
    told = None if listed is None else report(listed)
    return answer(
        {
            "product": PRODUCT,
            "metadata_mode": me.gateway.settings.metadata_mode,
            "endpoints": _endpoints(request.app),
            "connector_delivery": None
            if told is None
            else {
                "providers": [one["name"] for one in told["connectors"] if one["enabled"]],
                "connectors": told["connectors"],
                "file_problem": told["file_problem"],
            },
            "sources": {"delivery": "ok" if listed is not None else "unavailable"},
        }
    )


def _endpoints(app: FastAPI) -> dict[str, str]:
    """Operation id -> path of every route."""
    items = app.openapi()["paths"].items()
    return {operation["operationId"]: path for path, item in items for operation in item.values()}


async def _probe(gateway: Gateway, name: str) -> str:
    try:
        response: Any = await gateway.services.health[name].Check(
            health_pb2.HealthCheckRequest(), timeout=gateway.settings.probe_timeout_seconds
        )
    except grpc.aio.AioRpcError:
        return "unavailable"
    return "ok" if response.status == health_pb2.HealthCheckResponse.SERVING else "unavailable"
