"""First-time deliveries in batches, end to end: gRPC, packages, plans and attempts durable, signed POSTs to a receiver, records durable.

The delivery service is one process; the callers and the receiver have processes of their own and share the machine with it.
What is sent is the webhook's form of a package without routes. None is smaller, and it is larger than 1 kB.
"""

import asyncio
import os
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import uvloop
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra.delivery.v1.delivery_pb2_grpc import DeliveryServiceStub
from cavra_delivery.connectors import ssrf
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.forms import form_of
from cavra_service.client import Caller

from bench.processes import SIGNING_SECRET, Processes, running
from bench.row import Row

DELIVERIES: Final = 6_000
CALLERS: Final = 3
BATCH: Final = 50
ALONE: Final = 1_000
ED25519_SECRET: Final = f"whsk_{b64encode(bytes(32)).decode()}"
AT_ONCE: Final = 32


def rows() -> Iterator[Row]:
    """Deliveries a second, processor time of each, and which share of it the guard, the signature and the look-up before them take."""
    yield from uvloop.run(_measure())


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        async with running(Path(folder), "delivery") as processes:
            await processes.receiver.answer(200)
            caller = processes.installation.caller("paula", "operator")
            async with processes.installation.channel(processes.addresses["delivery"]) as channel:
                stub: Any = DeliveryServiceStub(channel)
                await _batches(stub, caller, 10)
                await processes.receiver.answer(200)
                rate, each = await _timed(processes, DELIVERIES, _batches(stub, caller, DELIVERIES // BATCH))
                _, sizes = await processes.receiver.arrivals()
                if len(sizes) != DELIVERIES:
                    raise RuntimeError(f"{len(sizes)} of {DELIVERIES} arrived")
                alone, each_alone = await _timed(processes, ALONE, _alone(stub, caller, ALONE))
    guard = _guard_seconds()
    return [
        Row(f"first deliveries, batches of {BATCH}", rate, "/s", "at least 1,000"),
        Row("processor time of delivery, each", each * 1e6, "us"),
        Row("smallest body of those sent", min(sizes), "bytes", "at least 1,000"),
        Row(f"first deliveries, one a call, {AT_ONCE} callers", alone, "/s"),
        Row("processor time of delivery, each of these", each_alone * 1e6, "us"),
        Row("address check, each", guard * 1e6, "us"),
        *(
            row
            for name, secret in (("HMAC", SIGNING_SECRET), ("Ed25519", ED25519_SECRET))
            for row in _of_key(name, secret, min(sizes), guard, each, each_alone)
        ),
    ]


def _of_key(name: str, secret: str, size: int, guard: float, each: float, each_alone: float) -> Iterator[Row]:
    """What signing costs with one kind of key. A destination is looked up once for what begins together."""
    signature, lookup = _signing_seconds(secret, size)
    batched, alone = guard + signature + lookup / BATCH, guard + signature + lookup
    yield Row(f"{name}: signature, each", signature * 1e6, "us")
    yield Row(f"{name}: destination with its key, each look-up", lookup * 1e6, "us")
    yield Row(
        f"{name}: check and signature, of a batched delivery",
        (guard + signature) / each * 100,
        "%",
        "under 5",
    )
    yield Row(f"{name}: the same and the look-up", batched / each * 100, "%", "under 5")
    yield Row(f"{name}: the same, of a delivery alone", alone / each_alone * 100, "%", "under 5")


async def _timed(processes: Processes, count: int, work: Any) -> tuple[float, float]:
    """(deliveries a second, processor seconds of the delivery service for each)."""
    used, start = processes.cpu_seconds("delivery"), time.perf_counter()
    await work
    seconds = time.perf_counter() - start
    return count / seconds, (processes.cpu_seconds("delivery") - used) / count


async def _batches(stub: Any, caller: Caller, count: int) -> None:
    one = pb.DeliverAuditRequest(providers=["webhook"], retries=0)
    request, waiting = pb.DeliverAuditsRequest(deliveries=[one] * BATCH), iter(range(count))

    async def one_caller() -> None:
        for _ in waiting:
            answers = caller.stream(stub.DeliverAudits, request)
            if sum([result.success async for answer in answers for result in answer.results]) != BATCH:
                raise RuntimeError("not all were delivered")

    await asyncio.gather(*(one_caller() for _ in range(CALLERS)))


async def _alone(stub: Any, caller: Caller, count: int) -> None:
    one, waiting = pb.DeliverAuditRequest(providers=["webhook"], retries=0), iter(range(count))

    async def one_caller() -> None:
        for _ in waiting:
            await caller.unary(stub.DeliverAudit, one)

    await asyncio.gather(*(one_caller() for _ in range(AT_ONCE)))


def _guard_seconds() -> float:
    """Of a URL's check and of an address's, as if each delivery had a connection of its own and no address came twice."""
    check = ssrf.reach.__wrapped__

    def work() -> None:
        ssrf.target("https://hook.example.org/audit")
        check("93.184.215.14")

    return _processor_seconds(work)


def _signing_seconds(secret: str, size: int) -> tuple[float, float]:
    """(of the signature over a body of so many bytes, of the look-up of a destination that signs so)."""
    os.environ["CAVRA_BENCH_KEY"] = secret
    entry = {"url": "https://hook.example.org/audit", "signing_secret_env": "CAVRA_BENCH_KEY"}
    form = form_of("webhook", ConnectorConfig.model_validate(entry))
    sign, body = form.destination("webhook").sign, bytes(size)
    assert sign is not None
    at, message_id = 1_800_000_000, "msg-00000000000000000000000000000000"
    return (
        _processor_seconds(lambda: sign(message_id, at, body)),
        _processor_seconds(lambda: form.destination("webhook")),
    )


def _processor_seconds(work: Callable[[], object], count: int = 20_000) -> float:
    """Of one call."""
    start = time.process_time()
    for _ in range(count):
        work()
    return (time.process_time() - start) / count
