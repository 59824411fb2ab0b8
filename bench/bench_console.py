"""The console in front of a large log: pages of history at any depth and exports, how soon a page can be used, how soon a change is seen.

CAVRA_BENCH_RECORDS sets the log's size. Without Chromium the rows of the browser are left out.
"""

import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
import uvloop

from bench.browser import rows_of_the_browser
from bench.filling import fill, trace_id
from bench.processes import SERVICES, Processes, running
from bench.row import Row, median, millis
from tests.support.installation import Installation

RECORDS: Final = int(os.environ.get("CAVRA_BENCH_RECORDS", "200000"))
REQUESTS: Final = 100
EXPORTS: Final = 3
API: Final = "/runtime/go-pilot/rollback-drill-notifications"
CONSOLE: Final = "/console/history"
_FAILED: Final = {"provider": "splunk", "execution_status": "failed"}
_NEVER: Final = {"provider": "jira", "actor": "webhook-team"}
"""Both are frequent, and nothing is both: all of the rarer one is passed over."""


def rows() -> Iterator[Row]:
    """p50 and p99 of each page, through the console and through the API; then the browser's figures."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        fill(Installation(Path(folder)).settings, RECORDS)
        yield Row(f"{RECORDS:,} records written", time.perf_counter() - start, "s")
        yield from uvloop.run(measured(Path(folder)))


async def measured(folder: Path) -> list[Row]:
    """Rows of an installation that is filled."""
    async with running(folder, *SERVICES) as processes:
        async with _visitor(processes) as http:
            found = await _paging(http)
            found += await _exports(http)
        return found + await rows_of_the_browser(processes)


@asynccontextmanager
async def _visitor(processes: Processes) -> AsyncIterator[aiohttp.ClientSession]:
    """Who is signed in to the console, and may ask the API."""
    token, url = processes.installation.token("axel", "auditor"), processes.addresses["gateway"]
    async with aiohttp.ClientSession(
        url, headers={"authorization": f"Bearer {token}"}, cookie_jar=aiohttp.CookieJar(unsafe=True)
    ) as http:
        async with http.post("/console/sign-in", data={"token": token}, headers={"origin": url}) as response:
            response.raise_for_status()
        yield http


async def _paging(http: aiohttp.ClientSession) -> list[Row]:
    middle, oldest = await _cursor(http, 0.5), await _cursor(http, 0.99)
    one_month = {"since": _moment(0.5), "until": _moment(0.42)}
    pages: dict[str, dict[str, str]] = {
        "first page": {},
        "in the middle": {"cursor": middle},
        "near the oldest": {"cursor": oldest},
        "one month": one_month,
        "one provider": {"provider": "splunk"},
        "one provider, in the middle": {"provider": "splunk", "cursor": middle},
        "two filters, in the middle": {**_FAILED, "cursor": middle},
        "two filters that never meet": _NEVER,
        "one chain": {"trace": trace_id(RECORDS // 24)},
    }
    found = []
    for name, query in pages.items():
        for through, path in (("console", CONSOLE), ("API", API)):
            found += await _asked(http, f"{name}, {through}", path, query)
    return found + await _asked(
        http, "page before, in the middle, console", f"{CONSOLE}/previous", {"cursor": middle}
    )


async def _asked(http: aiohttp.ClientSession, name: str, path: str, query: dict[str, str]) -> list[Row]:
    taken = []
    for _ in range(REQUESTS):
        start = time.perf_counter()
        async with http.get(path, params=query) as response:
            response.raise_for_status()
            await response.read()
        taken.append(time.perf_counter() - start)
    taken.sort()
    return [
        Row(f"{name}, p50", millis(taken, 0.5), "ms", "under 100"),
        Row(f"{name}, p99", millis(taken, 0.99), "ms"),
    ]


async def _exports(http: aiohttp.ClientSession) -> list[Row]:
    taken, lines = [], 0
    for _ in range(EXPORTS):
        start = time.perf_counter()
        async with http.get(f"{CONSOLE}.csv") as response:
            response.raise_for_status()
            lines = (await response.read()).count(b"\r\n") - 1
        taken.append(time.perf_counter() - start)
    return [Row(f"CSV of {lines:,} records", median(taken), "s")]


def _moment(back: float) -> str:
    """So much of the filled year ago."""
    return (datetime.now(UTC) - timedelta(days=365) * back).isoformat()


async def _cursor(http: aiohttp.ClientSession, back: float) -> str:
    """A place in the log, so much of the year ago, that any filters may go on from."""
    async with http.get(API, params={"until": _moment(back), "limit": "1"}) as response:
        document: Any = await response.json()
    cursor: str = document["next_cursor"]
    return cursor
