"""Claims whose outcome was lost on the way: each is settled, and nothing is sent again to find out."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from cavra.retry.v1 import retry_pb2 as pb
from cavra_retry.execution import Executor
from cavra_retry.peer import Delivery
from cavra_retry.store.standings import Standings
from cavra_service.keys import ServiceKeys
from cavra_service.reconciling import keep_reconciling
from cavra_service.runtime import open_store
from cavra_verify.kinds import BY_NOUN

from tests.support.forger import Forger
from tests.support.retry_desk import envelope


async def test_an_answer_that_was_lost_is_asked_for_again(opened: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("CAVRA_RECONCILE_INTERVAL_SECONDS", "0.05")
    retry = await opened()
    retry.fake.lose_answers = True
    async with retry.running():
        failure = await retry.fail()
        await retry.approved()
        answer = await retry.run()
        (result,) = answer.results
        assert not result.HasField("execution")
        execution = await retry.next_execution()
    record = execution["retry_execution_record"]
    assert (record["execution_status"], record["executed_by"]) == ("delivered", "erin")
    assert record["delivery_metadata_id"] in {cause["id"] for cause in execution["causes"]}
    assert failure.open is False


async def test_an_outcome_lost_with_the_process_is_recorded_at_the_next_start(opened: Any) -> None:
    retry = await opened()
    retry.fake.lose_answers = True
    async with retry.running():
        await retry.fail()
        await retry.approved()
        await retry.run()
    look_soon(retry)
    async with retry.running():
        execution = await retry.next_execution()
    assert execution["execution_status"] == "delivered"
    assert len(retry.fake.sends) == 1


async def test_a_claim_that_delivery_never_heard_of_is_fenced_and_recorded_skipped(
    opened: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("CAVRA_RECONCILE_INTERVAL_SECONDS", "0.05")
    retry = await opened()

    async def lost(self: Any, request: Any, context: Any) -> Any:
        raise ConnectionError

    monkeypatch.setattr(type(retry.fake), "_send", lost)
    async with retry.running():
        await retry.fail()
        await retry.approved()
        (result,) = (await retry.run()).results
        assert not result.HasField("execution")
        record = (await retry.next_execution())["retry_execution_record"]
        assert (record["execution_status"], record["skipped"]) == ("skipped", "fenced")
        assert (record["delivery_metadata_id"], record["delivery_success"]) == ("", False)
        answer = await retry.run(retry_policy=pb.RetryPolicy(allow_immediate_retry=True))
        run = envelope(answer.run)[BY_NOUN["worker_run"].key]
        assert [one["reason"] for one in run["follow_up_actions"]] == ["approval_used"]
    assert len(retry.fake.sends) == 1


async def test_a_forged_outcome_is_not_recorded_and_keeps_no_other_waiting(
    opened: Any, monkeypatch: Any
) -> None:
    monkeypatch.setenv("CAVRA_RECONCILE_INTERVAL_SECONDS", "0.05")
    retry = await opened()
    retry.fake.lose_answers = True
    send = type(retry.fake)._send

    async def forged(self: Any, request: Any, actor: Any) -> Any:
        result = await send(self, request, actor)
        result.delivery.signature = b"x" * 64
        return result

    monkeypatch.setattr(type(retry.fake), "_send", forged)
    async with retry.running():
        for provider in ("chat", "hook"):
            await retry.fail(provider)
        plan = await retry.plan()
        for provider in ("chat", "hook"):
            await retry.acknowledge(plan, provider=provider)
        approval = await retry.plan_approval()
        for provider in ("chat", "hook"):
            await retry.decide(approval, provider=provider)
        first, second = (await retry.run()).results
        assert not first.HasField("execution")
        assert not second.HasField("execution")
        record = (await retry.next_execution())["retry_execution_record"]
        assert record["skipped"] == "fenced", "the one that was never sent"
        assert len(await retry.raw(metadata_kind=BY_NOUN["execution_record"].kind)) == 1


@pytest.mark.parametrize(
    "forged",
    [
        "intent_id = 'gordackretryintent-nobodys'",
        "executor_name = ''",
        "claimed_at = 'then'",
        "execution_id = 'no id'",
    ],
)
async def test_a_claim_whose_rows_were_forged_keeps_no_other_waiting(opened: Any, forged: str) -> None:
    retry = await opened()
    retry.fake.lose_answers = True
    async with retry.running():
        for provider in ("chat", "hook"):
            await retry.fail(provider)
        plan = await retry.plan()
        for provider in ("chat", "hook"):
            await retry.acknowledge(plan, provider=provider)
        approval = await retry.plan_approval()
        for provider in ("chat", "hook"):
            await retry.decide(approval, provider=provider)
        await retry.run()
    Forger(retry.settings, "retry").sql(f"UPDATE executions SET {forged} WHERE provider = 'chat'")
    look_soon(retry)
    async with retry.running():
        record = (await retry.next_execution())["retry_execution_record"]
        assert (record["provider"], record["skipped"]) == ("hook", "fenced"), "the one that was never sent"


async def test_what_another_process_claimed_is_settled_by_the_second_look_that_sees_it(opened: Any) -> None:
    retry = await opened()
    retry.fake.lose_answers = True
    async with retry.running(), looking(retry) as look:
        await retry.fail()
        await retry.approved()
        await look()
        await retry.run()
        await look()
        assert await retry.raw(metadata_kind=BY_NOUN["execution_record"].kind) == []
        await look()
        assert len(await retry.raw(metadata_kind=BY_NOUN["execution_record"].kind)) == 1


async def test_a_process_that_starts_leaves_its_sibling_what_it_has_just_claimed(opened: Any) -> None:
    retry = await opened()
    retry.fake.lose_answers = True
    async with retry.running(), looking(retry) as look:
        await retry.fail()
        await retry.approved()
        await retry.run()
        await look()
        assert await retry.raw(metadata_kind=BY_NOUN["execution_record"].kind) == []
        await look()
        assert len(await retry.raw(metadata_kind=BY_NOUN["execution_record"].kind)) == 1


async def test_two_looks_fall_into_every_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    async def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 4:
            raise asyncio.CancelledError

    async def job() -> None:
        """A look."""

    monkeypatch.setattr(asyncio, "sleep", sleep)
    with pytest.raises(asyncio.CancelledError):
        await keep_reconciling([job], 15.0)
    assert looks == [7.5] * 4


def look_soon(retry: Any) -> None:
    """From the next start on."""
    retry.settings = retry.settings.model_copy(update={"reconcile_interval_seconds": 0.05})


@asynccontextmanager
async def looking(retry: Any) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """A further process's look for lost outcomes, on the same store."""
    settings = retry.settings
    trust = settings.identity / "trust"
    store = await open_store(settings, "retry", ["cavra_retry.store"])
    try:
        async with retry.installation.channel(settings.delivery_address) as channel:
            peer = retry.installation.caller("service:retry", "service")
            delivery = Delivery(channel, peer, ServiceKeys(trust / "delivery.pub"))
            keys = ServiceKeys(trust / "retry.pub")
            yield Executor(store, Standings(store), delivery, keys, retry.clock).reconcile
    finally:
        await store.close()


async def test_what_delivery_is_still_sending_is_asked_for_again(opened: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("CAVRA_RECONCILE_INTERVAL_SECONDS", "0.05")
    retry = await opened()
    retry.fake.lose_answers = True
    retry.fake.in_progress = 3
    async with retry.running():
        await retry.fail()
        await retry.approved()
        await retry.run()
        assert (await retry.next_execution())["execution_status"] == "delivered"
    assert retry.fake.in_progress == 0
