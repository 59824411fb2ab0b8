"""Deliver Audit: pack the routes that match, send the package to connectors."""

from typing import Any, Final
from urllib.parse import urlencode

from cavra.delivery.v1 import delivery_pb2
from fastapi import APIRouter, Request
from fastapi.responses import Response

from cavra_gateway import bodies
from cavra_gateway.console import reads
from cavra_gateway.console.acting import Result, Told, attempted, result, shown
from cavra_gateway.console.forms import EMPTY, Form, Problem, body_of
from cavra_gateway.console.navigation import FLOW
from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import PATH, Visiting, Visitor
from cavra_gateway.fields import lower
from cavra_gateway.routes import delivery

router = APIRouter(route_class=Page)

_ENTRY: Final = FLOW[0]
_ROUTES: Final = 500
"""Routes that are looked at to say how many a package would hold."""


@router.get("/deliver-audit")
async def deliver_audit_page(request: Request, visitor: Visiting) -> Response:
    """The form."""
    return await _show(request, visitor, Form(request.query_params.multi_items()))


@router.get("/deliver-audit/effect")
async def deliver_audit_effect(request: Request, visitor: Visiting) -> Response:
    """What the form would do as it is filled in now."""
    form = Form(request.query_params.multi_items())
    return page(request, "parts/deliver_audit_effect.html", **await _effect(visitor, form))


@router.post("/deliver-audit")
async def deliver_audit(request: Request, visitor: Visiting) -> Response:
    """Do it."""
    form: Form = request.state.form

    async def command() -> Response:
        names = ("schedule_id", "provider", "owner", "cadence", "schedule_ref", "retries", "timeout_seconds")
        values = {name: form.text(name) for name in names}
        values["delivery_provider"] = ",".join(form.texts("delivery_provider"))
        body = body_of(bodies.DeliverAuditBody, values)
        return await delivery.deliver_audit(visitor.acting(_ENTRY.operation, form.key), body)

    answer = await attempted(command)
    if isinstance(answer, Problem):
        return await _show(request, visitor, form, answer)
    return result(request, _ENTRY, _result(answer))


def _result(answer: dict[str, Any]) -> Result:
    plan = answer["delivery_plan"]["delivery_id"]
    told = [
        Told("ok" if sent["success"] else "bad", sent["provider"], _sent(sent))
        for sent in (answer["delivery"] or {"deliveries": []})["deliveries"]
    ]
    written = (answer["audit_metadata"], answer["plan_metadata"], answer["metadata"])
    told += [Told("ok", "Recorded", envelope=one) for one in written if one is not None]
    failed = [("Plan its retry", f"{PATH}/plan-audit-retry"), ("Back to the inbox", f"{PATH}/")]
    if answer["success"]:
        return Result("ok", "Delivered", "Every connector took the package.", told, [("Inbox", f"{PATH}/")])
    text = f"Not every connector took the package of {plan}. Nobody resends it by itself: its retry is reviewed and approved."
    return Result("warn", "Delivery failed", text, told, failed)


def _sent(sent: dict[str, Any]) -> str:
    code = f"HTTP {sent['status_code']}" if sent["status_code"] else "no answer"
    tries = "1 try" if sent["attempt_count"] == 1 else f"{sent['attempt_count']} tries"
    return f"{code} after {tries}. {(sent['error'] or '').replace('_', ' ').capitalize()}"


async def _show(
    request: Request, visitor: Visitor, form: Form = EMPTY, problem: Problem | None = None
) -> Response:
    effect = await _effect(visitor, form)
    del effect["form"]
    about = [[[one.name, one.ready, one.reason] for one in effect["connectors"]], *effect["routes"]]
    asked = [(name, form.text(name)) for name in ("schedule_id", "provider", "owner") if form.text(name)]
    fresh = f"{_ENTRY.href}?{urlencode(asked)}"
    return shown(
        request, "deliver_audit.html", _ENTRY, visitor, form, problem, about=about, fresh=fresh, **effect
    )


async def _effect(visitor: Visitor, form: Form) -> dict[str, Any]:
    found, asked = await reads.connectors(visitor), form.texts("delivery_provider")
    session = visitor.session
    answer = await session.call(
        session.services.delivery.ListRoutes,
        delivery_pb2.ListRoutesRequest(
            schedule_id=form.text("schedule_id").strip(),
            provider=lower(form.text("provider")),
            category=delivery_pb2.ROUTE_CATEGORY_DELIVER,
            limit=_ROUTES,
        ),
    )
    owner = form.text("owner").strip().lower()
    matching = [route for route in answer.routes if owner in route.owner.lower()]
    enabled = [one for one in found if one.enabled]
    return {
        "connectors": enabled,
        "targets": [one for one in enabled if not asked or one.name in asked],
        "routes": matching,
        "route_count": answer.total if not owner else len(matching),
        "counted": not owner or answer.total <= _ROUTES,
        "chosen": asked,
        "form": form,
    }
