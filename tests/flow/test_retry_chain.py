"""From a failed audit delivery to an executed retry: real delivery, real retry, a real receiver."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cavra.retry.v1 import retry_pb2 as pb
from cavra_delivery.rpc.failures import Failures
from cavra_retry.background import TASK
from cavra_service.identity import caller
from cavra_verify.kinds import BY_NOUN
from cavra_verify.permits import Permit

from tests.support.chain import IMMEDIATE, Chain, execution, reasons
from tests.support.installation import Installation
from tests.support.receiver import Receiver
from tests.support.retry_desk import EXECUTOR, envelope


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that refuses everything until told otherwise."""
    async with Receiver(503) as running:
        yield running


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Reads its connectors from a file of the test."""
    monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", str(tmp_path / "connectors.yaml"))
    monkeypatch.setenv("CAVRA_RECONCILE_INTERVAL_SECONDS", "0.05")
    return Installation(tmp_path / "data")


@pytest.fixture
async def chain(installation: Installation, receiver: Receiver, tmp_path: Path) -> AsyncIterator[Chain]:
    """Both services, running."""
    found = Chain(installation, "", tmp_path)
    found.connect(url=f"{receiver.url}/hook")
    async with installation.running("delivery") as address:
        found.settings = found.settings.model_copy(update={"delivery_address": address})
        async with found.running():
            yield found


@pytest.fixture
async def worker(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Callable[[int], Any]]:
    """A second retry service on the same store, whose worker looks every 10 ms; waits until it has looked so often."""
    monkeypatch.setenv("CAVRA_WORKER_INTERVAL_SECONDS", "0.01")
    looks, looked = 0, asyncio.Condition()
    clock, loop = chain.clock, asyncio.get_running_loop()

    async def tell() -> None:
        nonlocal looks
        async with looked:
            looks += 1
            looked.notify_all()

    def counted() -> datetime:
        loop.create_task(tell())
        return clock()

    async def wait_for(count: int) -> None:
        async with asyncio.timeout(10), looked:
            target = looks + count
            await looked.wait_for(lambda: looks >= target)

    monkeypatch.setattr(chain, "clock", counted)
    chain.settings = chain.settings.model_copy(update={"worker_enabled": True})
    async with chain.running():
        yield wait_for


async def test_the_worker_sends_what_is_approved_once_it_is_due_without_anybody_asking(
    chain: Chain, worker: Callable[[int], Any], receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.approved()
    receiver.status = 200
    size = (await chain.counters())["size"]
    await worker(5)
    assert (await chain.counters())["size"] == size, "a look that takes nothing writes nothing"
    chain.ahead = timedelta(minutes=16)
    record = (await chain.next_execution())["retry_execution_record"]
    assert (record["execution_status"], record["executed_by"]) == ("delivered", "service:retry")
    assert receiver.count_by("cavra-execution-id")[record["execution_id"]] == 1
    (run,) = await chain.records(metadata_kind=BY_NOUN["worker_run"].kind)
    assert (run["actor"]["sub"], run["dry_run"]) == ("service:retry", False)
    size = (await chain.counters())["size"]
    await worker(5)
    assert ((await chain.counters())["size"], len(receiver.received)) == (size, 2)


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[tuple[str, str]]]:
    """RPC of delivery -> (who calls, for whom), as its gate has let them in."""
    found: dict[str, set[tuple[str, str]]] = {}

    def listening(method: str) -> Callable[..., Any]:
        serve = getattr(Failures, method)

        def listen(self: Failures, request: Any, context: Any) -> Any:
            person = caller().on_behalf_of
            found.setdefault(method, set()).add((caller().actor.sub, person.sub if person else ""))
            return serve(self, request, context)

        return listen

    for method in ("DescribeRetries", "SendRetries"):
        monkeypatch.setattr(Failures, method, listening(method))
    return found


async def test_delivery_is_told_for_whom_retry_asks_and_sends(
    heard: dict[str, set[tuple[str, str]]], chain: Chain, receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.approved()
    receiver.status = 200
    heard.clear()
    assert execution(await chain.live())["executed_by"] == EXECUTOR
    erin = {("service:retry", EXECUTOR)}
    assert heard == {"DescribeRetries": erin, "SendRetries": erin}


async def test_what_the_worker_sends_it_sends_for_nobody(
    heard: dict[str, set[tuple[str, str]]], chain: Chain, worker: Callable[[int], Any], receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.approved()
    receiver.status = 200
    chain.ahead = timedelta(minutes=16)
    await chain.next_execution()
    assert heard["SendRetries"] == {("service:retry", "")}


async def test_without_the_setting_nothing_is_sent_by_itself(chain: Chain) -> None:
    assert not chain.settings.worker_enabled
    assert TASK not in {task.get_name() for task in asyncio.all_tasks()}


async def test_a_failed_delivery_is_reviewed_approved_executed_once_and_cleared(
    chain: Chain, receiver: Receiver
) -> None:
    failed = await chain.deliver()
    assert not failed.success
    answer = await chain.approved()
    receiver.status = 200
    ran = await chain.live()
    record = execution(ran)
    assert (record["execution_status"], record["delivery_success"]) == ("delivered", True)
    assert record["delivery_id"] == failed.delivery_plan.id
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.headers["cavra-execution-id"] == record["execution_id"]
    assert (
        hashlib.sha256(second.body).hexdigest()
        == (await chain.records(metadata_kind=BY_NOUN["retry_intent"].kind))[0]["retry_intent"][
            "payload_hash"
        ]
    )
    (result,) = ran.results
    sent = envelope(result.delivery)
    assert sent["delivery"]["execution_id"] == record["execution_id"]
    assert sent["trace_ids"] == envelope(result.execution)["trace_ids"] == [failed.delivery_plan.id]
    assert record["approval_decision_id"] == answer.decision.id
    again = await chain.live()
    assert (again.results, reasons(again)) == ([], [])
    assert len(receiver.received) == 2


async def test_records_of_both_logs_name_each_other_by_the_hash_of_their_bytes(
    chain: Chain, receiver: Receiver
) -> None:
    failed = await chain.deliver()
    await chain.approved()
    receiver.status = 200
    (result,) = (await chain.live()).results
    (intent,) = await chain.raw(metadata_kind=BY_NOUN["retry_intent"].kind)
    causes = {cause["id"]: cause["record_hash"] for cause in envelope(result.delivery)["causes"]}
    assert causes[intent.id] == hashlib.sha256(b"\0" + intent.canonical).hexdigest()
    causes = {cause["id"]: cause["record_hash"] for cause in envelope(result.execution)["causes"]}
    assert causes[result.delivery.id] == hashlib.sha256(b"\0" + result.delivery.canonical).hexdigest()
    causes = {cause["id"]: cause["record_hash"] for cause in envelope(intent)["causes"]}
    assert causes[failed.delivery.id] == hashlib.sha256(b"\0" + failed.delivery.canonical).hexdigest()


async def test_the_intent_says_all_that_the_permit_said(chain: Chain, receiver: Receiver) -> None:
    await chain.deliver()
    await chain.approved()
    receiver.status = 200
    (result,) = (await chain.live()).results
    (intent,) = await chain.raw(metadata_kind=BY_NOUN["retry_intent"].kind)
    said = envelope(intent)["retry_intent"]
    names = Permit.__dataclass_fields__.keys() - {"intent_hash", "expires_at"}
    permit = Permit(
        **{name: said[name] for name in names},
        intent_hash=hashlib.sha256(b"\0" + intent.canonical).hexdigest(),
        expires_at=said["permit_expires_at"],
    )
    assert said["permit_expires_at"] <= said["expires_at"]
    assert envelope(result.delivery)["delivery"]["permit_hash"] == permit.hash


async def test_each_further_attempt_is_reviewed_and_approved_anew_up_to_the_cap(
    chain: Chain, receiver: Receiver
) -> None:
    await chain.deliver()
    for attempt in (2, 3):
        await chain.approved()
        record = execution(await chain.live())
        assert (record["execution_status"], record["attempt_number"]) == ("failed", attempt)
        assert (await chain.live()).results == []
    assert reasons(await chain.live()) == ["max_retry_attempts_reached"]
    assert len(receiver.received) == 3


async def test_what_waits_runs_once_the_delay_is_over(chain: Chain, receiver: Receiver) -> None:
    await chain.deliver()
    await chain.approved()
    receiver.status = 200
    assert reasons(await chain.run()) == ["retry_delay_pending"]
    chain.ahead = timedelta(minutes=15)
    assert execution(await chain.run())["execution_status"] == "delivered"


async def test_nothing_is_sent_to_another_destination_than_the_approved_one(
    chain: Chain, receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.approved()
    receiver.status = 200
    chain.connect(url=f"{receiver.url}/elsewhere")
    assert reasons(await chain.live()) == ["content_changed"]
    assert [one.path for one in receiver.received] == ["/hook"]


async def test_a_connector_that_lost_its_configuration_uses_the_approval_and_sends_nothing(
    chain: Chain, receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.approved()
    chain.connect(url_env="CAVRA_TEST_MISSING_URL")
    record = execution(await chain.live())
    assert (record["execution_status"], record["skipped"]) == ("skipped", "connector_config_not_configured")
    chain.connect(url=f"{receiver.url}/hook")
    receiver.status = 200
    assert reasons(await chain.live()) == ["approval_used"]
    await chain.approved()
    assert execution(await chain.live())["execution_status"] == "delivered"


async def test_parallel_runs_send_once(chain: Chain, receiver: Receiver) -> None:
    await chain.deliver()
    await chain.approved()
    receiver.status = 200
    answers = await asyncio.gather(*(chain.live() for _ in range(6)))
    assert sum(len(answer.results) for answer in answers) == 1
    assert len(receiver.received) == 2


async def test_an_answer_that_never_came_is_unknown_and_never_resent(
    chain: Chain, receiver: Receiver
) -> None:
    await chain.deliver()
    await chain.approved()
    receiver.hold = asyncio.Event()
    ran = await chain.run(retry_policy=IMMEDIATE, retries=3, timeout_seconds=1)
    assert execution(ran)["execution_status"] == "unknown"
    assert reasons(await chain.live()) == ["outcome_unknown"]
    assert len(receiver.received) == 2
    receiver.hold.set()


@pytest.mark.parametrize(("outcome", "sends"), [("delivered", 2), ("not_delivered", 3)])
async def test_a_resolved_unknown_closes_the_failure_or_opens_a_next_attempt(
    chain: Chain, receiver: Receiver, outcome: str, sends: int
) -> None:
    await chain.deliver()
    await chain.approved()
    receiver.hold = asyncio.Event()
    ran = await chain.run(retry_policy=IMMEDIATE, retries=0, timeout_seconds=1)
    receiver.hold.set()
    receiver.status = 200
    resolution = await chain.resolve(execution(ran)["execution_id"], outcome)
    assert ran.results[0].execution.id in {cause["id"] for cause in resolution["causes"]}
    plan = await chain.plan(allow_immediate_retry=True)
    assert plan["retryable_count"] == sends - 2
    if plan["retryable_count"]:
        await chain.acknowledge(plan)
        await chain.decide(await chain.plan_approval())
        record = execution(await chain.live())
        assert (record["execution_status"], record["attempt_number"]) == ("delivered", 3)
    assert len(receiver.received) == sends
    assert set(receiver.count_by("cavra-execution-id").values()) == {1}


async def test_an_outcome_that_delivery_lost_in_a_restart_is_recorded_unknown(
    installation: Installation, receiver: Receiver, tmp_path: Path
) -> None:
    chain = Chain(installation, "", tmp_path)
    chain.connect(url=f"{receiver.url}/hook")

    @asynccontextmanager
    async def delivering(port: int) -> AsyncIterator[str]:
        installation.settings = installation.settings.model_copy(update={"delivery_port": port})
        async with installation.running("delivery") as address:
            yield address

    async with delivering(0) as address:
        chain.settings = chain.settings.model_copy(update={"delivery_address": address})
        await chain.deliver()
    port = int(address.rpartition(":")[2])
    async with chain.running():
        async with delivering(port):
            await chain.approved()
            receiver.hold = asyncio.Event()
            running = asyncio.create_task(chain.live())
            await receiver.wait_for(2)
        (result,) = (await running).results
        async with delivering(port):
            execution_record = await chain.next_execution()
        receiver.hold.set()
    assert not result.HasField("execution")
    assert execution_record["execution_status"] == "unknown"
    assert len(receiver.received) == 2


async def test_an_alert_about_the_worker_reaches_the_webhook(chain: Chain, receiver: Receiver) -> None:
    await chain.deliver()
    receiver.status = 200
    request = pb.DeliverHealthAlertRequest()
    sent = await chain.call("DeliverHealthAlert", request)
    assert sent.success
    plan = envelope(sent.plan)
    assert plan["selected_providers"] == ["hook"]
    assert plan["plan_id"].encode() in receiver.received[-1].body
    assert plan["plan_id"] in {cause["id"] for cause in envelope(sent.delivery)["causes"]}
    counts = await chain.call("GetHealthAlertDashboard", pb.GetHealthAlertDashboardRequest())
    assert (counts.delivery_count, counts.failed_delivery_count) == (1, 0)
    assert counts.outstanding_acknowledgement_count == 1
