"""Real services over a receiver that counts, and somebody who has their databases."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.chain import Chain
from tests.support.installation import Installation
from tests.support.receiver import Receiver


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that refuses what it is first sent, and would take everything after that."""
    async with Receiver() as running:
        running.script = [503]
        yield running


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installation:
    """Reads its connectors from a file of the test, and looks for lost outcomes all the time."""
    monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", str(tmp_path / "connectors.yaml"))
    monkeypatch.setenv("CAVRA_RECONCILE_INTERVAL_SECONDS", "0.05")
    return Installation(tmp_path / "data")


@pytest.fixture
async def chain(installation: Installation, receiver: Receiver, tmp_path: Path) -> AsyncIterator[Chain]:
    """Delivery and retry, running; nothing has been sent yet."""
    found = Chain(installation, "", tmp_path)
    found.connect(url=f"{receiver.url}/hook")
    async with installation.running("delivery") as address:
        found.settings = found.settings.model_copy(update={"delivery_address": address})
        async with found.running():
            yield found
