"""Four services in four processes, shared by the tests that leave them as they found them: up."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.flow.processes.running import SERVICES, Home, Http, Process
from tests.support.receiver import Receiver


class Quartet:
    """Delivery, retry, recovery and gateway, each started with `cavra serve` against the others' addresses."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.addresses: dict[str, str] = {}
        self.processes: dict[str, Process] = {}
        for name in (*SERVICES, "gateway"):
            self.start(name)

    def start(self, name: str) -> None:
        """Start a service; again, it comes back where the others look for it."""
        known = {
            f"CAVRA_{one.upper()}_ADDRESS": self.addresses[one] for one in SERVICES if one in self.addresses
        }
        port = self.addresses[name].rpartition(":")[2] if name in self.addresses else "0"
        process = self.processes[name] = self.home.start("serve", name, "--port", port, **known)
        process.ready()
        self.addresses |= process.addresses

    def stop(self) -> list[int]:
        """End all, gateway first; gives the exit statuses."""
        return [process.stop() for process in reversed(self.processes.values())]


@pytest.fixture(scope="session")
def quartet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Quartet]:
    """The four processes, up."""
    home = Home(tmp_path_factory.mktemp("quartet"))
    try:
        running = Quartet(home)
        yield running
        assert running.stop() == [0, 0, 0, 0]
        log = home.log.read_text()
        assert log == "", f"the services logged errors: {log}"
    finally:
        home.close()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A folder with files and keys, and nothing started."""
    made = Home(tmp_path)
    yield made
    made.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that takes everything until told otherwise."""
    async with Receiver() as running:
        yield running


@pytest.fixture
async def http(quartet: Quartet) -> AsyncIterator[Http]:
    """The four services' API."""
    async with aiohttp.ClientSession() as session:
        yield Http(quartet.home, quartet.addresses["gateway"], session)
