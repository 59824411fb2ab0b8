"""Many at once, on one process and on several of one store: each item is sent once, and whatever was acknowledged is there, once."""

import asyncio
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import product
from typing import Any

import orjson
import pytest
from cavra.retry.v1 import retry_pb2 as pb
from cavra_evidence.times import text
from cavra_verify.kinds import BY_NOUN

from tests.faults.nursery import WarmHome
from tests.faults.world import PATIENCE, Case, World
from tests.support.receiver import Receiver

ITEMS = 24
RUNS = 8


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Delivery and the first retry process, for all tests here."""
    with closing(WarmHome(tmp_path_factory.mktemp("concurrency"))) as home, closing(World(home)) as running:
        yield running


@pytest.fixture(scope="module")
def retries(world: World) -> Iterator[list[str]]:
    """Addresses of three retry processes on one store."""
    with world.sibling() as second, world.sibling() as third:
        yield [world.addresses["retry"], second, third]


@pytest.fixture
async def case(world: World) -> AsyncIterator[Case]:
    """A test's own receiver and failures."""
    async with Receiver() as receiver:
        world.home.send_to(f"{receiver.url}/hook")
        yield Case(world, receiver)


def body(record: Any, noun: str) -> dict[str, Any]:
    """What a record says."""
    found: dict[str, Any] = orjson.loads(record.canonical)[BY_NOUN[noun].key]
    return found


@pytest.mark.parametrize(("processes", "most", "more"), [(1, 4, 0), (2, 25, 0), (3, 4, 3)])
async def test_eight_runs_over_the_same_approved_items_send_each_once(
    case: Case, world: World, retries: list[str], processes: int, most: int, more: int
) -> None:
    """Also while `more` processes start, of which each looks at once for claims that were left behind."""
    await case.fail(ITEMS)
    await case.patiently(case.approve)
    runs = [partial(case.run, at=retries[turn % processes], most=most) for turn in range(RUNS)]
    with ExitStack() as started:
        running = asyncio.gather(*(case.patiently(run, "conflict") for run in runs))
        for _ in range(more):
            await asyncio.to_thread(started.enter_context, world.sibling(looks_every="3600"))
        answers = await running
    while any(one.open for one in await case.failures()):
        answers.append(await case.run(most=most))
    taken = [body(result.execution, "execution_record") for answer in answers for result in answer.results]
    assert Counter(one["delivery_id"] for one in taken) == dict.fromkeys(case.deliveries, 1)
    assert {one["execution_status"] for one in taken} == {"delivered"}
    for answer in answers:
        run = body(answer.run, "worker_run")
        executed = [body(result.execution, "execution_record") for result in answer.results]
        assert [one["delivery_id"] for one in executed] == [
            one["delivery_id"] for one in run["selected_retries"]
        ]
        assert {one["run_id"] for one in executed} <= {run["run_id"]}
        assert run["summary"]["selected_retry_count"] == len(executed) <= most
    sent = case.receiver.count_by("cavra-execution-id")
    assert sent.pop("") == ITEMS, "the first sends"
    assert sent == {one["execution_id"]: 1 for one in taken}
    await case.proves_itself()


async def test_the_workers_of_two_processes_send_each_due_item_once_as_the_service(
    case: Case, world: World, retries: list[str]
) -> None:
    await case.fail(ITEMS)
    await case.patiently(case.approve)
    # An hour has passed since they failed; whoever starts now hears so.
    with closing(sqlite3.connect(world.home.settings.store_path("delivery"))) as store, store:
        failed_at = text(datetime.now(UTC) - timedelta(hours=1))
        store.execute("UPDATE failures SET latest_failed_at = ? WHERE state <> 'closed'", (failed_at,))
    with world.sibling("--worker"), world.sibling("--worker"):
        await case.receiver.wait_for(2 * ITEMS, timeout=PATIENCE)
        executions = await case.settled()
    assert Counter(one["delivery_id"] for one in executions) == dict.fromkeys(case.deliveries, 1)
    assert {(one["executed_by"], one["execution_status"]) for one in executions} == {
        ("service:retry", "delivered")
    }
    await case.proves_itself()


