"""Calls over gRPC, judged as the contract says: a reason with every error, no fault of ours, no write on refusal."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import grpc
from cavra_service.client import connect
from cavra_service.errors import DOMAIN, REASONS
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from tests.fuzz.messages import Rpc
from tests.fuzz.world import SERVICES, World

Metadata = Sequence[tuple[str, str | bytes]]

_WATCHED_SECONDS: Final = 0.03
_FAULTS: Final = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.DATA_LOSS,
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.CANCELLED,
}
"""What nobody may be told while all services are up."""


class Wire:
    """A channel to each of the three services."""

    def __init__(self, world: World) -> None:
        settings = world.installation.settings
        self._channels = {name: connect(getattr(settings, f"{name}_address")) for name in SERVICES}
        self._world = world
        self.codes: Counter[grpc.StatusCode] = Counter()
        self.reasons: Counter[str] = Counter()

    @property
    def sent(self) -> int:
        """How many calls were judged."""
        return sum(self.codes.values())

    async def close(self) -> None:
        """Let go of the channels."""
        for channel in self._channels.values():
            await channel.close()

    async def ask(self, rpc: Rpc, request: bytes, metadata: Metadata) -> Any:
        """The response, or of a stream the first; None for a refusal. Judged."""
        shown = str(rpc.request.FromString(request)) if _reads(rpc, request) else repr(request)
        what = f"{rpc.name} {[name for name, _ in metadata]} {shown[:2000]}"
        try:
            response = await self._called(rpc, request, metadata)
        except grpc.aio.AioRpcError as error:
            self._refused(error, f"{what} -> {error.code()} {error.details()}")
            return None
        self.codes[grpc.StatusCode.OK] += 1
        written = self._world.logs.grown()
        assert not written or not rpc.name.endswith("SendRetries"), (
            f"a retry without a permit was recorded: {what}"
        )
        return response

    async def _called(self, rpc: Rpc, request: bytes, metadata: Metadata) -> Any:
        channel: Any = self._channels[rpc.service]
        if not rpc.streams:
            return await channel.unary_unary(rpc.path, None, rpc.response.FromString)(
                request, metadata=metadata, timeout=60
            )
        call = channel.unary_stream(rpc.path, None, rpc.response.FromString)(
            request, metadata=metadata, timeout=60
        )
        if not rpc.path.endswith("WatchRecords"):
            return [response async for response in call]
        # A watch goes on until its caller has seen enough; one that waits for what is yet to come answers nothing.
        waits = _reads(rpc, request) and rpc.request.FromString(request).from_index != 0
        with suppress(TimeoutError):
            async with asyncio.timeout(_WATCHED_SECONDS if waits else None):
                return [await anext(aiter(call))]
        call.cancel()
        return []

    def _refused(self, error: grpc.aio.AioRpcError, what: str) -> None:
        code = error.code()
        assert code not in _FAULTS, what
        status = rpc_status.from_call(error)  # type: ignore[arg-type]
        info = error_details_pb2.ErrorInfo()
        assert status is not None, f"no details: {what}"
        assert any(detail.Unpack(info) for detail in status.details), f"no ErrorInfo: {what}"
        assert info.domain == DOMAIN, what
        assert REASONS[info.reason][0] is code, what
        self.codes[code] += 1
        self.reasons[info.reason] += 1
        self._world.logs.unchanged(what)


@asynccontextmanager
async def calling(world: World) -> AsyncIterator[Wire]:
    """A wire to a world."""
    wire = Wire(world)
    try:
        yield wire
    finally:
        await wire.close()


def _reads(rpc: Rpc, request: bytes) -> bool:
    try:
        rpc.request.FromString(request)
    except Exception:
        return False
    return True
