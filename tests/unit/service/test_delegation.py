"""A service calls as itself, and says for whom: over two real servers, of which the first asks the second."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from cavra.evidence.v1 import evidence_pb2, evidence_pb2_grpc
from cavra_service.client import Caller, connect
from cavra_service.delegation import METADATA
from cavra_service.errors import Refused
from cavra_service.identity import Identity, ServiceToken, TokenVerifier, caller
from cavra_service.server import Servicer, serving
from structlog.testing import capture_logs

from tests.support.installation import Installation

REQUEST = evidence_pb2.GetRecordRequest(id="rcd-unknown")
NAME = "cavra.evidence.v1.EvidenceLog"
EVE = evidence_pb2.Actor(issuer="cavra-local", subject="eve", name="Eve").SerializeToString()


class Hop(evidence_pb2_grpc.EvidenceLogServicer):
    """Keeps who called, then does what the test says."""

    def __init__(self) -> None:
        self.callers: list[Identity] = []
        self.then: Callable[[], Awaitable[Any]] | None = None

    async def GetRecord(self, request: Any, context: Any) -> Any:
        self.callers.append(caller())
        if self.then is not None:
            await self.then()
        return evidence_pb2.GetRecordResponse()


class Pair:
    """The services retry and delivery, the first of which asks the second whenever it is asked."""

    def __init__(self, installation: Installation) -> None:
        self.installation = installation
        self.retry, self.delivery = Hop(), Hop()  # type: ignore[abstract]  # the other RPCs are not asked
        self.stubs: dict[str, Any] = {}
        self.retry.then = self.retry_asks_delivery

    async def retry_asks_delivery(self) -> None:
        """What the retry service does in a person's call, and on a timer."""
        own = Caller(ServiceToken(self.installation.settings, "retry"), 10.0)
        await own.unary(self.stubs["delivery"].GetRecord, REQUEST)

    async def ask(self, service: str, token: str, *more: tuple[str, Any]) -> str:
        """The reason of the refusal, if it is one."""
        metadata = (("authorization", f"Bearer {token}"), *more)

        async def call(request: Any, **options: Any) -> Any:
            return await self.stubs[service].GetRecord(request, **{**options, "metadata": metadata})

        try:
            await Caller(lambda: token, 10.0).unary(call, REQUEST)
        except Refused as refused:
            return refused.reason
        return ""


@pytest.fixture
async def pair(tmp_path: Path) -> AsyncIterator[Pair]:
    made = Pair(Installation(tmp_path))
    verifier = TokenVerifier.of(made.installation.settings)
    async with AsyncExitStack() as stack:
        for name, hop in (("retry", made.retry), ("delivery", made.delivery)):
            wired = Servicer(NAME, evidence_pb2_grpc.add_EvidenceLogServicer_to_server, hop)
            address = await stack.enter_async_context(serving([wired], verifier, "127.0.0.1:0", 0.1))
            channel = await stack.enter_async_context(connect(address))
            made.stubs[name] = evidence_pb2_grpc.EvidenceLogStub(channel)
        yield made


async def test_a_service_calls_as_itself_and_says_for_whom(pair: Pair) -> None:
    assert await pair.ask("retry", pair.installation.token("olga", "operator")) == ""
    (at_delivery,) = pair.delivery.callers
    assert at_delivery.actor.sub == "service:retry"
    assert at_delivery.on_behalf_of == pair.retry.callers[0].actor
    assert at_delivery.roles == {"service"}


async def test_who_is_named_at_the_first_service_is_named_at_the_last(pair: Pair) -> None:
    token = ServiceToken(pair.installation.settings, "recovery")()
    assert await pair.ask("retry", token, (METADATA, EVE)) == ""
    (at_delivery,) = pair.delivery.callers
    assert (at_delivery.actor.sub, at_delivery.on_behalf_of and at_delivery.on_behalf_of.sub) == (
        "service:retry",
        "eve",
    )


async def test_work_on_a_timer_is_done_for_nobody(pair: Pair) -> None:
    await pair.retry_asks_delivery()
    assert [one.on_behalf_of for one in pair.delivery.callers] == [None]


@pytest.mark.parametrize("role", ["operator", "approver", "auditor"])
async def test_a_person_calls_for_nobody_else(pair: Pair, role: str) -> None:
    token = pair.installation.token("olga", role)
    assert await pair.ask("delivery", token, (METADATA, EVE)) == "role_required"
    assert pair.delivery.callers == []


@pytest.mark.parametrize(
    "named", [b"\xff\xff", b"", evidence_pb2.Actor(issuer="x", subject="a\nb", name="c").SerializeToString()]
)
async def test_a_service_that_names_nobody_right_is_refused(pair: Pair, named: bytes) -> None:
    token = ServiceToken(pair.installation.settings, "retry")()
    assert await pair.ask("delivery", token, (METADATA, named)) == "invalid_value"
    assert pair.delivery.callers == []


async def test_a_fault_behind_a_service_says_whom_it_befell(pair: Pair) -> None:
    async def fail() -> None:
        raise RuntimeError

    pair.delivery.then = fail
    with capture_logs() as logs:
        assert await pair.ask("retry", pair.installation.token("olga", "operator")) == "internal"
    assert ("call_failed", "olga") in [(entry["event"], entry.get("on_behalf_of")) for entry in logs]
