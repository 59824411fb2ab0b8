"""Resolve an unknown outcome: what the receiver says of a retry whose answer never came."""

from typing import Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from cavra_gateway import bodies
from cavra_gateway.console import reads
from cavra_gateway.console.acting import Result, Told, attempted, result, shown
from cavra_gateway.console.forms import EMPTY, Form, Problem, body_of
from cavra_gateway.console.navigation import Entry
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import PATH, Visiting, Visitor
from cavra_gateway.routes import retry

router = APIRouter(route_class=Page)

_ENTRY: Final = Entry("Resolve unknown outcome", "/resolve-unknown", "info", "resolve_execution")


@router.get("/resolve-unknown")
async def resolve_unknown_page(request: Request, visitor: Visiting, execution_id: str = "") -> Response:
    """The form for one execution."""
    return await _show(request, visitor, execution_id)


@router.post("/resolve-unknown")
async def resolve_unknown(request: Request, visitor: Visiting) -> Response:
    """Do it."""
    form: Form = request.state.form
    execution_id = form.text("execution_id")

    async def command() -> Response:
        values = {name: form.text(name) for name in ("outcome", "external_ref", "notes")}
        body = body_of(bodies.ResolveBody, values)
        return await retry.resolve_execution(visitor.acting(_ENTRY.operation, form.key), execution_id, body)

    answer = await attempted(command)
    if isinstance(answer, Problem):
        return await _show(request, visitor, execution_id, form, answer)
    delivered = answer["resolution"]["outcome"] == "delivered"
    text = "Its failure is closed." if delivered else "Its failure is open for a next attempt."
    told = [Told("ok", "Recorded", envelope=answer["metadata"])]
    title = "The receiver has it" if delivered else "The receiver does not have it"
    return result(request, _ENTRY, Result("ok", title, text, told, [("Inbox", f"{PATH}/")]))


async def _show(
    request: Request,
    visitor: Visitor,
    execution_id: str,
    form: Form = EMPTY,
    problem: Problem | None = None,
) -> Response:
    waiting = (await reads.work(visitor)).at("resolve")
    item = next((one for one in waiting if one.execution_id == execution_id), None)
    return shown(
        request,
        "resolve_unknown.html",
        _ENTRY,
        visitor,
        form,
        problem,
        about=reads.facts([item] if item else waiting),
        fresh=f"{_ENTRY.href}?{urlencode({'execution_id': execution_id})}",
        item=item,
        waiting=waiting,
        execution_id=execution_id,
    )
