"""A receiver in a process of its own that does as little as one can: it takes bodies, answers a status, and notes when what arrived.

Reads commands from its standard input, one a line: a status to answer with from now on, or `arrivals`; answers each with one line.
"""

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any, Final, Self

import uvloop

_LENGTH: Final = b"\r\ncontent-length:"
_EXECUTION: Final = b"\r\ncavra-execution-id:"


class _Connection(asyncio.Protocol):
    """One kept connection; requests of it come one after another."""

    answer = b""
    arrivals: dict[str, float] = {}  # noqa: RUF012 one for all connections
    sizes: list[int] = []  # noqa: RUF012

    def connection_made(self, transport: Any) -> None:
        self._transport, self._rest = transport, b""

    def data_received(self, data: bytes) -> None:
        self._rest += data
        while (end := self._rest.find(b"\r\n\r\n")) >= 0:
            head = self._rest[: end + 2].lower()
            size = int(_value(head, _LENGTH) or 0)
            if len(self._rest) < end + 4 + size:
                return
            self._rest = self._rest[end + 4 + size :]
            self.sizes.append(size)
            execution_id = _value(head, _EXECUTION).decode()
            if execution_id:
                self.arrivals[execution_id] = time.time()
            self._transport.write(_Connection.answer)


def _value(head: bytes, name: bytes) -> bytes:
    at = head.find(name)
    return b"" if at < 0 else head[at + len(name) : head.index(b"\r\n", at + 2)].strip()


def _say(status: int) -> None:
    body = b'{"ok":true}'
    head = (
        f"HTTP/1.1 {status} Answer\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
    )
    _Connection.answer = head.encode() + body
    _Connection.sizes.clear()


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(_Connection, "127.0.0.1", 0)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    _say(503)
    while line := (await asyncio.to_thread(sys.stdin.readline)).strip():
        if line == "arrivals":
            print(json.dumps([_Connection.arrivals, _Connection.sizes]), flush=True)
        else:
            _say(int(line))
            print("now", flush=True)


class Receiver:
    """The running receiver, as the bench speaks with it."""

    def __init__(self) -> None:
        self.url = ""
        self.pid = 0
        self._process: Process | None = None

    async def __aenter__(self) -> Self:
        root = Path(__file__).parent.parent
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.receiver", stdin=PIPE, stdout=PIPE, cwd=root, limit=2**24
        )
        self.pid = self._process.pid
        self.url = await self._line()
        return self

    async def __aexit__(self, *exc: object) -> None:
        assert self._process is not None
        await self._process.communicate(b"")

    async def answer(self, status: int) -> None:
        """Answer so from now on."""
        await self._tell(str(status))

    async def arrivals(self) -> tuple[dict[str, float], list[int]]:
        """When each execution's request had arrived, in seconds since 1970, and how many bytes all bodies since the last `answer` had."""
        found = json.loads(await self._tell("arrivals"))
        return found[0], found[1]

    async def _tell(self, line: str) -> str:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n".encode())
        return await self._line()

    async def _line(self) -> str:
        assert self._process is not None
        assert self._process.stdout is not None
        return (await self._process.stdout.readline()).decode().strip()


if __name__ == "__main__":
    uvloop.run(_serve())
