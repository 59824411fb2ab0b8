"""A gateway over stand-ins of its services."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.fake_services import FakeServices


@pytest.fixture
async def fakes(tmp_path: Path) -> AsyncIterator[FakeServices]:
    async with FakeServices(tmp_path).running() as running:
        yield running
