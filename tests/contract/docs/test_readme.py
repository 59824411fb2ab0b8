"""Every command of the README runs, and what it shows is what is printed."""

import json
import os
import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from signal import SIGTERM

import pytest
import typer
from cavra_cli.main import app
from cavra_delivery.settings import DeliverySettings
from cavra_gateway.settings import GatewaySettings
from cavra_retry.settings import RetrySettings
from cavra_verify.verify import CLAIMS

from tests.contract.docs.conftest import ROOT, environment, make

README = (ROOT / "README.md").read_text()
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
PORTS = {"delivery": "7101", "retry": "7102", "recovery": "7103", "gateway": "8000"}
OF_THE_READER = {"CAVRA_CONFIG", "CAVRA_URL"}
"""Variables of the compose file and of the snippets, not of a service."""


def blocks(language: str) -> list[str]:
    """The README's code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def told(line: str) -> str:
    """A line of the demo without what differs from run to run."""
    for pattern, stands_for in (
        (r"-[0-9a-f]{4,28}…?(?=[ :,]|$)", "-ID"),
        (r"\d\d:\d\d:\d\d\.\d{3}", "TIME"),
        (r"\b[0-9a-f]{8}\b", "HASH"),
        (r"digest [0-9a-f]{12}", "DIGEST"),
        (r"\d+\.\d s", "SECONDS"),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
    ):
        line = re.sub(pattern, stands_for, line)
    return " ".join(line.split())


def services_in(block: str) -> int:
    """How many services a block starts."""
    return len(re.findall(r"^cavra (?:api|serve)\b", block, re.MULTILINE))


class Shell:
    """A newcomer's terminals, with a data folder and ports of their own."""

    def __init__(self, folder: Path) -> None:
        with ExitStack() as stack:
            held = {name: stack.enter_context(socket.create_server(("127.0.0.1", 0))) for name in PORTS}
            self.ports = {name: str(one.getsockname()[1]) for name, one in held.items()}
        given = {f"CAVRA_{name.upper()}_PORT": port for name, port in self.ports.items()}
        given |= {f"CAVRA_{name.upper()}_ADDRESS": f"127.0.0.1:{port}" for name, port in self.ports.items()}
        self._environment = environment(**given, CAVRA_DATA_DIR=str(folder))

    def here(self, text: str) -> str:
        """A text of the README with this shell's ports in the place of the usual ones."""
        for name, port in PORTS.items():
            text = text.replace(f"127.0.0.1:{port}", f"127.0.0.1:{self.ports[name]}")
        return text

    def run(self, block: str) -> str:
        """What a block prints, once it has ended well."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self.here(block)],
            cwd=ROOT, env=self._environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block}\n{done.stdout}{done.stderr}"
        return done.stdout

    @contextmanager
    def serving(self, block: str) -> Iterator[list[str]]:
        """What a block printed until all the services that it starts were ready; they end with the context."""
        process = subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", self.here(block)],
            cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, text=True, process_group=0,
        )  # fmt: skip
        assert process.stdout is not None
        printed: list[str] = []
        try:
            for line in process.stdout:
                printed.append(line.rstrip())
                if printed.count("ready") == services_in(block):
                    break
            assert printed.count("ready") == services_in(block), printed
            yield printed
        finally:
            os.killpg(process.pid, SIGTERM)
            process.stdout.read()  # Until the last of them has ended.
            process.wait()
            process.stdout.close()


def test_the_demo_prints_what_the_readme_shows(demo: list[str]) -> None:
    [shown] = [block for block in blocks("text") if "Notify drill" in block]
    printed = [told(line) for line in demo if not line.startswith(".venv")]
    assert [told(line) for line in shown.splitlines()] == printed
    assert printed[-1] == "The chain is closed and verified (SECONDS)."
    assert printed[-3].endswith(f"verified offline by public keys alone: all {len(CLAIMS)} claims hold.")
    assert "make demo\n" in blocks("sh")


def test_make_test_runs_all_but_what_make_test_long_runs_and_ci_runs_both() -> None:
    assert "make test\n" in blocks("sh")
    most, rest = (make("-n", target).splitlines()[-1].split() for target in ("test", "test-long"))
    assert most[0] == rest[0] == ".venv/bin/pytest"
    left_out = [word.removeprefix("--ignore=") for word in most if word.startswith("--ignore=")]
    assert left_out == [word for word in rest if word.startswith("tests/")]
    assert [word for word in most if word.startswith("tests/")] == []
    ci = (ROOT / ".ci" / "run").read_text()
    assert re.findall(r"make (test\S*)$", ci, re.MULTILINE) == ["test-long", "test"]


def test_the_commands_named_in_passing_exist() -> None:
    targets = set(re.findall(r"^ +make ([\w-]+) ", make("help"), re.MULTILINE))
    command = typer.main.get_command(app)
    for page in PAGES:
        text = page.read_text()
        assert set(re.findall(r"`make ([\w-]+)", text)) <= targets, page.name
        assert set(re.findall(r"`cavra ([a-z]+)", text)) <= set(getattr(command, "commands", ())), page.name
    assert make("-n", "up").strip() == "docker compose up --build"
    assert "`docker compose up --build`" in README


@pytest.mark.timeout(300)  # Seven processes and more, one after another.
def test_every_other_block_runs_as_it_stands(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    [shown] = [block for block in blocks("text") if block.startswith("API")]
    api, curl, apart, audit = [block for block in blocks("sh") if not block.startswith("make ")]
    with shell.serving(api) as printed:
        linked = [re.sub(r"#handover=\S+", "#handover=…", line) for line in printed]
        assert linked == shell.here(shown).splitlines()
        answers = shell.run(curl)
        made, end = json.JSONDecoder().raw_decode(answers)
        history = json.loads(answers[end:])
        assert [one["session_id"] for one in history["items"]] == [made["audit_package"]["audit_id"]]
        assert shell.run(audit).endswith("\nVERIFIED\n")
    with (
        shell.serving(apart) as printed,
        urllib.request.urlopen(f"http://127.0.0.1:{shell.ports['gateway']}/health") as health,
    ):
        assert health.status == 200
        assert len([line for line in printed if line.startswith("gRPC ")]) == 3


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_variable_is_one_that_a_service_reads(page: Path) -> None:
    models = (DeliverySettings, RetrySettings, GatewaySettings)
    read = {f"CAVRA_{field}".upper() for model in models for field in model.model_fields}
    named = set(re.findall(r"\bCAVRA_[A-Z_]+[A-Z]\b", page.read_text()))
    assert named <= read | OF_THE_READER


def test_the_readme_takes_ten_minutes() -> None:
    assert len(README.splitlines()) <= 200
