"""A store that is older than the last checkpoint of its log: no service starts on it, and either way out that it names leads out."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from tests.flow.processes.running import AD, SERVICES, Home, Http, Process, R


async def append(http: Http) -> None:
    """Let each service append a record."""
    await http.post("olga", R + "/acknowledgements/audit-package")
    await http.post("olga", AD + "/retry-plan")
    await http.post("olga", AD + "/connector-recovery-playbook")


def back_up(store: Path, copy: Path) -> None:
    """Copy the store of a running service, as SQLite's own command does."""
    with closing(sqlite3.connect(store)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)


def refused(home: Home, process: Process) -> str:
    """What a process said that ended with 3, before it served anything."""
    with pytest.raises(AssertionError, match="it ended with 3"):
        process.ready()
    assert process.printed == []
    return home.log.read_text().splitlines()[-1]


@pytest.mark.timeout(300)  # Six processes, one after another.
async def test_a_restored_back_up_is_not_served_until_the_store_is_put_back_or_the_loss_accepted(
    home: Home,
) -> None:
    process = home.start("api")
    process.ready()
    async with aiohttp.ClientSession() as session:
        http = Http(home, process.addresses["gateway"], session)
        await append(http)
        for name in SERVICES:
            back_up(home.settings.store_path(name), home.folder / name)
        await append(http)
    assert process.stop() == 0

    for name in SERVICES:
        store, checkpoint = home.settings.store_path(name), home.settings.checkpoint_path(name)
        newer, kept = shutil.copy(store, home.folder / "newer"), checkpoint.read_bytes()
        shutil.copy(home.folder / name, store)
        told = refused(home, home.start("serve", name))
        assert told.startswith(f"cavra: {name} does not start: the log ")
        assert "is older than its last checkpoint" in told
        assert f"cavra log accept-loss {name} --reason REASON" in told
        assert checkpoint.read_bytes() == kept, "it is what shows the loss"
        if name != "retry":
            shutil.copy(newer, store)

    accepting = home.start("log", "accept-loss", "retry", "--reason", "disk_failure")
    assert accepting.line().startswith("accepted (older): ")
    assert accepting.ended() == 0
    process = home.start("api")
    process.ready()
    async with aiohttp.ClientSession() as session:
        await append(Http(home, process.addresses["gateway"], session))
    assert process.stop() == 0
