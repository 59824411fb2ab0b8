"""An installation for a bench: each service in a process of its own, on free ports, over one folder."""

import asyncio
import json
import os
import sys
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from bench.receiver import Receiver
from tests.support.installation import Installation

ROOT = Path(__file__).parent.parent
SERVICES = ("delivery", "retry", "recovery", "gateway")

SIGNING_SECRET = f"whsec_{b64encode(bytes(32)).decode()}"


def cpu_seconds(pid: int) -> float:
    """Processor time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Processes:
    """Running services, by name."""

    def __init__(self, folder: Path, receiver: Receiver) -> None:
        self.installation = Installation(folder)
        self.receiver = receiver
        self.addresses: dict[str, str] = {}
        self.pids: dict[str, int] = {}

    def resident_mib(self, service: str) -> float:
        """Memory that a service's process holds now."""
        status = Path(f"/proc/{self.pids[service]}/status").read_text()
        (line,) = [line for line in status.splitlines() if line.startswith("VmRSS")]
        return int(line.split()[1]) / 1024

    def cpu_seconds(self, service: str) -> float:
        """Processor time that a service's process has used."""
        return cpu_seconds(self.pids[service])

    def _environment(self) -> dict[str, str]:
        folder = self.installation.settings.data_dir
        connectors = folder / "connectors.json"
        webhook = {
            "url": f"{self.receiver.url}/audit",
            "allow_private_networks": True,
            "signing_secret_env": "CAVRA_BENCH_SIGNING_SECRET",
            "circuit_failures": 0,  # Thousands fail on purpose.
        }
        connectors.write_text(json.dumps({"connectors": {"webhook": webhook}}))
        own = {
            "CAVRA_DATA_DIR": str(folder),
            "CAVRA_CONNECTOR_CONFIG": str(connectors),
            "CAVRA_BENCH_SIGNING_SECRET": SIGNING_SECRET,
        }
        ports = {f"CAVRA_{service.upper()}_PORT": "0" for service in SERVICES}
        known = {f"CAVRA_{service.upper()}_ADDRESS": address for service, address in self.addresses.items()}
        return {**os.environ, **own, **ports, **known}

    async def start(self, service: str) -> asyncio.subprocess.Process:
        """Start one; its address is known to those started later."""
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bench.serve_one", service,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, cwd=ROOT, env=self._environment(),
        )  # fmt: skip
        assert process.stdout is not None
        # What a service logs goes the same way; its address is the one line without braces.
        while line := (await process.stdout.readline()).decode().strip():
            if line.startswith(("127.0.0.1:", "http://127.0.0.1:")):
                break
        if not line:
            raise RuntimeError(f"{service} did not start")
        self.addresses[service], self.pids[service] = line, process.pid
        return process


@asynccontextmanager
async def running(folder: Path, *services: str) -> AsyncIterator[Processes]:
    """The services named, delivery first, and a receiver that answers every delivery with 503."""
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(Receiver())
        processes = Processes(folder, receiver)
        for service in services:
            process = await processes.start(service)
            stack.push_async_callback(_stop, process)
        yield processes


async def _stop(process: asyncio.subprocess.Process) -> None:
    # Closing its input lets it drain; reading on keeps it from blocking on what it still logs.
    await process.communicate(b"")
