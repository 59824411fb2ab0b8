"""Execute Retry: a run of the worker; a dry one, or a live one that sends what is approved."""

from typing import Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import Response

from cavra_gateway import bodies
from cavra_gateway.console import reads
from cavra_gateway.console.acting import Result, Told, attempted, shown
from cavra_gateway.console.actions.plan_audit_retry import POLICY
from cavra_gateway.console.forms import Form, Problem, body_of
from cavra_gateway.console.navigation import FLOW
from cavra_gateway.console.render import page
from cavra_gateway.console.route import Page
from cavra_gateway.console.session import PATH, Visiting, Visitor
from cavra_gateway.routes import retry

router = APIRouter(route_class=Page)

_ENTRY: Final = FLOW[5]
_SENDING: Final = ("max_retry_deliveries", "retries", "timeout_seconds")
_TONES: Final = {"delivered": "ok", "failed": "bad", "skipped": "warn", "unknown": "warn"}


@router.get("/execute-retry")
async def execute_retry_page(request: Request, visitor: Visiting) -> Response:
    """The form."""
    return await _show(request, visitor, Form(request.query_params.multi_items()))


@router.get("/execute-retry/effect")
async def execute_retry_effect(request: Request, visitor: Visiting) -> Response:
    """What the run would take as the form is filled in now."""
    form = Form(request.query_params.multi_items())
    return page(request, "parts/execute_retry_effect.html", **await _effect(visitor, form))


@router.post("/execute-retry")
async def execute_retry(request: Request, visitor: Visiting) -> Response:
    """Do it."""
    form: Form = request.state.form

    async def command() -> Response:
        values: dict[str, Any] = {name: form.text(name) for name in _SENDING}
        values["retry_policy"] = {name: form.text(name) for name in POLICY}
        values["provider"] = ",".join(form.texts("provider"))
        values["dry_run"] = "false" if form.text("mode") == "live" else "true"
        body = body_of(bodies.WorkerRunBody, values)
        return await retry.run_worker(visitor.acting(_ENTRY.operation, form.key), body)

    answer = await attempted(command)
    if isinstance(answer, Problem):
        return await _show(request, visitor, form, answer)
    return page(request, "worker_run.html", entry=_ENTRY, result=_result(answer), run=answer["run"])


def _result(answer: dict[str, Any]) -> Result:
    run, told = answer["run"], [_told(one) for one in answer["retry_results"]]
    sent = sum(one.tone == "ok" for one in told)
    told.append(Told("ok", "Recorded", envelope=answer["metadata"]))
    following = [("Write a recovery playbook", f"{PATH}/recovery-playbook"), ("Inbox", f"{PATH}/")]
    if run["dry_run"]:
        text = f"{run['summary']['selected_retry_count']} would be taken. Nothing was sent."
        return Result(
            "ok", "Dry run", text, told, [("Execute", f"{PATH}/execute-retry"), ("Inbox", f"{PATH}/")]
        )
    if not answer["retry_results"]:
        text = "Nothing was approved and due. What is left to people stands below."
        return Result("warn", "Nothing was sent", text, told, following)
    tone = "ok" if sent == len(answer["retry_results"]) else "warn"
    return Result(tone, f"{sent} of {len(answer['retry_results'])} delivered", "", told, following)


def _told(one: dict[str, Any]) -> Told:
    provider, execution = one["decision"]["provider"], one["execution_record"]
    if execution is None:
        return Told("warn", f"{provider}: outcome not recorded yet", "Look at its trace in a moment.")
    status = execution["execution_status"]
    why = execution["skipped"] or ("bytes went out and no answer came" if status == "unknown" else "")
    return Told(_TONES[status], f"{provider}: {status}", why.replace("_", " "), one["execution_metadata"])


async def _show(request: Request, visitor: Visitor, form: Form, problem: Problem | None = None) -> Response:
    effect = await _effect(visitor, form)
    return shown(request, "execute_retry.html", _ENTRY, visitor, form, problem, **effect)


async def _effect(visitor: Visitor, form: Form) -> dict[str, Any]:
    work = await reads.work(visitor)
    approved, asked = work.at("execute"), form.texts("provider")
    return {
        "approved": [one for one in approved if not asked or one.provider in asked],
        "providers": sorted({one.provider for one in work.items}),
        "asked": asked,
        "others": len(work.items) - len(approved),
        "live": form.text("mode", "live") == "live",
        "immediate": form.text("allow_immediate_retry") == "true",
    }
