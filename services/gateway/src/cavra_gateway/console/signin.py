"""Signing in and out: by the link that `cavra api` prints, by a pasted token, or at the identity provider."""

import asyncio
from typing import Any

from cavra_service.errors import Refused
from cavra_service.sealing import HANDOVER, Sealer
from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from cavra_gateway.console.forms import Form, Problem
from cavra_gateway.console.redeemed import Redeemed
from cavra_gateway.console.render import page
from cavra_gateway.console.route import OpenPage
from cavra_gateway.console.session import (
    SignedOutError,
    check_csrf,
    own_path,
    sign_in,
    sign_out,
    visitor_of,
)
from cavra_gateway.session import Gateway, identified

router = APIRouter(route_class=OpenPage)


@router.get("/sign-in")
async def sign_in_page(request: Request, next: str = "", expired: str = "") -> Response:
    """How one may sign in."""
    return sign_in_form(request, own_path(next), expired=bool(expired))


@router.post("/sign-in")
async def sign_in_here(request: Request) -> Response:
    """Take a token, or what a link carried, and remember it in the browser's cookie."""
    form: Form = request.state.form
    target = own_path(form.text("next"))
    try:
        token = await _handed_over(request, form.text("handover")) or form.text("token").strip()
        gateway: Gateway = request.app.state.gateway
        identity = await identified(gateway, request, token)
    except Refused as refused:
        return sign_in_form(request, target, problem=Problem(refused))
    # A page of ours begins what comes next: a cookie that is kept from other sites then goes with it.
    response = RedirectResponse(target, 303)
    sign_in(request, response, token, identity)
    return response


@router.post("/sign-out")
async def sign_out_here(request: Request) -> Response:
    """Forget the token."""
    try:
        visitor = await visitor_of(request)
    except SignedOutError:
        pass
    else:
        check_csrf(visitor, request.state.form.text("csrf"))
    response = RedirectResponse(own_path("") + "sign-in", 303)
    sign_out(request, response)
    return response


async def _handed_over(request: Request, link: str) -> str:
    """The token that a link stands for, once; empty without a link."""
    if not link:
        return ""
    sealer: Sealer = request.app.state.sealer
    redeemed: Redeemed = request.app.state.redeemed
    document = sealer.open(HANDOVER, link)
    if document is None or not await asyncio.to_thread(redeemed.first, document["id"], document["until"]):
        raise Refused("invalid_token", "the link was used before, or is too old: ask for a new one")
    token: str = document["token"]
    return token


def sign_in_form(request: Request, target: str, **context: Any) -> Response:
    """The sign-in page."""
    gateway: Gateway = request.app.state.gateway
    settings = gateway.settings
    problem: Problem | None = context.get("problem")
    return page(
        request,
        "sign_in.html",
        status=problem.status if problem else 200,
        target=target,
        provider=bool(settings.oidc_issuer and settings.oidc_client_id),
        **{"problem": None, "expired": False, **context},
    )
