"""`cavra connectors` as an operator sees it."""

from pathlib import Path

import pytest
from cavra_cli.main import app
from typer.testing import CliRunner


def test_a_check_prints_one_line_for_each_connector_and_fails_when_one_does(tmp_path: Path) -> None:
    path = tmp_path / "connectors.json"
    path.write_text(
        '{"connectors": {"archive": {"path": "/srv/archive"}, "webhook": {"url_env": "T_NOT_SET"}}}'
    )
    result = CliRunner().invoke(app, ["connectors", "check"], env={"CAVRA_CONNECTOR_CONFIG": str(path)})
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "archive  archive  ok",
        "webhook  webhook  failed  the variable T_NOT_SET is not set",
    ]
    alone = CliRunner().invoke(app, ["connectors", "check", "archive", "--file", str(path)])
    assert (alone.exit_code, alone.stdout) == (0, "archive  archive  ok\n")


def test_a_file_that_is_not_there_is_refused() -> None:
    result = CliRunner().invoke(app, ["connectors", "check", "--file", "/nowhere/connectors.yaml"])
    assert result.exit_code == 2
    assert "the file cannot be read" in result.stderr


def test_a_list_needs_a_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAVRA_TOKEN", raising=False)
    result = CliRunner().invoke(app, ["connectors", "list"])
    assert result.exit_code == 2
    assert "set CAVRA_TOKEN" in result.stderr
