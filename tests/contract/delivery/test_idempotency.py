"""Keys in front of the real delivery service: a send that is asked for again is not sent again."""

import asyncio

import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.evidence.v1 import evidence_pb2
from cavra_service.client import Caller
from cavra_service.errors import Refused

from tests.contract.delivery.desk import Desk, webhook
from tests.support.forger import Forger
from tests.support.receiver import Receiver

DELIVER = pb.DeliverAuditRequest(retries=0, timeout_seconds=5)


def keyed(desk: Desk, who: str = "olga", role: str = "operator", key: str = "key") -> Caller:
    """Someone who sends a key."""
    token = desk.installation.token(who, role)
    return Caller(lambda: token, 10.0, key)


async def test_a_repeat_while_the_receiver_thinks_is_told_so_and_later_gets_its_answer(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.hold = asyncio.Event()
    first = asyncio.create_task(desk.call("DeliverAudit", DELIVER, keyed(desk)))
    await receiver.wait_for(1)
    assert await desk.refusal("DeliverAudit", DELIVER, keyed(desk)) == ("in_progress", "idempotency-key")
    receiver.hold.set()
    answer = await first
    again = await desk.call("DeliverAudit", DELIVER, keyed(desk))
    assert again.SerializeToString() == answer.SerializeToString()
    assert len(receiver.received) == 1
    assert len(await desk.records()) == 3


async def test_a_caller_whose_time_was_up_gets_the_result_when_asking_again(
    closed_desk: Desk, receiver: Receiver
) -> None:
    closed_desk.connectors(webhook=webhook(receiver.url))
    async with closed_desk.open() as desk:
        receiver.hold = asyncio.Event()
        impatient = keyed(desk).unary(desk.stub.DeliverAudit, DELIVER, timeout=1.0)
        with pytest.raises(Refused, match="deadline_exceeded"):
            await impatient
        receiver.hold.set()
        await recorded(desk, 3)
    async with closed_desk.open() as desk:
        answer = await desk.call("DeliverAudit", DELIVER, keyed(desk))
        assert answer.success
        assert len(await desk.records()) == 3
    assert len(receiver.received) == 1


async def recorded(desk: Desk, records: int) -> None:
    """Returns once the log holds so many records after its own key and first heartbeat."""
    request = evidence_pb2.WatchRecordsRequest(from_index=2)
    watching = desk.operator.stream(desk.log.WatchRecords, request)
    async for response in watching:
        records -= len(response.records)
        if records <= 0:
            return


async def test_a_key_outlives_the_process(closed_desk: Desk, receiver: Receiver) -> None:
    closed_desk.connectors(webhook=webhook(receiver.url))
    async with closed_desk.open() as desk:
        answer = await desk.call("DeliverAudit", DELIVER, keyed(desk))
    async with closed_desk.open() as desk:
        assert await desk.call("DeliverAudit", DELIVER, keyed(desk)) == answer
    assert len(receiver.received) == 1


@pytest.mark.parametrize("delivered", [True, False])
@pytest.mark.parametrize("method", ["DeliverAudit", "NotifyDrill", "BatchAcknowledgeDrills"])
async def test_an_answer_that_a_crash_cut_off_says_all_that_it_would_have_said(
    closed_desk: Desk, receiver: Receiver, method: str, delivered: bool
) -> None:
    closed_desk.connectors(webhook=webhook(receiver.url))
    closed_desk.schedule()
    receiver.status = 200 if delivered else 503
    async with closed_desk.open() as desk:
        requests = {"DeliverAudit": DELIVER, "NotifyDrill": pb.NotifyDrillRequest(force=True, retries=0)}
        if method not in requests:
            await desk.call("NotifyDrill", requests["NotifyDrill"])
            route = pb.DrillRoute(schedule_id="production-rollback", provider="webhook")
            requests[method] = pb.BatchAcknowledgeDrillsRequest(routes=[route])
        first = await desk.call(method, requests[method], keyed(desk))
        size, arrived = await desk.log_size(), len(receiver.received)
    closed_desk.schedule(due_in_days=90)
    forger = Forger(closed_desk.installation.settings, "delivery")
    forger.sql("UPDATE idempotency_keys SET response = NULL")
    async with closed_desk.open() as desk:
        assert await desk.call(method, requests[method], keyed(desk)) == first
        assert (await desk.log_size(), len(receiver.received)) == (size, arrived)


async def test_a_failed_send_is_a_result_too(desk: Desk, receiver: Receiver) -> None:
    receiver.status = 500
    first = await desk.call("DeliverAudit", DELIVER, keyed(desk))
    receiver.status = 200
    again = await desk.call("DeliverAudit", DELIVER, keyed(desk))
    assert (first.success, again) == (False, first)
    assert len(receiver.received) == 1


async def test_a_notification_with_a_key_goes_out_once(desk: Desk, receiver: Receiver) -> None:
    request = pb.NotifyDrillRequest(force=True)
    first = await desk.call("NotifyDrill", request, keyed(desk))
    assert await desk.call("NotifyDrill", request, keyed(desk)) == first
    assert len(receiver.received) == 1
    other = pb.NotifyDrillRequest()
    reused = await desk.refusal("NotifyDrill", other, keyed(desk))
    assert reused == ("idempotency_key_reused", "idempotency-key")


async def test_who_may_not_deliver_learns_nothing_of_a_key(desk: Desk) -> None:
    await desk.call("DeliverAudit", DELIVER, keyed(desk))
    for key in ("key", "never sent", "x" * 129):
        auditor = keyed(desk, "axel", "auditor", key)
        assert await desk.refusal("DeliverAudit", DELIVER, auditor) == ("role_required", "")


async def test_what_is_no_key_is_refused(desk: Desk) -> None:
    refused = await desk.refusal("DeliverAudit", DELIVER, keyed(desk, key="x" * 129))
    assert refused == ("invalid_value", "idempotency-key")
