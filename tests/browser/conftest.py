"""A house for each test, and nobody in it may have seen an error."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.browser.evidence import Archive
from tests.browser.house import House, chromium, chromium_or_skip
from tests.support.receiver import Receiver


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here is in a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A running installation with a browser in front of it."""
    chromium_or_skip()
    monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", "")
    async with (
        Receiver() as receiver,
        chromium() as browser,
        House(tmp_path, receiver, browser).running() as running,
    ):
        yield running
        assert running.errors == [], "a page complained in the browser's console"


@pytest.fixture
async def archive(tmp_path: Path) -> AsyncIterator[Archive]:
    """A gateway over logs that a test fills as it likes."""
    chromium_or_skip()
    async with chromium() as browser, Archive(tmp_path, browser).running() as running:
        yield running
        assert running.errors == [], "a page complained in the browser's console"
