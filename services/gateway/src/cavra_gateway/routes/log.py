"""Each service's log as C2SP tlog-tiles: the signed checkpoint, tiles of hashes, and bundles of entries."""

import asyncio
import gzip
from typing import Annotated, Any, Final

from cavra.evidence.v1 import evidence_pb2 as pb
from cavra_service.client import Caller
from cavra_service.errors import Refused
from cavra_verify.tiles import Tile, TileError, bundled, level_of, numbered
from fastapi import APIRouter, Path, Request
from fastapi.responses import Response

from cavra_gateway.access import PUBLIC_LOG
from cavra_gateway.http import Route
from cavra_gateway.problems import PROBLEM
from cavra_gateway.session import Gateway

_OCTETS: Final = "application/octet-stream"
_TEXT: Final = "text/plain; charset=utf-8"
_GZIP_LEVEL: Final = 5


class LogRoute(Route):
    """A route that takes a token, unless it shows hashes alone and the installation's log is public."""

    async def prepared(self, request: Request) -> Request:
        """See OpenRoute."""
        gateway: Gateway = request.app.state.gateway
        if gateway.settings.public_log and self.name in PUBLIC_LOG:
            request.state.caller = Caller(lambda: "", gateway.settings.call_timeout_seconds)
            return request
        prepared = await super().prepared(request)
        prepared.state.caller = prepared.state.session.caller
        return prepared


router = APIRouter(route_class=LogRoute, tags=["log"])

Service = Annotated[str, Path(description="Whose log: delivery, retry or recovery.")]
Level = Annotated[str, Path(description="Each hash of a tile is the root of 256^level entries; 0 to 63.")]
Number = Annotated[
    str,
    Path(description="The tile in groups of three digits, all but the last behind an x; .p/17 for 17 alone."),
]


def _serving(operation_id: str, media_type: str, example: str) -> dict[str, Any]:
    content = {media_type: {"schema": {"type": "string", "contentMediaType": media_type}, "example": example}}
    missing = {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {
        "operation_id": operation_id,
        "response_class": Response,
        "responses": {
            200: {"description": "Successful Response", "content": content},
            404: {"description": "No such log, or nothing there yet.", "content": missing},
        },
    }


_CHECKPOINT: Final = "cavra.local/retry\n1\nO1kKYkVx0ylXb0vGwyE4LxHwZ4vPnc0zEJ1qF2ZPp9Q=\n\n\u2014 cavra.local/retry AAAAAA==\n"


@router.get("/log/{service}/checkpoint", **_serving("get_log_checkpoint", _TEXT, _CHECKPOINT))
async def get_log_checkpoint(request: Request, service: Service) -> Response:
    """The log's signed head (C2SP tlog-checkpoint), at most one second or 64 records behind."""
    signed = await _ask(request, service, "GetCheckpoint", pb.GetCheckpointRequest(published=True))
    headers = {"cache-control": f"{_shared(request)}, max-age=1"}
    return Response(signed.note, headers=headers, media_type=_TEXT)


@router.get("/log/{service}/tile/entries/{number:path}", **_serving("get_log_entries", _OCTETS, ""))
async def get_log_entries(request: Request, service: Service, number: Number) -> Response:
    """Up to 256 records' canonical bytes, each behind its length (uint16). For auditors."""
    tile = _tile("0", number)
    asked = pb.GetEntriesRequest(index=tile.index, width=tile.width)
    found = await _ask(request, service, "GetEntries", asked)
    bundle = bundled(list(found.entries))
    headers = {
        "vary": "accept-encoding, authorization",
        "cache-control": "private, max-age=31536000, immutable",
    }
    if "gzip" in request.headers.get("accept-encoding", ""):
        bundle = await asyncio.to_thread(gzip.compress, bundle, _GZIP_LEVEL, mtime=0)
        headers["content-encoding"] = "gzip"
    return Response(bundle, headers=headers, media_type=_OCTETS)


@router.get("/log/{service}/tile/{level}/{number:path}", **_serving("get_log_tile", _OCTETS, ""))
async def get_log_tile(request: Request, service: Service, level: Level, number: Number) -> Response:
    """Up to 256 hashes of 32 bytes. `number` is C2SP's, e.g. `x001/234`, with `.p/17` for the first 17 of a tile."""
    tile = _tile(level, number)
    asked = pb.GetTileRequest(level=tile.level, index=tile.index, width=tile.width)
    found = await _ask(request, service, "GetTile", asked)
    headers = {"cache-control": f"{_shared(request)}, max-age=31536000, immutable"}
    return Response(found.hashes, headers=headers, media_type=_OCTETS)


def _tile(level: str, number: str) -> Tile:
    try:
        return numbered(number, level_of(level))
    except TileError as error:
        raise Refused("unknown_tile", str(error)) from None


def _shared(request: Request) -> str:
    """Whether a cache between may keep an answer for others."""
    return "public" if request.app.state.gateway.settings.public_log else "private"


async def _ask(request: Request, service: str, method: str, message: Any) -> Any:
    gateway: Gateway = request.app.state.gateway
    log = gateway.services.logs.get(service)
    if log is None:
        raise Refused("unknown_log", "no such log", "service")
    return await request.state.caller.unary(getattr(log, method), message)
