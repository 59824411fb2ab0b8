"""What is said to have happened counts only with the signature of the service that did it."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cavra.delivery.v1 import delivery_pb2
from cavra.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from cavra.evidence.v1 import evidence_pb2
from cavra_evidence.ids import new_id
from cavra_evidence.records.delivery import ConnectorDelivery
from cavra_evidence.times import text
from cavra_service.errors import Refused
from cavra_service.identity import load_signer
from cavra_verify.kinds import AUDIT_SOURCE, BY_NOUN
from structlog.testing import capture_logs

from tests.support.chain import IMMEDIATE, Chain, execution
from tests.support.forger import Forger
from tests.support.receiver import Receiver
from tests.support.records import draft

KEYS = ["nobody", "garbage", "stranger", "delivery", "recovery"]
"""By whom a record that retry should have signed is signed."""


async def once(chain: Chain, true: Callable[[], bool]) -> None:
    """Return when something has become true, asking the service something else meanwhile."""
    async with asyncio.timeout(10):
        while not true():
            await chain.counters()


async def forged_claim(chain: Chain, delivery_id: str, execution_id: str) -> None:
    """Rows by which an item that nobody approved is being sent under this id, with a decision, a run and an intent to it."""
    forger = Forger(chain.settings, "retry")
    decision, run = draft("approval_decision", by="bob"), draft("worker_run", by="erin")
    intent = draft("retry_intent", by="erin", traces=(delivery_id,), execution_id=execution_id)
    for one in (decision, run, intent):
        await forger.append(one, "stranger")
    forger.sql(
        "UPDATE approval_items SET state = 'claimed', version = version + 1, approval_plan_id = opened_plan_id,"
        " approval_decision_id = ? WHERE delivery_id = ?",
        decision.record.record_id,
        delivery_id,
    )
    forger.sql(
        "INSERT INTO executions SELECT ?, item_id, delivery_id, audit_id, provider, attempt_number, ?, ?, 'cavra-local', 'erin', 'erin',"
        " ?, 'claimed' FROM approval_items WHERE delivery_id = ?",
        execution_id,
        run.record.record_id,
        intent.record.record_id,
        text(chain.clock()),
        delivery_id,
    )


async def forged_delivery(chain: Chain, execution_id: str, by: str) -> None:
    """Rows and a record by which delivery has delivered an execution that it never heard of."""
    forger = Forger(chain.settings, "delivery")
    (first,) = forger.rows(
        "SELECT r.canonical FROM records r JOIN attempts a ON a.record_id = r.id ORDER BY r.idx LIMIT 1"
    )
    genuine = ConnectorDelivery.read(first["canonical"])
    part = genuine.deliveries[0].model_copy(update={"success": True, "outcome": "delivered"})
    said = {"session_id": new_id("rcd"), "success": True, "deliveries": [part], "execution_id": execution_id}
    top = {"connector_delivery_source": AUDIT_SOURCE, "delivery_success": True, "providers": ["hook"]}
    record = await forger.append(draft("connector_delivery", top=top, **{**dict(genuine), **said}), by)
    plan = forger.rows("SELECT id FROM records WHERE kind = ?", BY_NOUN["delivery_plan"].kind)[0]["id"]
    forger.sql("INSERT INTO executions VALUES (?, '', ?)", execution_id, text(chain.clock()))
    forger.sql("INSERT INTO sends SELECT ?, own_id || 'f', frame, 'settled' FROM sends LIMIT 1", record)
    forger.sql("UPDATE sends SET own_id = ? WHERE record_id <> ? AND own_id = ?", plan + "x", record, plan)
    forger.sql("UPDATE sends SET own_id = ? WHERE record_id = ?", plan, record)
    forger.sql(
        "INSERT INTO attempts SELECT ?, 'hook', delivery_id, audit_id, 99, ?, 'settled', 'delivered', begun_at, settled_at"
        " FROM attempts LIMIT 1",
        record,
        execution_id,
    )


async def reviewed_twice(chain: Chain, receiver: Receiver) -> list[str]:
    """Two failures whose items are open for approval."""
    receiver.script = [503, 503]
    failed = [(await chain.deliver()).delivery_plan.id for _ in range(2)]
    plan = await chain.plan()
    for delivery_id in failed:
        await chain.acknowledge(plan, delivery_id=delivery_id)
    await chain.plan_approval()
    return failed


async def test_a_claim_that_nobody_made_sends_nothing_and_ends_as_such(
    chain: Chain, receiver: Receiver
) -> None:
    first, _ = await reviewed_twice(chain, receiver)
    execution_id = new_id("gordackretryexec")
    await forged_claim(chain, first, execution_id)
    record = (await chain.next_execution())["retry_execution_record"]
    assert (record["execution_id"], record["execution_status"], record["skipped"]) == (
        execution_id,
        "skipped",
        "fenced",
    )
    assert len(receiver.received) == 2


@pytest.mark.parametrize("by", ["nobody", "garbage", "stranger", "retry", "recovery"])
async def test_an_outcome_that_delivery_did_not_sign_is_no_outcome(
    chain: Chain, receiver: Receiver, by: str
) -> None:
    first, second = await reviewed_twice(chain, receiver)
    forged, honest = new_id("gordackretryexec"), new_id("gordackretryexec")
    await forged_delivery(chain, forged, by)
    with capture_logs() as logs:
        await forged_claim(chain, first, forged)
        await once(chain, lambda: any(one.get("execution_id") == forged for one in logs))
    assert {one["event"] for one in logs if one.get("execution_id") == forged} == {
        "outcome_not_signed_by_delivery"
    }
    await forged_claim(chain, second, honest)
    record = (await chain.next_execution())["retry_execution_record"]
    assert record["execution_id"] == honest, "the forged outcome is not recorded, and keeps nobody waiting"
    assert len(await chain.raw(metadata_kind=BY_NOUN["execution_record"].kind)) == 1
    assert len(receiver.received) == 2


@pytest.fixture
async def unknown(chain: Chain, receiver: Receiver) -> dict[str, Any]:
    """The execution record of a retry that got no answer."""
    await chain.deliver()
    await chain.approved()
    receiver.hold = asyncio.Event()
    ran = await chain.run(retry_policy=IMMEDIATE, retries=0, timeout_seconds=1)
    receiver.hold.set()
    found = execution(ran)
    assert found["execution_status"] == "unknown"
    return found


def resolution(unknown: dict[str, Any], outcome: str) -> Any:
    """What oscar would say, had he said it."""
    about = {name: unknown[name] for name in ("execution_id", "delivery_id", "audit_id", "provider")}
    said = {"outcome": outcome, "resolved_by": "oscar", "attempt_number": unknown["attempt_number"]}
    return draft("execution_resolution", by="oscar", traces=(unknown["delivery_id"],), **about, **said)


@pytest.mark.parametrize("outcome", ["delivered", "not_delivered"])
@pytest.mark.parametrize("by", KEYS)
async def test_a_resolution_that_retry_did_not_sign_moves_no_failure(
    chain: Chain, receiver: Receiver, unknown: dict[str, Any], by: str, outcome: str
) -> None:
    forger = Forger(chain.settings, "retry")
    said = resolution(unknown, outcome)
    record_id = await forger.append(said, by)
    with capture_logs() as logs:
        forger.sql("INSERT INTO resolutions VALUES (?, ?, 0)", unknown["execution_id"], record_id)
        await once(chain, lambda: any(one.get("id") == record_id for one in logs))
    assert ("resolution_not_taken", "invalid_value") in {(one["event"], one.get("reason")) for one in logs}
    (row,) = forger.rows("SELECT canonical, signature FROM records WHERE id = ?", record_id)
    with pytest.raises(Refused) as refused:
        await resolve(chain, evidence_pb2.Record(id=record_id, **row))
    assert (refused.value.reason, refused.value.field) == ("invalid_value", "resolution")
    assert (await failure(chain, unknown)).outcome_unknown
    assert (await chain.live()).results == []
    assert len(receiver.received) == 2


async def resolve(chain: Chain, record: evidence_pb2.Record) -> None:
    """Tell delivery, as any service could."""
    request = delivery_pb2.ResolveFailureRequest(resolution=record)
    async with chain.installation.channel(chain.settings.delivery_address) as channel:
        caller = chain.installation.caller("service:recovery", "service")
        await caller.unary(DeliveryServiceStub(channel).ResolveFailure, request)


async def failure(chain: Chain, unknown: dict[str, Any]) -> Any:
    """The failure as delivery has it."""
    key = {name: unknown[name] for name in ("delivery_id", "audit_id", "provider")}
    request = delivery_pb2.BatchGetFailuresRequest(keys=[delivery_pb2.FailureKey(**key)])
    async with chain.installation.channel(chain.settings.delivery_address) as channel:
        caller = chain.installation.caller("service:retry", "service")
        answer = await caller.unary(DeliveryServiceStub(channel).BatchGetFailures, request)
    return answer.failures[0]


async def test_a_retry_service_with_a_store_and_a_key_of_its_own_sends_nothing(
    chain: Chain, receiver: Receiver, tmp_path: Path
) -> None:
    await chain.deliver()
    own = shutil.copytree(chain.settings.identity, tmp_path / "own" / "identity")
    shutil.rmtree(own / "retry")
    token = chain.installation.token("service:retry", "service")
    chain.settings = chain.settings.model_copy(update={"data_dir": tmp_path / "own", "identity_dir": own})
    public = load_signer(chain.settings, "retry").public
    (own / "trust" / "retry.pub").write_text(public.hex())
    (own / "retry" / "token").write_text(token)
    async with chain.running():
        await chain.approved()
        found = execution(await chain.live())
    assert (found["execution_status"], found["skipped"]) == ("skipped", "permit_invalid")
    assert len(receiver.received) == 1
