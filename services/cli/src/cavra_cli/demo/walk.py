"""The walk: ten steps of three people, then the trace and the end state."""

import json
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from cavra_service.policies import policy_document
from cavra_service.settings import Settings
from cavra_verify.policy import read_policy
from cavra_verify.verify import verify

from cavra_cli.demo import trace
from cavra_cli.demo.installation import PEOPLE, Api, DemoFailure, installed
from cavra_cli.demo.receiver import Receiver, receiving

R: Final = "/runtime/go-pilot/rollback-drill-notifications"
AD: Final = f"{R}/acknowledgements/audit-delivery"


async def run(keep: Path | None) -> int:
    """Walk; 0 when the end state is as it should be, else 1."""
    started = time.monotonic()
    try:
        with _folder(keep) as folder:
            async with receiving() as receiver, installed(folder, receiver.url) as api:
                _say(f"cavra api at {api.url}, receiver at {receiver.url}\n")
                audit_id, trace_id = await _walk(api, receiver)
                records = await _show_trace(api, audit_id)
                await _verify(api, folder, trace_id)
                await _check_end_state(api, receiver, records)
    except DemoFailure as failure:
        print(f"\nThe demo failed: {failure}", file=sys.stderr)
        return 1
    _say(f"\nThe chain is closed and verified ({time.monotonic() - started:.1f} s).")
    return 0


async def _walk(api: Api, receiver: Receiver) -> tuple[str, str]:
    """From a notification to a closure; gives the ids of the audit package and of its first delivery."""
    notified = await api.post("olivia", f"{R}/deliver")
    plan = notified["plan"]
    _step("Notify drill", "olivia", f"{plan['plan_id']} to {', '.join(plan['selected_providers'])}")

    schedule_id = plan["schedule_id"]
    said = await api.post(
        "olivia", f"{R}/{schedule_id}/acknowledgements", provider="webhook", external_ref="OPS-41"
    )
    _step("Acknowledge", "olivia", said["acknowledgement"]["acknowledgement_id"])

    receiver.failing = True
    failed = await api.post("olivia", AD, delivery_provider="webhook", retries=0)
    audit_id, sent = failed["audit_package"]["audit_id"], failed["delivery"]["deliveries"][0]
    _expect(failed["success"] is False, "the receiver refuses, so the delivery fails")
    _step("Deliver audit", "olivia", f"{audit_id}: {sent['error']} ({sent['status_code']})")

    retry = (await api.post("olivia", f"{AD}/retry-plan"))["plan"]
    _step("Plan retry", "olivia", f"{retry['retry_plan_id']}: {retry['retry_decisions'][0]['action']}")

    acknowledged = await api.post(
        "olivia",
        f"{AD}/retry-plans/{retry['retry_plan_id']}/acknowledgements",
        provider="webhook",
        notes="Receiver is back.",
    )
    _step("Acknowledge retry", "olivia", acknowledged["acknowledgement"]["acknowledgement_id"])

    approval = (await api.post("olivia", f"{AD}/retry-execution-approval-plan"))["plan"]
    item = approval["approval_decisions"][0]
    _step("Plan approval", "olivia", f"{approval['approval_plan_id']}: digest {item['item_digest'][:12]}")

    early = await api.post(
        "olivia", f"{AD}/worker-run", execute=True, retry_policy={"allow_immediate_retry": True}
    )
    waits = early["run"]["follow_up_actions"][0]["approval_state"]
    _expect(
        early["retry_results"] == [] and waits == "approval_required", "nothing is sent before an approval"
    )
    _step("Execute too early", "olivia", f"refused: {waits}")

    decided = await api.post(
        "april",
        f"{AD}/retry-execution-approval-plans/{approval['approval_plan_id']}/decisions",
        provider="webhook",
        item_digest=item["item_digest"],
    )
    _step("Approve", "april", f"{decided['decision']['decision_id']}: {decided['decision']['item_state']}")

    receiver.failing = False
    ran = await api.post(
        "olivia", f"{AD}/worker-run", execute=True, retry_policy={"allow_immediate_retry": True}
    )
    execution = ran["retry_results"][0]["execution_record"]
    _step("Execute", "olivia", f"{execution['execution_id']}: {execution['execution_status']}")
    _expect(execution["execution_status"] == "delivered", "the approved retry is delivered")

    playbook = (await api.post("olivia", f"{AD}/connector-recovery-playbook", min_failure_count=1))[
        "playbook"
    ]
    steps = [step["step_id"] for step in playbook["provider_playbooks"][0]["recovery_steps"]]
    _step("Recovery playbook", "olivia", f"{playbook['playbook_id']}: {', '.join(steps)}")

    closed = await api.post(
        "olivia",
        f"{AD}/connector-recovery-playbooks/{playbook['playbook_id']}/closures",
        provider="webhook",
        closure_state="resolved",
        verification_refs=[execution["execution_id"]],
    )
    _step(
        "Close recovery", "olivia", f"{closed['closure']['closure_id']}: {closed['closure']['closure_state']}"
    )
    return str(audit_id), str(failed["delivery_plan"]["delivery_id"])


