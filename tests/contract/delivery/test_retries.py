"""What other services ask of delivery: failures, descriptions, claimed retries, alerts, summaries."""

import asyncio
import sqlite3
from collections import Counter
from contextlib import closing
from typing import Any

import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.evidence.v1 import evidence_pb2
from cavra_service.errors import Refused
from cavra_verify.kinds import BY_NOUN

from tests.contract.delivery.desk import Desk, envelope, retry_request, webhook
from tests.support.receiver import Receiver


async def failed(desk: Desk, receiver: Receiver, status: int = 503) -> pb.Failure:
    """A failure of the webhook, with the receiver well again."""
    receiver.status = status
    await desk.deliver("webhook")
    receiver.status = 200
    return (await desk.failures())[-1]


async def test_a_delivered_retry_sends_the_same_body_and_closes_the_failure(
    desk: Desk, receiver: Receiver
) -> None:
    failure = await failed(desk, receiver)
    claim = await desk.claim(failure)
    [result] = await desk.retry(claim)
    assert result.outcome == pb.SEND_OUTCOME_DELIVERED
    first, second = receiver.received
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert second.headers["cavra-execution-id"] == claim.execution_id
    plan, delivery = envelope(result.delivery_plan), envelope(result.delivery)
    assert delivery["delivery_id"] == failure.key.delivery_id
    assert delivery["delivery"]["delivery_plan_id"] == plan["delivery_id"] != failure.key.delivery_id
    assert delivery["delivery"]["execution_id"] == claim.execution_id
    assert (delivery["retry_plan_id"], delivery["worker_run_id"]) == (claim.retry_plan_id, claim.run_id)
    assert delivery["trace_ids"] == plan["trace_ids"] == [failure.key.delivery_id]
    assert plan["signer"] == delivery["signer"] == "Erin"
    assert claim.intent.id in {one["id"] for one in delivery["causes"]} & {
        one["id"] for one in plan["causes"]
    }
    named = {one["id"]: one["record_hash"] for one in delivery["causes"]}
    assert named[claim.intent.id] == claim.intent.record_hash.hex()
    assert delivery["delivery"]["deliveries"][0]["attempt_number"] == 2
    assert await desk.failures() == []
    assert await desk.gauges() == {}
    request = pb.BatchGetFailuresRequest(keys=[failure.key])
    [closed] = (await desk.call("BatchGetFailures", request)).failures
    assert (closed.open, closed.failure_count, closed.next_attempt_number) == (False, 1, 3)


async def test_a_failed_retry_leaves_the_failure_open_and_counts(desk: Desk, receiver: Receiver) -> None:
    failure = await failed(desk, receiver)
    receiver.status = 500
    [result] = await desk.retry(await desk.claim(failure))
    assert result.outcome == pb.SEND_OUTCOME_FAILED
    [after] = await desk.failures()
    assert (after.failure_count, after.next_attempt_number) == (2, 3)
    assert list(after.failed_status_codes) == [503, 500]
    assert after.latest_delivery_id == result.delivery_plan.id
    assert after.latest_record.id == result.delivery.id
    assert after.original_record == failure.original_record
    assert await desk.gauges() == {"open_failures": 1, "open_failures:2": 1}


async def test_a_retry_without_an_answer_is_unknown_and_is_never_sent_again(
    desk: Desk, receiver: Receiver
) -> None:
    failure = await failed(desk, receiver)
    claim = await desk.claim(failure)
    receiver.hold = asyncio.Event()
    [result] = await desk.retry(claim, timeout_seconds=1)
    receiver.hold.set()
    assert result.outcome == pb.SEND_OUTCOME_UNKNOWN
    part = envelope(result.delivery)["delivery"]["deliveries"][0]
    assert (part["outcome"], part["error"], part["success"]) == ("unknown", "timeout", False)
    [after] = await desk.failures()
    assert (after.open, after.outcome_unknown, after.in_flight) == (True, True, False)
    assert await desk.gauges() == {"open_failures": 1, "unknown_failures": 1}
    [skipped] = await desk.retry(await desk.claim(after))
    assert (skipped.outcome, skipped.skipped_reason) == (pb.SEND_OUTCOME_SKIPPED, "attempt_conflict")
    assert len(receiver.received) == 2


