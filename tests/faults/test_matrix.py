"""The execution machine under every crash: at each of its steps a process dies, a caller leaves, or a permit comes late."""

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import orjson
import pytest
from cavra.delivery.v1 import delivery_pb2
from cavra.retry.v1 import retry_pb2 as pb
from cavra_service.errors import Refused
from cavra_service.faults import POINTS
from cavra_verify.kinds import BY_NOUN

from tests.faults.nursery import WarmHome
from tests.faults.steps import (
    ACTION,
    ALERTED,
    ARRIVALS,
    DEATHS,
    FIRST,
    MACHINE,
    RECONCILED,
    RECOVERED,
    RESOLVED,
    STRUCK,
    ends,
    held_at,
    other,
    owner,
    struck,
)
from tests.faults.world import PATIENCE, Case, World
from tests.support.receiver import Receiver


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """The two processes, for all tests here."""
    with closing(WarmHome(tmp_path_factory.mktemp("faults"))) as home, closing(World(home)) as running:
        yield running


@pytest.fixture
async def case(world: World, request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    """A test's own receiver and failures."""
    async with Receiver() as receiver:
        world.home.send_to(f"{receiver.url}/hook")
        failed = request.session.testsfailed
        yield Case(world, receiver)
        if request.session.testsfailed > failed:
            world.mend()


def test_every_step_of_the_code_is_in_the_matrix() -> None:
    services = Path(__file__).parents[2] / "services"
    source = "".join(file.read_text() for file in services.glob("*/src/**/*.py"))
    named = re.findall(r'await fault\(f?"([^"]+)"\)', source)
    assert len(named) == source.count("await fault("), "a step has no name that one can read here"
    steps = {point.replace("{send.sort}", sort) for point in named for sort in ("first", "retry")}
    assert steps == {*MACHINE, *FIRST, *RESOLVED, *RECONCILED, RECOVERED, *ALERTED} == POINTS


@pytest.mark.parametrize("point", MACHINE)
async def test_a_service_that_dies_at_a_step_sends_nothing_twice_and_loses_nothing(
    case: Case, point: str
) -> None:
    await case.fail()
    await case.patiently(case.approve)
    case.world.order((point, "kill"))
    running = asyncio.create_task(case.run())
    await case.world.ended(owner(point))
    if owner(point) == "retry":
        await ends(running)
    case.world.start(owner(point))
    await ends(running)
    statuses = {one["execution_status"] for one in await case.proves_itself()}
    assert {STRUCK[point]} - {""} <= statuses


@pytest.mark.parametrize("point", MACHINE)
async def test_both_services_that_die_at_a_step_send_nothing_twice_and_lose_nothing(
    case: Case, point: str
) -> None:
    running = await held_at(case, point)
    case.world.kill("retry", "delivery")
    await ends(running)
    case.world.start("delivery", "retry")
    await case.proves_itself()


@pytest.mark.parametrize("point", MACHINE)
async def test_a_service_whose_peer_dies_while_it_is_at_a_step_sends_nothing_twice(
    case: Case, point: str
) -> None:
    running = await held_at(case, point)
    case.world.kill(other(point))
    case.world.start(other(point))
    case.world.release(owner(point))
    await ends(running)
    await case.proves_itself()


@pytest.mark.parametrize("point", MACHINE)
async def test_a_caller_who_leaves_ends_the_waiting_and_not_the_work(case: Case, point: str) -> None:
    running = await held_at(case, point)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    case.world.release(owner(point))
    await case.receiver.wait_for(ARRIVALS)
    executions = await case.proves_itself()
    assert [one["execution_status"] for one in executions] == ["delivered"] * 2


@pytest.mark.parametrize("point", MACHINE)
async def test_a_deadline_that_passes_ends_the_waiting_and_not_the_work(case: Case, point: str) -> None:
    await case.fail()
    await case.patiently(case.approve)
    case.world.order((point, "hold"))
    running = asyncio.create_task(case.run(timeout=1.0))
    await case.world.held(owner(point))
    with pytest.raises(Refused) as refused:
        await running
    assert refused.value.reason == "deadline_exceeded"
    case.world.release(owner(point))
    await case.receiver.wait_for(ARRIVALS)
    executions = await case.proves_itself()
    assert [one["execution_status"] for one in executions] == ["delivered"] * 2


async def test_a_permit_that_arrives_after_the_fence_sends_nothing(case: Case) -> None:
    running = await held_at(case, "retry.permitted")
    ids = [one["execution_id"] for one in await case.records("retry", "retry_intent")]
    assert {one.result.skipped_reason for one in await case.settle(*ids)} == {"fenced"}
    case.world.release("retry")
    await ends(running)
    assert "cavra-execution-id" not in {name for one in case.receiver.received for name in one.headers}
    executions = await case.proves_itself()
    assert {(one["execution_status"], one["skipped"]) for one in executions} == {("skipped", "fenced")}


async def test_a_retry_process_settles_what_its_dead_sibling_claimed(case: Case) -> None:
    with case.world.sibling() as sibling:
        running = await held_at(case, "retry.claimed")
        case.world.kill("retry")
        await ends(running)
        own, case.world.addresses["retry"] = case.world.addresses["retry"], sibling
        try:
            executions = await case.settled()
        finally:
            case.world.addresses["retry"] = own
    case.world.start("retry")
    assert {(one["execution_status"], one["skipped"]) for one in executions} == {("skipped", "fenced")}
    await case.proves_itself()


async def test_runs_on_two_processes_of_one_store_send_each_item_once(case: Case) -> None:
    await case.fail(4)
    await case.patiently(case.approve)
    with case.world.sibling() as sibling:
        runs = [case.patiently(lambda at=at: case.run(at=at)) for at in ("", sibling) * 4]  # type: ignore[misc]
        answers = await asyncio.gather(*runs)
    assert sum(len(answer.results) for answer in answers) == 4
    await case.proves_itself()


async def test_a_fence_and_a_send_that_is_about_to_begin_do_not_pass_each_other(case: Case) -> None:
    running = await held_at(case, "delivery.retry.before_attempt")
    ids = [one["execution_id"] for one in await case.records("retry", "retry_intent")]
    settled = await case.settle(*ids)
    assert [one.in_progress for one in settled].count(True) >= 1
    assert not {one.result.skipped_reason for one in settled} - {""}
    case.world.release("delivery")
    await running
    executions = await case.proves_itself()
    assert [one["execution_status"] for one in executions] == ["delivered"] * 2


async def test_a_second_delivery_process_waits_until_the_first_has_stopped(case: Case) -> None:
    running = await held_at(case, "delivery.retry.attempted", failures=1)
    home, first = case.world.home, case.world.processes["delivery"]
    impatient = home.start("serve", "delivery", "--port", "0", CAVRA_DRAIN_SECONDS="0")
    assert await asyncio.to_thread(impatient.ended) == 3
    assert "delivery.sqlite3 is in use" in home.log.read_text()
    patient = home.start("serve", "delivery", "--port", "0")
    case.world.release("delivery")
    await running
    assert await asyncio.to_thread(first.stop) == 0
    await asyncio.to_thread(patient.ready)
    patient.kill()
    case.world.start("delivery")
    (execution,) = await case.proves_itself()
    assert execution["execution_status"] == "delivered"


async def test_a_process_that_starts_leaves_its_sibling_what_that_has_claimed(case: Case) -> None:
    running = await held_at(case, "retry.permitted")
    with case.world.sibling(looks_every="3600") as sibling:
        # What it looks for at its start it has looked for by the time that it answers this.
        await case.patiently(lambda: case.run(at=sibling))
        case.world.release("retry")
        await running
    executions = await case.proves_itself()
    assert [one["execution_status"] for one in executions] == ["delivered"] * 2


@pytest.mark.parametrize("dies", DEATHS)
@pytest.mark.parametrize("point", RECONCILED)
async def test_a_settlement_that_is_cut_short_is_made_by_the_next_look(
    case: Case, point: str, dies: str
) -> None:
    await case.fail()
    await case.patiently(case.approve)
    case.world.order(("retry.claimed", "fail"), (point, ACTION[dies]))
    await ends(asyncio.create_task(case.run()))
    await struck(case, point, dies)
    executions = await case.proves_itself()
    assert [(one["execution_status"], one["skipped"]) for one in executions] == [("skipped", "fenced")] * 2


@pytest.mark.parametrize("point", [one for one in RECONCILED if owner(one) == "retry"])
async def test_an_outcome_that_is_asked_for_again_and_lost_again_is_recorded_once(
    case: Case, point: str
) -> None:
    await case.fail()
    await case.patiently(case.approve)
    case.world.order(("retry.answered", "fail"), (point, "kill"))
    await ends(asyncio.create_task(case.run()))
    await struck(case, point, "its own")
    executions = await case.proves_itself()
    assert [one["execution_status"] for one in executions] == ["delivered"] * 2


@pytest.mark.parametrize("cut", ["kill", "fail"])
async def test_a_service_that_dies_while_it_records_what_was_cut_short_records_it_once(
    case: Case, cut: str
) -> None:
    """At its next start, or without one on its timer."""
    await case.fail()
    await case.patiently(case.approve)
    case.world.order(("delivery.retry.attempted", cut), (RECOVERED, "kill"))
    running = asyncio.create_task(case.run())
    await case.world.ended("delivery")
    if cut == "kill":
        case.world.start_in_vain("delivery")
    case.world.start("delivery")
    await ends(running)
    executions = await case.proves_itself()
    assert "unknown" in {one["execution_status"] for one in executions}


@pytest.mark.parametrize("dies", [*DEATHS, "who asked", "too late"])
@pytest.mark.parametrize("point", RESOLVED)
async def test_a_resolution_reaches_delivery_whoever_dies_or_leaves(
    case: Case, point: str, dies: str
) -> None:
    await case.fail(1)
    await case.patiently(case.approve)
    case.world.order(("delivery.retry.attempted", "fail"))
    await ends(asyncio.create_task(case.run()))
    (execution,) = await case.settled()
    assert execution["execution_status"] == "unknown"
    case.world.order((point, ACTION.get(dies, "hold")))
    timeout = 1.0 if dies == "too late" else PATIENCE
    resolving = asyncio.create_task(case.resolve(execution["execution_id"], delivered=False, timeout=timeout))
    if dies in DEATHS:
        await struck(case, point, dies)
        await ends(resolving)
    else:
        await case.world.held(owner(point))
        if dies == "who asked":
            resolving.cancel()
        with pytest.raises((asyncio.CancelledError, Refused)):
            await resolving
        case.world.release(owner(point))
    await case.proves_itself()
    assert len(await case.records("retry", "execution_resolution")) == 1


@pytest.mark.parametrize("point", FIRST)
async def test_a_first_send_that_dies_is_recorded_and_can_be_retried(case: Case, point: str) -> None:
    case.receiver.status = 503
    case.world.order((point, "kill"))
    request = delivery_pb2.DeliverAuditRequest(retries=0, timeout_seconds=5)
    with pytest.raises(Refused):
        await case.call("delivery", "DeliverAudit", request)
    await case.world.ended("delivery")
    case.world.start("delivery")
    case.receiver.status = 200
    failures = (await case.call("delivery", "ListFailures", delivery_pb2.ListFailuresRequest())).failures
    assert len(failures) == (0 if point.endswith("before_attempt") else 1)
    for failure in failures:
        case.deliveries.append(failure.key.delivery_id)
        case.keys.append(failure.key)
        assert failure.failure_count == 1
        arrived = len(case.receiver.received)
        await case.patiently(case.approve)
        await case.patiently(case.run)
        assert len(case.receiver.received) == arrived + 1
        assert not any(one.open for one in await case.failures())


@pytest.mark.parametrize("point", FIRST)
async def test_a_first_send_that_a_fault_ends_is_recorded_without_a_restart(case: Case, point: str) -> None:
    case.receiver.status = 503
    case.world.order((point, "fail"))
    request = delivery_pb2.DeliverAuditRequest(retries=0, timeout_seconds=5)
    with pytest.raises(Refused):
        await case.call("delivery", "DeliverAudit", request)
    case.receiver.status = 200
    if point.endswith("before_attempt"):
        return
    async with asyncio.timeout(PATIENCE):
        while not (
            found := await case.call("delivery", "ListFailures", delivery_pb2.ListFailuresRequest())
        ).failures:
            pass
    [failure] = found.failures
    case.deliveries.append(failure.key.delivery_id)
    case.keys.append(failure.key)
    await case.patiently(case.approve)
    await case.patiently(case.run)
    assert not any(one.open for one in await case.failures())


@pytest.mark.parametrize("point", MACHINE)
async def test_a_retry_that_a_fault_ends_is_settled_without_a_restart(case: Case, point: str) -> None:
    await case.fail()
    await case.patiently(case.approve)
    case.world.order((point, "fail"))
    await ends(asyncio.create_task(case.run()))
    await case.proves_itself()


@pytest.mark.parametrize("timeout", [PATIENCE, 1.0], ids=["leaves", "is late"])
@pytest.mark.parametrize("point", FIRST)
async def test_a_first_send_goes_on_without_who_asked_for_it(case: Case, point: str, timeout: float) -> None:
    case.world.order((point, "hold"))
    request = delivery_pb2.DeliverAuditRequest(retries=0, timeout_seconds=5)
    asked = partial(case.call, "delivery", "DeliverAudit", request, key=f"{point} {timeout}")
    sending = asyncio.create_task(asked(timeout=timeout))
    await case.world.held("delivery")
    if timeout == PATIENCE:
        sending.cancel()
    with pytest.raises((asyncio.CancelledError, Refused)):
        await sending
    case.world.release("delivery")
    answer = await case.patiently(asked, "in_progress")
    assert answer.success
    assert len(case.receiver.received) == 1


@pytest.mark.parametrize("action", ["kill", "fail"])
@pytest.mark.parametrize("point", ALERTED)
async def test_an_alert_that_is_planned_is_sent_once_and_then_suppresses_its_cause(
    case: Case, point: str, action: str
) -> None:
    await case.fail(1)
    await case.patiently(lambda: case.call("retry", "GetWorkerHealth", pb.GetWorkerHealthRequest()))
    case.world.order((point, action))
    request = pb.DeliverHealthAlertRequest(retries=0, timeout_seconds=5)
    with pytest.raises(Refused):
        await case.call("retry", "DeliverHealthAlert", request)
    if action == "kill":
        await case.world.ended("retry")
        case.world.start("retry")
    await case.receiver.wait_for(2)
    again = await case.patiently(lambda: case.call("retry", "DeliverHealthAlert", request))
    plan = orjson.loads(again.plan.canonical)[BY_NOUN["health_alert_plan"].key]
    assert (plan["selected_providers"], plan["suppressed_providers"]) == ([], ["webhook"])
    assert len(case.receiver.received) == 2
    await case.approve()
    await case.patiently(case.run)
    assert not any(one.open for one in await case.failures())