async def test_a_run_that_three_processes_are_asked_for_with_one_key_takes_place_once(
    case: Case, retries: list[str]
) -> None:
    await case.fail(3)
    await case.patiently(case.approve)
    before = len(await case.records("retry", "worker_run"))
    asked = [partial(case.run, at=at, key="one") for at in retries * 3]
    answers = await asyncio.gather(*(case.patiently(one, "conflict", "in_progress") for one in asked))
    assert len({answer.run.id for answer in answers}) == 1
    assert len({tuple(one.execution.id for one in answer.results) for answer in answers}) == 1
    assert len(answers[0].results) == 3
    assert len(await case.records("retry", "worker_run")) == before + 1
    assert len(await case.settled()) == 3
    await case.proves_itself()


async def test_a_plan_that_three_processes_are_asked_for_with_one_key_is_made_once(
    case: Case, retries: list[str]
) -> None:
    await case.fail(1)
    request = pb.PlanRetriesRequest()
    asked = [partial(case.call, "retry", "PlanRetries", request, at=at, key="one") for at in retries * 5]
    answers = await asyncio.gather(*(case.patiently(one, "conflict", "in_progress") for one in asked))
    assert len({answer.plan.id for answer in answers}) == 1
    assert len(await case.records("retry", "retry_plan")) == 1
    await case.approve()
    await case.proves_itself()


async def test_forty_decisions_on_twenty_items_are_all_there_and_make_each_quorum(
    case: Case, retries: list[str]
) -> None:
    await case.fail(20)
    approval, items = await open_items(case, quorum=2)
    decisions = [
        decide(case, approval, item, who, retries[turn % len(retries)])
        for turn, (item, who) in enumerate(product(items, ("anna", "abel")))
    ]
    answers = await asyncio.gather(*decisions)
    assert Counter(answer.item_state for answer in answers) == {"open": 20, "approved": 20}
    recorded = [one["decision_id"] for one in await case.records("retry", "approval_decision")]
    assert sorted(recorded) == sorted(answer.decision.id for answer in answers)
    assert len(recorded) == 40
    await case.run()
    await case.proves_itself()


async def test_of_forty_approvers_of_one_item_the_quorum_counts_and_no_more(
    case: Case, retries: list[str]
) -> None:
    await case.fail(1)
    approval, (item,) = await open_items(case, quorum=5)
    decisions = [
        decide(case, approval, item, f"approver{turn}", retries[turn % len(retries)]) for turn in range(40)
    ]
    answers = await asyncio.gather(*decisions, return_exceptions=True)
    refused = {getattr(one, "reason", repr(one)) for one in answers if isinstance(one, BaseException)}
    made = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert refused == {"invalid_transition"}, "what is approved is not approved again"
    assert Counter(answer.item_state for answer in made) == {"open": 4, "approved": 1}
    recorded = [one["decision_id"] for one in await case.records("retry", "approval_decision")]
    assert sorted(recorded) == sorted(answer.decision.id for answer in made)
    assert len((await case.run()).results) == 1
    await case.proves_itself()


async def open_items(case: Case, quorum: int) -> tuple[str, list[dict[str, Any]]]:
    """An approval plan's id and this test's items in it, all acknowledged."""
    plan = (await case.patiently(lambda: case.call("retry", "PlanRetries", pb.PlanRetriesRequest()))).plan
    for delivery_id in case.deliveries:
        ack = pb.AcknowledgeRetryRequest(retry_plan_id=plan.id, provider="webhook", delivery_id=delivery_id)
        await case.call("retry", "AcknowledgeRetry", ack)
    asked = pb.PlanApprovalRequest(approval_policy=pb.ApprovalPolicy(required_approvals=quorum))
    approval = (await case.call("retry", "PlanApproval", asked)).plan
    items = body(approval, "approval_plan")["approval_decisions"]
    return approval.id, [one for one in items if one["delivery_id"] in case.deliveries]


async def decide(case: Case, approval: str, item: dict[str, Any], who: str, at: str) -> Any:
    """An approval; asked again while others are faster."""
    request = pb.DecideApprovalRequest(
        approval_plan_id=approval,
        provider="webhook",
        delivery_id=item["delivery_id"],
        item_digest=item["item_digest"],
    )

    asked = partial(case.call, "retry", "DecideApproval", request, who, "approver", at=at)
    return await case.patiently(asked, "conflict")
