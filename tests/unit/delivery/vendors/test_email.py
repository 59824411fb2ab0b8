"""Mail, sent to a real mail server on this machine."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import SMTP
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cavra_delivery.connectors.base import Answer, Message, NotConfigured
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.email import EmailConnector

from tests.support.certificates import Authority
from tests.support.vendors.mail import PASSWORD, USER, MailServer
from tests.unit.delivery.vendors.events import audit

pytestmark = [
    pytest.mark.filterwarnings("ignore:Session.login_data is deprecated:DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS:UserWarning"),
]
MESSAGE_ID = "msg-0123456789abcdef0123456789ab"
PEOPLE = ["ann@example.org", "ben@example.org"]


class Post:
    """One connector to one server."""

    def __init__(self, server: MailServer, ca: Path, **changed: Any) -> None:
        entry = {
            "url": f"smtp://127.0.0.1:{server.port}",
            "allow_private_networks": True,
            "ca_file": str(ca),
            "sender": "cavra@example.org",
            "recipients": PEOPLE,
            "user": USER,
            "password_env": "T_MAIL_PASSWORD",
            **changed,
        }
        self.connector = EmailConnector("email", ConnectorConfig.model_validate(entry))

    async def send(self, seconds: float = 5.0, execution_id: str = "") -> Answer:
        """One mail."""
        message = Message(MESSAGE_ID, self.connector.render(audit(), MESSAGE_ID), execution_id)
        return await self.connector.send(message, self.connector.destination(), seconds)


class World:
    """A server with a certificate, and who sends to it."""

    def __init__(self, folder: Path) -> None:
        self.authority = Authority(folder)
        issued = self.authority.settings("mail.example")
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.tls.load_cert_chain(issued["tls_certificate"], issued["tls_key"])
        self.server = MailServer()

    def post(self, **changed: Any) -> Post:
        """A connector to it."""
        return Post(self.server, self.authority.path, **changed)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """A server that offers STARTTLS and wants a login."""
    monkeypatch.setenv("T_MAIL_PASSWORD", PASSWORD)
    made = World(tmp_path)
    async with made.server.open(made.tls):
        yield made


async def test_a_mail_arrives_whole_over_tls_after_a_login(world: World) -> None:
    answer = await world.post().send(execution_id="gordackretryexec-01a207911f0f0000bd34bc9d61c2")
    assert (answer.delivered, answer.status_code, answer.may_have_arrived) == (True, 250, False)
    assert (world.server.logins, world.server.secure) == ([USER], [True])
    [(sender, recipients, content)] = world.server.mails
    assert (sender, recipients) == ("cavra@example.org", PEOPLE)
    mail = message_from_bytes(content, policy=SMTP)
    assert mail["message-id"] == f"<{MESSAGE_ID}@example.org>"
    assert mail["cavra-execution-id"] == "gordackretryexec-01a207911f0f0000bd34bc9d61c2"
    assert mail["auto-submitted"] == "auto-generated"
    assert mail["date"] == "Mon, 23 Nov 2026 08:15:30 +0000"
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert all(audit().record_hash in part.get_content() for part in mail.iter_parts())
    assert answer.request is not None
    assert answer.request.url == f"smtp://127.0.0.1:{world.server.port}"


async def test_the_same_event_is_the_same_bytes(world: World) -> None:
    assert len({world.post().connector.render(audit(), MESSAGE_ID).body for _ in range(3)}) == 1


async def test_a_server_may_speak_tls_from_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_MAIL_PASSWORD", PASSWORD)
    world = World(tmp_path)
    async with world.server.open(world.tls, implicit=True):
        assert (await world.post(security="tls").send()).delivered


async def test_a_wrong_password_is_a_failure_of_the_login(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_MAIL_PASSWORD", "another")
    answer = await world.post().send()
    assert (answer.reason, answer.status_code, answer.again) == ("auth", 535, False)
    assert world.server.mails == []


@pytest.mark.parametrize(
    ("reply", "again"),
    [
        ("454 4.7.0 temporary authentication failure", True),
        ("530 5.7.0 authentication required", False),
        ("534 5.7.9 mechanism is too weak", False),
        ("538 5.7.11 encryption required", False),
    ],
)
async def test_every_code_by_which_a_login_is_refused_is_told_as_one(
    reply: str, again: bool, world: World
) -> None:
    world.server.replies = {"MAIL": reply}
    answer = await world.post().send()
    assert (answer.reason, answer.status_code, answer.again) == ("auth", int(reply[:3]), again)


async def test_a_mail_that_one_recipient_cannot_have_goes_to_nobody(world: World) -> None:
    world.server.replies = {"ben@example.org": "550 5.1.1 no such user"}
    answer = await world.post().send()
    assert (answer.reason, answer.status_code, answer.may_have_arrived) == ("rejected", 550, False)
    assert world.server.mails == []


@pytest.mark.parametrize(
    ("command", "reply", "reason", "again"),
    [
        ("MAIL", "421 4.7.0 too many connections", "rate_limited", True),
        ("MAIL", "452 4.3.1 insufficient storage", "server_error", True),
        ("DATA", "451 4.7.1 greylisted", "rate_limited", True),
        ("DATA", "554 5.7.1 refused as spam", "rejected", False),
    ],
)
async def test_a_refusal_is_told_by_its_code(
    command: str, reply: str, reason: str, again: bool, world: World
) -> None:
    world.server.replies = {command: reply}
    answer = await world.post().send()
    assert (answer.reason, answer.again, answer.may_have_arrived) == (reason, again, False)
    assert answer.status_code == int(reply[:3])


async def test_a_mail_without_a_reply_may_be_there(world: World) -> None:
    world.server.hangs_up = True
    answer = await world.post().send()
    assert (answer.reason, answer.may_have_arrived, answer.again) == ("response_invalid", True, False)
    world.server.hangs_up, world.server.hold = False, asyncio.Event()
    answer = await world.post().send(seconds=1.0)
    assert (answer.reason, answer.may_have_arrived) == ("timeout", True)


async def test_a_server_without_tls_or_with_another_certificate_is_told_no_password(
    world: World, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path / "stranger")
    answer = await Post(world.server, stranger.path).send()
    assert (answer.reason, answer.again, answer.may_have_arrived) == ("tls", False, False)
    plain = MailServer()
    async with plain.open(None, login=False):
        answer = await Post(plain, world.authority.path).send()
        assert (answer.reason, answer.again) == ("tls", False)
    assert (world.server.logins, plain.logins, plain.mails) == ([], [], [])


async def test_without_leave_no_private_address_is_connected_to(world: World) -> None:
    answer = await world.post(allow_private_networks=False).send()
    assert (answer.reason, answer.again, world.server.logins) == ("destination_refused", False, [])


async def test_a_server_that_is_not_there_may_be_there_later(world: World) -> None:
    gone = MailServer()
    async with gone.open(None):
        pass
    assert (await Post(gone, world.authority.path).send()).reason == "connect"
    nameless = world.post(url="smtp://nowhere.invalid:587")
    assert (await nameless.send()).reason == "dns"


@pytest.mark.parametrize("security", ["starttls", "tls"])
async def test_a_server_that_takes_a_connection_and_says_nothing_is_given_up_and_may_be_tried_again(
    security: str, world: World
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"smtp://127.0.0.1:{silent.getsockname()[1]}"
        async with asyncio.timeout(20):
            answer = await world.post(url=url, security=security, connect_seconds=0.05).send(seconds=600)
    assert (answer.reason, answer.again, answer.may_have_arrived) == ("timeout", True, False)


async def test_a_mail_servers_name_that_does_not_resolve_in_time_is_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **more: found.wait(20) and [])
    async with asyncio.timeout(20):
        answer = await world.post(url="smtp://mail.example", connect_seconds=0.05).send(seconds=600)
    found.set()
    assert (answer.reason, answer.again, answer.may_have_arrived) == ("timeout", True, False)


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"url": "https://mail.example"}, "url"),
        ({"url": "smtp://user:secret@mail.example"}, "url"),
        ({"url": "smtp://mail.example/path"}, "url"),
        ({"sender": ""}, "sender"),
        ({"recipients": []}, "recipients"),
        ({"security": "none"}, "security"),
        ({"password_env": None}, "password_env"),
        ({"user": ""}, "password_env"),
    ],
)
def test_an_entry_that_cannot_be_mailed_by_says_which_field(
    changed: dict[str, Any], field: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_MAIL_PASSWORD", PASSWORD)
    post = Post(MailServer(port=25), tmp_path / "ca.pem", **changed)
    with pytest.raises(NotConfigured) as refused:
        post.connector.destination()
    assert refused.value.field == field
