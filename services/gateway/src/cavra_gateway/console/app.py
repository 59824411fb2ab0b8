"""The console's application: pages, static files, what is shared, in one place."""

from contextlib import suppress
from typing import Final

from cavra_service.errors import Refused
from cavra_service.sealing import Sealer
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from cavra_gateway.console import actions, dashboard, failures, history, inbox, live, oidc, signin, trace
from cavra_gateway.console.dashboard_reads import Counts
from cavra_gateway.console.live_feed import Feed
from cavra_gateway.console.redeemed import Redeemed
from cavra_gateway.console.render import environment
from cavra_gateway.console.route import guarding, told
from cavra_gateway.console.session import SignedOutError, visitor_of
from cavra_gateway.console.static import Assets
from cavra_gateway.session import Gateway

ROUTERS: Final = (
    signin.router,
    oidc.router,
    inbox.router,
    failures.router,
    *actions.ROUTERS,
    trace.router,
    live.router,
    history.router,
    dashboard.router,
)
"""Each topic's pages."""


def create_console(gateway: Gateway) -> FastAPI:
    """The pages over `gateway`, to be mounted at `session.PATH`."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    assets = Assets()
    app.state.gateway = gateway
    app.state.sealer = Sealer(gateway.settings)
    app.state.provider = {}
    app.state.redeemed = Redeemed(gateway.settings)
    app.state.feed = Feed()
    app.state.counts = Counts()
    app.state.templates = environment()
    app.state.assets = assets
    app.state.pages = frozenset(route.path for router in ROUTERS for route in router.routes)

    @app.get("/static/{version}/{path:path}")
    async def static(request: Request, version: str, path: str) -> Response:
        return guarding(assets.serve(request, version, path))

    for router in ROUTERS:
        app.include_router(router)
    app.add_exception_handler(HTTPException, _unrouted)
    return app


async def _unrouted(request: Request, error: Exception) -> Response:
    """What no page took, told within the menu to who is signed in."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    reason = "method_not_allowed" if status == 405 else "unknown_path"
    with suppress(SignedOutError, Refused):
        request.state.visitor = await visitor_of(request)
    return guarding(told(request, Refused(reason, f"the console has no page at {request.url.path}"[:200])))
