"""How a request becomes a page: signed in, guarded against other sites' forms, and every error told kindly."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import quote

import structlog
from cavra_service.errors import REASONS, Refused
from cavra_service.server import refusal
from fastapi import Request
from fastapi.exceptions import HTTPException, RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute

from cavra_gateway.console.advice import ADVICE
from cavra_gateway.console.forms import Form, read_form
from cavra_gateway.console.render import page
from cavra_gateway.console.session import PATH, SignedOutError, check_csrf, check_origin, visitor_of
from cavra_gateway.problems import of_validation

log = structlog.get_logger()

HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
        " form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


class OpenPage(APIRoute):
    """A page for anybody. A form must come from one of our own pages."""

    def get_route_handler(self) -> Callable[[Request], Awaitable[Response]]:  # type: ignore[override]
        """See APIRoute."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                response = await self.prepared(request) or await handle(request)
            except HTTPException:
                raise
            except SignedOutError as signed_out:
                response = _to_sign_in(request, signed_out)
            except asyncio.CancelledError:
                response = told(request, Refused("service_unavailable", "the gateway is stopping"))
            except RequestValidationError as error:
                response = told(request, of_validation(error.errors()))
            except Exception as error:
                refused = refusal(error)
                if refused.reason == "internal":
                    log.error("page_failed", path=self.path, error=type(error).__name__, exc_info=error)
                response = told(request, refused)
            return guarding(response)

        return guarded

    async def prepared(self, request: Request) -> Response | None:
        """What comes before the page; an answer in its place, if any."""
        if request.method == "POST":
            check_origin(request)
            request.state.form = await read_form(request)
        return None


class Page(OpenPage):
    """A page for those who are signed in."""

    async def prepared(self, request: Request) -> Response | None:
        """See OpenPage."""
        visitor = request.state.visitor = await visitor_of(request)
        await super().prepared(request)
        if request.method == "POST":
            form: Form = request.state.form
            check_csrf(visitor, form.text("csrf"))
        return None


def guarding(response: Response) -> Response:
    """`response` with what browsers are told to keep to."""
    response.headers.update(HEADERS)
    response.headers.setdefault("cache-control", "no-store")
    return response


def told(request: Request, refused: Refused) -> Response:
    """A page that says why there is no other."""
    response = page(
        request,
        "problem.html",
        status=refused.http_status,
        problem=refused,
        title=REASONS[refused.reason][2],
        advice=ADVICE.get(refused.reason, ""),
    )
    if refused.http_status in (429, 503):
        response.headers["retry-after"] = "1"
    return response


def _to_sign_in(request: Request, signed_out: SignedOutError) -> Response:
    """To the sign-in page, and from there back to where one was."""
    if "text/event-stream" in request.headers.get("accept", ""):
        return Response(status_code=401)  # A stream can't become a page: whoever reads it asks what to do.
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    why = "&expired=1" if signed_out.expired else ""
    target = f"{PATH}/sign-in?next={quote(back, safe='')}{why}"
    if request.headers.get("hx-request"):
        # A part of a page can't become the sign-in page: the whole page goes there.
        current = request.headers.get("hx-current-url", "")
        return Response(
            status_code=204, headers={"hx-redirect": target if not current else _whole(current, why)}
        )
    return RedirectResponse(target, 303)


def _whole(current: str, why: str) -> str:
    path = current.split("//", 1)[-1].partition("/")[2]
    return f"{PATH}/sign-in?next={quote('/' + path, safe='')}{why}"
