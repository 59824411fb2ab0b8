"""What the `cavra` command takes, prints and refuses, where no service has to run."""

import asyncio
import json
import socket
from pathlib import Path

import pytest
from cavra_cli.main import app
from cavra_service.errors import Refused
from cavra_service.identity import TokenVerifier
from cavra_service.sealing import HANDOVER, Sealer
from cavra_service.settings import Settings
from typer.testing import CliRunner, Result


def cavra(*arguments: str) -> Result:
    """The command's result, with its standard output and its standard error apart."""
    return CliRunner().invoke(app, arguments, env={"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"})


def held(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_token_stands_alone_on_standard_output_and_names_who_it_is_for(tmp_path: Path) -> None:
    cavra("init", "--data-dir", str(tmp_path))
    result = cavra(
        "token", "create", "--actor", "alice", "--role", "operator", "--role", "auditor",
        "--name", "Alice", "--data-dir", str(tmp_path),
    )  # fmt: skip
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(result.stdout.split()) == 1
    identity = asyncio.run(TokenVerifier.of(Settings(data_dir=tmp_path)).verify(result.stdout.strip()))
    assert (identity.actor.sub, identity.actor.name) == ("alice", "Alice")
    assert identity.roles == {"operator", "auditor"}


def test_a_link_stands_for_the_token_and_does_not_show_it(tmp_path: Path) -> None:
    cavra("init", "--data-dir", str(tmp_path))
    result = cavra(
        "token", "create", "--actor", "alice", "--role", "operator", "--link", "http://127.0.0.1:8000/",
        "--data-dir", str(tmp_path),
    )  # fmt: skip
    page, _, link = result.stdout.strip().partition("#handover=")
    assert (result.exit_code, page) == (0, "http://127.0.0.1:8000/console/")
    settings = Settings(data_dir=tmp_path)
    carried = Sealer(settings).open(HANDOVER, link)
    assert carried is not None
    identity = asyncio.run(TokenVerifier.of(settings).verify(carried["token"]))
    assert identity.actor.sub == "alice"
    assert Sealer(Settings(data_dir=tmp_path / "other")).open(HANDOVER, link) is None


def test_only_the_retry_service_has_a_worker() -> None:
    result = cavra("serve", "delivery", "--worker")
    assert result.exit_code == 2
    assert "only the retry service has a worker" in result.stderr


def test_a_token_of_another_installation_is_refused(tmp_path: Path) -> None:
    cavra("init", "--data-dir", str(tmp_path / "a"))
    foreign = cavra(
        "token", "create", "--actor", "eve", "--role", "operator", "--data-dir", str(tmp_path / "a")
    )
    cavra("init", "--data-dir", str(tmp_path / "b"))
    with pytest.raises(Refused) as refused:
        asyncio.run(TokenVerifier.of(Settings(data_dir=tmp_path / "b")).verify(foreign.stdout.strip()))
    assert refused.value.reason == "invalid_token"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ("--actor", "alice", "--role", "king"),
            "unknown role; known are operator, approver, auditor, service",
        ),
        (("--actor", "", "--role", "operator"), "--actor"),
        (("--actor", "two\nlines", "--role", "operator"), "--actor"),
        (("--actor", "alice", "--role", "operator", "--name", "x" * 1000), "--name"),
        (("--actor", "alice", "--role", "operator", "--hours", "0"), "--hours"),
        (("--role", "operator"), "--actor"),
        (("--actor", "alice"), "--role"),
    ],
)
def test_a_token_nobody_could_use_is_not_made(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    result = cavra("token", "create", *arguments, "--data-dir", str(tmp_path))
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr
    assert held(tmp_path) == {}


@pytest.mark.parametrize(
    "command",
    ["token create --actor a --role operator", "audit", "bundle gordackdelivery-1", "connectors list"],
)
def test_where_no_installation_is_none_is_made_but_by_init_or_api(tmp_path: Path, command: str) -> None:
    result = cavra(*command.split(), "--data-dir", str(tmp_path / "none"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "run `cavra init`" in result.stderr or "No such file" in result.stderr
    assert held(tmp_path) == {}


def test_init_run_again_keeps_every_key(tmp_path: Path) -> None:
    for _ in range(2):
        assert cavra("init", "--data-dir", str(tmp_path)).exit_code == 0
    first = held(tmp_path / "identity")
    cavra("init", "--data-dir", str(tmp_path))
    second = held(tmp_path / "identity")
    tokens = {f"{service}/token" for service in ("delivery", "retry", "recovery")}
    keys = {f"{service}/signing.pem" for service in ("delivery", "retry", "recovery")}
    trust = {f"trust/{name}" for name in ("jwks.json", "delivery.pub", "retry.pub", "recovery.pub")}
    assert first.keys() == second.keys() == tokens | keys | trust | {"issuer/private.json"}
    assert {name for name in first if first[name] != second[name]} <= tokens


def test_init_leaves_no_secret_readable_to_others_and_no_private_key_among_the_trusted(
    tmp_path: Path,
) -> None:
    cavra("init", "--data-dir", str(tmp_path))
    for name in held(tmp_path):
        path = tmp_path / name
        if path.parent.name != "trust":
            assert path.stat().st_mode & 0o077 == 0, name
    trusted = json.loads((tmp_path / "identity" / "trust" / "jwks.json").read_text())
    assert "d" not in trusted["keys"][0]


def test_init_writes_where_the_identity_folder_is_said_to_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAVRA_IDENTITY_DIR", str(tmp_path / "keys"))
    assert cavra("init", "--data-dir", str(tmp_path / "data")).exit_code == 0
    assert (tmp_path / "keys" / "trust" / "jwks.json").exists()
    assert not (tmp_path / "data").exists()


def test_a_service_that_is_not_installed_is_named_as_such() -> None:
    result = cavra("serve", "nonsense")
    assert result.exit_code == 2
    assert "no such service here; this environment holds delivery, gateway, recovery, retry" in result.stderr


@pytest.mark.parametrize("service", ["delivery", "retry", "recovery", "gateway"])
def test_a_service_without_an_identity_says_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    monkeypatch.setenv(f"CAVRA_{service.upper()}_PORT", "0")
    result = cavra("serve", service, "--data-dir", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert "is missing: run `cavra init` first" in result.stderr


@pytest.mark.parametrize("service", ["delivery", "gateway"])
def test_a_taken_port_is_told_with_the_variable_that_changes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    cavra("init", "--data-dir", str(tmp_path))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setenv(f"CAVRA_{service.upper()}_PORT", str(port))
        result = cavra("serve", service, "--data-dir", str(tmp_path))
    assert (result.exit_code, result.stdout) == (1, "")
    assert f"{service} cannot listen on 127.0.0.1:{port}" in result.stderr
    assert f"CAVRA_{service.upper()}_PORT" in result.stderr


@pytest.mark.parametrize(
    ("command", "variable", "value", "code"),
    [
        ("init", "CAVRA_LOG_LEVEL", "loud", 2),
        ("serve retry", "CAVRA_APPROVAL_REQUIRED_APPROVALS", "0", 1),
        ("serve gateway", "CAVRA_MAX_BODY_BYTES", "many", 1),
    ],
)
def test_a_setting_that_cannot_be_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, variable: str, value: str, code: int
) -> None:
    cavra("init", "--data-dir", str(tmp_path))
    monkeypatch.setenv(variable, value)
    result = cavra(*command.split(), "--data-dir", str(tmp_path))
    assert result.exit_code == code
    assert variable.removeprefix("CAVRA_").lower() in result.stderr.lower()


@pytest.mark.parametrize("command", ["init", "api", "token create --actor a --role operator"])
def test_a_data_folder_that_is_a_file_is_told(tmp_path: Path, command: str) -> None:
    (tmp_path / "file").touch()
    result = cavra(*command.split(), "--data-dir", str(tmp_path / "file"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--data-dir" in result.stderr


@pytest.mark.parametrize("address", ["127.0.0.1:{}", "http://127.0.0.1:{}", "nonsense", "http://"])
def test_health_of_what_does_not_serve_is_exit_1(address: str) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        result = cavra("health", "--address", address.format(unheard.getsockname()[1]))
    assert (result.exit_code, result.stderr) == (1, "not serving\n")
