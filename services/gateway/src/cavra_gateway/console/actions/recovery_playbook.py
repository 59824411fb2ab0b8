"""Recovery Playbook: which connectors keep failing, and how to recover each."""

from typing import Any, Final
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response

from cavra_gateway import bodies
from cavra_gateway.console import reads
from cavra_gateway.console.acting import Result, Told, attempted, shown
from cavra_gateway.console.forms import Form, Problem, body_of
from cavra_gateway.console.navigation import FLOW
from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import PATH, Visiting, Visitor
from cavra_gateway.routes import recovery

router = APIRouter(route_class=Page)

_ENTRY: Final = FLOW[6]
_FIELDS: Final = ("min_failure_count", "lookback_hours")


@router.get("/recovery-playbook")
async def recovery_playbook_page(request: Request, visitor: Visiting) -> Response:
    """The form."""
    return await _show(request, visitor, Form(request.query_params.multi_items()))


@router.get("/recovery-playbook/effect")
async def recovery_playbook_effect(request: Request, visitor: Visiting) -> Response:
    """Which connectors the playbook would name as the form is filled in now."""
    form = Form(request.query_params.multi_items())
    return page(request, "parts/recovery_playbook_effect.html", **await _effect(visitor, form))


@router.post("/recovery-playbook")
async def recovery_playbook(request: Request, visitor: Visiting) -> Response:
    """Do it."""
    form: Form = request.state.form

    async def command() -> Response:
        body = body_of(bodies.PlaybookBody, {name: form.text(name) for name in _FIELDS})
        return await recovery.create_playbook(visitor.acting(_ENTRY.operation, form.key), body)

    answer = await attempted(command)
    if isinstance(answer, Problem):
        return await _show(request, visitor, form, answer)
    return page(request, "playbook.html", entry=_ENTRY, result=_result(answer), playbook=answer["playbook"])


def _result(answer: dict[str, Any]) -> Result:
    playbook, told = answer["playbook"], [Told("ok", "Recorded", envelope=answer["metadata"])]
    if not playbook["provider_count"]:
        text = "No connector failed often enough. The empty playbook is recorded too."
        return Result("ok", "Nothing to recover", text, told, [("Inbox", f"{PATH}/")])
    count = playbook["provider_count"]
    title = f"Playbook for {count} {'connector' if count == 1 else 'connectors'}"
    return Result("ok", title, "", told, [("Inbox", f"{PATH}/")])


async def _show(request: Request, visitor: Visitor, form: Form, problem: Problem | None = None) -> Response:
    effect = await _effect(visitor, form)
    fresh = f"{_ENTRY.href}?{urlencode({'lookback_hours': effect['hours']})}"
    return shown(
        request,
        "recovery_playbook.html",
        _ENTRY,
        visitor,
        form,
        problem,
        about=effect["failing"],
        fresh=fresh,
        **effect,
    )


async def _effect(visitor: Visitor, form: Form) -> dict[str, Any]:
    try:
        body = body_of(bodies.PlaybookBody, {name: form.text(name) for name in _FIELDS})
    except Exception:
        return {"failing": None, "least": 0, "hours": 0}
    failing = await reads.failing(visitor, body.lookback_hours)
    return {"failing": failing, "least": body.min_failure_count, "hours": body.lookback_hours}
