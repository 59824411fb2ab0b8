"""Connector configuration and destinations."""

import json
from pathlib import Path
from typing import Any

import pytest
from cavra_delivery.connectors.archive import ArchiveConnector
from cavra_delivery.connectors.base import Event, NotConfigured, category_of
from cavra_delivery.connectors.config import BadEntry, ConnectorConfig, read_connectors
from cavra_delivery.connectors.http import HttpSender
from cavra_delivery.connectors.registry import Registry, fingerprint, fingerprint_key
from cavra_delivery.connectors.webapi import HttpConnector
from cavra_delivery.domain.deliveries import EVENT_TYPES, event_id_of, message_id_of
from cavra_evidence.guard import matches
from cavra_verify.canonical import parse


def connector(**entry: Any) -> HttpConnector:
    """A webhook of one configuration entry."""
    config = ConnectorConfig.model_validate({"url": "https://example.org/hook", **entry})
    return HttpConnector("webhook", "webhook", config, HttpSender())


@pytest.mark.parametrize(
    ("entry", "headers"),
    [
        ({}, {}),
        ({"token": "t"}, {"authorization": "Bearer t"}),
        ({"token": "t", "authorization_scheme": "Splunk"}, {"authorization": "Splunk t"}),
        ({"token": "t", "authorization": "Basic b"}, {"authorization": "Basic b"}),
        ({"api_key": "k"}, {"x-api-key": "k"}),
        ({"api_key": "k", "api_key_header": "DD-API-KEY"}, {"dd-api-key": "k"}),
        ({"headers": {"X-More": "m"}, "token": "t"}, {"x-more": "m", "authorization": "Bearer t"}),
    ],
)
def test_credentials_become_the_headers_of_the_contract(
    entry: dict[str, Any], headers: dict[str, str]
) -> None:
    assert connector(**entry).destination().headers == headers


@pytest.mark.parametrize("field", ["url", "token", "api_key", "authorization"])
def test_a_variable_that_is_not_set_is_named(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CAVRA_TEST_X", raising=False)
    made = connector(**{f"{field}_env": "CAVRA_TEST_X"})
    with pytest.raises(NotConfigured) as refused:
        made.destination()
    assert refused.value.variable == "CAVRA_TEST_X"
    monkeypatch.setenv("CAVRA_TEST_X", "https://example.org/from-variable\n")
    assert made.destination().headers is not None


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "ftp://example.org", "https://", "https://user@example.org", "https://u:p@example.org",
        "https://example.org:0", "https://example.org:99999", "https://exa mple.org", "https://example.org/\n", "https://[::1",
    ],
)  # fmt: skip
def test_a_url_that_nothing_can_be_sent_to_is_not_configured(url: str) -> None:
    if url == "https://example.org/\n":
        assert connector(url=url).destination().url == "https://example.org/", "the break is no part of it"
        return
    with pytest.raises(NotConfigured):
        connector(url=url).destination()


def test_a_header_with_a_line_break_is_not_configured() -> None:
    with pytest.raises(NotConfigured):
        connector(headers={"x-more": "a\r\nx-injected: b"}).destination()


@pytest.mark.parametrize(
    "entry",
    [
        [],
        {"url": 5},
        {"kind": "pigeon"},
        {"method": "DELETE"},
        {"headers": {"host": "x"}},
        {"headers": {"Webhook-Id": "x"}},
        {"headers": {"a b": "x"}},
        {"url_env": "not a name"},
        {"enabled": "perhaps"},
    ],
)
def test_a_bad_entry_is_unusable_alone_and_its_values_are_not_told(entry: Any) -> None:
    found, problem = read_connectors({"connectors": {"bad": entry, "good": {"url": "https://example.org"}}})
    assert problem == ""
    assert isinstance(found["good"], ConnectorConfig)
    told = found["bad"]
    assert isinstance(told, BadEntry)
    field = next(iter(entry)) if isinstance(entry, dict) else ""
    assert told.field == field
    for secret in ("pigeon", "DELETE", "not a name", "perhaps"):
        assert secret not in repr(told)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Bad Name", "string_pattern_mismatch"),
        ("", "string_pattern_mismatch"),
        (7, "string_type"),
        (None, "string_type"),
        ("ghp_0123456789abcdefghijklmnopqrstuvwxyz", "value_error"),
    ],
)
def test_an_entry_whose_name_is_no_providers_is_unusable_alone_and_its_name_is_not_told(
    name: Any, rule: str
) -> None:
    found, problem = read_connectors({"connectors": {"good": {}, name: {"url": "https://example.org"}}})
    assert problem == ""
    assert found == {"good": ConnectorConfig(), "unnamed-2": BadEntry("name", rule)}


@pytest.mark.parametrize(
    "content",
    [
        {},
        {"connectors": []},
        {"connectors": {f"c{n}": {} for n in range(51)}},
    ],
)
def test_a_file_of_another_shape_configures_nothing(content: dict[str, Any]) -> None:
    found, problem = read_connectors(content)
    assert found == {}
    assert problem


def test_nothing_of_a_destination_or_a_configuration_is_shown_by_repr() -> None:
    made = connector(url="https://example.org/canary?x=canary", token="canary", headers={"x": "canary"})
    assert "canary" not in repr(made.destination())
    assert "canary" not in repr(made._config)


