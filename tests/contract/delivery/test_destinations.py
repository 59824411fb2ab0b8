"""Where connectors send, as others are told."""

from pathlib import Path

from cavra.delivery.v1 import delivery_pb2 as pb

from tests.contract.delivery.desk import Desk, webhook
from tests.support.receiver import Receiver


async def test_where_a_connector_sends_now_is_told_by_the_fingerprint_that_its_retries_are_bound_to(
    closed_desk: Desk, receiver: Receiver, tmp_path: Path
) -> None:
    kept = {"kind": "archive", "path": str(tmp_path / "secret")}
    closed_desk.connectors(webhook=webhook(receiver.url + "/secret"), archive=kept, jira={"url": 17})
    async with closed_desk.open() as desk:
        receiver.status = 503
        await desk.deliver("webhook")
        [failure] = await desk.failures()
        claim = await desk.claim(failure)

        async def told() -> dict[str, tuple[str, str]]:
            answer = await desk.call("ListConnectors", pb.ListConnectorsRequest())
            assert b"secret" not in answer.SerializeToString()
            return {one.name: (one.address, one.destination_fingerprint) for one in answer.connectors}

        found = await told()
        assert found["webhook"] == (receiver.url, claim.destination_fingerprint.hex())
        assert (found["archive"][0], found["jira"]) == ("archive://archive", ("", ""))
        closed_desk.connectors(webhook=webhook(receiver.url + "/secret-2"))
        moved = (await told())["webhook"]
        assert moved[0] == receiver.url
        assert moved[1] != claim.destination_fingerprint.hex(), "the same host, and not the same place"
