"""The retry service on a free port, over a delivery service whose failures a test scripts."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.fake_delivery import FakeDelivery, FakeFailure, fake_delivery
from tests.support.installation import Installation
from tests.support.retry_desk import RetryDesk


class Retry(RetryDesk):
    """The desk, with the fake at hand."""

    def __init__(self, installation: Installation, fake: FakeDelivery, delivery_address: str) -> None:
        super().__init__(installation, delivery_address)
        self.fake = fake

    async def fail(self, provider: str = "hook", **more: Any) -> FakeFailure:
        """A delivery that failed an hour ago."""
        return await self.fake.fail(provider, self.now - timedelta(hours=1), **more)


Opener = Callable[..., Any]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opener]:
    """Opens a harness whose service does not run yet, with installation settings of the test's choice."""
    async with AsyncExitStack() as stack:

        async def opener(**settings: Any) -> Retry:
            installation = Installation(tmp_path, **settings)
            fake, address = await stack.enter_async_context(fake_delivery(installation.settings))
            return Retry(installation, fake, address)

        yield opener


@pytest.fixture
async def retry(opened: Opener) -> AsyncIterator[Retry]:
    """The running service."""
    harness: Retry = await opened()
    async with harness.running():
        yield harness
