"""The checks that docs/evidence.md shows, run as they stand against running services."""

import ast
import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from tests.contract.docs.conftest import ROOT, environment
from tests.support.installation import Installation
from tests.support.receiver import Receiver

PAGE = (ROOT / "docs" / "evidence.md").read_text()
HASHES, PLACE = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


async def run(snippet: str, **variables: str) -> tuple[int, str]:
    """(exit status, what it printed) of a snippet in an interpreter of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", snippet, env=environment(**variables),
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    printed, _ = await process.communicate()
    return process.returncode or 0, printed.decode()


@pytest.fixture
async def variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[dict[str, str]]:
    """What a reader puts into the environment, after an audit delivery to a receiver that took it."""
    installation = Installation(tmp_path / "data")
    async with AsyncExitStack() as stack:
        receiver = await stack.enter_async_context(Receiver())
        webhook = {"url": receiver.url, "allow_private_networks": True}
        (tmp_path / "connectors.json").write_text(json.dumps({"connectors": {"webhook": webhook}}))
        monkeypatch.setenv("CAVRA_CONNECTOR_CONFIG", str(tmp_path / "connectors.json"))
        for name in ("delivery", "retry", "recovery"):
            await stack.enter_async_context(installation.running(name))
        url = await stack.enter_async_context(installation.running("gateway"))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        headers = {"authorization": f"Bearer {installation.token('olga', 'operator')}"}
        path = "/runtime/go-pilot/rollback-drill-notifications/acknowledgements/audit-delivery"
        async with http.post(url + path, headers=headers) as answer:
            sent = await answer.json()
        yield {
            "CAVRA_URL": url,
            "TOKEN": installation.token("axel", "auditor"),
            "RECORD": sent["metadata"]["session_id"],
            "LOG": installation.settings.delivery_address,
            "KEY": str(installation.settings.identity / "trust" / "delivery.pub"),
        }


def test_the_first_check_is_short_and_needs_the_verify_library_alone() -> None:
    lines = [line for line in HASHES.splitlines() if line.strip()]
    assert len(lines) <= 15
    imports = [node for node in ast.walk(ast.parse(HASHES)) if isinstance(node, ast.Import | ast.ImportFrom)]
    roots = {
        (name or "").partition(".")[0]
        for node in imports
        for name in ([node.module] if isinstance(node, ast.ImportFrom) else [one.name for one in node.names])
    }
    assert roots <= {"cavra_verify", *sys.stdlib_module_names}


async def test_hashes_and_causes_of_a_chain_are_checked_by_hand(variables: dict[str, str]) -> None:
    assert await run(HASHES, **variables) == (0, "3 records hold\n")


async def test_signature_and_place_of_a_record_are_checked_by_hand(variables: dict[str, str]) -> None:
    told = f"{variables['RECORD']} stands at 4 of 5\n"
    assert await run(PLACE, **variables) == (0, told)
    foreign = variables["KEY"].replace("delivery.pub", "retry.pub")
    status, printed = await run(PLACE, **{**variables, "KEY": foreign})
    assert status == 1
    assert "SignatureError" in printed
