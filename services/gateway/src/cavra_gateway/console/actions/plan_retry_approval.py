"""Plan Retry Approval: open what was acknowledged for approval, each failure with its digest."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from cavra_gateway import bodies
from cavra_gateway.console import reads
from cavra_gateway.console.acting import Result, Told, attempted, shown
from cavra_gateway.console.forms import EMPTY, Form, Problem, body_of
from cavra_gateway.console.navigation import FLOW
from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import PATH, Visiting, Visitor
from cavra_gateway.routes import retry

router = APIRouter(route_class=Page)

_ENTRY: Final = FLOW[3]
_POLICY: Final = ("required_approvals", "expires_in_minutes")
_FLAGS: Final = ("require_retry_ack", "separation_of_duties")


@router.get("/plan-retry-approval")
async def plan_retry_approval_page(request: Request, visitor: Visiting) -> Response:
    """The form."""
    return await _show(request, visitor)


@router.post("/plan-retry-approval")
async def plan_retry_approval(request: Request, visitor: Visiting) -> Response:
    """Do it."""
    form: Form = request.state.form

    async def command() -> Response:
        policy = {name: form.text(name) for name in _POLICY}
        # A box that is ticked asks for the duty; one that is not leaves it to the installation.
        policy |= {name: "true" for name in _FLAGS if name in form}
        body = body_of(bodies.PlanApprovalBody, {"approval_policy": policy})
        return await retry.plan_approval(visitor.acting(_ENTRY.operation, form.key), body)

    answer = await attempted(command)
    if isinstance(answer, Problem):
        return await _show(request, visitor, form, answer)
    return page(request, "approval_plan.html", entry=_ENTRY, result=_result(answer), plan=answer["plan"])


def _result(answer: dict[str, Any]) -> Result:
    plan = answer["plan"]
    counts = ("approval_required_count", "waiting_count", "approved_count")
    to_decide, waiting, approved = (plan[name] for name in counts)
    text = f"{to_decide} to decide, {waiting} waiting, {approved} approved already. Nothing was sent."
    following = [("See what is to be approved", f"{PATH}/approve-retry"), ("Inbox", f"{PATH}/")]
    return Result(
        "ok", "Approval planned", text, [Told("ok", "Recorded", envelope=answer["metadata"])], following
    )


async def _show(
    request: Request, visitor: Visitor, form: Form = EMPTY, problem: Problem | None = None
) -> Response:
    work = await reads.work(visitor)
    return shown(request, "plan_retry_approval.html", _ENTRY, visitor, form, problem, **reads.whole(work))
