"""How requests travel: no redirect is followed, certificates are checked, a proxy sees nothing, answers are bounded in time and size."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from cavra_delivery.connectors import http
from cavra_delivery.connectors.base import Answer, Message, NotConfigured, Rendered, Route
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.http import RESPONSE_LIMIT, HttpSender
from cavra_delivery.connectors.webapi import HttpConnector

from tests.support.certificates import Authority
from tests.support.proxy import Proxy
from tests.support.receiver import Receiver

SECRET = "canary-credential"


def connector(sender: HttpSender, url: str, **entry: Any) -> HttpConnector:
    """A webhook with credentials in every header that can hold one."""
    secrets = {"token": SECRET, "api_key": SECRET, "headers": {"cookie": SECRET, "x-more": SECRET}}
    full = {"url": url, "allow_private_networks": True, **secrets, **entry}
    return HttpConnector("webhook", "webhook", ConnectorConfig.model_validate(full), sender)


async def post(hook: HttpConnector, timeout: float = 5.0) -> Answer:
    """One try."""
    return await hook.send(Message("msg-1", Rendered(b"{}")), hook.destination(), timeout)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_carries_no_credential_anywhere(status: int) -> None:
    async with Receiver(status) as moved, Receiver() as elsewhere, HttpSender() as sender:
        moved.headers = {"location": f"{elsewhere.url}/stolen"}
        answer = await post(connector(sender, f"{moved.url}/hook"))
        assert (answer.reason, answer.status_code, answer.again) == ("redirect", status, False)
        assert (len(moved.received), elsewhere.received) == (1, [])


async def test_a_redirect_to_itself_is_not_followed_either() -> None:
    async with Receiver(307) as moved, HttpSender() as sender:
        moved.headers = {"location": f"{moved.url}/hook"}
        await post(connector(sender, f"{moved.url}/hook"))
        assert len(moved.received) == 1


@dataclass
class Tls:
    """A receiver behind TLS."""

    port: int = 0
    heads: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, certificate: dict[str, Any]) -> AsyncIterator["Tls"]:
        """It, listening."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate["tls_certificate"], certificate["tls_key"])
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                self.heads.append((await reader.readuntil(b"\r\n\r\n")).decode())
                await reader.readexactly(2)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()


async def test_a_certificate_of_an_unknown_authority_is_refused_before_anything_is_said(
    tmp_path: Path,
) -> None:
    own = Authority(tmp_path)
    async with Tls().open(own.settings("localhost")) as receiver, HttpSender() as sender:
        url = f"https://127.0.0.1:{receiver.port}/hook"
        for ca_file in ("", str(Authority(tmp_path, "another").path), str(tmp_path / "nowhere.pem")):
            answer = await post(connector(sender, url, ca_file=ca_file))
            assert (answer.reason, answer.may_have_arrived) == ("tls", False)
        assert receiver.heads == []
        assert (await post(connector(sender, url, ca_file=str(own.path)))).delivered


async def test_a_certificate_of_another_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = Authority(tmp_path)
    async with Tls().open(own.settings("hook.example")) as receiver, HttpSender() as sender:
        url = f"https://localhost:{receiver.port}/hook"
        assert (await post(connector(sender, url, ca_file=str(own.path)))).reason == "tls"
        assert receiver.heads == []


async def test_a_proxy_is_asked_for_a_checked_address_and_sees_no_credential(tmp_path: Path) -> None:
    own = Authority(tmp_path)
    async with (
        Tls().open(own.settings("localhost")) as receiver,
        Proxy().open() as proxy,
        HttpSender() as sender,
    ):
        way = {"proxy": f"http://joe:pw@127.0.0.1:{proxy.port}", "ca_file": str(own.path)}
        hook = connector(sender, f"https://localhost:{receiver.port}/hook", **way)
        assert (await post(hook)).delivered
        assert (await post(hook)).delivered
        (asked,) = proxy.asked
        assert asked.startswith(f"CONNECT 127.0.0.1:{receiver.port} "), (
            "not a name that the proxy would resolve"
        )
        assert SECRET not in asked
        assert "proxy-authorization: basic" in asked.lower()
        assert [f"localhost:{receiver.port}" in head for head in receiver.heads] == [True, True]
        assert not any("proxy-authorization" in head.lower() for head in receiver.heads)
        assert not any("joe" in repr(one) for one in (hook.destination(), hook.destination().route))


async def test_a_certificate_of_the_address_alone_is_refused_behind_a_proxy_too(tmp_path: Path) -> None:
    own = Authority(tmp_path)
    async with (
        Tls().open(own.settings("another.example")) as receiver,
        Proxy().open() as proxy,
        HttpSender() as sender,
    ):
        way = {"proxy": f"http://127.0.0.1:{proxy.port}", "ca_file": str(own.path)}
        answer = await post(connector(sender, f"https://localhost:{receiver.port}/hook", **way))
        assert (answer.reason, answer.may_have_arrived, receiver.heads) == ("tls", False, [])
        assert len(proxy.asked) == 1


