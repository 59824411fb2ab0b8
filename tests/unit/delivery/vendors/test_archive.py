"""The archive: what stands in its folder is whole, whatever happens while it is written."""

import asyncio
import errno
import os
from collections.abc import Callable
from hashlib import sha256
from itertools import count
from pathlib import Path
from threading import Event

import pytest
from cavra_delivery.connectors.archive import ArchiveConnector
from cavra_delivery.connectors.base import Answer, Message
from cavra_delivery.connectors.config import ConnectorConfig

from tests.unit.delivery.vendors.events import audit

MESSAGE_ID = "msg-0123456789abcdef0123456789ab"


@pytest.fixture
def archive(tmp_path: Path) -> ArchiveConnector:
    """One below a folder that is not there yet."""
    return ArchiveConnector("archive", ConnectorConfig(path=str(tmp_path / "kept")))


async def sent(archive: ArchiveConnector, seconds: float = 10.0) -> Answer:
    """One try."""
    message = Message(MESSAGE_ID, archive.render(audit(), MESSAGE_ID))
    return await archive.send(message, archive.destination(), seconds)


def hooked(monkeypatch: pytest.MonkeyPatch, before: Callable[[int], None]) -> None:
    """Call `before` with its number, from 0, ahead of each time that something is made durable."""
    numbers, durable = count(), os.fsync

    def fsync(descriptor: int) -> None:
        before(next(numbers))
        durable(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


async def test_a_file_has_its_name_once_it_is_whole_and_durable(
    archive: ArchiveConnector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []
    hooked(
        monkeypatch, lambda number: seen.append([path.name for path in (tmp_path / "kept").glob("*.json")])
    )
    assert (await sent(archive)).delivered
    body = archive.render(audit(), MESSAGE_ID).body
    name = f"{sha256(body).hexdigest()}.json"
    assert seen == [[], [name]], "first the content, then its name"
    assert [(path.name, path.read_bytes()) for path in (tmp_path / "kept").iterdir()] == [(name, body)]


async def test_a_full_disk_leaves_nothing_that_passes_for_an_event_and_no_rest(
    archive: ArchiveConnector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(number: int) -> None:
        if number == 0:
            raise OSError(errno.ENOSPC, "no space left on device")

    hooked(monkeypatch, full)
    answer = await sent(archive)
    assert (answer.reason, answer.may_have_arrived) == ("rejected", False)
    assert list((tmp_path / "kept").iterdir()) == []
    assert (await sent(archive)).delivered


async def test_a_write_that_ran_out_of_time_and_the_next_try_do_not_harm_each_other(
    archive: ArchiveConnector, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, apart = Event(), set[Path]()

    def late(number: int) -> None:
        if number == 0:
            stuck.wait(10)
        else:
            apart.update((tmp_path / "kept").iterdir())

    hooked(monkeypatch, late)
    answer = await sent(archive, seconds=0.05)
    assert (answer.reason, answer.may_have_arrived) == ("timeout", True)
    assert (await sent(archive)).delivered
    assert len(apart) == 3, "each writes a file of its own, and then the one with the name is there"
    stuck.set()
    await asyncio.get_running_loop().shutdown_default_executor()
    body = archive.render(audit(), MESSAGE_ID).body
    assert [path.read_bytes() for path in (tmp_path / "kept").iterdir()] == [body]
