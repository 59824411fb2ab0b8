"""A delivery service that is killed between the attempt and its record: nothing is forgotten, and no retry is sent twice."""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import pytest
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_service.client import Caller, connect
from cavra_service.errors import Refused
from cavra_verify.kinds import BY_NOUN

from tests.contract.delivery.desk import Desk, envelope, webhook
from tests.support.receiver import Receiver

SERVE = """
import asyncio
from cavra_service.runtime import load
from cavra_service.settings import Settings

async def main():
    async with load("delivery").start(Settings()) as address:
        print(address, flush=True)
        await asyncio.Event().wait()

asyncio.run(main())
"""


@asynccontextmanager
async def killable(desk: Desk) -> AsyncIterator[Process]:
    """The service in a process of its own, to be killed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        SERVE,
        stdout=PIPE,
        env={**os.environ, "CAVRA_DATA_DIR": str(desk.folder / "data"), "CAVRA_DELIVERY_PORT": "0"},
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode().split()
    channel = connect(line[-1])
    desk.connect(channel)
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await channel.close()


async def killed_during(process: Process, receiver: Receiver, work: Any, arrivals: int) -> None:
    """Start `work`, kill the service while the receiver has the request and no answer, and see the call fail."""
    receiver.hold = asyncio.Event()
    waiting = asyncio.ensure_future(work)
    await receiver.wait_for(arrivals)
    process.kill()
    await process.wait()
    with pytest.raises((Refused, grpc.aio.AioRpcError)):
        await waiting
    receiver.hold.set()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that takes everything until told otherwise."""
    async with Receiver() as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> Desk:
    """Files and identity, and no service yet."""
    made = Desk(tmp_path, monkeypatch.setenv)
    made.schedule()
    made.connectors(webhook=webhook(receiver.url))
    return made


async def test_a_first_send_that_a_crash_cut_short_is_recorded_failed_and_can_be_retried(
    desk: Desk, receiver: Receiver
) -> None:
    async with killable(desk) as process:
        await killed_during(process, receiver, desk.deliver(), 1)
    async with desk.open():
        [delivery] = await desk.records(metadata_kind=BY_NOUN["connector_delivery"].kind)
        part = delivery["delivery"]["deliveries"][0]
        assert (part["outcome"], part["error"], part["success"]) == ("failed", "outcome_unknown", False)
        assert delivery["actor"]["sub"] == "service:delivery"
        [failure] = await desk.failures()
        assert (failure.failure_count, failure.in_flight) == (1, False)
        [result] = await desk.retry(await desk.claim(failure))
        assert result.outcome == pb.SEND_OUTCOME_DELIVERED
        first, second = receiver.received
        assert first.body == second.body
        assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_a_retry_that_a_crash_cut_short_is_unknown_and_is_not_sent_again(
    desk: Desk, receiver: Receiver
) -> None:
    async with killable(desk) as process:
        receiver.status = 500
        await desk.deliver()
        claim = await desk.claim((await desk.failures())[0])
        await killed_during(process, receiver, desk.retry(claim), 2)
    async with desk.open():
        [result] = await desk.retry(claim)
        assert result.outcome == pb.SEND_OUTCOME_UNKNOWN
        delivery = envelope(result.delivery)
        assert delivery["delivery"]["deliveries"][0]["error"] == "outcome_unknown"
        assert delivery["delivery"]["execution_id"] == claim.execution_id
        [failure] = await desk.failures()
        assert (failure.outcome_unknown, failure.in_flight, failure.failure_count) == (True, False, 2)
        assert await desk.gauges() == {"open_failures": 1, "unknown_failures": 1}
        assert len(receiver.received) == 2
    size = None
    for _ in range(2):
        async with desk.open():
            size = size or await desk.log_size()
            assert await desk.log_size() == size, "what is recorded is recorded once"


async def test_a_notification_that_a_crash_cut_short_is_recorded_and_opens_no_failure(
    desk: Desk, receiver: Receiver
) -> None:
    async with killable(desk) as process:
        await killed_during(process, receiver, desk.call("NotifyDrill", pb.NotifyDrillRequest()), 1)
    async with desk.open():
        [delivery] = await desk.records(metadata_kind=BY_NOUN["connector_delivery"].kind)
        assert delivery["delivery"]["deliveries"][0]["error"] == "outcome_unknown"
        assert await desk.failures() == []
        assert await desk.gauges() == {"outstanding_acknowledgements": 1}


@pytest.mark.parametrize(
    ("method", "request_of", "records"),
    [("DeliverAudit", pb.DeliverAuditRequest, 3), ("NotifyDrill", pb.NotifyDrillRequest, 2)],
)
async def test_a_send_that_a_crash_cut_short_is_not_sent_again_with_its_key(
    desk: Desk, receiver: Receiver, method: str, request_of: Any, records: int
) -> None:
    token = desk.installation.token("olga", "operator")
    olga = Caller(lambda: token, 10.0, "key")
    async with killable(desk) as process:
        await killed_during(process, receiver, desk.call(method, request_of(), olga), 1)
    async with desk.open():
        answer = await desk.call(method, request_of(), olga)
        delivery = envelope(answer.delivery)["delivery"]
        assert (answer.success, delivery["deliveries"][0]["error"]) == (False, "outcome_unknown")
        assert await desk.call(method, request_of(), olga) == answer
        assert len(await desk.records()) == records
    assert len(receiver.received) == 1
