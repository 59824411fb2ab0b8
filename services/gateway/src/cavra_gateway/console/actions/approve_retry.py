"""Approve Retry: consent to exactly one attempt, named by its digest; or deny, defer, revoke it, or say that it came too late."""

from typing import Any, Final
from urllib.parse import urlencode

from cavra_service.errors import Refused
from fastapi import APIRouter, Request
from fastapi.responses import Response

from cavra_gateway import bodies
from cavra_gateway.console import reads
from cavra_gateway.console.acting import Result, Told, attempted, part_key, result, shown, summed
from cavra_gateway.console.forms import EMPTY, Form, Problem, body_of
from cavra_gateway.console.navigation import FLOW
from cavra_gateway.console.route import Page
from cavra_gateway.console.sends import places
from cavra_gateway.console.session import PATH, Visiting, Visitor
from cavra_gateway.routes import retry

router = APIRouter(route_class=Page)

_ENTRY: Final = FLOW[4]
_NAMES: Final = ("approval_plan_id", "item_digest", "delivery_id", "audit_id", "provider")
_DONE: Final = {
    "approved": "approved",
    "denied": "denied",
    "deferred": "deferred",
    "expired": "ended as expired",
    "revoked": "revoked",
}


def decided_on(item: Any) -> str:
    """Names an item in the form, with the digest that the approver sees."""
    return " ".join(getattr(item, name) for name in _NAMES)


@router.get("/approve-retry")
async def approve_retry_page(
    request: Request, visitor: Visiting, delivery_id: str = "", provider: str = ""
) -> Response:
    """What may be decided on; or one item alone."""
    return await _show(request, visitor, one=(delivery_id, provider))


@router.post("/approve-retry")
async def approve_retry(request: Request, visitor: Visiting) -> Response:
    """Decide, on each that was chosen, by the digest that was shown."""
    form: Form = request.state.form
    one = (form.text("one_delivery_id"), form.text("one_provider"))
    told: list[Told] = []
    for text in form.texts("item"):
        parts = text.split(" ")
        if len(parts) != len(_NAMES):
            continue
        key = dict(zip(_NAMES, parts, strict=True))
        answer = await attempted(lambda key=key: _decide(visitor, form, key))  # type: ignore[misc]
        if isinstance(answer, Problem):
            if not told:
                return await _show(request, visitor, form, answer, one)
            told.append(Told("bad", f"{key['provider']}: {answer.title}", answer.message))
            continue
        decision = answer["decision"]
        state = f"{decision['provider']}: {decision['approval_state']}. The item is {decision['item_state']}."
        told.append(Told("ok", state, f"Digest {decision['item_digest']}", answer["metadata"]))
    if not told:
        nothing = Problem(Refused("invalid_value", "choose at least one item", "item"))
        return await _show(request, visitor, form, nothing, one)
    tone, title = summed(told, _DONE.get(form.text("approval_state"), "decided"))
    following = [("Execute what is approved", f"{PATH}/execute-retry"), ("Inbox", f"{PATH}/")]
    return result(request, _ENTRY, Result(tone, title, "Nothing was sent.", told, following))


async def _decide(visitor: Visitor, form: Form, key: dict[str, str]) -> Response:
    values = {name: key[name] for name in ("provider", "delivery_id", "audit_id", "item_digest")}
    for name in ("approval_state", "external_ref", "notes"):
        values[name] = form.text(name)
    body = body_of(bodies.DecideBody, values)
    session = visitor.acting(_ENTRY.operation, part_key(form, *key.values()))
    return await retry.decide_approval(session, key["approval_plan_id"], body)


async def _show(
    request: Request,
    visitor: Visitor,
    form: Form = EMPTY,
    problem: Problem | None = None,
    one: tuple[str, str] = ("", ""),
) -> Response:
    work = await reads.work(visitor)
    delivery_id, provider = one
    items = work.at("decide", "execute") if delivery_id else work.at("decide")
    if delivery_id:
        items = [
            item
            for item in items
            if item.delivery_id == delivery_id and (not provider or item.provider == provider)
        ]
    may = [item for item in items if not item.refusal]
    chosen = set(form.texts("item")) or {
        decided_on(item) for item in (items if delivery_id else may) if len(may) == 1 or delivery_id
    }
    approved = [] if delivery_id else work.at("execute")
    asked = urlencode({"delivery_id": delivery_id, "provider": provider}) if delivery_id else ""
    return shown(
        request,
        "approve_retry.html",
        _ENTRY,
        visitor,
        form,
        problem,
        about=reads.facts([*items, *approved]),
        fresh=asked and f"{_ENTRY.href}?{asked}",
        items=items,
        approved=approved,
        places=await places(visitor.session, items),
        addresses=await reads.addresses(visitor),
        chosen=chosen,
        one=delivery_id,
        one_provider=provider,
        decided_on=decided_on,
        step_of=reads.step_of,
        omitted=work.omitted,
    )
