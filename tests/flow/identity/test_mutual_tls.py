"""The four real services with mutual TLS between them: who may connect, and on whose behalf."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import grpc
import pytest
from cavra.delivery.v1 import delivery_pb2, delivery_pb2_grpc
from cavra.evidence.v1 import evidence_pb2, evidence_pb2_grpc
from cavra_cli.health import probe
from cavra_cli.running import everything
from cavra_service.client import Caller, connect
from cavra_service.errors import Refused
from cavra_service.identity import ServiceToken
from cavra_service.settings import Settings
from cavra_service.tls import channel_credentials

from tests.support.certificates import Authority
from tests.support.installation import Installation

SERVICES = ("delivery", "retry", "recovery")
PLAN = "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery/retry-plan"
READ = evidence_pb2.GetRecordRequest(id="rcd-unknown")


class Secured:
    """The services, each with a certificate of its own."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder / "certificates")
        self.installation = Installation(folder / "data")

    def shown(self, *names: str) -> Settings:
        """Settings of whoever holds a certificate for these names."""
        return self.settings_with(self.authority.settings(*names))

    def settings_with(self, tls: dict[str, Any]) -> Settings:
        """The installation's settings with these `tls_` ones."""
        return self.installation.settings.model_copy(update=tls)

    @asynccontextmanager
    async def running(self, *services: str) -> AsyncIterator[dict[str, str]]:
        """Addresses of running services."""
        addresses: dict[str, str] = {}
        plain = self.installation.settings
        async with AsyncExitStack() as stack:
            for name in services:
                self.installation.settings = self.shown(name)
                addresses[name] = await stack.enter_async_context(self.installation.running(name))
            yield addresses
        self.installation.settings = plain

    async def refusal(self, address: str, shown: Settings, token: str, method: str = "GetRecord") -> str:
        """The reason for which a call with this certificate and this token is refused."""
        async with connect(address, channel_credentials(shown)) as channel:
            if method == "GetRecord":
                stub: Any = evidence_pb2_grpc.EvidenceLogStub(channel)
                call = Caller(lambda: token, 5.0).unary(stub.GetRecord, READ)
            else:
                stub = delivery_pb2_grpc.DeliveryServiceStub(channel)
                call = Caller(lambda: token, 5.0).unary(stub.Settle, delivery_pb2.SettleRequest())
            with pytest.raises(Refused) as refused:
                await call
        return refused.value.reason


@pytest.fixture
def secured(tmp_path: Path) -> Secured:
    return Secured(tmp_path)


async def test_the_four_services_work_together_over_mutual_tls(secured: Secured) -> None:
    async with secured.running(*SERVICES, "gateway") as addresses, aiohttp.ClientSession() as http:
        async with http.get(addresses["gateway"] + "/health") as answer:
            assert (answer.status, (await answer.json())["status"]) == (200, "ok")
        token = secured.installation.token("olga", "operator")
        # The gateway calls retry as olga; retry calls delivery as itself.
        async with http.post(
            addresses["gateway"] + PLAN, json={}, headers={"authorization": f"Bearer {token}"}
        ) as answer:
            assert answer.status == 200, await answer.text()


async def test_who_shows_no_certificate_of_the_authority_is_not_served(
    secured: Secured, tmp_path: Path
) -> None:
    token = secured.installation.token("olga", "operator")
    plain = secured.installation.settings
    stranger = Authority(tmp_path / "elsewhere", "stranger").settings("gateway")
    # It believes our authority, and shows a certificate of another.
    intruder = secured.settings_with({**stranger, "tls_ca": secured.authority.path})
    async with secured.running("delivery") as addresses:
        address = addresses["delivery"]
        assert await secured.refusal(address, secured.shown("gateway"), token) == "unknown_record"
        assert await secured.refusal(address, plain, token) == "service_unavailable"
        assert await secured.refusal(address, intruder, token) == "service_unavailable"


async def test_a_client_believes_no_server_of_another_authority(secured: Secured, tmp_path: Path) -> None:
    shown = secured.settings_with(Authority(tmp_path / "elsewhere", "stranger").settings("gateway"))
    async with secured.running("delivery") as addresses:
        token = secured.installation.token("olga", "operator")
        assert await secured.refusal(addresses["delivery"], shown, token) == "service_unavailable"


@pytest.mark.parametrize(
    ("names", "subject", "role", "reason"),
    [
        (("gateway",), "olga", "operator", "unknown_record"),
        (("laptop-olga",), "olga", "operator", "unknown_record"),
        (("retry",), "olga", "operator", "role_required"),
        (("retry.cavra.svc",), "olga", "operator", "role_required"),
        (("retry",), "service:retry", "service", "unknown_record"),
        (("retry.cavra.svc",), "service:retry", "service", "unknown_record"),
        (("recovery",), "service:retry", "service", "role_required"),
        (("gateway",), "service:retry", "service", "role_required"),
        (("delivery", "retry", "recovery", "gateway"), "olga", "operator", "unknown_record"),
        (("delivery", "retry", "recovery", "gateway"), "service:retry", "service", "unknown_record"),
    ],
)
async def test_a_service_calls_as_itself_alone_and_its_token_is_good_from_nobody_else(
    secured: Secured, names: tuple[str, ...], subject: str, role: str, reason: str
) -> None:
    token = secured.installation.token(subject, role)
    async with secured.running("delivery") as addresses:
        assert await secured.refusal(addresses["delivery"], secured.shown(*names), token) == reason


async def test_a_stolen_service_token_settles_nothing(secured: Secured) -> None:
    token = ServiceToken(secured.installation.settings, "retry")()
    async with secured.running("delivery") as addresses:
        address = addresses["delivery"]
        assert await secured.refusal(address, secured.shown("laptop"), token, "Settle") == "role_required"


async def test_the_health_probe_shows_the_certificate_of_its_container(secured: Secured) -> None:
    plain = secured.installation.settings
    async with secured.running("delivery") as addresses:
        assert await probe(addresses["delivery"], secured.shown("delivery"))
        assert not await probe(addresses["delivery"], plain)


async def test_no_plain_connection_reaches_any_service(secured: Secured) -> None:
    async with secured.running(*SERVICES) as addresses:
        for address in addresses.values():
            async with connect(address) as channel:
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await evidence_pb2_grpc.EvidenceLogStub(channel).GetRecord(READ, timeout=5)
                assert refused.value.code() is grpc.StatusCode.UNAVAILABLE


async def test_one_process_that_is_all_services_needs_a_certificate_that_names_them_all(
    secured: Secured,
) -> None:
    token = secured.installation.token("olga", "operator")
    headers = {"authorization": f"Bearer {token}"}
    statuses = []
    for names in (("delivery", "retry", "recovery", "gateway"), ("gateway",)):
        async with (
            everything(secured.shown(*names)) as addresses,
            aiohttp.ClientSession(addresses["gateway"]) as http,
            http.post(PLAN, json={}, headers=headers) as answer,
        ):
            statuses.append(answer.status)
    # The second time retry, which asks delivery as itself, has no certificate that says so.
    assert statuses == [200, 403]
