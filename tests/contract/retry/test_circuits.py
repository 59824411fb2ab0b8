"""Approved retries of a connector that is left alone for now: they wait, and their approvals stay as they were."""

from typing import Any

from cavra.retry.v1 import retry_pb2 as pb

from tests.support.retry_desk import envelope

HELD = ("wait_for_connector", "connector_circuit_open", "approved")


def follow_ups(answer: Any) -> list[tuple[str, str, str]]:
    run = envelope(answer.run)["acknowledgement_audit_delivery_worker_run"]
    return [(one["action"], one["reason"], one["approval_state"]) for one in run["follow_up_actions"]]


async def approved(retry: Any, count: int) -> None:
    """So many approved retries of one connector."""
    failures = [await retry.fail() for _ in range(count)]
    plan = await retry.plan()
    for failure in failures:
        await retry.acknowledge(plan, delivery_id=failure.key[0])
    approval = await retry.plan_approval()
    for failure in failures:
        await retry.decide(approval, delivery_id=failure.key[0])


async def test_an_open_circuit_leaves_an_approved_retry_as_it_was(retry: Any) -> None:
    await approved(retry, 2)
    retry.fake.circuits = {"hook": "open"}
    for _ in range(2):
        answer = await retry.run()
        assert (list(answer.results), follow_ups(answer)) == ([], [HELD, HELD])
    assert retry.fake.sends == []
    retry.fake.circuits = {}
    answer = await retry.run()
    assert len(answer.results) == 2, "the approvals were not used"
    assert follow_ups(answer) == []


async def test_a_half_open_circuit_takes_one_retry_of_a_run_as_its_probe(retry: Any) -> None:
    await approved(retry, 3)
    retry.fake.circuits = {"hook": "half_open"}
    answer = await retry.run()
    assert (len(answer.results), follow_ups(answer)) == (1, [HELD, HELD])
    assert len(retry.fake.sends) == 1


async def test_other_connectors_are_not_held_back_by_an_open_circuit(retry: Any) -> None:
    await retry.fail("chat")
    await retry.approved("chat")
    retry.fake.circuits = {"hook": "open"}
    assert len((await retry.run()).results) == 1


async def test_an_open_circuit_hides_no_missing_approval(retry: Any) -> None:
    await retry.fail()
    retry.fake.circuits = {"hook": "open"}
    assert follow_ups(await retry.run()) == [("request_approval", "approval_required", "approval_required")]
    dry = await retry.call("RunWorker", pb.RunWorkerRequest(), "erin")
    assert follow_ups(dry) == [("wait_for_connector", "connector_circuit_open", "dry_run_not_required")]
