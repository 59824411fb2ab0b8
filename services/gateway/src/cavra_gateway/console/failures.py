"""Every open failure, page by page: the inbox sorts the oldest ones by what they wait for, and this lists the rest, too."""

from typing import Annotated, Any, Final
from urllib.parse import urlencode

from cavra.delivery.v1 import delivery_pb2
from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from cavra_gateway.console import reads
from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import PATH, Visiting

router = APIRouter(route_class=Page)

_PAGE: Final = 100

Text = Annotated[str, Query(max_length=256)]


@router.get("/failures")
async def failures_page(
    request: Request, visitor: Visiting, provider: Text = "", page_token: Text = ""
) -> Response:
    """Open failures, oldest first."""
    provider, session = provider.strip().lower(), visitor.session
    asked = delivery_pb2.ListFailuresRequest(page_size=_PAGE, page_token=page_token, provider=provider)
    found = await session.call(session.services.delivery.ListFailures, asked)
    work = await reads.unless_down(reads.work(visitor))
    steps = {_key(one): reads.step_of(one) for one in work.items} if work else {}
    return page(
        request,
        "failures.html",
        rows=[(one, steps.get(_key(one.key), "")) for one in found.failures],
        total=found.total,
        provider=provider,
        sorted_=work.items if work else None,
        first=_address(provider) if page_token else "",
        following=_address(provider, found.next_page_token) if found.next_page_token else "",
    )


def _key(one: Any) -> tuple[str, str, str]:
    return one.delivery_id, one.audit_id, one.provider


def _address(provider: str, page_token: str = "") -> str:
    asked = {name: text for name, text in (("provider", provider), ("page_token", page_token)) if text}
    return f"{PATH}/failures" + (f"?{urlencode(asked)}" if asked else "")
