"""Connections to receivers: kept for the next send, bound to the address that was checked, and never a reason to send twice."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from cavra_delivery.connectors import http
from cavra_delivery.connectors.base import Answer, Message, Rendered
from cavra_delivery.connectors.config import ConnectorConfig
from cavra_delivery.connectors.http import HttpSender
from cavra_delivery.connectors.tries import Limits, send
from cavra_delivery.connectors.webapi import HttpConnector

from tests.support.receiver import Receiver

TAKEN = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"


@dataclass
class Line:
    """A receiver that speaks bytes: what it answers, and whether it hangs up afterwards."""

    answers: list[bytes] = field(default_factory=list)
    """Of the next requests, in turn; TAKEN afterwards."""
    hangs_up: Callable[[int], bool] = lambda number: False
    """Whether it closes the connection after the request of this number, which it may have answered."""
    port: int = 0
    connections: int = 0
    ids: list[str] = field(default_factory=list)
    """Message ids as they arrived."""
    writer: asyncio.StreamWriter = field(init=False)
    """To the last that connected."""
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    """It has hung up."""

    @asynccontextmanager
    async def open(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator["Line"]:
        """The receiver, listening."""
        server = await asyncio.start_server(self._serve, host, port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writer = writer
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
                fields = dict(line.split(": ", 1) for line in head.strip().split("\r\n")[1:])
                await reader.readexactly(int(fields["content-length"]))
                self.ids.append(fields["webhook-id"])
                writer.write(self.answers.pop(0) if self.answers else TAKEN)
                await writer.drain()
                if self.hangs_up(len(self.ids)):
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        self.closed.set()


def connector(sender: HttpSender, port: int, host: str = "127.0.0.1", **entry: Any) -> HttpConnector:
    """A webhook at this port."""
    entry = {"url": f"http://{host}:{port}/hook", "allow_private_networks": True, **entry}
    return HttpConnector("webhook", "webhook", ConnectorConfig.model_validate(entry), sender)


async def post(hook: HttpConnector, message_id: str = "msg-1") -> Answer:
    """One try."""
    return await hook.send(Message(message_id, Rendered(b"{}")), hook.destination(), 5.0)


async def test_one_connection_serves_many_sends() -> None:
    async with Line().open() as line, HttpSender() as sender:
        hook = connector(sender, line.port)
        for number in range(20):
            assert (await post(hook, f"msg-{number}")).delivered
        assert line.connections == 1
        assert line.ids == [f"msg-{number}" for number in range(20)]


async def test_a_receiver_that_closes_idle_connections_loses_nothing() -> None:
    async with Line(hangs_up=lambda number: True).open() as line, HttpSender() as sender:
        hook = connector(sender, line.port)
        for number in range(10):
            answer = await post(hook, f"msg-{number}")
            assert (answer.delivered, answer.may_have_arrived) == (True, False)
            await line.closed.wait()
            line.closed.clear()
        assert line.connections == 10
        assert line.ids == [f"msg-{number}" for number in range(10)]


@pytest.mark.parametrize("method", ["POST", "PUT"])
async def test_a_receiver_that_hangs_up_after_reading_may_have_it_and_is_not_sent_it_again(
    method: str,
) -> None:
    async with Line([TAKEN, b""], lambda number: number == 2).open() as line, HttpSender() as sender:
        hook = connector(sender, line.port, method=method)
        assert (await post(hook, "msg-1")).delivered
        message = Message("msg-2", Rendered(b"{}"))
        answer, tries = await send(hook, hook.destination(), message, Limits(5, 5.0))
        assert (answer.reason, answer.may_have_arrived, tries) == ("response_invalid", True, 1)
        assert line.ids == ["msg-1", "msg-2"], "a kept connection that dies is no reason to send twice"


async def test_what_a_receiver_says_unasked_is_nobodys_answer() -> None:
    async with Line().open() as line, HttpSender() as sender:
        hook = connector(sender, line.port)
        assert (await post(hook)).delivered
        line.writer.write(b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n")
        assert (await post(hook)).delivered
        assert line.connections == 2


@pytest.mark.parametrize("status", [600, 999])
async def test_a_status_that_http_does_not_have_is_no_answer(status: int) -> None:
    async with (
        Line([b"HTTP/1.1 %d X\r\ncontent-length: 0\r\n\r\n" % status]).open() as line,
        HttpSender() as sender,
    ):
        answer = await post(connector(sender, line.port))
        assert (answer.reason, answer.status_code) == ("response_invalid", None)
        assert answer.may_have_arrived


async def test_a_name_that_moves_moves_no_kept_connection_and_is_checked_for_the_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    where = "127.0.0.1"

    def resolve(host: str, port: int, *args: Any, **more: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (where, port))]

    monkeypatch.setattr(http, "may_reach", lambda address, private: address == "127.0.0.1")
    async with (
        Line(hangs_up=lambda number: number == 3).open() as line,
        Line().open("127.0.0.2", line.port) as inside,
        HttpSender() as sender,
    ):
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        hook = connector(sender, line.port, "hook.example", allow_private_networks=False)
        assert (await post(hook)).delivered
        where = "127.0.0.2"
        assert (await post(hook)).delivered
        assert (await post(hook)).delivered
        await line.closed.wait()
        answer = await post(hook)
        assert (answer.reason, answer.may_have_arrived) == ("destination_refused", False)
        assert (line.connections, len(line.ids), inside.connections) == (1, 3, 0)


async def test_no_send_waits_for_those_of_another_connector_at_the_same_host() -> None:
    async with Receiver() as receiver, HttpSender() as sender:
        receiver.hold, port = asyncio.Event(), int(receiver.url.rpartition(":")[2])
        slow, quick = (connector(sender, port) for _ in range(2))
        held = [asyncio.create_task(post(slow, f"msg-{number}")) for number in range(100)]
        await receiver.wait_for(100)
        late = asyncio.create_task(post(quick, "msg-quick"))
        await receiver.wait_for(101)
        receiver.hold.set()
        assert all(answer.delivered for answer in await asyncio.gather(*held, late))
