"""Dashboard and first history page through the gateway at 1,000 and at 100,000 records, and what each process holds in memory."""

import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import uvloop
from cavra_evidence.ids import new_id
from cavra_service.runtime import open_store
from cavra_service.settings import Settings
from cavra_service.store.protocol import Commit

from bench.filling import SHARES, another, templates
from bench.processes import SERVICES, Processes, running
from bench.row import Row, median

SMALL, LARGE = 1_000, 100_000
REQUESTS = 300
ROOT = "/runtime/go-pilot/rollback-drill-notifications"
PAGES = {
    "dashboard": f"{ROOT}/dashboard",
    "first history page": f"{ROOT}?limit=50",
    "history of one provider": f"{ROOT}?provider=splunk&limit=50",
}


def rows() -> Iterator[Row]:
    """p50 of each page at both sizes, their ratio, and resident memory at the end."""
    yield from uvloop.run(_measure())


async def _measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        async with running(Path(few), *SERVICES) as small, running(Path(many), *SERVICES) as large:
            idle = {service: large.resident_mib(service) for service in SERVICES}
            await _fill(small.installation.settings, SMALL)
            await _fill(large.installation.settings, LARGE)
            found: list[Row] = []
            async with _session(small) as to_small, _session(large) as to_large:
                for name, path in PAGES.items():
                    found += _compared(name, await _alternately([to_small, to_large], path))
            for service in SERVICES:
                now = large.resident_mib(service)
                found.append(Row(f"{service} resident, idle", idle[service], "MiB", "under 120"))
                found.append(Row(f"{service} resident, at {LARGE:,} records", now, "MiB", "under 120"))
            return found


def _session(processes: Processes) -> aiohttp.ClientSession:
    token = processes.installation.token("ann", "auditor")
    return aiohttp.ClientSession(processes.addresses["gateway"], headers={"authorization": f"Bearer {token}"})


async def _alternately(sessions: list[aiohttp.ClientSession], path: str) -> list[float]:
    """p50 in ms for each session, asked in turns: what else the machine does hits both alike."""
    taken: list[list[float]] = [[] for _ in sessions]
    for _ in range(REQUESTS):
        for session, into in zip(sessions, taken, strict=True):
            start = time.perf_counter()
            async with session.get(path) as response:
                response.raise_for_status()
                await response.read()
            into.append(time.perf_counter() - start)
    return [median(one) * 1000 for one in taken]


def _compared(name: str, figures: list[float]) -> list[Row]:
    small, large = figures
    return [
        Row(f"{name} at {SMALL:,} records, p50", small, "ms", "under 15"),
        Row(f"{name} at {LARGE:,} records, p50", large, "ms", "under 15"),
        Row(f"{name}, ratio", large / small, "x", "at most 1.5"),
    ]


async def _fill(settings: Settings, count: int) -> None:
    """Append `count` records over the three logs, past the services: what they count and index is the same."""
    values = random.Random(count)
    traces = [new_id("gordackdelivery") for _ in range(500)]
    for log, share in SHARES.items():
        made = templates(log)
        store = await open_store(settings, log)
        left = int(count * share)
        while left > 0:
            drafts = [another(values.choice(made), values.choice(traces)) for _ in range(min(200, left))]
            await store.commit(Commit(drafts))
            left -= len(drafts)
        await store.close()
