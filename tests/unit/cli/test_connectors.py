"""`cavra connectors` as an operator sees it."""

from pathlib import Path

from cavra_cli.main import app
from typer.testing import CliRunner

from tests.support.installation import Installation


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
    assert (alone.exit_code, alone.stdout, alone.stderr) == (0, "archive  archive  ok\n", "")


def test_who_sends_a_test_event_is_told_that_it_is_no_delivery(tmp_path: Path) -> None:
    path = tmp_path / "connectors.json"
    path.write_text(f'{{"connectors": {{"archive": {{"path": "{tmp_path}"}}}}}}')
    sent = CliRunner().invoke(app, ["connectors", "check", "--send", "--file", str(path)])
    assert (sent.exit_code, sent.stdout) == (0, "archive  archive  ok  taken\n")
    assert sent.stderr == "A test event is no delivery: it carries no audit data and leaves no record.\n"


def test_a_file_that_is_not_there_is_refused() -> None:
    result = CliRunner().invoke(app, ["connectors", "check", "--file", "/nowhere/connectors.yaml"])
    assert result.exit_code == 2
    assert "the file cannot be read" in result.stderr


def test_a_list_tells_what_kept_it_from_asking(tmp_path: Path) -> None:
    gone = CliRunner().invoke(app, ["connectors", "list", "--token-file", "gone.token"])
    assert (gone.exit_code, "gone.token: No such file" in gone.stderr) == (2, True)
    folder = str(Installation(tmp_path).settings.data_dir)
    nobody = ["connectors", "list", "--address", "127.0.0.1:1", "--data-dir", folder]
    down = CliRunner().invoke(app, nobody)
    assert (down.exit_code, down.stderr.startswith("cavra: service_unavailable")) == (1, True)