async def test_an_execution_is_sent_once_however_often_it_is_asked_for(
    desk: Desk, receiver: Receiver
) -> None:
    claim = await desk.claim(await failed(desk, receiver))
    receiver.hold = asyncio.Event()
    asked = [asyncio.create_task(desk.retry(claim)) for _ in range(5)]
    await receiver.wait_for(2)
    receiver.hold.set()
    answers = [result for results in await asyncio.gather(*asked) for result in results]
    answers += await desk.retry(claim)
    assert {answer.outcome for answer in answers} == {pb.SEND_OUTCOME_DELIVERED}
    assert len({answer.delivery.id for answer in answers}) == 1
    assert receiver.count_by("cavra-execution-id")[claim.execution_id] == 1


async def test_two_executions_of_one_attempt_make_one_send(desk: Desk, receiver: Receiver) -> None:
    failure = await failed(desk, receiver)
    claims = [await desk.claim(failure) for _ in range(4)]
    results = [result for one in await asyncio.gather(*map(desk.retry, claims)) for result in one]
    assert Counter(result.outcome for result in results) == {
        pb.SEND_OUTCOME_DELIVERED: 1,
        pb.SEND_OUTCOME_SKIPPED: 3,
    }
    assert {result.skipped_reason for result in results} <= {"", "attempt_conflict", "already_delivered"}
    assert len(receiver.received) == 2


async def test_a_claim_that_does_not_match_is_skipped_and_nothing_is_recorded(
    desk: Desk, receiver: Receiver
) -> None:
    failure = await failed(desk, receiver)
    nobody = pb.FailureKey(
        delivery_id=failure.key.delivery_id, audit_id=failure.key.audit_id, provider="slack"
    )
    claims = {
        "content_changed": [
            await desk.claim(failure, payload_hash=b"x" * 32),
            await desk.claim(failure, destination_fingerprint=b"x" * 32),
        ],
        "attempt_conflict": [await desk.claim(failure, attempt_number=3)],
        "audit_package_not_found": [await desk.claim(failure, key=nobody)],
    }
    before = await desk.log_size()
    for reason, sends in claims.items():
        for result in await desk.retry(*sends):
            assert (result.outcome, result.skipped_reason) == (pb.SEND_OUTCOME_SKIPPED, reason)
            assert not result.HasField("delivery")
    assert await desk.log_size() == before
    assert len(receiver.received) == 1


async def test_what_was_delivered_at_first_is_not_retried(desk: Desk, receiver: Receiver) -> None:
    failure = await failed(desk, receiver)
    answer = await desk.deliver()
    plan = envelope(answer.delivery_plan)
    key = pb.FailureKey(delivery_id=plan["delivery_id"], audit_id=plan["audit_id"], provider="webhook")
    [result] = await desk.retry(await desk.claim(failure, key=key))
    assert result.skipped_reason == "already_delivered"


async def test_another_destination_or_none_stops_a_retry(desk: Desk, receiver: Receiver) -> None:
    failure = await failed(desk, receiver)
    elsewhere, unconfigured, sent = [await desk.claim(failure) for _ in range(3)]
    async with Receiver() as other:
        desk.connectors(webhook=webhook(other.url))
        assert (await desk.retry(elsewhere))[0].skipped_reason == "content_changed"
        desk.connectors(webhook=webhook(receiver.url + "/hook", token_env="CAVRA_TEST_ABSENT"))
        assert (await desk.retry(unconfigured))[0].skipped_reason == "connector_config_not_configured"
        desk.connectors(webhook=webhook(receiver.url + "/hook"))
        assert (await desk.retry(elsewhere))[0].skipped_reason == "content_changed"
        assert (await desk.retry(sent))[0].outcome == pb.SEND_OUTCOME_DELIVERED
        assert other.received == []


async def test_a_fingerprint_outlives_a_restart_and_differs_by_secret_path(
    closed_desk: Desk, receiver: Receiver
) -> None:
    closed_desk.connectors(webhook=webhook(receiver.url + "/secret-a"))
    async with closed_desk.open() as desk:
        failure = await failed(desk, receiver)
        before = await desk.claim(failure)
    async with closed_desk.open() as desk:
        again = await desk.claim(failure)
        assert again.destination_fingerprint == before.destination_fingerprint
        assert again.payload_hash == before.payload_hash
        desk.connectors(webhook=webhook(receiver.url + "/secret-b"))
        assert (await desk.claim(failure)).destination_fingerprint != before.destination_fingerprint


