"""ListWork over gRPC: what comes next for each open failure, and for whom."""

from datetime import timedelta
from typing import Any

import pytest
from cavra.retry.v1 import retry_pb2 as pb

from tests.support.retry_desk import APPROVER, EXECUTOR, PLANNER, REVIEWER, SCHEDULER


async def work(retry: Any, who: str = EXECUTOR) -> list[tuple[str, str]]:
    """(step, why this person can't take it) of each open failure."""
    answer = await retry.call("ListWork", pb.ListWorkRequest(), who)
    assert answer.total == len(answer.items)
    return [
        (pb.WorkStep.Name(one.step).removeprefix("WORK_STEP_").lower(), one.refusal) for one in answer.items
    ]


async def test_each_step_of_a_retry_says_which_one_comes_next(retry: Any) -> None:
    failure = await retry.fail()
    assert await work(retry) == [("plan", "")]
    plan = await retry.plan()
    assert await work(retry) == [("acknowledge", "")]
    await retry.acknowledge(plan, "deferred")
    assert await work(retry) == [("acknowledge", "")]
    await retry.acknowledge(plan)
    assert await work(retry) == [("plan_approval", "")]
    approval = await retry.plan_approval()
    (item,) = (await retry.call("ListWork", pb.ListWorkRequest())).items
    shown = approval["retry_execution_approval_plan"]["approval_decisions"][0]
    assert (item.step, item.approval_plan_id) == (pb.WORK_STEP_DECIDE, approval["session_id"])
    assert (item.item_digest, item.payload_hash) == (shown["item_digest"], shown["payload_hash"])
    assert (item.acknowledgement_state, item.retry_plan_id) == ("accepted", plan["session_id"])
    assert (item.delivery_id, item.audit_id, item.provider) == failure.key
    await retry.decide(approval, item_digest=item.item_digest)
    assert await work(retry) == [("execute", "")]


@pytest.mark.parametrize("who", [PLANNER, REVIEWER, SCHEDULER])
async def test_who_took_part_is_told_before_trying_that_they_may_not_approve(retry: Any, who: str) -> None:
    await retry.fail()
    await retry.reviewed()
    assert await work(retry, who) == [("decide", "self_approval")]
    assert await work(retry, APPROVER) == [("decide", "")]


async def test_who_approved_is_told_that_they_may_not_execute_nor_approve_again(retry: Any) -> None:
    await retry.fail()
    await retry.decide(await retry.reviewed(required_approvals=2))
    assert await work(retry, APPROVER) == [("decide", "invalid_transition")]
    await retry.decide(await retry.plan_approval(), who="bea")
    assert await work(retry, APPROVER) == [("execute", "self_execution")]
    assert await work(retry) == [("execute", "")]


async def test_what_was_denied_or_came_too_late_begins_with_a_new_plan(retry: Any) -> None:
    await retry.fail()
    await retry.decide(await retry.reviewed(), "denied")
    (item,) = (await retry.call("ListWork", pb.ListWorkRequest())).items
    assert (item.step, item.ended, item.item_digest) == (pb.WORK_STEP_PLAN, "denied", "")
    await retry.reviewed(expires_in_minutes=5)
    retry.now += timedelta(minutes=6)
    (item,) = (await retry.call("ListWork", pb.ListWorkRequest())).items
    assert (item.step, item.ended) == (pb.WORK_STEP_PLAN, "expired")


async def test_what_the_newest_plan_gives_up_is_said_to_be_given_up(retry: Any) -> None:
    await retry.fail(count=3)
    await retry.plan()
    assert await work(retry) == [("given_up", "")]


async def test_the_oldest_are_listed_and_all_are_counted_beside_the_policy(retry: Any) -> None:
    first = await retry.fail()
    await retry.fail("chat")
    answer = await retry.call("ListWork", pb.ListWorkRequest(limit=1))
    assert ([one.delivery_id for one in answer.items], answer.total) == ([first.key[0]], 2)
    assert (answer.policy.required_approvals, answer.policy.separation_of_duties) == (1, True)
    await retry.refused(retry.call("ListWork", pb.ListWorkRequest(limit=201)), "invalid_value", "limit")


async def test_an_unknown_outcome_names_its_execution_to_who_may_resolve_it(retry: Any) -> None:
    await retry.fail()
    await retry.approved()
    retry.fake.script = ["unknown"]
    (result,) = (await retry.run()).results
    (item,) = (await retry.call("ListWork", pb.ListWorkRequest())).items
    assert (item.step, item.execution_id) == (pb.WORK_STEP_RESOLVE, result.execution.id)
    assert await work(retry, PLANNER) == [("resolve", "")]
    assert await work(retry, EXECUTOR) == [("resolve", "self_resolution")]
