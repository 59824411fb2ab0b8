"""A throw-away installation: files, a `cavra api` of its own, and tokens for three people."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import aiohttp
from cavra_service.identity import LocalIssuer
from cavra_service.settings import Settings

PEOPLE: Final = {"olivia": "operator", "april": "approver", "audrey": "auditor"}
_READY_SECONDS: Final = 20


class DemoFailure(Exception):
    """Something is not as it should be; the message says what."""


class Api:
    """The HTTP API, called as one of the three people."""

    def __init__(self, url: str, http: aiohttp.ClientSession, tokens: dict[str, str]) -> None:
        self.url = url
        self._http = http
        self._tokens = tokens

    async def post(self, person: str, path: str, **body: Any) -> Any:
        """The answer of a command."""
        return await self._call(person, "POST", path, json=body)

    async def get(self, person: str, path: str, **query: str) -> Any:
        """What a read answers."""
        return await self._call(person, "GET", path, params=query)

    async def fetch(self, person: str, path: str) -> bytes:
        """What a read answers, byte for byte."""
        headers = {"authorization": f"Bearer {self._tokens[person]}"}
        async with self._http.get(self.url + path, headers=headers) as response:
            if response.status != 200:
                raise DemoFailure(f"GET {path} answered {response.status}")
            return await response.read()

    async def _call(self, person: str, method: str, path: str, **more: Any) -> Any:
        headers = {"authorization": f"Bearer {self._tokens[person]}"}
        async with self._http.request(method, self.url + path, headers=headers, **more) as response:
            answer = await response.json(content_type=None)
            if response.status != 200:
                raise DemoFailure(f"{method} {path} answered {response.status}: {answer.get('detail')}")
            return answer


@asynccontextmanager
async def installed(folder: Path, receiver_url: str) -> AsyncIterator[Api]:
    """Write the files that an operator would, start `cavra api` on free ports, and stop it at the end."""
    _write_files(folder, receiver_url)
    ports = {f"CAVRA_{name}_PORT": "0" for name in ("DELIVERY", "RETRY", "RECOVERY")}
    files = {
        "CAVRA_GO_ROLLBACK_DRILL_SCHEDULE": str(folder / "schedule.json"),
        "CAVRA_CONNECTOR_CONFIG": str(folder / "connectors.json"),
    }
    foreign = {name: value for name, value in os.environ.items() if not name.startswith("CAVRA_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cavra_cli", "api", "--port", "0", "--data-dir", str(folder / "data")),
        stdout=asyncio.subprocess.PIPE,
        env={**foreign, **ports, **files, "CAVRA_LOG_LEVEL": "error"},
    )
    try:
        url = await asyncio.wait_for(_url_when_ready(process), _READY_SECONDS)
        issuer = LocalIssuer(Settings(data_dir=folder / "data"))
        tokens = {person: issuer.token(person, [role]) for person, role in PEOPLE.items()}
        async with aiohttp.ClientSession() as http:
            yield Api(url, http, tokens)
    finally:
        if process.returncode is None:
            process.terminate()
        if await process.wait() != 0:
            raise DemoFailure(f"cavra api ended with status {process.returncode}")


async def _url_when_ready(process: asyncio.subprocess.Process) -> str:
    url = ""
    if process.stdout is None:
        raise DemoFailure("cavra api has no standard output")
    async for line in process.stdout:
        word, _, rest = line.decode().strip().partition(" ")
        if word == "API":
            url = rest.strip()
        if word == "ready":
            return url
    raise DemoFailure("cavra api did not start")


def _write_files(folder: Path, receiver_url: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    schedule = {
        "schedule_id": "production-rollback",
        "status": "active",
        "environment": "production",
        "interval_days": 30,
        "next_due_at": (datetime.now(UTC) + timedelta(days=3)).isoformat(),
        "owners": ["platform"],
        "notification_providers": ["webhook"],
    }
    # The receiver listens on this machine, which is refused unless a connector says that it may be.
    webhook = {"url": receiver_url, "allow_private_networks": True}
    (folder / "schedule.json").write_text(json.dumps(schedule))
    (folder / "connectors.json").write_text(json.dumps({"connectors": {"webhook": webhook}}))
