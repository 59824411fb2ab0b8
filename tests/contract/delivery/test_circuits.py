"""A connector that fails again and again is left alone, across restarts, until one send finds its receiver well."""

from typing import Any

from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_verify.kinds import AUDIT_SOURCE

from tests.contract.delivery.desk import Desk, envelope, webhook
from tests.support.receiver import Receiver


async def connector(desk: Desk) -> pb.Connector:
    """The webhook, as it is listed."""
    (one,) = (await desk.call("ListConnectors", pb.ListConnectorsRequest())).connectors
    assert isinstance(one, pb.Connector)
    return one


async def outcome(desk: Desk) -> dict[str, Any]:
    """What became of one delivery, as it is recorded."""
    record: dict[str, Any] = envelope((await desk.deliver()).delivery)["delivery"]
    part: dict[str, Any] = record["deliveries"][0]
    return part


async def circuits(desk: Desk) -> dict[str, str]:
    """What the feed of failures says of circuits."""
    answer = await desk.call("ListChangedFailures", pb.ListChangedFailuresRequest(), desk.service)
    return dict(answer.circuits)


async def test_ten_failures_in_a_row_open_a_circuit_that_a_restart_does_not_close(
    closed_desk: Desk, receiver: Receiver
) -> None:
    receiver.status = 503
    closed_desk.connectors(webhook=webhook(receiver.url, circuit_failures=10))
    async with closed_desk.open() as desk:
        for number in range(10):
            assert (await connector(desk)).circuit == "closed"
            assert (await outcome(desk))["error"] == "server_error", number
        shown = await connector(desk)
        assert (shown.circuit, shown.consecutive_failures) == ("open", 10)
        assert (shown.ready, shown.reason) == (False, "connector_circuit_open")
        assert shown.HasField("circuit_opened_at")
    async with closed_desk.open() as desk:
        assert (await connector(desk)).circuit == "open"
        assert await circuits(desk) == {"webhook": "open"}
        part = await outcome(desk)
        assert (part["error"], part["outcome"], part["attempt_count"]) == (
            "connector_circuit_open",
            "failed",
            0,
        )
        assert (part["request"], part["payload_hash"]) == (None, "")
        counters, _ = await desk.counters("delivery_failure=")
        assert counters == {
            f"delivery_failure={AUDIT_SOURCE}:webhook:connector_circuit_open": 1,
            f"delivery_failure={AUDIT_SOURCE}:webhook:server_error": 10,
        }
        assert len(receiver.received) == 10, "an open circuit sends no byte"
        assert len(await desk.failures()) == 11, "what is not sent is a failure that can be retried"


async def test_a_webhook_that_says_it_is_gone_gets_nothing_until_its_entry_names_another_place(
    closed_desk: Desk, receiver: Receiver
) -> None:
    receiver.status = 410
    closed_desk.connectors(
        webhook=webhook(receiver.url + "/old", circuit_failures=10, circuit_open_seconds=1)
    )
    async with closed_desk.open() as desk:
        part = await outcome(desk)
        assert (part["error"], part["status_code"]) == ("rejected", 410)
        shown = await connector(desk)
        assert (shown.circuit, shown.reason, shown.ready) == ("open", "receiver_gone", False)
    receiver.status = 200
    async with closed_desk.open() as desk:
        assert await circuits(desk) == {"webhook": "open"}
        assert (await outcome(desk))["error"] == "connector_circuit_open"
        assert len(receiver.received) == 1
        closed_desk.connectors(webhook=webhook(receiver.url + "/new", circuit_failures=10))
        assert (await outcome(desk))["outcome"] == "delivered"
    async with closed_desk.open() as desk:
        assert (await connector(desk)).reason == ""
        assert await circuits(desk) == {}


async def test_another_vendors_410_is_a_failure_like_any(closed_desk: Desk, receiver: Receiver) -> None:
    receiver.status = 410
    closed_desk.connectors(teams=webhook(receiver.url, circuit_failures=10))
    async with closed_desk.open() as desk:
        assert (await outcome(desk))["error"] == "rejected"
        shown = await connector(desk)
        assert (shown.circuit, shown.consecutive_failures) == ("closed", 1)


async def test_one_send_that_is_taken_closes_a_circuit_and_a_restart_does_not_open_it(
    closed_desk: Desk, receiver: Receiver
) -> None:
    receiver.status = 503
    closed_desk.connectors(webhook=webhook(receiver.url, circuit_failures=2))
    async with closed_desk.open() as desk:
        await outcome(desk)
        await outcome(desk)
        assert (await connector(desk)).circuit == "open"
    receiver.status = 200
    # Another threshold is in force at once: the circuit counts what there was, and is no state of its own.
    closed_desk.connectors(webhook=webhook(receiver.url, circuit_failures=0))
    async with closed_desk.open() as desk:
        assert (await outcome(desk))["outcome"] == "delivered"
    closed_desk.connectors(webhook=webhook(receiver.url, circuit_failures=2))
    async with closed_desk.open() as desk:
        shown = await connector(desk)
        assert (shown.circuit, shown.consecutive_failures, shown.ready) == ("closed", 0, True)
        assert await circuits(desk) == {}


async def test_a_retry_that_meets_an_open_circuit_is_skipped_and_its_failure_stays_open(
    closed_desk: Desk, receiver: Receiver
) -> None:
    receiver.status = 503
    closed_desk.connectors(webhook=webhook(receiver.url, circuit_failures=2))
    async with closed_desk.open() as desk:
        await outcome(desk)
        await outcome(desk)
        first, _ = await desk.failures()
        claim = await desk.claim(first)
        for _ in range(2):
            (result,) = await desk.retry(claim)
            assert (result.outcome, result.skipped_reason) == (
                pb.SEND_OUTCOME_SKIPPED,
                "connector_circuit_open",
            )
        again, _ = await desk.failures()
        assert (again.open, again.next_attempt_number) == (True, first.next_attempt_number)
        assert len(receiver.received) == 2
