"""The inbox: what waits for somebody, by what they may do about it."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import Visiting

router = APIRouter(route_class=Page)


@router.get("/")
async def inbox(request: Request, visitor: Visiting) -> Response:
    """What waits."""
    return page(request, "inbox.html")
