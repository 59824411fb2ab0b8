"""Settling says what became of an execution, for good: one that never began is fenced."""

import asyncio
from typing import Any

import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_delivery.sends import SendMachine
from cavra_evidence.ids import new_id
from cavra_service.errors import Refused

from tests.contract.delivery.desk import Desk, envelope, webhook
from tests.support.receiver import Receiver


@pytest.fixture
async def failure(desk: Desk, receiver: Receiver) -> pb.Failure:
    """A failure of the webhook, with the receiver well again."""
    receiver.status = 503
    await desk.deliver()
    receiver.status = 200
    return (await desk.failures())[0]


async def settle(desk: Desk, *execution_ids: str) -> list[Any]:
    request = pb.SettleRequest(execution_ids=execution_ids)
    return list((await desk.call("Settle", request, desk.service)).settlements)


async def test_an_execution_that_never_began_is_fenced_and_never_sent(
    desk: Desk, receiver: Receiver, failure: pb.Failure
) -> None:
    claim = await desk.claim(failure)
    size = await desk.log_size()
    [settled] = await settle(desk, claim.execution_id)
    assert (settled.in_progress, settled.result.skipped_reason) == (False, "fenced")
    [late] = await desk.retry(claim)
    assert late == settled.result
    assert await settle(desk, claim.execution_id) == [settled]
    assert (len(receiver.received), await desk.log_size()) == (1, size)
    [other] = await desk.retry(await desk.claim(failure))
    assert other.outcome == pb.SEND_OUTCOME_DELIVERED, "only the execution is fenced, not the attempt"


async def test_a_skipped_execution_stays_skipped_for_its_reason(
    desk: Desk, receiver: Receiver, failure: pb.Failure
) -> None:
    claim = await desk.claim(failure)
    desk.connectors()
    [skipped] = await desk.retry(claim)
    desk.connectors(webhook=webhook(receiver.url + "/hook"))
    [settled] = await settle(desk, claim.execution_id)
    assert settled.result == skipped
    assert settled.result.skipped_reason == "connector_config_not_configured"
    assert await desk.retry(claim) == [skipped]
    assert len(receiver.received) == 1


@pytest.mark.parametrize("status", [200, 500])
async def test_what_is_recorded_is_answered(
    desk: Desk, receiver: Receiver, failure: pb.Failure, status: int
) -> None:
    receiver.status = status
    claim = await desk.claim(failure)
    [result] = await desk.retry(claim)
    [settled] = await settle(desk, claim.execution_id)
    assert settled.result == result
    assert envelope(settled.result.delivery)["delivery"]["execution_id"] == claim.execution_id


async def test_what_is_being_sent_is_in_progress(desk: Desk, receiver: Receiver, failure: pb.Failure) -> None:
    claim = await desk.claim(failure)
    receiver.hold = asyncio.Event()
    sending = asyncio.create_task(desk.retry(claim))
    await receiver.wait_for(2)
    [settled] = await settle(desk, claim.execution_id)
    assert settled.in_progress
    assert not settled.HasField("result")
    receiver.hold.set()
    [result] = await sending
    [settled] = await settle(desk, claim.execution_id)
    assert settled.result == result


async def test_a_batch_whose_caller_goes_away_is_in_progress_and_is_sent(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.status = 503
    for _ in range(17):
        await desk.deliver()
    claims = [await desk.claim(one) for one in await desk.failures()]
    receiver.status, receiver.hold = 200, asyncio.Event()
    sending = asyncio.create_task(desk.retry(*claims))
    await receiver.wait_for(17 + 1)
    ids = [claim.execution_id for claim in claims]
    assert all(one.in_progress for one in await settle(desk, *ids))
    sending.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sending
    receiver.hold.set()
    await receiver.wait_for(17 + 17)
    assert receiver.count_by("cavra-execution-id") == {"": 17, **dict.fromkeys(ids, 1)}


async def test_of_a_send_and_a_fence_that_meet_one_wins(
    desk: Desk, receiver: Receiver, failure: pb.Failure
) -> None:
    claim = await desk.claim(failure)
    [sent], *answers = await asyncio.gather(
        desk.retry(claim), *(settle(desk, claim.execution_id) for _ in range(5))
    )
    said = {one.result.skipped_reason for [one] in answers if not one.in_progress}
    fenced = sent.outcome == pb.SEND_OUTCOME_SKIPPED
    assert said <= ({"fenced"} if fenced else {""})
    assert len(receiver.received) == (1 if fenced else 2)


async def test_settling_takes_ids_of_executions_and_the_role_service(desk: Desk) -> None:
    for ids in ([], ["x"], [new_id("gordackretryexec")] * 101):
        request = pb.SettleRequest(execution_ids=ids)
        assert await desk.refusal("Settle", request, desk.service) == ("invalid_value", "execution_ids")
    request = pb.SettleRequest(execution_ids=[new_id("gordackretryexec")])
    assert await desk.refusal("Settle", request) == ("role_required", "")


async def test_an_attempt_whose_record_failed_is_recorded_unknown(
    desk: Desk, receiver: Receiver, failure: pb.Failure, monkeypatch: pytest.MonkeyPatch
) -> None:
    claim = await desk.claim(failure)

    async def broken(*args: Any) -> Any:
        raise OSError("no space left")

    with monkeypatch.context() as patch:
        patch.setattr(SendMachine, "_settle", broken)
        with pytest.raises(Refused):
            await desk.retry(claim)
    [settled] = await settle(desk, claim.execution_id)
    assert settled.result.outcome == pb.SEND_OUTCOME_UNKNOWN
    assert envelope(settled.result.delivery)["delivery"]["deliveries"][0]["error"] == "outcome_unknown"
    assert len(receiver.received) == 2
    [after] = await desk.failures()
    assert (after.outcome_unknown, after.in_flight) == (True, False)
