"""Playbooks for connectors that keep failing, and their closures (E18, E19)."""

from typing import Annotated

from cavra.recovery.v1 import recovery_pb2 as pb
from fastapi import APIRouter, Path
from fastapi.responses import Response

from cavra_gateway import answers, bodies
from cavra_gateway.docs import documented
from cavra_gateway.http import Route, answer
from cavra_gateway.records import parts
from cavra_gateway.routes.paths import AUDIT_DELIVERY
from cavra_gateway.session import Me

router = APIRouter(route_class=Route, tags=["recovery"])

PlaybookId = Annotated[
    str, Path(description="The playbook.", examples=["gordackrecovery-019a8f3c2b7e0001a1b2c3d4e5f6"])
]


@router.post(
    AUDIT_DELIVERY + "/connector-recovery-playbook", **documented("create_playbook", answers.PlaybookWritten)
)
async def create_playbook(me: Me, body: bodies.PlaybookBody = bodies.PlaybookBody()) -> Response:  # noqa: B008 frozen
    """Write a playbook for each connector that failed often enough. An empty one is recorded too."""
    response = await me.call(
        me.services.recovery.CreatePlaybook,
        pb.CreatePlaybookRequest(
            min_failure_count=body.min_failure_count, lookback_hours=body.lookback_hours
        ),
    )
    playbook, metadata = parts(response.playbook)
    return answer({"playbook": playbook, "metadata": metadata, "actor": me.actor})


@router.post(
    AUDIT_DELIVERY + "/connector-recovery-playbooks/{playbook_id}/closures",
    **documented("close_recovery", answers.RecoveryClosed),
)
async def close_recovery(me: Me, playbook_id: PlaybookId, body: bodies.CloseBody) -> Response:
    """Move the recovery of one provider of a playbook. A move that its state does not allow is 409."""
    response = await me.call(
        me.services.recovery.CloseRecovery,
        pb.CloseRecoveryRequest(
            playbook_id=playbook_id,
            provider=body.provider,
            closure_state=f"CLOSURE_STATE_{body.closure_state.upper()}",
            external_ref=body.external_ref,
            notes=body.notes,
            verification_refs=[reference.strip() for reference in body.verification_refs],
        ),
    )
    closure, metadata = parts(response.closure)
    return answer({"closure": closure, "metadata": metadata, "actor": me.actor})
