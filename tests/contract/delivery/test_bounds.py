"""How fast a connector is sent to, how many sends are under way to it at once, and how long it is left alone: as its entry says."""

import asyncio

import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_delivery import gates

from tests.contract.delivery.desk import Desk, envelope, webhook
from tests.support.receiver import Receiver

BUSY = ("failed", "connector_busy", 0)
TAKEN = ("delivered", "", 1)


async def outcomes(desk: Desk, count: int) -> list[tuple[str, str, int]]:
    """(outcome, error, tries) of so many deliveries that begin together, sorted."""
    request = pb.DeliverAuditsRequest(deliveries=[pb.DeliverAuditRequest(retries=0)] * count)
    stream = desk.operator.stream(desk.stub.DeliverAudits, request)
    records = [envelope(one.delivery)["delivery"] async for answer in stream for one in answer.results]
    parts = [part for record in records for part in record["deliveries"]]
    return sorted((part["outcome"], part["error"], part["attempt_count"]) for part in parts)


async def test_what_is_faster_than_an_entry_allows_is_not_sent_and_can_be_retried(
    closed_desk: Desk, receiver: Receiver
) -> None:
    # The third is due after 100 seconds, and nothing waits as long for its turn.
    closed_desk.connectors(webhook=webhook(receiver.url, rate_per_second=0.01, rate_burst=2))
    async with closed_desk.open() as desk:
        assert await outcomes(desk, 3) == [TAKEN, TAKEN, BUSY]
        assert len(receiver.received) == 2
        [failure] = await desk.failures()
        closed_desk.connectors(webhook=webhook(receiver.url))
        [result] = await desk.retry(await desk.claim(failure))
        assert result.outcome == pb.SEND_OUTCOME_DELIVERED
        assert len(receiver.received) == 3


async def test_no_more_is_under_way_at_once_than_an_entry_allows(
    closed_desk: Desk, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "LONGEST_WAIT_SECONDS", 0.05)
    receiver.hold = asyncio.Event()
    closed_desk.connectors(webhook=webhook(receiver.url, most_at_once=2))
    async with closed_desk.open() as desk:
        held = asyncio.create_task(outcomes(desk, 2))
        await receiver.wait_for(2)
        assert await outcomes(desk, 2) == [BUSY, BUSY]
        receiver.hold.set()
        assert await held == [TAKEN, TAKEN]
        assert await outcomes(desk, 2) == [TAKEN, TAKEN], "who has left makes room"


@pytest.mark.parametrize(
    ("found", "came", "circuit"),
    [
        (200, [TAKEN] * 3, "closed"),
        (
            503,
            [("failed", "connector_circuit_open", 0)] * 2 + [("failed", "server_error", 1)],
            "open",
        ),
    ],
    ids=["well", "ill"],
)
async def test_a_circuit_is_open_as_long_as_its_entry_says_and_then_one_send_finds_out_for_all(
    found: int, came: list[tuple[str, str, int]], circuit: str, closed_desk: Desk, receiver: Receiver
) -> None:
    def left_alone(seconds: int) -> None:
        entry = webhook(receiver.url, circuit_failures=2, circuit_open_seconds=seconds)
        closed_desk.connectors(webhook=entry)

    async def state() -> str:
        (one,) = (await closed_desk.call("ListConnectors", pb.ListConnectorsRequest())).connectors
        return str(one.circuit)

    receiver.status = 503
    left_alone(600)
    async with closed_desk.open() as desk:
        await outcomes(desk, 2)
        assert await state() == "open"
    closed_desk.let_pass(300, "webhook")
    async with closed_desk.open() as desk:
        assert await state() == "open", "its entry says ten minutes, and not one"
        assert await outcomes(desk, 1) == [("failed", "connector_circuit_open", 0)]
        left_alone(200)
        assert await state() == "half_open"
        assert len(receiver.received) == 2
        receiver.status = found
        assert await outcomes(desk, 3) == came
        assert await state() == circuit
        assert len(receiver.received) == 2 + sum(tries for _, _, tries in came)
