"""Each vendor's connector against a server that answers as the vendor's own does."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cavra_delivery.connectors.base import Answer, Message
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.http import HttpSender
from cavra_delivery.connectors.tries import Limits, send
from cavra_delivery.connectors.webapi import HttpConnector
from cavra_verify.grammar import BOUNDS

from tests.support.certificates import Authority
from tests.support.vendors import VENDORS
from tests.support.vendors.server import Reply, VendorServer
from tests.support.vendors.siem import AckingCollector, LogsIngestion
from tests.unit.delivery.vendors.events import EVENTS, audit, drill

MESSAGE_ID = "msg-1"


@pytest.fixture
async def sender() -> AsyncIterator[HttpSender]:
    """The client that all share."""
    async with HttpSender() as made:
        yield made


Connect = Callable[..., HttpConnector]


@pytest.fixture
def connect(sender: HttpSender, monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Makes the connector of a running server."""

    def connected(server: VendorServer, **changed: Any) -> HttpConnector:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        entry = {"allow_private_networks": True, **server.entry(), **changed}
        return HttpConnector("receiver", server.kind, ConnectorConfig.model_validate(entry), sender)

    return connected


async def told(connector: HttpConnector, event: Any = None, seconds: float = 5.0) -> Answer:
    """One try of one event."""
    rendered = connector.render(event or audit(), MESSAGE_ID)
    return await connector.send(Message(MESSAGE_ID, rendered), connector.destination(), seconds)


@pytest.fixture(params=VENDORS)
async def server(request: pytest.FixtureRequest) -> AsyncIterator[VendorServer]:
    """Each vendor's server."""
    made = VENDORS[request.param]()
    async with made.start():
        yield made


async def test_what_a_vendor_takes_is_delivered_and_named_as_the_vendor_names_it(
    server: VendorServer, connect: Connect
) -> None:
    for event in EVENTS.values():
        answer = await told(connect(server), event())
        assert server.broken == []
        assert (answer.reason, answer.delivered, answer.external_ref) == ("", True, server.reference)
        assert answer.may_have_arrived is False


LONG = {
    "letters": "x",
    "what Slack escapes": "&",
    "what Teams escapes": "[",
    "beyond the first plane": "\U0001f600",
    "lines": "a\n",
    "controls": "a\x00",
}


