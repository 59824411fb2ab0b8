"""A delivery record names the intent by the hash that retry permitted."""

from cavra.delivery.v1 import delivery_pb2 as pb

from tests.contract.delivery.desk import Desk
from tests.support.receiver import Receiver


async def test_an_intent_of_other_bytes_than_were_permitted_is_no_cause(
    desk: Desk, receiver: Receiver
) -> None:
    receiver.status = 503
    await desk.deliver()
    receiver.status = 200
    claim = await desk.claim((await desk.failures())[0])
    claim.intent.record_hash = b"\xff" * 32
    [result] = await desk.retry(claim)
    assert (result.outcome, result.skipped_reason) == (pb.SEND_OUTCOME_SKIPPED, "permit_invalid")
    assert len(receiver.received) == 1