async def _show_trace(api: Api, audit_id: str) -> list[dict[str, Any]]:
    answer = await api.get("audrey", R, trace=audit_id)
    records: list[dict[str, Any]] = answer["items"]
    _say(f"\nThe trace of {audit_id}, oldest first, as audrey (auditor) reads it:\n")
    for line in trace.lines(records):
        _say(line)
    faults = trace.faults(records)
    for fault in faults:
        _say(f"  FAULT {fault}")
    _expect(not faults, "every hash holds")
    _say(f"\n{len(records)} records, {len(records)} hashes recomputed from their bytes: all hold.")
    return records


async def _verify(api: Api, folder: Path, trace_id: str) -> None:
    """Take the bundle, and hold it against the installation's keys as an auditor does, without asking anybody."""
    bundle = await api.fetch("audrey", f"{R}/trace/{trace_id}/bundle")
    policy = json.dumps(policy_document(Settings(data_dir=folder / "data")), indent=2)
    (folder / "bundle.json").write_bytes(bundle)
    (folder / "policy.json").write_text(policy)
    verdict = verify(bundle, read_policy(policy.encode()))
    for claim in verdict.claims:
        for detail in claim.details:
            _say(f"  {claim.status.upper()} {claim.name}: {detail}")
    _expect(verdict.exit_code == 0, "the bundle is verified")
    _say(
        f"The bundle of {trace_id}, verified offline by public keys alone: all {len(verdict.claims)} claims hold."
    )


async def _check_end_state(api: Api, receiver: Receiver, records: list[dict[str, Any]]) -> None:
    board = await api.get("audrey", f"{R}/dashboard")
    prefix = "acknowledgement_audit_delivery_"
    for name, value in (
        ("retryable_count", 0),
        ("retry_execution_success_count", 1),
        ("connector_recovery_closed_count", 1),
    ):
        _expect(board[prefix + name] == value, f"{name} is {value}")
    accepted = [message for message, status in receiver.answers if status == 200]
    refused = {message for message, status in receiver.answers if status == 503}
    _expect(
        len(accepted) == 2 and set(accepted) >= refused,
        "the receiver took the audit package once, under its first id",
    )
    kinds = {record["metadata_kind"].removeprefix("go-backend-rollback-drill-") for record in records}
    _expect(len(kinds) >= 13, "the trace holds every kind of the chain")


@contextmanager
def _folder(keep: Path | None) -> Iterator[Path]:
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory(prefix="cavra-demo-") as folder:
        yield Path(folder)


def _step(name: str, person: str, result: str) -> None:
    _say(f"{name:<18} {person:<7} ({PEOPLE[person]:<8})  {result}")


def _expect(holds: bool, what: str) -> None:
    if not holds:
        raise DemoFailure(f"it does not hold that {what}")


def _say(text: str) -> None:
    print(text, flush=True)
