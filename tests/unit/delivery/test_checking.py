"""`cavra connectors check`: what is configured, where its secrets are, and whether its receiver takes a test event."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from cavra_delivery.checking import check

from tests.support.receiver import Receiver
from tests.support.vendors.itsm import JiraCloud
from tests.support.vendors.server import Reply


def written(folder: Path, **connectors: Any) -> Path:
    """A configuration file."""
    path = folder / "connectors.yaml"
    path.write_text(yaml.safe_dump({"connectors": connectors}))
    return path


async def test_each_entry_is_told_by_itself_and_by_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CAVRA_TEST_X", raising=False)
    path = written(
        tmp_path,
        good={"url": "https://a.example"},
        archive={"path": str(tmp_path)},
        typo={"url": "https://a.example", "tokn_env": "CAVRA_TEST_X"},
        unset={"url": "https://a.example", "token_env": "CAVRA_TEST_X"},
        off={"url_env": "CAVRA_TEST_X", "enabled": False},
        jira={"url": "https://a.example"},
        wrong={"url": 17},
        **{"Canary 7": {"url": "https://a.example"}},
    )
    found = {one.name: (one.kind, one.state, one.detail) for one in await check(path, [], False, 1.0)}
    assert found == {
        "archive": ("archive", "ok", ""),
        "good": ("webhook", "ok", ""),
        "jira": ("jira", "failed", "project is missing or of no use"),
        "off": ("webhook", "disabled", "the variable CAVRA_TEST_X is not set"),
        "typo": ("webhook", "failed", "there is no such field: tokn_env"),
        "unnamed-1": ("webhook", "failed", "name is refused by rule string_pattern_mismatch"),
        "unset": ("webhook", "failed", "the variable CAVRA_TEST_X is not set"),
        "wrong": ("webhook", "failed", "url is refused by rule string_type"),
    }
    assert [one.name for one in await check(path, ["good"], False, 1.0)] == ["good"]


@pytest.mark.parametrize("text", ["", "connectors: [", "connectors: 7", "other: {}"])
async def test_a_file_that_holds_no_connectors_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "connectors.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="file"):
        await check(path, [], False, 1.0)


async def test_a_connector_that_is_not_there_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no connector of such a name"):
        await check(written(tmp_path, good={"url": "https://a.example"}), ["god"], False, 1.0)
    with pytest.raises(ValueError, match="no file is configured"):
        await check(None, [], False, 1.0)


async def test_a_test_event_says_what_it_is_and_goes_to_what_is_enabled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    jira = JiraCloud()
    async with Receiver(201) as receiver, jira.start():
        for name, value in jira.environment().items():
            monkeypatch.setenv(name, value)
        path = written(
            tmp_path,
            webhook={"url": receiver.url, "allow_private_networks": True},
            off={"url": receiver.url, "allow_private_networks": True, "enabled": False},
            guarded={"url": receiver.url},
            jira={**jira.entry(), "allow_private_networks": True},
        )
        found = {one.name: (one.state, one.detail) for one in await check(path, [], True, 5.0)}
        assert found == {
            "guarded": ("failed", "destination_refused"),
            "jira": ("ok", "taken (201) as OPS-1"),
            "off": ("disabled", ""),
            "webhook": ("ok", "taken (201)"),
        }
        [sent] = receiver.received
        assert b'"event_type":"connector_test"' in sent.body
        assert b"nothing is to be done" in sent.body
        jira.script = [Reply(401, b"")]
        [refused] = await check(path, ["jira"], True, 5.0)
        assert (refused.state, refused.detail) == ("failed", "auth (401)")
