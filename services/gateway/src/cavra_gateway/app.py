"""The HTTP application: routes, errors, and who may call from elsewhere."""

from importlib.metadata import version

from cavra_service.errors import Refused
from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import RedirectResponse, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match, Mount
from starlette.types import Scope

from cavra_gateway.console.app import create_console
from cavra_gateway.console.session import PATH
from cavra_gateway.docs import describe
from cavra_gateway.http import HeadAsGet
from cavra_gateway.problems import problem
from cavra_gateway.routes import delivery, evidence, log, recovery, retry, system, trace
from cavra_gateway.session import Gateway

_ABOUT = """From a failed audit delivery to a closed recovery: reviewed, approved, executed once, recorded.

Every call but `/health`, `/version` and these pages takes a bearer token. Errors are `application/problem+json` with a reason code and the
field; what is refused writes nothing."""


def create_app(gateway: Gateway) -> FastAPI:
    """The application over `gateway`."""
    app = FastAPI(
        title="CAVRA",
        version=version("cavra-gateway"),
        description=_ABOUT,
        redoc_url=None,
        redirect_slashes=False,
        strict_content_type=False,
    )
    app.state.gateway = gateway
    for router in (
        delivery.router,
        retry.router,
        recovery.router,
        evidence.router,
        trace.router,
        log.router,
        system.router,
        system.public,
    ):
        app.include_router(router)
    app.add_api_route(
        PATH, lambda: RedirectResponse(PATH + "/"), include_in_schema=False, response_model=None
    )
    console = create_console(gateway)
    app.state.feed = console.state.feed
    app.router.routes.append(_Console(PATH, console))
    app.add_exception_handler(HTTPException, _unrouted)
    app.add_middleware(HeadAsGet)
    if gateway.settings.cors_allowed_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(gateway.settings.cors_allowed_origins),
            allow_methods=["GET", "POST"],
            allow_headers=["authorization", "content-type", "idempotency-key"],
        )
    describe(app)
    return app


class _Console(Mount):
    """The console below its path, save for the one path there that is the API's: with any method."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """As of any mount, else."""
        is_of_api = scope["path"] == f"{scope.get('root_path', '')}{PATH}/config"
        return (Match.NONE, {}) if is_of_api else super().matches(scope)


async def _unrouted(request: Request, error: Exception) -> Response:
    """What no route took."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    if status == 405:
        response = problem(Refused("method_not_allowed", "the path does not take this method"))
        response.headers.update((error.headers if isinstance(error, HTTPException) else None) or {})
        return response
    if status == 404:
        return problem(Refused("unknown_path", "there is nothing at this path"))
    return problem(Refused("invalid_body", "the body could not be read"))
