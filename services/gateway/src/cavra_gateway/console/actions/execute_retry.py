"""Execute Retry: a dry run first, which says what would be taken now; then, by a second form, the live run that sends it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

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
from cavra_gateway.console.sends import places
from cavra_gateway.console.session import PATH, Visiting, Visitor
from cavra_gateway.routes import retry

router = APIRouter(route_class=Page)

_ENTRY: Final = FLOW[5]
_SENDING: Final = ("max_retry_deliveries", "retries", "timeout_seconds")
_FIELDS: Final = (*_SENDING, *POLICY, "provider")
_FULL: Final = "max_retry_deliveries"
"""Why a dry run leaves what is due and may be sent: it is full. What lacks an approval fills it, too; a live run is not filled by that."""
_TONES: Final = {"delivered": "ok", "failed": "bad", "skipped": "warn", "unknown": "warn"}


@router.get("/execute-retry")
async def execute_retry_page(request: Request, visitor: Visiting) -> Response:
    """The form."""
    return await _show(request, visitor, Form(request.query_params.multi_items()))


@router.get("/execute-retry/effect")
async def execute_retry_effect(request: Request, visitor: Visiting) -> Response:
    """What the run would take as the form is filled in now."""
    form = Form(request.query_params.multi_items())
    return page(
        request, "parts/execute_retry_effect.html", **await _effect(visitor, await reads.work(visitor), form)
    )


@dataclass(frozen=True, slots=True)
class Looked:
    """What a live run takes now, as the dry run just said of what is approved."""

    taken: list[Any]
    """cavra.retry.v1.WorkItem, oldest failure first."""
    left: list[tuple[Any, str]]
    """(approved and not taken, why as a reason code)."""
    others: int
    """Open failures of the connectors asked for that lack an approval."""
    envelope: Mapping[str, Any]
    """The record of the dry run."""


def looked(work: reads.Work, asked: list[str], most: int, answer: Mapping[str, Any]) -> Looked:
    """A dry run judges when, connector and attempts, and no approval; what is approved, and whether by others, is told by `work`."""
    run = answer["run"]
    reasons = {_key(one): one["reason"] for one in run["follow_up_actions"]}
    due = {_key(one) for one in run["selected_retries"]} | {
        key for key, reason in reasons.items() if reason == _FULL
    }
    items = [one for one in work.items if not asked or one.provider in asked]
    approved = [one for one in work.at("execute") if one in items]
    taken: list[Any] = []
    left: list[tuple[Any, str]] = []
    for item in approved:
        key = (item.delivery_id, item.audit_id, item.provider)
        if item.refusal or key not in due:
            left.append((item, item.refusal or reasons.get(key, "not_listed")))
        elif len(taken) == most:
            left.append((item, _FULL))
        else:
            taken.append(item)
    return Looked(
        taken, left, len(items) - len(approved) + (work.omitted if not asked else 0), answer["metadata"]
    )


def _key(one: Mapping[str, Any]) -> tuple[str, str, str]:
    return one["delivery_id"], one["audit_id"], one["provider"]


@router.post("/execute-retry")
async def execute_retry(request: Request, visitor: Visiting) -> Response:
    """Say what a run takes now; or, by the form that was shown with that, do it."""
    form: Form = request.state.form
    live = form.text("mode") == "live"
    values: dict[str, Any] = {name: form.text(name) for name in _SENDING}
    values["retry_policy"] = {name: form.text(name) for name in POLICY}
    values["provider"] = ",".join(form.texts("provider"))
    values["dry_run"] = "false" if live else "true"

    async def command() -> Response:
        return await retry.run_worker(
            visitor.acting(_ENTRY.operation, form.key), body_of(bodies.WorkerRunBody, values)
        )

    answer = await attempted(command)
    if isinstance(answer, Problem):
        # Nobody knows whether it ran: the same form, under the same key, is what may be sent again.
        return (
            _confirm(request, visitor, form, None, answer)
            if live and answer.undecided
            else (await _show(request, visitor, form, answer))
        )
    if live:
        outcome = _result(answer, form.texts("taken"))
        return page(request, "worker_run.html", entry=_ENTRY, result=outcome, run=answer["run"])
    most = body_of(bodies.WorkerRunBody, values).max_retry_deliveries
    work = await reads.work(visitor)
    found = looked(work, form.texts("provider"), most, answer)
    return _confirm(
        request,
        visitor,
        form,
        found,
        about=reads.facts(work.at("execute")),
        places=await places(visitor.session, found.taken),
        addresses=await reads.addresses(visitor),
    )


def _confirm(
    request: Request,
    visitor: Visitor,
    form: Form,
    found: Looked | None,
    problem: Problem | None = None,
    **context: Any,
) -> Response:
    """What a run takes, and the form that makes it; `found` is None when that was shown before."""
    kept = [(name, text) for name in _FIELDS for text in form.texts(name)]
    back = f"{_ENTRY.href}?{urlencode(kept)}"
    return shown(
        request,
        "execute_retry_look.html",
        _ENTRY,
        visitor,
        form,
        problem,
        fresh=back,
        looked=found,
        kept=kept,
        taken=[f"{one.delivery_id} {one.provider}" for one in found.taken] if found else form.texts("taken"),
        asked=form.texts("provider"),
        immediate=form.text("allow_immediate_retry") == "true",
        back=back,
        **context,
    )


def _result(answer: dict[str, Any], shown_before: list[str]) -> Result:
    run, told = answer["run"], [_told(one) for one in answer["retry_results"]]
    sent = sum(one.tone == "ok" for one in told)
    taken = {f"{one['delivery_id']} {one['provider']}" for one in run["selected_retries"]}
    if taken - set(shown_before):
        text = "Approved and due since it was shown: judged at the moment of sending, as each is."
        told.append(Told("warn", f"{len(taken - set(shown_before))} taken that were not shown before", text))
    told.append(Told("ok", "Recorded", envelope=answer["metadata"]))
    following = [("Write a recovery playbook", f"{PATH}/recovery-playbook"), ("Inbox", f"{PATH}/")]
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
    work = await reads.work(visitor)
    effect = await _effect(visitor, work, form)
    about = reads.facts(work.at("execute"))
    return shown(request, "execute_retry.html", _ENTRY, visitor, form, problem, about=about, **effect)


async def _effect(visitor: Visitor, work: reads.Work, form: Form) -> dict[str, Any]:
    approved, asked = work.at("execute"), form.texts("provider")
    taken = [one for one in approved if not asked or one.provider in asked]
    return {
        "approved": taken,
        "places": await places(visitor.session, taken),
        "addresses": await reads.addresses(visitor),
        "providers": sorted({one.provider for one in work.items}),
        "asked": asked,
        "others": len(work.items) - len(approved),
        "immediate": form.text("allow_immediate_retry") == "true",
    }
