"""Many deliveries in one call: all begin together, each has its own outcome, and a flaky receiver gets every message."""

from collections import Counter

import grpc
import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_service.errors import Refused

from tests.contract.delivery.desk import Desk, envelope, webhook
from tests.support.receiver import Receiver


async def deliver(desk: Desk, *deliveries: pb.DeliverAuditRequest) -> list[pb.DeliverAuditsResponse.Result]:
    """The results of one batch, by place."""
    request = pb.DeliverAuditsRequest(deliveries=deliveries)
    stream = desk.operator.stream(desk.stub.DeliverAudits, request)
    found = [result async for response in stream for result in response.results]
    return sorted(found, key=lambda result: result.place)


async def test_each_delivery_of_a_batch_has_its_own_package_plan_and_record(
    desk: Desk, receiver: Receiver
) -> None:
    results = await deliver(desk, *[pb.DeliverAuditRequest(cadence=f"daily-{n}") for n in range(5)])
    assert [result.place for result in results] == list(range(5))
    assert all(result.success for result in results)
    assert len({result.delivery_id for result in results} | {result.audit_id for result in results}) == 10
    for place, result in enumerate(results):
        records = await desk.records(trace=result.delivery_id)
        assert [one["session_id"] for one in records] == [
            result.audit_id,
            result.delivery_id,
            result.delivery.id,
        ]
        assert records[1]["acknowledgement_audit_delivery_plan"]["cadence"] == f"daily-{place}"
    assert len(receiver.received) == 5


async def test_what_one_provider_does_not_take_is_that_deliverys_failure_alone(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.script = [200, 400, 200]
    results = await deliver(desk, *[pb.DeliverAuditRequest(retries=0)] * 3)
    assert sorted(result.success for result in results) == [False, True, True]
    (failed,) = [result.delivery_id for result in results if not result.success]
    assert [failure.key.delivery_id for failure in await desk.failures()] == [failed]


@pytest.mark.parametrize(
    ("deliveries", "refusal"),
    [
        ([], ("invalid_value", "deliveries")),
        ([pb.DeliverAuditRequest()] * 101, ("invalid_value", "deliveries")),
        (
            [pb.DeliverAuditRequest(), pb.DeliverAuditRequest(providers=["nobody"])],
            ("provider_not_configured", "deliveries[1].providers"),
        ),
        (
            [pb.DeliverAuditRequest(), pb.DeliverAuditRequest(retries=11)],
            ("invalid_value", "deliveries[1].retries"),
        ),
    ],
    ids=["none", "too-many", "provider", "retries"],
)
async def test_a_batch_with_one_bad_delivery_sends_none(
    desk: Desk, receiver: Receiver, deliveries: list[pb.DeliverAuditRequest], refusal: tuple[str, str]
) -> None:
    before = await desk.log_size()
    with pytest.raises(Refused) as refused:
        await deliver(desk, *deliveries)
    assert (refused.value.reason, refused.value.field) == refusal
    assert (await desk.log_size(), receiver.received) == (before, [])


async def test_a_batch_refuses_a_key_that_it_could_not_keep(desk: Desk, receiver: Receiver) -> None:
    request = pb.DeliverAuditsRequest(deliveries=[pb.DeliverAuditRequest()])
    token = desk.installation.token("olga", "operator")
    metadata = (("authorization", f"Bearer {token}"), ("idempotency-key", "once"))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async for _ in desk.stub.DeliverAudits(request, metadata=metadata):
            pass
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert receiver.received == []


async def test_a_receiver_that_fails_every_tenth_time_gets_every_message_and_records_explain_duplicates(
    closed_desk: Desk, receiver: Receiver
) -> None:
    # Of ten requests one fails: by turns refused for now, or read and left without an answer.
    receiver.script = [200 if n % 10 else (503, 0)[n // 10 % 2] for n in range(600)]
    closed_desk.connectors(webhook=webhook(receiver.url, deduplicates=True))
    async with closed_desk.open() as desk:
        records = []
        for _ in range(4):
            results = await deliver(desk, *[pb.DeliverAuditRequest(retries=10)] * 100)
            records += [envelope(result.delivery)["delivery"] for result in results]
    parts = [record["deliveries"][0] for record in records]
    assert {part["outcome"] for part in parts} == {"delivered"}
    tries = {part["message_id"]: part["attempt_count"] for part in parts}
    assert len(tries) == 400
    assert receiver.count_by("webhook-id") == Counter(tries), "each arrival is a try that a record counts"
    assert sum(tries.values()) > 400
