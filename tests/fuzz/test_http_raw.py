"""Bytes that no HTTP library would send: broken framing, doubled and oversized headers, callers who leave halfway."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.fuzz.shares import RAW
from tests.fuzz.world import AD, SCHEDULE, R, World, running

_PLAN = f"POST {AD}/retry-plan HTTP/1.1"
_DELIVER = f"POST {R}/deliver HTTP/1.1"
_NUMBERS = (
    "9007199254740993", "-9007199254740993", "1e400", "-1e400", "1e-400", "NaN", "Infinity", "-Infinity", "01", "+1", ".5", "1.", "0x10",
    "1_000", "9" * 5000, "0." + "0" * 5000 + "1", "1E999999999", "--1", "1 2",
)  # fmt: skip
_DOCUMENTS = (
    b" ", b"null", b"[]", b'""', b"0", b"true", b"{", b"}", b"{}}", b"{},", b"{}\x00", b"\x00", b"nul", b"{'a': 1}", b"{a: 1}",
    b'{"a": 1,}',
    b'{"force": true, "force": false}', b'{"retry_policy": {"max_retries": 1, "max_retries": 2}}', b'{"force": true /* */}',
    b'{"x": "\x01"}',
    b'{"provider": "\xff"}', b'{"provider": "\xed\xa0\x80"}', b'{"provider": "\xc0\x80"}', b'{"provider": "\\ud800"}',
    b'{"provider": "\\u0000"}',
    b'{"\\ud800": 1}', b'{"__proto__": {"force": true}}', b'{"provider": ["webhook"]}', b'{"provider": "' + b"x" * 900_000 + b'"}',
    b"[" * 200_000, b'{"a":' * 100_000, b'{"routing_policy": ' + b'{"a":' * 500 + b"1" + b"}" * 501,
    b'{"routing_policy": {"a": [' + b"1," * 100_000 + b"1]}}", "{}".encode("utf-16"), "{}".encode("utf-32"),
    b"\xef\xbb\xbf{}\xef\xbb\xbf",
)  # fmt: skip
_TYPES = (
    "text/plain", "text/plain; charset=utf-8", "application/x-www-form-urlencoded", "multipart/form-data",
    "multipart/form-data; boundary=x", "", ";", "/",
    "application", "application/xml", "application/json-seq", "\xffapplication/json", "a" * 9000, "application/json, text/plain",
)  # fmt: skip


def _request(line: str, *headers: str, body: bytes = b"{}", sized: bool = True) -> bytes:
    length = [f"Content-Length: {len(body)}"] if sized else []
    return "\r\n".join([line, "Host: cavra", *headers, *length, "", ""]).encode("latin-1") + body


def _broken(token: str) -> Iterator[bytes]:
    """Requests of which none may succeed."""
    json = "Content-Type: application/json"
    yield from (
        _request(_DELIVER, token, json, body=('{"retries": ' + one + "}").encode()) for one in _NUMBERS
    )
    yield from (_request(_DELIVER, token, json, body=one) for one in _DOCUMENTS)
    yield from (_request(_PLAN, token, f"Content-Type: {one}") for one in _TYPES)
    for key in ("", "\xe9", "a\tb", "x" * 129, "x" * 100_000):
        yield _request(_PLAN, token, f"Idempotency-Key: {key}")
    yield _request(_PLAN, token, "Idempotency-Key: a", "Idempotency-Key: a")
    for headers in (
        [], ["Authorization:"], ["Authorization: Bearer"], ["Authorization: Bearer  "], ["Authorization: " + "x" * 100_000],
        ["Authorization: Bearer \xff"],
        ["Authorization: Bearer x", token], [token.replace("Bearer ", "Bearer")], [token.replace("Bearer", "Basic")], [token + "\xff"],
        [token + "x"],
        [token + "x" * 100_000], ["X-Authorization: x"], [f"X-{number}: x" for number in range(2000)],
    ):  # fmt: skip
        yield _request(_PLAN, *headers)
    for framing in (
        ["Content-Length: -1"], ["Content-Length: +2"], ["Content-Length: 2, 2"], ["Content-Length: 2", "Content-Length: 3"],
        ["Content-Length: x"],
        ["Content-Length: 99999999999999999999"], ["Content-Length: 999999999999"], ["Content-Length: 1048577"],
        ["Content-Length: 2", "Transfer-Encoding: chunked"], ["Transfer-Encoding: gzip, chunked", "Transfer-Encoding: x"],
        ["Transfer-Encoding: chunked"],
        [" folded: x"], ["No colon"], [": empty"], ["Nul: a\x00b"], ["Bad name: x"], ["X: a\rb"],
    ):  # fmt: skip
        yield _request(_PLAN, token, *framing, body=b"zz", sized=False)
    for line in (
        "GET", "GET /", "GET / HTTP/9.9", f"FOO {R} HTTP/1.1", f"get {R} HTTP/1.1", f"GET {R}\x00 HTTP/1.1",
        f"GET http://[::1{R} HTTP/1.1", "GET * HTTP/1.1",
        f"GET {R}?\xff HTTP/1.1", f"GET //{R} HTTP/1.1", f"GET {R}/%00/acknowledgements HTTP/1.1",
        f"POST {R}/%FF%FE/acknowledgements HTTP/1.1",
        f"POST {R}/%2e%2e/acknowledgements HTTP/1.1", f"POST {R}/a%2Fb/acknowledgements HTTP/1.1", f"POST {R}//acknowledgements HTTP/1.1",
        f"POST {R}/{'x' * 60_000}/acknowledgements HTTP/1.1", f"POST {R}/{SCHEDULE}/acknowledgements/ HTTP/1.1", f"PUT {R} HTTP/1.1",
        f"TRACE {R} HTTP/1.1",
        f"OPTIONS {R} HTTP/1.1", "OPTIONS * HTTP/1.1", f"PROPFIND {R} HTTP/1.1", f"DELETE {AD}/retry-plan HTTP/1.1", "PRI * HTTP/2.0",
        "\x16\x03\x01\x02\x00",
        f"GET {R}?limit=0&limit=1&limit=501 HTTP/1.1", f"GET {R}?offset=%00 HTTP/1.1", f"GET {R}?{'a=b&' * 20_000}limit=0 HTTP/1.1",
        f"GET {R}?cursor={'A' * 60_000} HTTP/1.1",
    ):  # fmt: skip
        yield _request(line, token, json)


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with running(tmp_path) as found:
        yield found


async def test_what_is_no_clean_request_is_a_problem_and_changes_nothing_at_all(world: World) -> None:
    before = world.logs.state()
    requests = list(_broken(f"Authorization: Bearer {world.tokens['olga']}"))
    for request in requests:
        status = await world.send(request)
        assert status >= 400, request[:300]
    assert world.sent == len(requests) >= RAW
    assert world.logs.state() == before


async def test_who_leaves_halfway_leaves_nothing_behind(world: World) -> None:
    before = world.logs.state()
    whole = _request(_DELIVER, f"Authorization: Bearer {world.tokens['olga']}", body=b'{"force": true}')
    for length in range(1, len(whole), 7):
        await world.leave(whole[:length])
    status, _ = await world.ask("GET", "/health")
    assert status == 200
    assert world.logs.state() == before
