"""No retry leaves delivery without a permit of retry's key for exactly that send."""

from dataclasses import replace
from datetime import timedelta

import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_evidence.ids import new_id
from cavra_service.identity import load_signer
from cavra_verify.permits import open_permit, sign_permit

from tests.contract.delivery.desk import Desk, envelope, permit_for
from tests.support.receiver import Receiver


@pytest.fixture
async def failure(desk: Desk, receiver: Receiver) -> pb.Failure:
    """A failure of the webhook, with the receiver well again."""
    receiver.status = 503
    await desk.deliver()
    receiver.status = 200
    return (await desk.failures())[0]


async def skipped(desk: Desk, receiver: Receiver, send: pb.RetrySend) -> str:
    """Why a send is skipped; nothing was sent and no record written."""
    size, arrived = await desk.log_size(), len(receiver.received)
    [result] = await desk.retry(send)
    assert result.outcome == pb.SEND_OUTCOME_SKIPPED
    assert (await desk.log_size(), len(receiver.received)) == (size, arrived)
    return str(result.skipped_reason)


async def test_a_send_without_a_permit_is_skipped(
    desk: Desk, receiver: Receiver, failure: pb.Failure
) -> None:
    assert await skipped(desk, receiver, await desk.claim(failure, permit=b"")) == "permit_missing"


async def test_a_permit_of_another_key_is_no_permit(
    desk: Desk, receiver: Receiver, failure: pb.Failure
) -> None:
    claim = await desk.claim(failure)
    for service in ("delivery", "recovery"):
        claim.execution_id = new_id("gordackretryexec")
        claim.permit = sign_permit(permit_for(claim), load_signer(desk.installation.settings, service))
        assert await skipped(desk, receiver, claim) == "permit_invalid"


async def test_a_permit_serves_no_other_send(desk: Desk, receiver: Receiver, failure: pb.Failure) -> None:
    other = await desk.claim(failure)
    claim = await desk.claim(failure, permit=other.permit)
    assert await skipped(desk, receiver, claim) == "permit_invalid"
    changed = replace(permit_for(other), payload_hash="e" * 64)
    other.permit = sign_permit(changed, desk.retry_signer)
    assert await skipped(desk, receiver, other) == "permit_invalid"


async def test_a_permit_that_has_ended_is_not_served(
    desk: Desk, receiver: Receiver, failure: pb.Failure
) -> None:
    claim = await desk.claim(failure)
    claim.permit = sign_permit(permit_for(claim, timedelta(seconds=-6)), desk.retry_signer)
    assert await skipped(desk, receiver, claim) == "permit_expired"


async def test_a_replayed_permit_sends_nothing_again(
    desk: Desk, receiver: Receiver, failure: pb.Failure
) -> None:
    receiver.status = 500
    claim = await desk.claim(failure)
    [first] = await desk.retry(claim)
    [again] = await desk.retry(claim)
    assert again == first
    assert receiver.count_by("cavra-execution-id")[claim.execution_id] == 1
    claim.attempt_number = 3
    assert (await desk.retry(claim))[0] == first


async def test_the_delivery_record_names_intent_and_permit(desk: Desk, failure: pb.Failure) -> None:
    claim = await desk.claim(failure)
    [result] = await desk.retry(claim)
    delivery = envelope(result.delivery)
    permit = open_permit(claim.permit, desk.retry_signer.public)
    assert delivery["delivery"]["permit_hash"] == permit.hash
    assert "permit_verified" in delivery["delivery"]["controls"]
    assert claim.intent.id in {cause["id"] for cause in delivery["causes"]}
