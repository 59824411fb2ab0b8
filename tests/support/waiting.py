"""What waits for people, as services that answer by a script tell it: something for each of the console's forms."""

from typing import Any, Final

from cavra.delivery.v1 import delivery_pb2
from cavra.recovery.v1 import recovery_pb2
from cavra.retry.v1 import retry_pb2
from cavra_evidence.ids import new_id
from cavra_service.wire import timestamp

from tests.support.fake_services import NOW

EXECUTION: Final = "gordackretryexec-019a8f3c2b7e0001a1b2c3d4e5f6"
"""The one whose outcome is unknown."""
STEPS: Final = ("plan", "acknowledge", "plan_approval", "decide", "execute", "resolve")


def item(step: str, **more: Any) -> retry_pb2.WorkItem:
    """An open failure that waits for a step."""
    found = retry_pb2.WorkItem(
        delivery_id=new_id("gordackdelivery"),
        audit_id=new_id("gordackaudit"),
        provider="webhook",
        failure_count=1,
        attempt_number=2,
        first_failed_at=timestamp(NOW),
        latest_failed_at=timestamp(NOW),
        step=f"WORK_STEP_{step.upper()}",
        retry_plan_id=new_id("gordackretry"),
        action="retry",
        execution_id=EXECUTION if step == "resolve" else "",
    )
    if step in ("decide", "execute"):
        found.item_digest, found.required_approvals = "d" * 64, 1
        found.approval_plan_id = new_id("gordackretryapproval")
        found.expires_at.FromDatetime(NOW)
    for name, value in more.items():
        setattr(found, name, value)
    return found


def waiting(playbook_id: str) -> dict[str, Any]:
    """By RPC, answers in which an item waits for each of STEPS, and the webhook's recovery by a playbook is open."""
    items = [item(step) for step in STEPS]
    recovery = recovery_pb2.Recovery(
        playbook_id=playbook_id,
        provider="webhook",
        state="open",
        last_failure_at=timestamp(NOW),
        next_states=["deferred", "escalated", "mitigated", "resolved"],
    )
    policy = retry_pb2.ApprovalPolicy(required_approvals=1, expires_in_minutes=240)
    return {
        "ListWork": retry_pb2.ListWorkResponse(
            items=items, total=len(items), policy=policy, attempt_ceiling=5
        ),
        "ListRecoveries": recovery_pb2.ListRecoveriesResponse(recoveries=[recovery]),
        "ListRoutes": delivery_pb2.ListRoutesResponse(),
    }