def test_a_fingerprint_binds_everything_that_says_where_a_send_goes() -> None:
    key = b"k" * 32
    entries: list[dict[str, Any]] = [
        {},
        {"url": "http://example.org/hook"},
        {"url": "https://example.com/hook"},
        {"url": "https://example.org:8443/hook"},
        {"url": "https://example.org/other"},
        {"url": "https://example.org/hook?x=1"},
        {"method": "PUT"},
        {"headers": {"x-more": "1"}},
        {"token": "t"},
    ]
    prints = [fingerprint(key, connector(**entry).destination()) for entry in entries]
    assert len(set(prints)) == len(entries)
    assert {len(one) for one in prints} == {32}
    assert fingerprint(b"l" * 32, connector().destination()) != prints[0]
    assert fingerprint(key, connector(url="https://example.org:443/hook").destination()) == prints[0]
    rotated = connector(token="another")
    assert fingerprint(key, rotated.destination()) == prints[-1], (
        "a rotated credential is the same destination"
    )


def test_the_fingerprint_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "delivery" / "fingerprint.key"
    key = fingerprint_key(path)
    assert fingerprint_key(path) == key
    assert path.stat().st_mode & 0o077 == 0
    path.write_bytes(b"short")
    with pytest.raises(ValueError, match="32 bytes"):
        fingerprint_key(path)


def test_the_same_event_renders_to_the_same_canonical_bytes() -> None:
    event = Event("t", "evt-1", "2026-11-23T00:00:00.000000+00:00", {"b": 1, "a": "ü"}, "0" * 64)
    body = connector().render(event, "msg-1").body
    assert connector().render(event, "msg-1").body == body
    assert parse(body) == {**json.loads(body)}
    assert json.loads(body)["data"] == {"a": "ü", "b": 1}


def test_event_and_message_ids_belong_to_the_delivery() -> None:
    assert event_id_of("d") == event_id_of("d") != event_id_of("e")
    assert message_id_of("d", "webhook") != message_id_of("d", "slack")
    assert matches("id", event_id_of("d"))
    assert matches("id", message_id_of("d", "webhook"))
    assert all(matches("reason", event_type) for event_type in EVENT_TYPES.values())


@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("splunk", "siem"), ("sentinel", "siem"), ("datadog", "siem"), ("jira", "itsm"), ("servicenow", "itsm"), ("slack", "chatops"),
        ("teams", "chatops"), ("pagerduty", "chatops"), ("email", "chatops"), ("webhook", "webhook"), ("archive", "webhook"),
        ("anything", "webhook"),
    ],
)  # fmt: skip
def test_categories_are_those_of_the_contract(kind: str, category: str) -> None:
    assert category_of(kind) == category


async def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "connectors.json"
    path.write_text('{"connectors": {"webhook": {"url": "https://example.org"}}}')
    registry = Registry(path, HttpSender())
    assert registry.enabled() == ["webhook"]
    path.write_text(
        '{"connectors": {"webhook": {"url": "https://example.org", "enabled": false}, "my-siem": {"kind": "splunk"}}}'
    )
    assert registry.enabled() == ["my-siem"]
    assert registry.all()["my-siem"].category == "siem"
    with pytest.raises(NotConfigured):
        registry.find("webhook")
    path.write_text('{"connectors": {"webhook": {"url": "https://example.org"}, "Bad Name": {}}}')
    assert (registry.enabled(), sorted(registry.all())) == (["webhook"], ["unnamed-2", "webhook"])
    with pytest.raises(NotConfigured):
        registry.find("unnamed-2")
    path.write_text('{"connectors": {}}')
    assert (registry.all(), registry.problem) == ({}, "")


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "the file holds no mapping"),
        ("connectors: {webhook: {url: ht", "the file is no valid JSON or YAML (ParserError)"),
        ("connectors:\n", "the file has no mapping `connectors`"),
        (
            "connectors:\n" + "".join(f"  c{number}: {{}}\n" for number in range(51)),
            "the file has more than 50 connectors",
        ),
        (None, "the file cannot be read (FileNotFoundError)"),
    ],
    ids=["emptied", "half written", "begun", "too many", "away"],
)
async def test_a_file_that_is_of_no_use_for_a_while_leaves_in_force_what_was_read_before(
    content: str | None, problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "connectors.yaml"
    path.write_text("connectors: {webhook: {url: https://example.org}}")
    registry = Registry(path, HttpSender())
    before = registry.find("webhook")
    path.unlink() if content is None else path.write_text(content)
    for _ in range(3):
        assert (registry.find("webhook"), registry.problem) == (before, problem)
    assert capsys.readouterr().out.count("connector_config_unusable") == 1, "it is told once"
    path.write_text("connectors: {splunk: {url: https://example.org}}")
    assert (registry.enabled(), registry.problem) == (["splunk"], "")


def test_an_archive_whose_path_no_file_can_have_is_not_configured() -> None:
    with pytest.raises(NotConfigured):
        ArchiveConnector("archive", ConnectorConfig(path="/srv/a\0b")).destination()