async def test_a_proxy_opens_no_way_to_private_addresses() -> None:
    async with Proxy().open() as proxy, HttpSender() as sender:
        way = {"proxy": f"http://127.0.0.1:{proxy.port}", "allow_private_networks": False}
        answer = await post(connector(sender, "https://localhost:9/hook", **way))
        assert (answer.reason, answer.may_have_arrived, proxy.asked) == ("destination_refused", False, [])


async def test_a_proxy_serves_no_receiver_without_tls() -> None:
    with pytest.raises(NotConfigured):
        connector(HttpSender(), "http://hook.example/", proxy="http://proxy.example:3128").destination()


async def test_proxies_of_the_environment_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async with Receiver() as receiver, Proxy().open() as proxy, HttpSender() as sender:
        for name in ("http_proxy", "https_proxy", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert (await post(connector(sender, f"{receiver.url}/hook"))).delivered
        assert proxy.asked == []


async def test_a_receiver_that_takes_its_time_may_have_the_message() -> None:
    async with Receiver() as receiver, HttpSender() as sender:
        receiver.hold = asyncio.Event()
        answer = await post(connector(sender, f"{receiver.url}/hook"), timeout=0.05)
        assert (answer.reason, answer.may_have_arrived, answer.again) == ("timeout", True, False)
        answer = await post(connector(sender, f"{receiver.url}/hook", read_seconds=0.05))
        assert (answer.reason, answer.may_have_arrived, answer.again) == ("timeout", True, False)
        receiver.hold.set()


@asynccontextmanager
async def silent() -> AsyncIterator[int]:
    """The port of a server that takes connections and never says a word."""
    writers: list[asyncio.StreamWriter] = []

    async def taken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writers.append(writer)

    server = await asyncio.start_server(taken, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in writers:
            writer.close()


IMPATIENT = {"connect_seconds": 0.05}
HANGING = 20.0
"""Seconds after which a test is red: each waits for ever without the time-out that it is about."""


@pytest.mark.parametrize("proxied", [False, True], ids=["receiver", "proxy"])
async def test_a_connection_that_does_not_stand_in_time_is_given_up_and_may_be_tried_again(
    proxied: bool,
) -> None:
    async with silent() as port, HttpSender() as sender, asyncio.timeout(HANGING):
        way = {"proxy": f"http://127.0.0.1:{port}"} if proxied else {}
        url = f"https://127.0.0.1:{9 if proxied else port}/hook"
        answer = await post(connector(sender, url, **IMPATIENT, **way), timeout=600.0)
        assert (answer.reason, answer.may_have_arrived, answer.again) == ("timeout", False, True)


@pytest.mark.parametrize("way", [{}, {"proxy": "http://127.0.0.1:9"}], ids=["receiver", "proxy"])
async def test_a_name_that_does_not_resolve_in_time_is_given_up_and_may_be_tried_again(
    way: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = Event()

    def resolve(*args: Any, **more: Any) -> list[Any]:
        found.wait(HANGING)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    async with HttpSender() as sender, asyncio.timeout(HANGING):
        hook = connector(sender, "https://hook.example/", **IMPATIENT, **way)
        answer = await post(hook, timeout=600.0)
        found.set()
        assert (answer.reason, answer.may_have_arrived, answer.again) == ("timeout", False, True)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_token_is_asked_for_at_no_address_that_the_connector_may_not_reach(
    host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("T_CLIENT_SECRET", SECRET)
    async with Receiver() as inside, HttpSender() as sender:
        client = {"client_id": "c", "client_secret_env": "T_CLIENT_SECRET", "allow_private_networks": False}
        port = inside.url.rpartition(":")[2]
        hook = connector(sender, "https://hook.example/", token_url=f"http://{host}:{port}/", **client)
        answer = await post(hook)
        assert (answer.reason, answer.again) == ("destination_refused", False)
        assert (answer.may_have_arrived, inside.received) == (False, [])


async def test_a_token_endpoint_that_redirects_leads_the_clients_secret_nowhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("T_CLIENT_SECRET", SECRET)
    async with Receiver(307) as moved, Receiver() as elsewhere, HttpSender() as sender:
        moved.headers = {"location": f"{elsewhere.url}/stolen"}
        client = {"client_id": "c", "client_secret_env": "T_CLIENT_SECRET", "token_url": f"{moved.url}/"}
        answer = await post(connector(sender, f"{elsewhere.url}/hook", **client))
        assert (answer.reason, answer.may_have_arrived) == ("redirect", False)
        assert (len(moved.received), elsewhere.received) == (1, [])


async def test_of_an_endless_answer_no_more_than_its_beginning_is_read() -> None:
    async with Receiver() as receiver, HttpSender() as sender:
        receiver.body = b"x" * (RESPONSE_LIMIT * 50)
        response = await sender.exchange(
            http.Request("POST", f"{receiver.url}/", {}, b"{}"), Route(private=True), 5.0
        )
        assert len(response.body) == RESPONSE_LIMIT


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("http://127.0.0.1:1/hook", "connect"),
        ("http://no-such-host.invalid/hook", "dns"),
        ("http://169.254.169.254/latest/meta-data", "destination_refused"),
    ],
)
async def test_what_was_never_written_is_told_by_its_reason(url: str, reason: str) -> None:
    async with HttpSender() as sender:
        answer = await post(connector(sender, url))
        assert (answer.reason, answer.may_have_arrived) == (reason, False)
