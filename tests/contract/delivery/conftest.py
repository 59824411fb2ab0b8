"""The desk that the contract tests of delivery stand on."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contract.delivery.desk import Desk, webhook
from tests.support.receiver import Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that takes everything until told otherwise."""
    async with Receiver() as running:
        yield running


@pytest.fixture
def closed_desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    """Files and identity, and no service yet."""
    desk = Desk(tmp_path, monkeypatch.setenv)
    desk.schedule()
    desk.connectors()
    return desk


@pytest.fixture
async def desk(closed_desk: Desk, receiver: Receiver) -> AsyncIterator[Desk]:
    """A service with one webhook, and a drill that is due soon."""
    closed_desk.connectors(webhook=webhook(receiver.url + "/hook"))
    async with closed_desk.open() as running:
        yield running
