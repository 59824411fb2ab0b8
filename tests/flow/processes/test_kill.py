"""SIGKILL in the middle of a stream of commands: whatever was acknowledged is there afterwards, with the hash that was told."""

import asyncio
from collections.abc import Callable
from typing import Final

import aiohttp
import pytest

from tests.flow.processes.conftest import Quartet
from tests.flow.processes.running import AD, SERVICES, Home, Http, Log, R

COMMANDS: Final = {
    "delivery": R + "/acknowledgements/audit-package",
    "retry": AD + "/retry-plan",
    "recovery": AD + "/connector-recovery-playbook",
}
CALLERS: Final = 6
ENOUGH: Final = 40
"""Acknowledged commands after which the kill comes, while the other callers' are under way."""


async def acknowledged_until(http: Http, paths: list[str], kill: Callable[[], None]) -> dict[str, str]:
    """Record id -> hash of every command that was answered before, or in spite of, the kill."""
    told: dict[str, str] = {}
    killed = False

    async def caller(number: int) -> None:
        nonlocal killed
        while True:
            try:
                status, answer = await http.call("olga", "POST", paths[number % len(paths)], {})
            except aiohttp.ClientError:
                return
            if status != 200:
                assert killed, answer
                return
            told[answer["metadata"]["session_id"]] = answer["metadata"]["record_hash"]
            if len(told) >= ENOUGH and not killed:
                killed = True
                kill()
                return

    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for number in range(CALLERS):
            group.create_task(caller(number))
    return told


@pytest.mark.parametrize("killed", SERVICES)
async def test_a_service_that_is_killed_over_and_over_keeps_what_it_acknowledged(
    quartet: Quartet, http: Http, killed: str
) -> None:
    everything: dict[str, str] = {}
    for _ in range(2):
        async with Log(quartet.home, quartet.addresses[killed]) as log:
            head = await log.head()
        try:
            everything |= await acknowledged_until(http, [COMMANDS[killed]], quartet.processes[killed].kill)
        finally:
            quartet.start(killed)
        async with Log(quartet.home, quartet.addresses[killed]) as log:
            await log.holds(everything)
            await log.extends(head)
        async with asyncio.timeout(20):
            while (await http.call("axel", "GET", "/health"))[0] != 200:
                pass
            while (await http.call("olga", "POST", COMMANDS[killed], {}))[0] == 503:
                pass
    assert len(everything) >= 2 * ENOUGH


async def test_all_services_in_one_killed_process_keep_what_they_acknowledged(home: Home) -> None:
    everything: dict[str, str] = {}
    for _ in range(2):
        process = home.start("api")
        process.ready()
        async with aiohttp.ClientSession() as session:
            http = Http(home, process.addresses["gateway"], session)
            everything |= await acknowledged_until(http, list(COMMANDS.values()), process.kill)
    assert len(everything) >= 2 * ENOUGH
    process = home.start("api")
    process.ready()
    origins: dict[str, dict[str, str]] = {name: {} for name in SERVICES}
    prefixes = {"gordackaudit": "delivery", "gordackretry": "retry", "gordackrecovery": "recovery"}
    for record_id, told in everything.items():
        origins[prefixes[record_id.partition("-")[0]]][record_id] = told
    for name in SERVICES:
        async with Log(home, process.addresses[name]) as log:
            await log.holds(origins[name])
            assert (await log.head()).tree_size >= len(origins[name]) > 0
    assert process.stop() == 0
