"""`cavra api` as a user meets it: what it prints, where it keeps things, and how it starts, stops and starts again."""

import asyncio
import signal
import socket

import aiohttp

from tests.flow.processes.running import AD, SERVICES, Home, Http, Process, R
from tests.support.receiver import Receiver


async def no_longer_listens(url: str) -> None:
    """Return once nobody takes a new connection there."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    async with asyncio.timeout(10):
        while True:
            try:
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
                await writer.wait_closed()
            except ConnectionRefusedError:
                return
            except ConnectionResetError:
                continue  # It was taken a moment before the end.


async def test_the_api_says_where_everything_is_and_stops_without_a_word(home: Home) -> None:
    process = home.start("api", "--data-dir", str(home.folder / "elsewhere"))
    process.ready()
    url = process.addresses["gateway"]
    assert [line.split()[0] for line in process.printed] == [
        "API",
        "OpenAPI",
        "Console",
        "Console",
        "Console",
        "gRPC",
        "gRPC",
        "gRPC",
        "ready",
    ]
    assert process.printed[1].split()[1] == url + "/docs"
    links = {line.split()[2]: line.split()[1].partition("#handover=") for line in process.printed[2:5]}
    assert list(links) == ["operator", "approver", "auditor"]
    assert process.addresses.keys() == {*SERVICES, "gateway"}
    async with aiohttp.ClientSession() as session:
        async with session.get(url + "/health") as health:
            assert (health.status, (await health.json())["status"]) == (200, "ok")
        for path, status in (("/docs", 200), ("/openapi.json", 200), ("/version", 200), (R, 401)):
            async with session.get(url + path) as answer:
                assert answer.status == status, path
        for page, _, link in links.values():
            async with session.post(
                page + "sign-in", data={"handover": link}, headers={"origin": url}, allow_redirects=False
            ) as answer:
                assert (answer.status, answer.headers["location"]) == (303, "/console/")
    process.signal(signal.SIGINT)
    assert process.ended() == 0
    assert home.log.read_text() == ""
    stores = {path.name for path in (home.folder / "elsewhere").glob("*.sqlite3")}
    assert stores == {f"{name}.sqlite3" for name in SERVICES}
    assert not list((home.folder / "data").glob("*.sqlite3"))


async def test_what_is_being_sent_when_it_is_told_to_stop_is_finished_and_the_next_start_goes_on_from_there(
    home: Home,
) -> None:
    process = home.start("api")
    process.ready()
    async with Receiver() as receiver, aiohttp.ClientSession() as session:
        home.send_to(receiver.url)
        receiver.hold = asyncio.Event()
        http = Http(home, process.addresses["gateway"], session)
        sending = asyncio.create_task(http.post("olga", AD, delivery_provider="webhook"))
        await receiver.wait_for(1)
        process.signal(signal.SIGINT)
        await no_longer_listens(process.addresses["gateway"])
        receiver.hold.set()
        sent = await sending
    assert process.ended() == 0
    assert sent["success"] is True
    assert home.log.read_text() == ""

    process = home.start("api")
    process.ready()
    async with aiohttp.ClientSession() as session:
        http = Http(home, process.addresses["gateway"], session)
        assert (await http.get(R))["total"] == 3
        made = await http.post("olga", R + "/acknowledgements/audit-package")
        assert made["metadata"]["log"]["index"] == sent["metadata"]["log"]["index"] + 1
    assert process.stop() == 0


def test_a_taken_port_is_one_sentence_and_exit_1(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        process: Process = home.start("api", "--port", port)
        assert process.ended() == 1
    *_, told = home.log.read_text().splitlines()
    assert told.startswith(f"cavra: gateway cannot listen on 127.0.0.1:{port}")
    assert "CAVRA_GATEWAY_PORT" in told