@pytest.mark.parametrize("unit", LONG.values(), ids=LONG)
async def test_however_long_a_name_is_no_limit_of_a_vendor_is_passed(
    unit: str, server: VendorServer, connect: Connect
) -> None:
    name = unit * (3_000 // len(unit))
    for event in (audit(generated_by=name, audit_id=name), drill(**dict.fromkeys(_NAMES, name))):
        answer = await told(connect(server), event)
        assert server.broken == []
        assert answer.delivered


_NAMES = ("schedule_id", "plan_id", "status", "next_due_at", "generated_by")


async def test_a_record_of_the_largest_size_is_taken_whole_where_events_are_kept(
    server: VendorServer, connect: Connect
) -> None:
    answer = await told(connect(server), drill(routes=["r" * 1_000] * (BOUNDS["record_bytes"] // 1_024)))
    assert server.broken == []
    assert answer.delivered


async def test_a_wrong_credential_is_told_apart_from_a_message_that_is_not_wanted(
    server: VendorServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    connector = connect(server)
    for name, value in server.environment().items():
        # As long as the right one, and of the same alphabet.
        secret = server.secrets[name]
        monkeypatch.setenv(name, value.replace(secret, secret[:-4] + secret[-4:][::-1].swapcase()))
    wrong = await told(connector)
    assert (wrong.reason, wrong.again, wrong.may_have_arrived) == ("auth", False, False)
    server.script = [server.rejected]
    connect(server)
    unwanted = await told(connector)
    assert (unwanted.reason, unwanted.again, unwanted.may_have_arrived) == ("rejected", False, False)


async def test_who_is_sent_away_comes_back_and_is_taken(server: VendorServer, connect: Connect) -> None:
    connector = connect(server)
    server.script = [server.limited, Reply(503, b"later")]
    message = Message(MESSAGE_ID, connector.render(audit(), MESSAGE_ID))
    answer, tries = await send(connector, connector.destination(), message, Limits(2, 5.0))
    assert (answer.delivered, tries) == (True, 3)
    server.script = [server.limited]
    answer, tries = await send(connector, connector.destination(), message, Limits(0, 5.0))
    assert (answer.reason, answer.status_code, tries) == ("rate_limited", 429, 1)


@pytest.mark.parametrize(
    ("asked", "tries", "paused"),
    [("2", 2, [2.0]), ("3", 1, []), ("86400", 1, []), ("Fri, 31 Dec 2199 23:59:59 GMT", 1, [])],
)
async def test_a_receiver_is_left_alone_for_as_long_as_it_asks_and_for_longer_than_two_seconds_given_up(
    asked: str, tries: int, paused: list[float], connect: Connect
) -> None:
    server = VENDORS["webhook"]()
    async with server.start():
        connector, pauses = connect(server), list[float]()

        async def sleep(seconds: float) -> None:
            pauses.append(seconds)

        server.script = [Reply(429, b"slow down", (("retry-after", asked),))]
        message = Message(MESSAGE_ID, connector.render(audit(), MESSAGE_ID))
        answer, made = await send(connector, connector.destination(), message, Limits(2, 5.0), sleep)
        assert (answer.delivered, made, pauses) == (tries == 2, tries, paused)
        assert len(server.asked) == tries


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"ok"', b"\xff\xfe", b'{"ok":1,"code":"0"}'])
async def test_a_success_that_is_none_of_the_vendors_leaves_open_whether_it_took_the_message(
    body: bytes, server: VendorServer, connect: Connect
) -> None:
    if server.malformed is None:
        return
    connector = connect(server)
    for reply in (server.malformed, replace(server.malformed, body=body)):
        server.script = [reply]
        answer = await told(connector)
        assert (answer.reason, answer.may_have_arrived, answer.again) == ("response_invalid", True, False)
        assert answer.external_ref == ""


async def test_what_may_be_there_is_sent_again_to_a_vendor_that_takes_it_once_alone(
    server: VendorServer, connect: Connect
) -> None:
    if server.malformed is None:
        return
    connector = connect(server)
    server.script = [server.malformed]
    message = Message(MESSAGE_ID, connector.render(audit(), MESSAGE_ID))
    answer, tries = await send(connector, connector.destination(), message, Limits(1, 5.0))
    once = server.kind == "pagerduty"
    assert (answer.delivered, answer.may_have_arrived, tries) == (once, not once, 2 if once else 1)


async def test_who_does_not_answer_in_time_may_have_the_message(
    server: VendorServer, connect: Connect
) -> None:
    connector = connect(server)
    assert (await told(connector)).delivered, "what must be asked for before is there"
    server.hold = asyncio.Event()
    answer = await told(connector, seconds=0.2)
    assert (answer.reason, answer.may_have_arrived) == ("timeout", True)


async def test_a_server_whose_certificate_nobody_vouches_for_is_told_nothing(
    connect: Connect, tmp_path: Path
) -> None:
    issued = Authority(tmp_path).settings("localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(issued["tls_certificate"], issued["tls_key"])
    for made in (make() for make in VENDORS.values()):
        async with made.start(context):
            answer = await told(connect(made))
            assert (answer.reason, answer.may_have_arrived, made.asked) == ("tls", False, [])
            assert (await told(connect(made, ca_file=str(issued["tls_ca"])))).delivered


async def test_a_token_is_asked_for_once_and_again_when_it_ends(connect: Connect) -> None:
    server = LogsIngestion()
    async with server.start():
        connector = connect(server)
        await asyncio.gather(*(told(connector) for _ in range(5)))
        assert server.tokens_given == 1
        server.script = [Reply(401, {"error": {"code": "InvalidToken"}})]
        assert (await told(connector)).reason == "auth"
        server.expires_in = 30
        assert (await told(connector)).delivered
        assert server.tokens_given == 2, "a token that is not taken any more is not used again"
        assert (await told(connector)).delivered
        assert server.tokens_given == 3, "a token that ends within a minute is not kept"


async def test_an_access_token_may_be_given_in_place_of_a_client(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = LogsIngestion()
    async with server.start():
        monkeypatch.setenv("T_STATIC", LogsIngestion.token)
        assert (await told(connect(server, client_id="", token_env="T_STATIC"))).delivered
        assert server.tokens_given == 0


async def test_what_the_indexers_never_acknowledge_may_be_there(connect: Connect) -> None:
    server = AckingCollector()
    server.acknowledges = False
    async with server.start():
        answer = await told(connect(server), seconds=0.5)
        assert (answer.reason, answer.may_have_arrived, answer.delivered) == ("timeout", True, False)


@pytest.mark.parametrize(
    ("error", "reason", "may_have_arrived"),
    [
        ("channel_not_found", "rejected", False),
        ("msg_blocks_too_long", "rejected", False),
        ("token_expired", "auth", False),
        ("team_access_not_granted", "auth", False),
        ("two_factor_setup_required", "auth", False),
        ("rate_limited", "rate_limited", False),
        ("internal_error", "server_error", True),
        ("service_unavailable", "server_error", True),
    ],
)
async def test_an_error_of_slacks_method_is_told_by_its_name(
    error: str, reason: str, may_have_arrived: bool, connect: Connect
) -> None:
    server = VENDORS["slack-method"]()
    async with server.start():
        server.script = [Reply(200, {"ok": False, "error": error})]
        answer = await told(connect(server))
        assert (answer.reason, answer.may_have_arrived) == (reason, may_have_arrived)


@pytest.mark.parametrize(
    ("errors", "reason"),
    [
        (["Invalid routing key"], "auth"),
        (["Length of 'routing_key' is incorrect (should be 32 characters)"], "auth"),
        (["'payload.summary' is missing or blank"], "rejected"),
        ([], "rejected"),
        (None, "rejected"),
    ],
)
async def test_pagerduty_says_in_words_alone_that_a_routing_key_is_wrong(
    errors: Any, reason: str, connect: Connect
) -> None:
    server = VENDORS["pagerduty"]()
    async with server.start():
        server.script = [Reply(400, {"status": "invalid event", "errors": errors})]
        answer = await told(connect(server))
        assert (answer.reason, answer.again, answer.may_have_arrived) == (reason, False, False)


async def test_a_reference_of_another_form_is_not_taken_over(connect: Connect) -> None:
    for name, reply in (
        ("slack-method", Reply(200, {"ok": True, "channel": "<script>", "ts": "1"})),
        ("servicenow", Reply(201, {"result": {"number": "INC 1; drop"}})),
        ("pagerduty", Reply(202, {"status": "success", "dedup_key": "another"})),
    ):
        server = VENDORS[name]()
        async with server.start():
            server.script = [reply]
            answer = await told(connect(server))
            assert (answer.delivered, answer.external_ref) == (True, ""), name
