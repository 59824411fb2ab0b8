"""Live updates: what changes, as server-sent events, one stream per browser."""

from collections.abc import AsyncIterator
from typing import Annotated, Final

from cavra_service.errors import role_required
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from cavra_gateway.access import ROLES
from cavra_gateway.console.live_feed import Feed
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import Visiting, Visitor

router = APIRouter(route_class=Page)

_RETRY: Final = "retry: 500\n\n"
"""Milliseconds after which a browser that lost the stream asks again."""
_HEARTBEAT: Final = ": still here\n\n"


@router.get("/live/events")
async def live_events(
    request: Request, visitor: Visiting, after: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """Events `change`: which kinds of records came, of which traces, and which services answer. Resumes after `Last-Event-ID`, or `after`.

    No record's content is in it: what is shown is read anew, by whoever shows it.
    """
    if not visitor.may("get_history"):
        raise role_required(ROLES["get_history"])
    feed: Feed = request.app.state.feed
    feed.admit()
    seen = request.headers.get("last-event-id", "")[:200] or after
    headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
    return StreamingResponse(_events(feed, visitor, seen), headers=headers, media_type="text/event-stream")


@router.get("/live/session")
async def live_session(visitor: Visiting) -> Response:
    """Nothing, for who is signed in; others are led to sign in. A script asks when its stream was refused."""
    return Response(status_code=204)


async def _events(feed: Feed, visitor: Visitor, seen: str) -> AsyncIterator[str]:
    yield _RETRY
    async for message in feed.follow(visitor.session, seen):
        yield _HEARTBEAT if message is None else message.text()
