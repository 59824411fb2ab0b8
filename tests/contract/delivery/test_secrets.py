"""No secret of a configuration is written or told, wherever it stands, and whatever becomes of what is sent with it."""

import base64
import re
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from aiohttp import web
from cavra.delivery.v1 import delivery_pb2 as pb
from cavra_delivery.checking import check
from cavra_delivery.connectors.base import KINDS
from cavra_verify.kinds import BY_NOUN

from tests.contract.delivery.desk import Desk, envelope
from tests.support.certificates import Authority
from tests.support.proxy import Proxy
from tests.support.vendors.mail import MailServer

pytestmark = pytest.mark.filterwarnings("ignore:Session.login_data is deprecated:DeprecationWarning")
CANARY = "kanarie-7Xq2wTz9LmPv4RbY8sNd"
"""How each secret begins; the rest says where it stands."""
TAKEN = {"jira": 201, "servicenow": 201, "pagerduty": 202, "datadog": 202, "teams": 202, "sentinel": 204}
"""The status by which a vendor says that it took a message, where that is not 200."""


class World:
    """Servers that tell all that they are told, in every field and header that a vendor might answer in; and a proxy before them."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        self.mail = MailServer(takes=lambda user, password: "refused" not in password)
        self.proxy = Proxy()
        self.url = self.tls_url = ""
        self.status = 200
        self.heard = ""

    async def answer(self, request: web.Request) -> web.Response:
        """What came, back; an access token where one is asked for."""
        told = f"{request.path_qs} {dict(request.headers)} {(await request.read()).decode()}"
        self.heard += told
        fields = "ok error key number ts channel code ackId text message dedup_key status self".split()
        body: dict[str, Any] = {**dict.fromkeys(fields, CANARY), "result": {"number": CANARY}, "told": told}
        if request.path == "/token":
            return web.json_response(body | {"access_token": f"{CANARY}-access-token", "expires_in": 3600})
        status = 400 if request.path == "/refuses" else self.status
        if status < 300:
            body |= {"ok": True, "code": 0, "status": "success"}
        headers = {"location": f"/{CANARY}", "x-request-id": CANARY, "retry-after": CANARY}
        return web.json_response(body, status=status, headers=headers, reason=CANARY)

    def wire(self) -> str:
        """All that came in, basic authentication decoded."""
        came = self.heard + "".join(self.proxy.asked) + " ".join(self.mail.logins + self.mail.passwords)
        logins = re.findall(r"Basic ([\w+/]+=*)", came)
        return came + "".join(base64.b64decode(login).decode() for login in logins)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    """It, listening."""
    made, app = World(tmp_path / "world"), web.Application()
    app.router.add_route("*", "/{path:.*}", made.answer)
    issued = made.authority.settings("localhost")
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(issued["tls_certificate"], issued["tls_key"])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    plain, secure = (address[1] for address in runner.addresses)
    made.url, made.tls_url = f"http://127.0.0.1:{plain}", f"https://127.0.0.1:{secure}"
    async with made.mail.open(tls), made.proxy.open():
        yield made
    await runner.cleanup()


class Placements:
    """Entries of one kind: all that it needs, and a secret in one place."""

    def __init__(self, kind: str, world: World, desk: Desk) -> None:
        self.kind, self._world, self._desk = kind, world, desk
        self.entries: dict[str, dict[str, Any]] = {}
        self.told_to_receivers: list[str] = []
        """Places whose secret is to come out at a receiver, a proxy or a mail server."""
        via_proxy = {"url": f"{world.tls_url}/ok"}
        secret_url = f"{world.url}/ok/{{}}"
        basic = {"user": "user"}
        client = {"client_id": "client", "token_url": f"{world.url}/token"}
        over_http = kind not in ("email", "archive")
        for field, with_it, form, sent in (
            ("authorization", {}, "{}", over_http),
            ("token", {}, "{}", over_http),
            ("api_key", {}, "{}", over_http),
            ("url", {}, secret_url, over_http),
            ("proxy", via_proxy, f"http://user:{{}}@127.0.0.1:{world.proxy.port}", over_http),
            ("user", {"password_env": "T_ANY"}, "{}", kind != "archive"),
        ):
            self._add(field, with_it | {field: form}, sent)
            self._add_by_name(field, with_it, form, sent)
        self._add_by_name("password", basic, "{}", kind != "archive")
        self._add_by_name("client_secret", client, "{}", over_http)
        self._add("basic-token", basic | {"token": "{}"}, over_http)
        self._add("header", {"headers": {"x-secret": "{}"}}, over_http)
        self._add("in-query", {"url": f"{world.url}/ok?sig={{}}"}, over_http)
        by_name = {**client, "client_secret_env": "T_ANY"}
        self._add("client-in-url", by_name | {"token_url": f"{world.url}/token?x={{}}"}, over_http)
        self._add("client-refused", by_name | {"token_url": f"{world.url}/refuses?x={{}}"}, over_http)
        self._add("refused-password", basic | {"password_env": "T_REFUSED"}, kind != "archive")
        if own := {"pagerduty": "routing_key_env", "webhook": "signing_secret_env"}.get(kind):
            self._add("own", {own: "T_OWN"}, False)
        routing_key = CANARY.replace("-", "").ljust(32, "0")
        signing_secret = f"whsec_{base64.b64encode(CANARY.encode()).decode()}"
        desk.set_variable("T_ANY", f"{CANARY}-any")
        desk.set_variable("T_REFUSED", self.secret("refused-password"))
        desk.set_variable("T_KEY", routing_key)
        desk.set_variable("T_OWN", signing_secret if kind == "webhook" else routing_key)
        # Of no use to anyone: these are told of, and nothing is sent.
        self._add("in-userinfo", {"url": "http://user:{}@127.0.0.1/ok"}, False)
        self._add("no-url", {"url": "{}"}, False)
        self._add("header-name", {"headers": {"x {}": "1"}}, False)
        self._add("header-broken", {"headers": {"x-secret": "{}\r\nx: y"}}, False)
        self._add("file-gone", {"token_file": "/{}/gone"}, False)
        self._add("variable-name", {"token_env": "{} "}, False)
        self._add("wrong-type", {"enabled": "{}"}, False)
        self._add("wrong-kind", {"kind": "{}"}, False)
        self._add("unknown-field", {"{}": "{}"}, False)
        self._add("no-mapping", {"headers": "{}"}, False)

    def secret(self, name: str) -> str:
        """What stands in this place."""
        return f"{CANARY}-{name}"

    def _base(self) -> dict[str, Any]:
        world, mail = self._world, self.kind == "email"
        return {
            "kind": self.kind,
            "url": f"smtp://127.0.0.1:{world.mail.port}" if mail else f"{world.url}/ok",
            "allow_private_networks": True,
            "ca_file": str(world.authority.path),
            "project": "OPS",
            "sender": "cavra@example.org",
            "recipients": ["ann@example.org"],
            "path": str(self._desk.folder / "archive"),
            "dcr_id": "dcr-1",
            "stream": "Custom-T",
            "routing_key_env": "T_KEY",
        }

    def _add(self, name: str, changed: dict[str, Any], sent: bool) -> None:
        place = name.replace("_", "-")
        self.entries[place] = self._base() | _filled(changed, self.secret(place))
        if self.kind in ("email", "archive") and name not in ("in-userinfo", "no-url"):
            self.entries[place]["url"] = self._base()["url"]
        if sent:
            self.told_to_receivers.append(place)

    def _add_by_name(self, field: str, with_it: dict[str, Any], form: str, sent: bool) -> None:
        places = f"{field}-of-variable".replace("_", "-"), f"{field}-of-file".replace("_", "-")
        variable, file = f"T_{field.upper()}", self._desk.folder / f"{field}.secret"
        self._desk.set_variable(variable, form.format(self.secret(places[0])))
        file.write_text(form.format(self.secret(places[1])))
        self._add(places[0], with_it | {f"{field}_env": variable}, sent)
        self._add(places[1], with_it | {f"{field}_file": str(file)}, sent)


def _filled(value: Any, secret: str) -> Any:
    if isinstance(value, dict):
        return {_filled(key, secret): _filled(one, secret) for key, one in value.items()}
    return value.replace("{}", secret) if isinstance(value, str) else value


SPELLINGS = {
    CANARY,
    quote(CANARY, safe=""),
    CANARY.replace("-", ""),
    CANARY.lower(),
    *(
        # Whole groups of three bytes alone: what follows them is spelt otherwise.
        base64.b64encode(text[: len(text) // 3 * 3]).decode()
        for text in (CANARY.encode(), f"user:{CANARY}".encode())
    ),
}


def _tries(answer: pb.DeliverAuditResponse) -> dict[str, int]:
    parts = envelope(answer.delivery)["delivery"]["deliveries"]
    return {part["provider"]: part["attempt_count"] for part in parts}


@pytest.mark.parametrize("kind", sorted(KINDS))
async def test_no_secret_is_ever_written_or_told(
    kind: str, closed_desk: Desk, world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    placed = Placements(kind, world, closed_desk)
    closed_desk.connectors(**placed.entries)
    told: list[bytes] = []
    async with closed_desk.open() as desk:
        world.status = TAKEN.get(kind, 200)
        answer = await desk.deliver(timeout_seconds=30)
        sent = {place for place, tries in _tries(answer).items() if tries}
        assert len(sent) >= 20, f"no more than {sorted(sent)}"
        world.status, world.mail.replies = 302, {"MAIL": f"550 5.7.1 {CANARY}"}
        told += [answer.SerializeToString(), (await desk.deliver(timeout_seconds=30)).SerializeToString()]
        failures = await desk.failures()
        assert failures, "most of them fail"
        listed = await desk.call("ListConnectors", pb.ListConnectorsRequest())
        told += [listed.SerializeToString(), *(failure.SerializeToString() for failure in failures)]
        request = pb.DescribeRetriesRequest(keys=[failure.key for failure in failures])
        described = await desk.call("DescribeRetries", request, desk.service)
        told.append(described.SerializeToString())
        ready = {one.key.SerializeToString() for one in described.descriptions if not one.unavailable_reason}
        again = [one for one in failures if one.key.SerializeToString() in ready]
        assert kind == "archive" or len(again) >= 20, "what was refused can be retried"
        if again:
            results = await desk.retry(*[await desk.claim(one) for one in again], timeout_seconds=30)
            told += [result.SerializeToString() for result in results]
    told.append(repr(await check(closed_desk.folder / "connectors.yaml", [], True, 30.0)).encode())
    wire = world.wire()
    assert [place for place in placed.told_to_receivers if placed.secret(place) not in wire] == []
    assert all(world.mail.secure), "a login is worth nothing here unless it goes over TLS"
    assert BY_NOUN["connector_delivery"].kind.encode() in closed_desk.store_bytes()
    output = capfd.readouterr()
    written = {
        "store": closed_desk.store_bytes(),
        "logs": (output.out + output.err).encode(),
        "answers": b"".join(told),
    }
    for place, data in written.items():
        for spelling in SPELLINGS:
            assert spelling.encode() not in data, f"a secret is in the {place} as {spelling!r}"