async def test_a_batch_streams_each_outcome_as_it_becomes_durable(desk: Desk, receiver: Receiver) -> None:
    for _ in range(20):
        await failed(desk, receiver)
    claims = [await desk.claim(one) for one in await desk.failures()]
    results = await desk.retry(*claims)
    assert {result.execution_id for result in results} == {claim.execution_id for claim in claims}
    assert {result.outcome for result in results} == {pb.SEND_OUTCOME_DELIVERED}
    assert await desk.gauges() == {}


async def test_a_claim_that_conflicts_spoils_itself_alone(desk: Desk, receiver: Receiver) -> None:
    for _ in range(3):
        await failed(desk, receiver)
    claims = [await desk.claim(one) for one in await desk.failures()]
    taken = claims[1].key
    with closing(sqlite3.connect(desk.folder / "data" / "delivery.sqlite3")) as other, other:
        # An attempt of this number that no failure knows of: the claim can neither begin nor be skipped.
        other.execute(
            "INSERT INTO attempts VALUES ('x', ?, ?, ?, 2, NULL, 'settled', 'failed', '', '')",
            (taken.provider, taken.delivery_id, taken.audit_id),
        )
    results: list[pb.SendRetriesResponse.Result] = []

    async def answered() -> None:
        async for response in desk.service.stream(desk.stub.SendRetries, retry_request(*claims)):
            results.extend(response.results)

    receiver.hold = asyncio.Event()
    waiting = asyncio.create_task(answered())
    await receiver.wait_for(3 + 2)
    settling = pb.SettleRequest(execution_ids=[claims[1].execution_id])
    while (await desk.call("Settle", settling, desk.service)).settlements[0].in_progress:
        pass  # The others are held, this one is decided again and again.
    receiver.hold.set()
    with pytest.raises(Refused) as refused:
        await waiting
    assert refused.value.reason == "conflict"
    assert {result.execution_id: result.outcome for result in results} == {
        claim.execution_id: pb.SEND_OUTCOME_DELIVERED for claim in (claims[0], claims[2])
    }
    assert len(receiver.received) == 3 + 2


async def test_an_outcome_is_recorded_although_its_failure_has_changed_meanwhile(
    desk: Desk, receiver: Receiver
) -> None:
    claim = await desk.claim(await failed(desk, receiver))
    receiver.hold = asyncio.Event()
    sending = asyncio.create_task(desk.retry(claim))
    await receiver.wait_for(2)
    with closing(sqlite3.connect(desk.folder / "data" / "delivery.sqlite3")) as other, other:
        other.execute("UPDATE failures SET version = version + 1")
    receiver.hold.set()
    [result] = await sending
    assert result.outcome == pb.SEND_OUTCOME_DELIVERED
    assert await desk.failures() == []


async def test_retries_go_on_when_their_caller_goes_away(desk: Desk, receiver: Receiver) -> None:
    claim = await desk.claim(await failed(desk, receiver))
    receiver.hold = asyncio.Event()
    waiting = asyncio.create_task(desk.retry(claim))
    await receiver.wait_for(2)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    again = asyncio.create_task(desk.retry(claim))
    receiver.hold.set()
    assert (await again)[0].outcome == pb.SEND_OUTCOME_DELIVERED
    assert len(receiver.received) == 2


async def test_failures_are_paged_oldest_first(desk: Desk, receiver: Receiver) -> None:
    for _ in range(5):
        await failed(desk, receiver)
    everything = [one.key.delivery_id for one in await desk.failures()]
    for provider in ("", "webhook"):
        seen: list[str] = []
        token = ""
        while True:
            request = pb.ListFailuresRequest(page_size=2, page_token=token, provider=provider)
            page = await desk.call("ListFailures", request)
            seen += [one.key.delivery_id for one in page.failures]
            assert page.total == 5
            token = page.next_page_token
            if not token:
                break
        assert seen == everything == sorted(everything)
    assert (await desk.call("ListFailures", pb.ListFailuresRequest(provider="slack"))).total == 0


HALF_A_CHARACTER = "WyIyMDI2LTExLTIzVDA5OjMwOjAwLjAwMDAwMCswMDowMCIsIlx1ZDgwMCIsIngiXQ"
BOTTOMLESS = "W1tb" * 20_000


@pytest.mark.parametrize(
    "token",
    ["x", "bm8", "WzEsMiwzXQ", "💥", HALF_A_CHARACTER, BOTTOMLESS],
    ids=["letter", "text", "numbers", "no base64", "half a character", "nested without end"],
)
async def test_a_token_of_another_list_is_refused(desk: Desk, token: str) -> None:
    request = pb.ListFailuresRequest(page_token=token)
    assert await desk.refusal("ListFailures", request) == ("invalid_page_token", "page_token")


