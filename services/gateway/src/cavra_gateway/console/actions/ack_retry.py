"""Ack Retry: a reviewer's word on planned retries, one or many at once."""

from typing import Any, Final

from cavra_service.errors import Refused
from fastapi import APIRouter, Request
from fastapi.responses import Response

from cavra_gateway import bodies
from cavra_gateway.console import reads
from cavra_gateway.console.acting import Result, Told, attempted, part_key, result, shown, summed
from cavra_gateway.console.forms import EMPTY, Form, Problem, body_of
from cavra_gateway.console.navigation import FLOW
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import PATH, Visiting, Visitor
from cavra_gateway.routes import retry

router = APIRouter(route_class=Page)

_ENTRY: Final = FLOW[2]
_NOTHING_CHOSEN: Final = Refused("invalid_value", "choose at least one retry", "item")


@router.get("/ack-retry")
async def ack_retry_page(
    request: Request, visitor: Visiting, plan: str = "", delivery_id: str = ""
) -> Response:
    """The form, with what one came for already chosen."""
    return await _show(request, visitor, plan=plan, delivery_id=delivery_id)


@router.post("/ack-retry")
async def ack_retry(request: Request, visitor: Visiting) -> Response:
    """Do it, for each that was chosen."""
    form: Form = request.state.form
    told: list[Told] = []
    for key in reads.chosen_keys(form.texts("item")):
        answer = await attempted(lambda key=key: _acknowledge(visitor, form, key))  # type: ignore[misc]
        if isinstance(answer, Problem):
            if not told:
                return await _show(request, visitor, form, answer)
            told.append(Told("bad", f"{key['provider']}: {answer.title}", answer.message))
            continue
        told.append(Told("ok", _title(answer["acknowledgement"]), envelope=answer["metadata"]))
    if not told:
        return await _show(request, visitor, form, Problem(_NOTHING_CHOSEN))
    tone, title = summed(told, "acknowledged")
    following = [("Plan their approval", f"{PATH}/plan-retry-approval"), ("Inbox", f"{PATH}/")]
    return result(request, _ENTRY, Result(tone, title, "Nothing was sent.", told, following))


async def _acknowledge(visitor: Visitor, form: Form, key: Any) -> Response:
    values = {name: key[name] for name in ("provider", "delivery_id", "audit_id")}
    for name in ("acknowledgement_state", "external_ref", "notes"):
        values[name] = form.text(name)
    body = body_of(bodies.AcknowledgeRetryBody, values)
    session = visitor.acting(_ENTRY.operation, part_key(form, *key.values()))
    return await retry.acknowledge_retry(session, key["retry_plan_id"], body)


def _title(acknowledgement: dict[str, Any]) -> str:
    return f"{acknowledgement['provider']}: {acknowledgement['acknowledgement_state']}"


async def _show(
    request: Request,
    visitor: Visitor,
    form: Form = EMPTY,
    problem: Problem | None = None,
    plan: str = "",
    delivery_id: str = "",
) -> Response:
    work = await reads.work(visitor)
    items = work.at("acknowledge", "plan_approval", "decide")
    chosen = set(form.texts("item"))
    if not chosen:
        waiting = [one for one in items if reads.step_of(one) == "acknowledge"]
        came_for = [
            one
            for one in items
            if (plan and one.retry_plan_id == plan and one in waiting)
            or (delivery_id and one.delivery_id == delivery_id)
        ]
        chosen = {reads.key_text(one) for one in came_for or (waiting if len(waiting) == 1 else [])}
    return shown(
        request,
        "ack_retry.html",
        _ENTRY,
        visitor,
        form,
        problem,
        about=items,
        items=items,
        chosen=chosen,
        key_text=reads.key_text,
        step_of=reads.step_of,
        omitted=work.omitted,
    )
