"""Plan Audit Retry: say for each open failure whether it is retried, waits, or is given up."""

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

_ENTRY: Final = FLOW[1]
POLICY: Final = (
    "max_retry_attempts",
    "retry_delay_minutes",
    "backoff_multiplier",
    "allow_immediate_retry",
)
"""Fields of a retry policy."""


@router.get("/plan-audit-retry")
async def plan_audit_retry_page(request: Request, visitor: Visiting) -> Response:
    """The form."""
    return await _show(request, visitor)


@router.post("/plan-audit-retry")
async def plan_audit_retry(request: Request, visitor: Visiting) -> Response:
    """Do it."""
    form: Form = request.state.form

    async def command() -> Response:
        policy = {name: form.text(name) for name in POLICY}
        body = body_of(bodies.PlanRetriesBody, {"retry_policy": policy})
        return await retry.plan_retries(visitor.acting(_ENTRY.operation, form.key), body)

    answer = await attempted(command)
    if isinstance(answer, Problem):
        return await _show(request, visitor, form, answer)
    return page(request, "retry_plan.html", entry=_ENTRY, result=_result(answer), plan=answer["plan"])


def _result(answer: dict[str, Any]) -> Result:
    plan = answer["plan"]
    counts = f"{plan['retryable_count']} to retry, {plan['waiting_count']} waiting, {plan['suppressed_count']} given up."
    following = [("Acknowledge its retries", f"{PATH}/ack-retry?plan={plan['retry_plan_id']}")]
    told = [Told("ok", "Recorded", envelope=answer["metadata"])]
    if not plan["decision_count"]:
        return Result(
            "ok", "Nothing to retry", "No failure is open. The plan says so.", told, [("Inbox", f"{PATH}/")]
        )
    return Result("ok", "Retry planned", counts + " Nothing was sent.", told, following)


async def _show(
    request: Request, visitor: Visitor, form: Form = EMPTY, problem: Problem | None = None
) -> Response:
    work = await reads.work(visitor)
    return shown(request, "plan_audit_retry.html", _ENTRY, visitor, form, problem, **reads.whole(work))
