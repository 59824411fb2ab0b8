"""Close Recovery: where the recovery of one connector is to stand, and on what that rests."""

import asyncio
from datetime import UTC
from typing import Any, Final
from urllib.parse import urlencode

from cavra_evidence.times import text as time_text
from cavra_service.errors import Refused
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
from cavra_gateway.routes import recovery

router = APIRouter(route_class=Page)

_ENTRY: Final = FLOW[7]
STATES: Final = (
    (
        "resolved",
        "Resolved",
        "Done and verified. Needs something this connector took after its last failure.",
    ),
    ("mitigated", "Mitigated", "Worked around. Needs a verification or a ticket reference."),
    ("deferred", "Deferred", "Put off; stays open."),
    ("escalated", "Escalated", "Handed up; stays open."),
    ("reopened", "Reopened", "Taken back, after resolved or mitigated."),
)


@router.get("/close-recovery")
async def close_recovery_page(
    request: Request, visitor: Visiting, playbook_id: str = "", provider: str = ""
) -> Response:
    """The recoveries that are not over; or the form for one of them."""
    if not (playbook_id and provider):
        found = await reads.recoveries(visitor, playbook_id)
        return page(
            request,
            "recoveries.html",
            entry=_ENTRY,
            why=_ENTRY.refusal(visitor),
            recoveries=found,
            most=reads.MOST_RECOVERIES,
            playbook_id=playbook_id,
        )
    return await _show(request, visitor, playbook_id, provider)


@router.post("/close-recovery")
async def close_recovery(request: Request, visitor: Visiting) -> Response:
    """Do it."""
    form: Form = request.state.form
    playbook_id, provider = form.text("playbook_id"), form.text("provider")

    async def command() -> Response:
        further = [line.strip() for line in form.text("further_refs").split("\n") if line.strip()]
        values: dict[str, Any] = {
            name: form.text(name) for name in ("provider", "closure_state", "external_ref", "notes")
        }
        values["verification_refs"] = [*form.texts("verification_refs"), *further]
        body = body_of(bodies.CloseBody, values)
        return await recovery.close_recovery(visitor.acting(_ENTRY.operation, form.key), playbook_id, body)

    answer = await attempted(command)
    if isinstance(answer, Problem):
        return await _show(request, visitor, playbook_id, provider, form, answer)
    closure = answer["closure"]
    rests = ", ".join(closure["verification_refs"]) or closure["external_ref"] or "nothing further"
    again = f"{PATH}/close-recovery?playbook_id={playbook_id}&provider={provider}"
    outcome = Result(
        "ok",
        f"{closure['provider']} is {closure['closure_state']}",
        f"It was {closure['previous_state']}. It rests on {rests}.",
        [Told("ok", "Recorded", envelope=answer["metadata"])],
        [("Look at this recovery", again), ("Inbox", f"{PATH}/")],
    )
    return result(request, _ENTRY, outcome)


async def _show(
    request: Request,
    visitor: Visitor,
    playbook_id: str,
    provider: str,
    form: Form = EMPTY,
    problem: Problem | None = None,
) -> Response:
    found, playbook, taken, closures = await asyncio.gather(
        reads.recoveries(visitor, playbook_id),
        reads.record_of(visitor, "playbook", playbook_id=playbook_id),
        reads.verifications(visitor, provider),
        reads.records(visitor, playbook_id=playbook_id, provider=provider, limit=20),
    )
    recovery_ = next((one for one in found if one.provider == provider), None)
    if recovery_ is None or playbook is None:
        raise Refused("unknown_playbook", "no such recovery is open or closed", "playbook_id")
    last_failure = time_text(recovery_.last_failure_at.ToDatetime(UTC))
    part = next((one for one in playbook["provider_playbooks"] if one["provider"] == provider), None)
    return shown(
        request,
        "close_recovery.html",
        _ENTRY,
        visitor,
        form,
        problem,
        about=[recovery_, [one["session_id"] for one in (*taken, *closures)]],
        fresh=f"{_ENTRY.href}?{urlencode({'playbook_id': playbook_id, 'provider': provider})}",
        recovery=recovery_,
        part=part,
        taken=[(one, one["created_at"] > last_failure) for one in taken],
        closures=[one for one in closures if "closure_id" in one],
        states=STATES,
    )