async def test_keys_are_answered_in_the_order_asked_and_unknown_ones_left_out(
    desk: Desk, receiver: Receiver
) -> None:
    keys = [(await failed(desk, receiver)).key for _ in range(2)][::-1]
    unknown = pb.FailureKey(delivery_id="x", audit_id="y", provider="z")
    asked = [keys[0], unknown, keys[1]]
    found = (await desk.call("BatchGetFailures", pb.BatchGetFailuresRequest(keys=asked))).failures
    assert [one.key for one in found] == keys
    request = pb.DescribeRetriesRequest(keys=asked)
    described = (await desk.call("DescribeRetries", request, desk.service)).descriptions
    assert [one.key for one in described] == keys
    nothing = pb.BatchGetFailuresRequest()
    assert await desk.refusal("BatchGetFailures", nothing) == ("invalid_value", "keys")


async def test_a_description_binds_package_payload_and_destination(desk: Desk, receiver: Receiver) -> None:
    failure = await failed(desk, receiver)
    request = pb.DescribeRetriesRequest(keys=[failure.key])
    [one] = (await desk.call("DescribeRetries", request, desk.service)).descriptions
    [package] = await desk.records(audit_id=failure.key.audit_id, metadata_kind=BY_NOUN["audit_package"].kind)
    assert one.audit_package_hash.hex() == package["record_hash"]
    assert (len(one.payload_hash), len(one.destination_fingerprint)) == (32, 32)
    desk.connectors()
    [one] = (await desk.call("DescribeRetries", request, desk.service)).descriptions
    assert one.unavailable_reason == "connector_config_not_configured"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"execution_id": "nothing"}, "sends[0].execution_id"),
        ({"attempt_number": 1}, "sends[0].attempt_number"),
        ({"payload_hash": b"short"}, "sends[0].payload_hash"),
        ({"destination_fingerprint": b""}, "sends[0].destination_fingerprint"),
        ({"intent": evidence_pb2.Cause()}, "sends[0].intent"),
        ({"run_id": ""}, "sends[0].run_id"),
        ({"retry_plan_id": "A"}, "sends[0].retry_plan_id"),
    ],
)
async def test_a_claim_of_another_shape_is_refused(
    desk: Desk, receiver: Receiver, changed: dict[str, Any], expected: str
) -> None:
    claim = await desk.claim(await failed(desk, receiver), **changed)
    with pytest.raises(Refused) as refused:
        await desk.retry(claim)
    assert (refused.value.reason, refused.value.field) == ("invalid_value", expected)
    assert len(receiver.received) == 1


async def test_only_a_service_sends_retries(desk: Desk, receiver: Receiver) -> None:
    claim = await desk.claim(await failed(desk, receiver))
    with pytest.raises(Refused) as refused:
        async for _ in desk.operator.stream(desk.stub.SendRetries, retry_request(claim)):
            pass
    assert refused.value.reason == "role_required"


async def test_failures_are_summarised_per_provider_whether_delivered_later_or_not(
    desk: Desk, receiver: Receiver
) -> None:
    first = await failed(desk, receiver, 503)
    second = await failed(desk, receiver, 401)
    await desk.retry(await desk.claim(first))
    request = pb.SummarizeFailuresRequest(since=first.first_failed_at)
    [one] = (await desk.call("SummarizeFailures", request)).providers
    assert (one.provider, one.category, one.failure_count) == ("webhook", "webhook", 2)
    assert list(one.status_codes) == [401, 503]
    assert list(one.reasons) == ["auth", "server_error"]
    assert list(one.delivery_ids) == [first.key.delivery_id, second.key.delivery_id]
    assert [record.id for record in one.records] == [first.latest_record.id, second.latest_record.id]
    latest = await desk.operator.unary(
        desk.log.GetRecord, evidence_pb2.GetRecordRequest(id=second.latest_record.id)
    )
    assert one.latest_failure_index == latest.record.index
    later = pb.SummarizeFailuresRequest(since=second.first_failed_at)
    assert (await desk.call("SummarizeFailures", later)).providers[0].failure_count == 1
    other = pb.SummarizeFailuresRequest(since=first.first_failed_at, provider="slack")
    assert (await desk.call("SummarizeFailures", other)).providers == []
    assert await desk.refusal("SummarizeFailures", pb.SummarizeFailuresRequest()) == (
        "invalid_value",
        "since",
    )
